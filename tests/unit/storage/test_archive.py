# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import os
import pathlib
import tarfile
import typing as t

import pytest
from hypothesis import given, settings, strategies as st

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Damaged, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.storage import archive, tarheader
from ansible_collections.cocker.engine.tests.unit.storage import tars

Found = t.List[t.Tuple[archive.Entry, bytes]]


def read(content: bytes, **limits: int) -> Found:
    fd = os.memfd_create("tar")
    try:
        with open(fd, "wb", closefd=False) as stream:
            stream.write(content)
        os.lseek(fd, 0, os.SEEK_SET)
        reader = archive.Reader(fd, archive.Limits(**limits))
        return [(entry, b"".join(bytes(piece) for piece in reader.data())) for entry in reader]
    finally:
        os.close(fd)


def only(content: bytes) -> archive.Entry:
    ((entry, _data),) = read(content)
    return entry


def test_plain_file() -> None:
    ((entry, data),) = read(tars.archive(tars.file(b"etc/motd", b"hello", mode=0o640, uid=7, gid=8, mtime=9)))
    assert data == b"hello"
    assert entry[:7] == (b"etc/motd", archive.FILE, 0o640, 7, 8, 5, 9_000_000_000)


@pytest.mark.parametrize("part, kind, link", [
    (tars.directory(b"d/"), archive.DIRECTORY, b""),
    (tars.file(b"d/", magic=bytes(8)), archive.DIRECTORY, b""),
    (tars.symlink(b"l", b"/x"), archive.SYMLINK, b"/x"),
    (tars.hard_link(b"h", b"f"), archive.HARD_LINK, b"f"),
    (tars.header(b"h", kind=b"1", link=b"f", size=99), archive.HARD_LINK, b"f"),
    (tars.header(b"f", kind=b"7"), archive.FILE, b""),
    (tars.header(b"f", kind=b"\0"), archive.FILE, b""),
    (tars.header(b"p", kind=b"6"), archive.FIFO, b""),
    (tars.header(b"D", kind=b"D", size=3) + tars.padded(b"dmp"), archive.DIRECTORY, b""),
])
def test_kinds(part: bytes, kind: bytes, link: bytes) -> None:
    entry = only(tars.archive(part))
    assert (entry.kind, entry.link) == (kind, link)


def test_device_numbers() -> None:
    entry = only(tars.archive(tars.header(b"null", kind=b"3", device=(1, 3))))
    assert (entry.kind, entry.major, entry.minor) == (archive.CHARACTER, 1, 3)


@pytest.mark.parametrize("content, name", [
    (tars.archive(tars.header(b"name", prefix=b"some/prefix")), b"some/prefix/name"),
    (tars.archive(tars.header(100 * b"n")), 100 * b"n"),
    (tars.archive(tars.long_name(300 * b"x"), tars.header(b"cut")), 300 * b"x"),
    (tars.archive(tars.pax([(b"path", b"\xff\xfe long")]), tars.header(b"cut")), b"\xff\xfe long"),
    (tars.archive(tars.pax([(b"path", b"a"), (b"path", b"b")]), tars.header(b"cut")), b"b"),
    (tars.archive(tars.pax([(b"path", b"")]), tars.header(b"kept")), b"kept"),
    (tars.archive(tars.header(b"x" * 99, magic=b"ustar  \0", prefix=b"1234567890")), b"x" * 99),
    (tars.archive(tars.header(b"name", prefix=b"pre", tail=b"tar\0")), b"pre/name"),
    (tars.archive(tars.header(b"\xe9t\xe9", signed=True)), b"\xe9t\xe9"),
])
def test_names(content: bytes, name: bytes) -> None:
    assert only(content).name == name


def test_global_header_counts_until_it_is_overruled() -> None:
    found = read(tars.archive(
        tars.pax([(b"uid", b"5"), (b"gid", b"6")], kind=b"g"), tars.header(b"a"), tars.pax([(b"uid", b"9")]), tars.header(b"b"), tars.header(b"c")))
    assert [(entry.uid, entry.gid) for entry, _data in found] == [(5, 6), (9, 6), (5, 6)]


def test_extended_numbers() -> None:
    entry = only(tars.archive(
        tars.pax([(b"size", b"3"), (b"uid", b"70000"), (b"mtime", b"-1.5"), (b"SCHILY.xattr.user.a", b"\0\n=\xff")]),
        tars.header(b"f", size=0), tars.padded(b"abc")))
    assert (entry.size, entry.uid, entry.mtime, entry.xattrs) == (3, 70000, -1_500_000_000, {b"user.a": b"\0\n=\xff"})


@pytest.mark.parametrize("seconds, nanoseconds", [(b"1", 10**9), (b"0.000000001", 1), (b"2.9999999999", 2_999_999_999), (b"3.", 3 * 10**9)])
def test_times_to_the_nanosecond(seconds: bytes, nanoseconds: int) -> None:
    assert only(tars.archive(tars.pax([(b"mtime", seconds)]), tars.header(b"f"))).mtime == nanoseconds


def test_numbers_in_base_256() -> None:
    entry = only(tars.archive(tars.header(b"f", uid=1 << 24, mtime=-5)))
    assert (entry.uid, entry.mtime) == (1 << 24, -5_000_000_000)


SPARSE_DATA = b"A" * 512 + b"B" * 512
SPARSE_MAP = [(1024, 512), (4096, 512)]


def gnu_sparse() -> bytes:
    pairs = b"".join(tars.octal(number, 12) for pair in SPARSE_MAP for number in pair).ljust(96, b"\0")
    block = tars.header(b"s", kind=b"S", size=1024, magic=b"ustar  \0")
    block = block[:386] + pairs + b"\0" + tars.octal(8192, 12) + block[495:]
    return tars.checksummed(block) + SPARSE_DATA


def pax_sparse(version: str) -> bytes:
    real = (b"GNU.sparse.realsize" if version == "1.0" else b"GNU.sparse.size", b"8192")
    if version == "0.0":
        pairs = [real] + [pair for at, size in SPARSE_MAP for pair in ((b"GNU.sparse.offset", b"%d" % at), (b"GNU.sparse.numbytes", b"%d" % size))]
        return tars.pax(pairs) + tars.header(b"s", size=1024) + SPARSE_DATA
    numbers = b",".join(b"%d,%d" % pair for pair in SPARSE_MAP)
    if version == "0.1":
        return tars.pax([real, (b"GNU.sparse.map", numbers), (b"GNU.sparse.name", b"s")]) + tars.header(b"x", size=1024) + SPARSE_DATA
    head = [(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", b"s"), real]
    text = tars.padded(b"2\n" + numbers.replace(b",", b"\n") + b"\n")
    return tars.pax(head) + tars.header(b"x", size=1024 + len(text)) + text + SPARSE_DATA


@pytest.mark.parametrize("part", [gnu_sparse(), pax_sparse("0.0"), pax_sparse("0.1"), pax_sparse("1.0")], ids=["gnu", "0.0", "0.1", "1.0"])
def test_sparse_formats(part: bytes) -> None:
    (entry, data), (after, _data) = read(tars.archive(part, tars.header(b"after")))
    assert (entry.name, entry.real_size, entry.sparse, data) == (b"s", 8192, SPARSE_MAP, SPARSE_DATA)
    assert after.name == b"after"


WHOLE = tars.archive(tars.file(b"a", b"x" * 700), tars.pax([(b"path", b"b")]), tars.file(b"c", b"y"), tars.long_name(b"n" * 200), tars.file(b"d"))


@pytest.mark.parametrize("size", sorted({0, 1, 511, 512, 513, 1024, 1535, *range(1536, len(WHOLE) - 1024, 512), len(WHOLE) - 1025}))
def test_truncated_anywhere_is_damaged(size: int) -> None:
    with pytest.raises(Damaged):
        read(WHOLE[:size])


def test_one_zero_block_ends_an_archive() -> None:
    assert len(read(WHOLE[:-512])) == 3


@pytest.mark.parametrize("content", [
    tars.header(b"a") + bytes(512) + tars.header(b"b") + tars.END,
    WHOLE + b"garbage".ljust(512, b"\0"),
    WHOLE + WHOLE,
], ids=["after one zero block", "garbage", "another archive"])
def test_data_after_the_end_is_damaged(content: bytes) -> None:
    with pytest.raises(Damaged, match="after its end"):
        read(content)


def corrupt(block: bytes, at: int, byte: bytes) -> bytes:
    return block[:at] + byte + block[at + 1:]


@pytest.mark.parametrize("content", [
    tars.archive(corrupt(tars.header(b"a"), 0, b"b")),
    tars.archive(tars.header(b"a", magic=b"oddmagic")),
    tars.archive(tars.checksummed(corrupt(tars.header(b"a"), 104, b"9"))),
    tars.archive(tars.checksummed(corrupt(tars.header(b"a"), 104, b"-"))),
    tars.archive(tars.checksummed(corrupt(tars.header(b"a"), 104, b"_"))),
    tars.archive(tars.checksummed(corrupt(tars.header(b"a"), 124, b"\x81"))),
    tars.archive(tars.header(b"a", uid=2**32 - 1)),
    tars.archive(tars.header(b"a", gid=2**32)),
    tars.archive(tars.header(b"a", uid=-1)),
    tars.archive(tars.header(b"a", size=-1)),
    tars.archive(tars.header(b"a", size=1 << 70)),
    tars.archive(tars.header(b"a", mtime=1 << 80)),
    tars.archive(tars.pax([(b"mtime", b"1e5")]), tars.header(b"a")),
    tars.archive(tars.pax([(b"uid", b"1_0")]), tars.header(b"a")),
    tars.archive(tars.pax([(b"uid", "٣".encode())]), tars.header(b"a")),
    tars.archive(tars.pax([(b"size", b"9" * 30)]), tars.header(b"a")),
    tars.archive(tars.pax([(b"path", b"a\0b")]), tars.header(b"a")),
    tars.archive(tars.header(b"")),
    tars.archive(tars.header(b"x", kind=b"x", size=9) + tars.padded(b"99 path=a"), tars.header(b"a")),
    tars.archive(tars.header(b"x", kind=b"x", size=8) + tars.padded(b"8 path=a"), tars.header(b"a")),
    tars.archive(tars.header(b"x", kind=b"x", size=5) + tars.padded(b"5 a=\0"), tars.header(b"a")),
    tars.archive(tars.header(b"x", kind=b"x", size=4) + tars.padded(b"0 =\n"), tars.header(b"a")),
    tars.header(b"x", kind=b"x", size=2 << 20) + bytes(2 << 20) + tars.END,
    tars.header(b"x", kind=b"L", size=2 << 20) + b"a" * (2 << 20) + tars.END,
    tars.archive(tars.pax([(b"path", b"lost")])),
    tars.archive(tars.pax([(b"GNU.sparse.size", b"10"), (b"GNU.sparse.map", b"0,4,2,4")]), tars.file(b"a", b"12345678")),
    tars.archive(tars.pax([(b"GNU.sparse.size", b"10"), (b"GNU.sparse.map", b"0,4,8,4")]), tars.file(b"a", b"12345678")),
    tars.archive(tars.pax([(b"GNU.sparse.size", b"10"), (b"GNU.sparse.map", b"0,4")]), tars.file(b"a", b"12345678")),
    tars.archive(tars.pax([(b"GNU.sparse.size", b"10"), (b"GNU.sparse.map", b"0,4,5")]), tars.file(b"a", b"12345678")),
    tars.archive(tars.pax([(b"GNU.sparse.offset", b"0")]), tars.file(b"a", b"1")),
    tars.archive(tars.pax([(b"GNU.sparse.major", b"1"), (b"GNU.sparse.realsize", b"1")]), tars.file(b"a", b"9" * 512)),
    tars.archive(tars.pax([(b"GNU.sparse.major", b"1"), (b"GNU.sparse.realsize", b"1")]), tars.file(b"a", (b"99999999\n" + b"1\n" * 300)[:512])),
    b"\x7fELF" + bytes(2000),
    b"PK\3\4" + b"x" * 2000,
])
def test_what_is_not_exactly_an_archive_is_damaged(content: bytes) -> None:
    with pytest.raises(Damaged):
        read(content)


@pytest.mark.parametrize("kind", [b"M", b"N", b"Z", b"8"])
def test_unknown_types_are_named(kind: bytes) -> None:
    with pytest.raises(Unsupported, match="type"):
        read(tars.archive(tars.header(b"a", kind=kind)))


def test_limits_end_a_bomb() -> None:
    with pytest.raises(Damaged, match="more than 3 entries"):
        read(tars.archive(*[tars.header(b"a")] * 4), entries=3)
    with pytest.raises(Damaged, match="more than 9 bytes"):
        read(tars.archive(tars.file(b"a", b"0123456789")), bytes=9)
    with pytest.raises(Damaged, match="more than 8191 bytes"):
        read(tars.archive(gnu_sparse()), bytes=8191)


@given(st.binary(max_size=3000))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        read(content)
    except CockerError:
        pass


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=4), st.booleans())
@settings(max_examples=500, deadline=None)
def test_any_damage_is_read_or_refused(changes: t.List[t.Tuple[int, int]], fix: bool) -> None:
    content = bytearray(WHOLE)
    for at, byte in changes:
        content[at] = byte
        if fix:
            block = at // 512 * 512
            content[block:block + 512] = tars.checksummed(bytes(content[block:block + 512]))
    try:
        read(bytes(content), bytes=1 << 20)
    except CockerError:
        pass


@given(st.dictionaries(st.binary(min_size=1, max_size=20).filter(lambda key: b"=" not in key), st.binary(max_size=60), max_size=5))
def test_extended_records_come_back(pairs: t.Dict[bytes, bytes]) -> None:
    text = b"".join(tars.record(key, value) for key, value in pairs.items())
    assert dict(tarheader.pax_records(text)) == pairs


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_another_writer_writes(form: int, tmp_path: pathlib.Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as writer:
        for number in range(40):
            info = tarfile.TarInfo("dir%d/" % number + "x" * (90 if form == tarfile.USTAR_FORMAT else 190))
            info.size = number * 97
            writer.addfile(info, io.BytesIO(b"z" * info.size))
    found = read(out.getvalue())
    assert [(len(entry.name), len(data)) for entry, data in found][-1] == (len("dir39/") + (90 if form == tarfile.USTAR_FORMAT else 190), 39 * 97)
