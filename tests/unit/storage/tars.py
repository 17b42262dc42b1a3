# SPDX-License-Identifier: GPL-3.0-or-later
"""Tar archives byte by byte, also such as no tar writes."""
from __future__ import annotations

import typing as t

END = bytes(1024)


def octal(value: int, width: int) -> bytes:
    return b"%0*o\0" % (width - 1, value)


def base256(value: int, width: int) -> bytes:
    return (b"\x80" if value >= 0 else b"\xff") + (value & (1 << 8 * (width - 1)) - 1).to_bytes(width - 1, "big")


def header(
    name: bytes, *, kind: bytes = b"0", size: int = 0, mode: int = 0o644, uid: int = 0, gid: int = 0, mtime: int = 1, link: bytes = b"",
    device: t.Tuple[int, int] = (0, 0), magic: bytes = b"ustar\x0000", prefix: bytes = b"", tail: bytes = b"", signed: bool = False,
) -> bytes:
    def number(value: int, width: int) -> bytes:
        return octal(value, width) if 0 <= value < 8 ** (width - 1) else base256(value, width)

    block = b"".join((
        name.ljust(100, b"\0")[:100], number(mode, 8), number(uid, 8), number(gid, 8), number(size, 12), number(mtime, 12),
        b" " * 8, kind, link.ljust(100, b"\0")[:100], magic, bytes(64), octal(device[0], 8), octal(device[1], 8), prefix,
    )).ljust(512, b"\0")
    block = block[: 512 - len(tail)] + tail
    return checksummed(block, signed=signed)


def checksummed(block: bytes, *, signed: bool = False) -> bytes:
    block = block[:148] + b" " * 8 + block[156:]
    total = sum(byte - 256 if signed and byte > 127 else byte for byte in block)
    return block[:148] + b"%06o\0 " % total + block[156:]


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def file(name: bytes, data: bytes = b"", **more: t.Any) -> bytes:
    return header(name, size=len(data), **more) + padded(data)


def directory(name: bytes, mode: int = 0o755, **more: t.Any) -> bytes:
    return header(name, kind=b"5", mode=mode, **more)


def symlink(name: bytes, target: bytes, **more: t.Any) -> bytes:
    return header(name, kind=b"2", link=target, mode=0o777, **more)


def hard_link(name: bytes, target: bytes, **more: t.Any) -> bytes:
    return header(name, kind=b"1", link=target, **more)


def pax(pairs: t.Sequence[t.Tuple[bytes, bytes]], *, kind: bytes = b"x") -> bytes:
    text = b"".join(record(key, value) for key, value in pairs)
    return header(b"pax", kind=kind, size=len(text)) + padded(text)


def record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + 1
    while len(b"%d" % length) + len(rest) != length:
        length += 1
    return b"%d" % length + rest


def long_name(name: bytes, *, kind: bytes = b"L") -> bytes:
    return header(b"././@LongLink", kind=kind, size=len(name) + 1, magic=b"ustar  \0") + padded(name + b"\0")


def archive(*parts: bytes) -> bytes:
    return b"".join(parts) + END
