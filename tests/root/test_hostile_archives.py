# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile and odd archives, as root file systems and as layers: the right tree or a clear error, never a write outside, nothing left.

A row is one archive and what becomes of it: a tree, as name -> what it is, or the word that the error must have.
"""
from __future__ import annotations

import bz2
import gzip
import lzma
import os
import pathlib
import stat
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.storage import archive, importlayer, importtar, layers
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout
from ansible_collections.cocker.engine.tests.unit.storage import tars
from ansible_collections.cocker.engine.tests.unit.storage.tars import directory, file, hard_link, header, long_name, padded, pax, symlink

pytestmark = pytest.mark.root

NOW = "2024-01-01T00:00:00Z"
LIMITS = archive.Limits(entries=600, bytes=64 << 20)
VICTIM = "/tmp/cocker-victim"       # by name in the archives; nothing may ever be there
Tree = t.Dict[str, str]
OK: Tree = {"f": "x"}


def whole(*parts: bytes) -> bytes:
    return tars.archive(*parts)


def x(name: bytes) -> bytes:
    return file(name, b"x")


def attribute(name: bytes, value: bytes = b"y") -> bytes:
    return pax([(b"SCHILY.xattr." + name, value)])


def sparse(pairs: t.Sequence[t.Tuple[bytes, bytes]], data: bytes = b"", **more: t.Any) -> bytes:
    return pax(list(pairs)) + file(b"s", data, **more)


def sparse_map(text: bytes, size: int, data: bytes = b"") -> bytes:
    return sparse([(b"GNU.sparse.size", b"%d" % size), (b"GNU.sparse.map", text)], data)


def gnu(pairs: t.Sequence[t.Tuple[int, int]], real: int, data: bytes, *, more: bytes = b"\0") -> bytes:
    block = header(b"s", kind=b"S", size=len(data), magic=b"ustar  \0")
    listed = b"".join(tars.octal(number, 12) for pair in pairs for number in pair).ljust(96, b"\0")
    return tars.checksummed(block[:386] + listed + more + tars.octal(real, 12) + block[495:]) + padded(data)


def one_zero(text: bytes, real: int, data: bytes = b"") -> bytes:
    stored = padded(text) + data
    said = [(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", b"s"), (b"GNU.sparse.realsize", b"%d" % real)]
    return sparse(said, stored)


V = VICTIM.encode()
NAMES: t.Dict[str, t.Tuple[bytes, t.Union[str, Tree]]] = {
    "up": (x(b"../f"), "leads out"),
    "up in the middle": (x(b"a/../../f"), "leads out"),
    "up and back in": (x(b"a/../f"), "leads out"),
    "up at the end": (directory(b"a/.."), "leads out"),
    "only up": (directory(b".."), "leads out"),
    "up by long name": (long_name(b"../" * 50 + b"f") + x(b"f"), "leads out"),
    "up by pax": (pax([(b"path", b"../f")]) + x(b"f"), "leads out"),
    "up by prefix": (header(b"f", prefix=b"../.."), "leads out"),
    "up by global header": (pax([(b"path", b"../f")], kind=b"g") + x(b"f"), "leads out"),
    "absolute": (x(V + b"/f"), {"tmp": "d", "tmp/cocker-victim": "d", "tmp/cocker-victim/f": "x"}),
    "absolute by pax": (pax([(b"path", b"/" + V + b"//f")]) + x(b"f"), {"tmp": "d", "tmp/cocker-victim": "d", "tmp/cocker-victim/f": "x"}),
    "many slashes": (x(b"////f"), OK), "dots": (x(b"./././f"), OK), "dot in the middle": (x(b"a/./f"), {"a": "d", "a/f": "x"}),
    "three dots": (x(b".../f"), {"...": "d", ".../f": "x"}), "two dots and more": (x(b"..f"), {"..f": "x"}),
    "the root as a file": (x(b"."), "root of the tree"), "the root as a link": (symlink(b"./", b"/etc"), "root of the tree"),
    "the root as a hard link": (hard_link(b"/", b"f"), "root of the tree"), "the root as a device": (header(b".", kind=b"3"), "root of the tree"),
    "the root twice": (directory(b"./", 0o700) + directory(b"/", 0o755) + x(b"f"), OK),
    "empty name": (header(b""), "impossible name"), "zero byte by pax": (pax([(b"path", b"a\0b")]) + x(b"f"), "impossible name"),
    "zero byte in a link": (pax([(b"linkpath", b"a\0b")]) + symlink(b"l", b"x"), "impossible name"),
    "not utf-8": (x(b"\xff\xfe"), {"\udcff\udcfe": "x"}), "not utf-8 by pax": (pax([(b"path", b"\xff\xfe")]) + x(b"f"), {"\udcff\udcfe": "x"}),
    "not utf-8 by long name": (long_name(b"\x80" * 150) + x(b"f"), {"\udc80" * 150: "x"}),
    "newline and escape": (x(b"a\nb\x1b[0m"), {"a\nb\x1b[0m": "x"}), "blank": (x(b" "), {" ": "x"}), "dash": (x(b"-rf"), {"-rf": "x"}),
    "255 bytes": (long_name(b"n" * 255) + x(b"f"), {"n" * 255: "x"}), "256 bytes": (long_name(b"n" * 256) + x(b"f"), "too long"),
    "a long path": (pax([(b"path", b"d/" * 2100 + b"f")]) + x(b"f"), {**{"/".join("d" * n): "d" for n in range(1, 2101)}, "d/" * 2100 + "f": "x"}),
    "a path too long": (pax([(b"path", b"d/" * 20000 + b"f")]) + x(b"f"), "too long"),
    "long name of a megabyte": (long_name(b"a" * (1 << 20)) + x(b"f"), "long header"),
    "pax of two megabytes": (header(b"p", kind=b"x", size=2 << 20) + bytes(2 << 20), "long header"),
    "many pax headers before an entry": (pax([(b"comment", b"c" * 500000)]) * 6 + x(b"f"), "long header"),
    "many global headers": (b"".join(pax([(b"key%d" % n, b"c" * 500000)], kind=b"g") for n in range(6)) + x(b"f"), "long header"),
    "long name wins over pax or not, but is one": (long_name(b"l") + pax([(b"path", b"p")]) + x(b"f"), {"p": "x"}),
    "two long names": (long_name(b"a") + long_name(b"b") + x(b"f"), {"b": "x"}),
    "long link": (long_name(b"t" * 300, kind=b"K") + symlink(b"l", b"cut"), {"l": "->" + "t" * 300}),
}
LINKS: t.Dict[str, t.Tuple[bytes, t.Union[str, Tree]]] = {
    "link out": (symlink(b"l", V), {"l": "->" + VICTIM}), "link up": (symlink(b"l", b"../../../x"), {"l": "->../../../x"}),
    "through an absolute link": (symlink(b"l", V) + x(b"l/f"), {
        "l": "->" + VICTIM, "tmp": "d", "tmp/cocker-victim": "d", "tmp/cocker-victim/f": "x"}),
    "through a link up": (symlink(b"l", b"../../..") + x(b"l/f"), {"l": "->../../..", "f": "x"}),
    "through two links": (symlink(b"a", b"b") + symlink(b"b", b"/c") + directory(b"c") + x(b"a/f"), {"a": "->b", "b": "->/c", "c": "d", "c/f": "x"}),
    "through a loop": (symlink(b"a", b"b") + symlink(b"b", b"a") + x(b"a/f"), "symbolic links"),
    "through itself": (symlink(b"a", b"a") + x(b"a/f"), "symbolic links"),
    "through a link to a file": (x(b"f") + symlink(b"l", b"f") + x(b"l/g"), "l/g"),
    "through a file": (x(b"f") + x(b"f/g"), "f/g"), "through a fifo": (header(b"p", kind=b"6") + x(b"p/g"), "p/g"),
    "a link is replaced, not followed": (symlink(b"l", V) + x(b"l"), {"l": "x"}),
    "a link to a file is replaced": (x(b"f") + symlink(b"l", b"f") + file(b"l", b"y"), {"f": "x", "l": "y"}),
    "a link to a directory by a directory": (directory(b"d") + symlink(b"l", b"d") + directory(b"l"), {"d": "d", "l": "d"}),
    "a directory by a link and back": (
        directory(b"d") + x(b"d/f") + symlink(b"d", V) + x(b"d/g") + directory(b"d") + x(b"d/h"),
        {"d": "d", "d/h": "x", "tmp": "d", "tmp/cocker-victim": "d", "tmp/cocker-victim/g": "x"}),
    "a parent becomes a link": (x(b"d/e/f") + symlink(b"d/e", V) + x(b"d/e/g"), {
        "d": "d", "d/e": "->" + VICTIM, "tmp": "d", "tmp/cocker-victim": "d", "tmp/cocker-victim/g": "x"}),
    "a grandparent becomes a link": (x(b"a/b/f") + symlink(b"a", b"c") + x(b"a/b/g"), {"a": "->c", "c": "d", "c/b": "d", "c/b/g": "x"}),
    "mode for a link is not for its target": (directory(b"d", 0o700) + symlink(b"l", b"d", uid=1), {"d": "d", "l": "->d"}),
    "empty link": (symlink(b"l", b""), "l"), "link of 5000 bytes": (pax([(b"linkpath", b"t" * 5000)]) + symlink(b"l", b"x"), "too long"),
    "hard link up": (hard_link(b"l", b"../f"), "leads out"), "hard link by pax up": (pax([(b"linkpath", b"../f")]) + hard_link(b"l", b"f"), "leads out"),
    "hard link to nothing": (hard_link(b"l", b"f"), "not brought"), "hard link to later": (hard_link(b"l", b"f") + x(b"f"), "not brought"),
    "hard link absolute": (hard_link(b"l", b"/etc/passwd"), "not brought"), "hard link to proc": (hard_link(b"l", b"/proc/self/exe"), "not brought"),
    "hard link to a directory": (directory(b"d") + hard_link(b"l", b"d"), "directory"), "hard link to the root": (hard_link(b"l", b"."), "not brought"),
    "hard link to a link": (symlink(b"a", V) + hard_link(b"b", b"a"), {"a": "->" + VICTIM, "b": "->" + VICTIM}),
    "hard link through a link out": (symlink(b"a", V) + hard_link(b"b", b"a/secret"), "not brought"),
    "hard link through a link inside": (x(b"d/f") + symlink(b"a", b"d") + hard_link(b"b", b"a/f"), {"d": "d", "d/f": "x", "a": "->d", "b": "x"}),
    "hard link to itself": (x(b"f") + hard_link(b"f", b"f"), OK), "hard link over a directory": (
        x(b"f") + x(b"d/g") + hard_link(b"d", b"f"), {"f": "x", "d": "x"}),
    "hard link with data said": (x(b"f") + header(b"l", kind=b"1", link=b"f", size=4096), {"f": "x", "l": "x"}),
    "write through a hard link": (x(b"f") + hard_link(b"l", b"f") + file(b"l", b"other"), {"f": "x", "l": "other"}),
    "hard link with an owner": (x(b"f") + hard_link(b"l", b"f", uid=7), {"f": "x", "l": "x"}),
    "hard link to a device": (header(b"c", kind=b"3", device=(1, 3)) + hard_link(b"l", b"c"), {"c": "c1:3", "l": "c1:3"}),
}
NODES: t.Dict[str, t.Tuple[bytes, t.Union[str, Tree]]] = {
    "null": (header(b"n", kind=b"3", device=(1, 3)), {"n": "c1:3"}), "memory": (header(b"m", kind=b"3", device=(1, 1)), {"m": "c1:1"}),
    "disk": (header(b"b", kind=b"4", device=(8, 0)), {"b": "b8:0"}), "fifo": (header(b"p", kind=b"6"), {"p": "p"}),
    "major too large": (header(b"n", kind=b"3", device=(1 << 12, 1)), "out of range"),
    "minor too large": (header(b"n", kind=b"3", device=(1, 1 << 20)), "out of range"),
    "device over a directory": (x(b"d/f") + header(b"d", kind=b"3", device=(1, 3)), {"d": "c1:3"}),
    "file over a device": (header(b"n", kind=b"3", device=(1, 3)) + x(b"n"), {"n": "x"}), "file over a fifo": (header(b"f", kind=b"6") + x(b"f"), OK),
    "fifo with a size": (header(b"p", kind=b"6", size=4096) + x(b"f"), {"p": "p", "f": "x"}),
    "directory with a size": (header(b"d", kind=b"5", size=4096) + x(b"f"), {"d": "d", "f": "x"}),
    "setuid": (file(b"f", b"x", mode=0o4755), OK), "setuid of another": (file(b"f", b"x", mode=0o6755, uid=1, gid=1), OK),
    "all mode bits": (file(b"f", b"x", mode=0o7777777), OK), "sticky file": (file(b"f", b"x", mode=0o1777), OK),
    "socket": (header(b"s", kind=b"s"), "type"), "volume header": (header(b"V", kind=b"V"), "type"), "multi-volume": (header(b"M", kind=b"M"), "type"),
    "contiguous": (header(b"f", kind=b"7", size=1) + padded(b"x"), OK), "kind of a letter": (header(b"f", kind=b"Q"), "type"),
    "an old directory": (header(b"d/", magic=bytes(8)), {"d": "d"}), "dump directory": (header(b"d", kind=b"D", size=3) + padded(b"abc"), {"d": "d"}),
    "dump directory of a terabyte": (header(b"d", kind=b"D", size=1 << 40), "more than"),
    "nobody as owner": (file(b"f", uid=2**32 - 1), "out of range"), "nobody as group": (file(b"f", gid=2**32 - 1), "out of range"),
    "owner of 2^32": (pax([(b"uid", b"4294967296")]) + x(b"f"), "out of range"), "negative owner": (file(b"f", uid=-1), "out of range"),
    "owner in letters": (pax([(b"uid", b"0x0")]) + x(b"f"), "no number"), "owner with a blank": (pax([(b"uid", b" 0")]) + x(b"f"), "no number"),
    "owner in arabic": (pax([(b"uid", "٣".encode())]) + x(b"f"), "no number"), "owner with underscore": (pax([(b"gid", b"1_0")]) + x(b"f"), "no number"),
    "large owner": (file(b"f", b"x", uid=2**31), OK), "time before 1970": (file(b"f", b"x", mtime=-5), OK),
    "time of the far future": (file(b"f", mtime=1 << 60), "time"),
    "time with an exponent": (pax([(b"mtime", b"1e9")]) + x(b"f"), "no number"), "time with many digits": (pax([(b"mtime", b"1." + b"9" * 100)]) + x(b"f"), OK),
    "overlay's attribute": (attribute(b"trusted.overlay.opaque") + directory(b"d"), {"d": "d"}),
    "overlay's redirect": (attribute(b"trusted.overlay.redirect", V) + directory(b"d"), {"d": "d"}),
    "overlay's metacopy": (attribute(b"trusted.overlay.metacopy", b"") + x(b"f"), OK), "user overlay": (attribute(b"user.overlay.whiteout") + x(b"f"), OK),
    "selinux": (attribute(b"security.selinux", b"system_u\0") + x(b"f"), OK), "ima": (attribute(b"security.ima") + x(b"f"), OK),
    "broken capability": (attribute(b"security.capability", b"short") + x(b"f"), "f"), "attribute without a class": (attribute(b"name") + x(b"f"), "f"),
    "attribute without a name": (attribute(b"user.") + x(b"f"), "f"), "attribute with a zero byte": (attribute(b"user.a\0b") + x(b"f"), "null"),
    "attribute of 100 KB": (attribute(b"user.big", b"a" * 100000) + x(b"f"), "f"),
}
SPARSE: t.Dict[str, t.Tuple[bytes, t.Union[str, Tree]]] = {
    "0.1": (sparse_map(b"1,1", 3, b"B"), {"s": "\0B\0"}),
    "0.1 without holes": (sparse_map(b"0,1", 1, b"B"), {"s": "B"}), "0.1 empty": (sparse_map(b"", 3), {"s": "\0\0\0"}),
    "0.1 overlapping": (sparse_map(b"0,2,1,2", 4, b"abcd"), "malformed"), "0.1 backwards": (sparse_map(b"2,1,0,1", 4, b"ab"), "malformed"),
    "0.1 beyond the end": (sparse_map(b"3,2", 4, b"ab"), "malformed"),
    "0.1 short": (sparse_map(b"0,4", 4, b"ab"), "fit"), "0.1 odd": (sparse_map(b"0,1,2", 4, b"a"), "malformed"),
    "0.1 negative": (sparse_map(b"-1,1", 4, b"a"), "no number"), "0.1 letters": (sparse_map(b"a,b", 4, b"a"), "no number"),
    "0.1 petabytes": (sparse_map(b"0,1", 1 << 50, b"a"), "more than"),
    "0.1 2^64": (sparse_map(b"18446744073709551615,1", 1 << 63, b"a"), "malformed"),
    "0.0": (sparse([(b"GNU.sparse.size", b"3"), (b"GNU.sparse.offset", b"1"), (b"GNU.sparse.numbytes", b"1")], b"B"), {"s": "\0B\0"}),
    "0.0 without lengths": (sparse([(b"GNU.sparse.size", b"3"), (b"GNU.sparse.offset", b"1")], b"B"), "malformed"),
    "no size": (sparse([(b"GNU.sparse.map", b"0,1")], b"B"), "sparse"),
    "of a directory": (pax([(b"GNU.sparse.size", b"3")]) + directory(b"d"), "sparse"),
    "1.0": (one_zero(b"1\n1\n1\n", 3, b"B"), {"s": "\0B\0"}), "1.0 ends without data": (one_zero(b"2\n0\n1\n3\n0\n", 3, b"B"), {"s": "B\0\0"}),
    "1.0 map of a billion": (one_zero(b"999999999\n", 3), "malformed"),
    "1.0 map cut": (one_zero(b"2\n1\n", 3), "malformed"), "1.0 letters": (one_zero(b"x\n", 3), "no number"),
    "1.0 up": (sparse([(b"GNU.sparse.major", b"1"), (b"GNU.sparse.name", b"../s"), (b"GNU.sparse.realsize", b"1")], padded(b"1\n0\n1\n") + b"B"), "leads out"),
    "gnu": (gnu([(1, 1)], 3, b"B"), {"s": "\0B\0"}), "gnu overlapping": (gnu([(0, 2), (1, 2)], 4, b"abcd"), "malformed"),
    "gnu beyond": (gnu([(9, 1)], 3, b"B"), "malformed"),
    "gnu short": (gnu([(0, 3)], 3, b"B"), "fit"), "gnu more that is missing": (gnu([(0, 1)], 3, b"B", more=b"1"), "number"),
    "gnu petabytes": (gnu([(0, 1)], 1 << 32, b"B"), "more than"),
}
STREAMS: t.Dict[str, t.Tuple[bytes, t.Union[str, Tree]]] = {
    "truncated in a header": (whole(x(b"f"))[:700], "truncated"), "truncated in data": (file(b"f", b"x" * 5000)[:3000], "truncated"),
    "truncated before the end": (x(b"f"), "truncated"), "one end block": (x(b"f") + bytes(512), OK), "no entry": (bytes(1024), {}), "nothing": (b"", "empty"),
    "zeros after": (whole(x(b"f")) + bytes(100 << 10), OK), "zeros without end": (whole(x(b"f")) + bytes(80 << 20), "zeros"),
    "garbage after": (whole(x(b"f")) + b"garbage".ljust(512), "after its end"), "an archive after": (whole(x(b"f")) * 2, "after its end"),
    "garbage between": (x(b"f") + b"g" * 512 + x(b"g"), "read archive"),
    "a bad checksum": (whole(x(b"f")).replace(b"\x00f\x00", b"\x00g\x00", 1).replace(b"f", b"g", 1), "checksum"),
    "a size that is not there": (header(b"f", size=1 << 20) + bytes(1024), "truncated"), "a negative size": (header(b"f", size=-512), "negative"),
    "a size by pax": (pax([(b"size", b"1")]) + header(b"f", size=1) + padded(b"x") + bytes(1024), OK),
    "size of 2^70": (header(b"f", size=1 << 70), "more than"),
    "too many entries": (b"".join(header(b"f%d" % n) for n in range(601)) + bytes(1024), "entries"),
    "too many bytes": (header(b"f", size=65 << 20), "more than"),
    "the sum is too large": (b"".join(header(b"f%d" % n, size=1 << 20) + bytes(1 << 20) for n in range(65)) + bytes(1024), "more than"),
    "gzip": (gzip.compress(whole(x(b"f"))), OK), "gzip in gzip": (gzip.compress(gzip.compress(whole(x(b"f")))), "read archive"),
    "two gzip members": (gzip.compress(x(b"f")) + gzip.compress(bytes(1024)), OK), "gzip cut": (gzip.compress(whole(x(b"f")))[:-9], "truncated"),
    "gzip with a wrong sum": (gzip.compress(whole(x(b"f")))[:-8] + bytes(8), "damaged"),
    "gzip with a tail": (gzip.compress(whole(x(b"f"))) + b"tail", "damaged"),
    "gzip bomb": (gzip.compress(header(b"f", size=60 << 20) + bytes(200 << 20), 1), "data|zeros"), "gzip bomb of headers": (
        gzip.compress(pax([(b"comment", b"c" * 900000)]) * 100 + x(b"f"), 1), "long header"),
    "xz": (lzma.compress(whole(x(b"f"))), OK), "xz cut": (lzma.compress(whole(x(b"f")))[:-5], "truncated"), "bzip2": (bz2.compress(whole(x(b"f"))), OK),
    "xz of 512 MB memory": (lzma.compress(whole(x(b"f")), filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 29}]), "damaged"),
    "only a gzip head": (b"\x1f\x8b\x08\x00", "truncated"), "zip": (b"PK\3\4" + b"x" * 2000, "read archive"), "elf": (b"\x7fELF" + bytes(2000), "read archive"),
}
BOTH = {("%s: %s" % (group, name)): row if group == "streams" else (row[0] + tars.END, row[1])
        for group, rows in (("names", NAMES), ("links", LINKS), ("nodes", NODES), ("sparse", SPARSE), ("streams", STREAMS)) for name, row in rows.items()}
W, OPAQUE = b".wh.", b".wh..wh..opq"
LAYERS: t.Dict[str, t.Tuple[bytes, t.Union[str, Tree]]] = {
    "of up": (x(W + b".."), "whiteout of"), "of dot": (x(W + b"."), "whiteout of"),
    "of nothing": (x(W), "whiteout of"), "of up below": (x(b"d/" + W + b".."), "whiteout of"),
    "by a path up": (x(b"../" + W + b"f"), "leads out"), "through a link out": (symlink(b"l", V) + x(b"l/" + W + b"f"), "below a link"),
    "through a link on the way": (symlink(b"l", b"d") + directory(b"d/e") + x(b"l/e/" + W + b"f"), {"l": "->d", "d": "d", "d/e": "d", "d/e/f": "c0:0"}),
    "of a link": (symlink(b"l", V) + x(W + b"l"), {"l": "->" + VICTIM}), "below a whiteout": (directory(W + b"d") + x(W + b"d/f"), "below a whiteout"),
    "below a file": (x(b"f") + x(b"f/" + W + b"g"), "f/"), "twice": (x(W + b"f") * 2, {"f": "c0:0"}), "as a directory": (directory(W + b"f"), {"f": "c0:0"}),
    "as a link": (symlink(W + b"f", V), {"f": "c0:0"}), "with data": (file(W + b"f", b"y" * 9000) + x(b"g"), {"f": "c0:0", "g": "x"}),
    "and the name": (x(W + b"f") + x(b"f"), OK), "the name and it": (x(b"f") + x(W + b"f"), OK), "of a whiteout": (x(W + W + b"f"), {}),
    "opaque": (x(b"d/" + OPAQUE), {"d": "d!"}), "opaque root": (x(OPAQUE) + x(b"f"), OK), "opaque file": (x(b"f") + x(b"f/" + OPAQUE), "f/"),
    "opaque through a link out": (symlink(b"l", V) + x(b"l/" + OPAQUE), "below a link"),
    "opaque and then a link": (x(b"d/" + OPAQUE) + symlink(b"d", V), {"d": "->" + VICTIM}),
    "whiteout and then no directory": (x(b"d/" + W + b"f") + x(b"d"), {"d": "x"}),
    "aufs's own": (x(b".wh..wh.aufs") + directory(b".wh..wh.orph") + x(b".wh..wh.plnk/1"), {}),
    "hard link to aufs's own": (hard_link(b"l", b".wh..wh.plnk/1"), "not brought"),
    "hard link to a whiteout": (x(W + b"f") + hard_link(b"l", W + b"f"), "not brought"), "a device 0:0": (header(b"f", kind=b"3"), {"f": "c0:0"}),
    "below a device 0:0": (header(b"d", kind=b"3") + x(b"d/f"), "d/f"), "directory over a whiteout": (x(W + b"d") + directory(b"d"), {"d": "d!"}),
}


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    found = Layout(str(tmp_path_factory.mktemp("hostile") / "home"), run_root="/nonexistent")
    os.makedirs(found.layers)
    return found


def seen(top: str) -> Tree:
    """By descriptors: some paths are longer than a system call takes."""
    found: Tree = {}
    pending = [("", os.open(top, os.O_RDONLY))]
    while pending:
        folder, fd = pending.pop()
        for name in os.listdir(fd):
            path = folder + name
            facts = os.lstat(name, dir_fd=fd)
            found[path] = what(name, fd, facts)
            if stat.S_ISDIR(facts.st_mode):
                pending.append((path + "/", os.open(name, os.O_RDONLY, dir_fd=fd)))
        os.close(fd)
    return found


def what(name: str, fd: int, facts: os.stat_result) -> str:
    if stat.S_ISREG(facts.st_mode):
        with open(os.open(name, os.O_RDONLY, dir_fd=fd), "rb") as stream:
            return stream.read(100).decode()
    if stat.S_ISLNK(facts.st_mode):
        return "->" + os.readlink(name, dir_fd=fd)
    if stat.S_ISDIR(facts.st_mode):
        path = "/proc/self/fd/%d/%s" % (fd, name)
        return "d!" if "trusted.overlay.opaque" in os.listxattr(path) else "d"
    letter = "c" if stat.S_ISCHR(facts.st_mode) else "b" if stat.S_ISBLK(facts.st_mode) else "p"
    return letter if letter == "p" else "%s%d:%d" % (letter, os.major(facts.st_rdev), os.minor(facts.st_rdev))


def as_layer(layout: Layout, content: bytes) -> t.Any:
    return lambda staging: importlayer.import_layer(staging, [content], created=NOW, source="test", limits=LIMITS)


def as_root(layout: Layout, content: bytes) -> t.Any:
    path = pathlib.Path(layout.home, "archive.tar")
    path.write_bytes(content)
    return lambda staging: importtar.import_archive(staging, str(path), created=NOW, limits=LIMITS)


def check(layout: Layout, bring: t.Any, wanted: t.Union[str, Tree]) -> None:
    if isinstance(wanted, str):
        with pytest.raises(CockerError, match=wanted), layers.new(layout) as staging:
            bring(staging)
    else:
        with layers.new(layout) as staging:
            layer = bring(staging)
        found = seen(layout.diff(layer.id))
        layers.remove(layout, layer.id)
        assert found == wanted
    assert os.listdir(layout.layers) == [] and not os.path.lexists(VICTIM)


@pytest.mark.parametrize("bring", [as_root, as_layer])
@pytest.mark.parametrize("name", BOTH)
def test_archive(layout: Layout, monkeypatch: pytest.MonkeyPatch, name: str, bring: t.Any) -> None:
    monkeypatch.setattr(layers.fs, "sync_filesystem", len)       # nothing here is about power losses
    content, wanted = BOTH[name]
    check(layout, bring(layout, content), wanted)


@pytest.mark.parametrize("name", LAYERS)
def test_whiteout(layout: Layout, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(layers.fs, "sync_filesystem", len)
    content, wanted = LAYERS[name]
    check(layout, as_layer(layout, content + tars.END), wanted)


def test_the_corpus_is_as_large_as_was_promised() -> None:
    assert len(BOTH) + len(LAYERS) >= 150
