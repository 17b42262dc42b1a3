# SPDX-License-Identifier: BSD-2-Clause
"""The 512-byte header of a tar entry, PAX records and sparse maps: bytes in, values out. Strict: what is odd is Damaged.

Not here: reading the stream (archive.py) and what an entry becomes on disk (unpack.py).
"""
from __future__ import annotations

import functools
import struct
import typing as t
from zlib import adler32

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged

BLOCK = 512
ZEROS = bytes(BLOCK)

Pairs = t.List[t.Tuple[bytes, bytes]]
Segment = t.Tuple[int, int]             # offset in the file, bytes
SparseMap = t.List[Segment]

_HEADER = struct.Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12s")
_ADLER = 65521                  # largest prime below 2^16
_POSIX, _GNU, _V7 = b"ustar\x0000", b"ustar  \0", bytes(8)
_STAR_MARK = slice(508, 512)            # star's own variant has a shorter prefix and this mark at the end
_STAR_PREFIX = slice(345, 476)
_SEGMENT = struct.Struct("12s12s")
_SPARSE_IN_HEADER, _SPARSE_IN_BLOCK = (386, 4, 482), (0, 21, 504)       # first entry, entries, the byte that says "more"
SEGMENTS_IN_BLOCK = 21
_REAL_SIZE = slice(483, 495)
_NANO = 1_000_000_000


# name, mode, owner, group, size, time, kind (its type flag, a NUL told as `0`), link, major and minor number: as they stand in the block
Header = t.Tuple[bytes, int, int, int, int, int, bytes, bytes, int, int]
KIND = 6


def parse(block: bytes) -> Header:
    """Raises Damaged."""
    name, mode, uid, gid, size, mtime, checksum, kind, link, magic, _user, _group, major, minor, prefix, _pad = _HEADER.unpack(block)
    # adler32's lower half is the sum of the bytes (and 1) modulo a prime: exact here, and ten times as fast as adding them up.
    expected = number(checksum)
    if (adler32(block) & 0xFFFF) != (expected + 1 - 8 * 32 + sum(checksum)) % _ADLER:
        _check_signed(block, expected)
    if magic == _POSIX:
        prefix = block[_STAR_PREFIX] if block[_STAR_MARK] == b"tar\0" else prefix
        head = prefix.partition(b"\0")[0]
        name = name.partition(b"\0")[0]
        name = head + b"/" + name if head else name
    elif magic in (_GNU, _V7):
        name = name.partition(b"\0")[0]
    else:
        raise Damaged("read", "archive", "a header has the magic number %r" % magic)
    has_device = kind in b"34"
    return (
        name, number(mode) & 0o7777, number(uid), number(gid), number(size), number(mtime), b"0" if kind == b"\0" else kind,
        link.partition(b"\0")[0], number(major) if has_device else 0, number(minor) if has_device else 0,
    )


def _check_signed(block: bytes, expected: int) -> None:
    """Some old writers added the bytes up as signed numbers."""
    rest = block[:148] + block[156:]
    if sum(rest) + 8 * 32 - 256 * sum(byte > 127 for byte in rest) != expected:
        raise Damaged("read", "archive", "the checksum of a header is wrong")


@functools.lru_cache(maxsize=1024)
def number(field: bytes) -> int:
    """Octal text, or base 256 when the first bit is set (GNU). An empty field is 0."""
    first = field[0]
    if first & 0x80:
        if first not in (0x80, 0xFF):
            raise Damaged("read", "archive", "a header has a number of too many bytes")
        return int.from_bytes(field[1:], "big", signed=False) - (1 << 8 * (len(field) - 1) if first == 0xFF else 0)
    text = field.partition(b"\0")[0].strip(b" ")
    if not text:
        return 0
    if not text.isdigit() or b"8" in text or b"9" in text:
        raise Damaged("read", "archive", "a header has %r where a number belongs" % field)
    return int(text, 8)


def pax_records(text: bytes) -> Pairs:
    """`LENGTH KEY=VALUE\\n`, one after the other, and nothing else. Raises Damaged."""
    found, at = [], 0
    while at < len(text):
        blank = text.find(b" ", at, at + 20)
        length = decimal(text[at:blank]) if blank > at else 0
        end = at + length
        key, equals, value = text[blank + 1:end - 1].partition(b"=")
        if blank < 0 or end > len(text) or end <= blank or text[end - 1:end] != b"\n" or not equals or not key:
            raise Damaged("read", "archive", "an extended header is malformed")
        found.append((key, value))
        at = end
    return found


def decimal(text: bytes) -> int:
    """ASCII digits and nothing else: int() would take signs, blanks and underscores."""
    if not text.isdigit() or len(text) > 20:
        raise Damaged("read", "archive", "%r is no number" % text[:40])
    return int(text)


def nanoseconds(text: bytes) -> int:
    """Seconds with a fraction, perhaps negative; more than nine decimals are cut."""
    whole, dot, fraction = text[text.startswith(b"-"):].partition(b".")
    value = decimal(whole) * _NANO + (decimal(fraction[:9].ljust(9, b"0")) if dot and fraction else 0)
    return -value if text.startswith(b"-") else value


def gnu_sparse(block: bytes, *, first: bool) -> t.Tuple[SparseMap, bool]:
    """The map in a header of type S (`first`) or in the block after it, and whether another such block follows."""
    start, count, more = _SPARSE_IN_HEADER if first else _SPARSE_IN_BLOCK
    pairs = [_SEGMENT.unpack_from(block, start + index * _SEGMENT.size) for index in range(count)]
    return [(number(offset), number(length)) for offset, length in pairs if offset[0]], block[more] not in (0, 0x30)


def gnu_real_size(block: bytes) -> int:
    return number(block[_REAL_SIZE])


def pax_sparse(pairs: Pairs) -> SparseMap:
    """The map of formats 0.0 (one pair of records a segment) and 0.1 (one list)."""
    listed = [value for key, value in pairs if key == b"GNU.sparse.map"]
    if listed:
        return segments([decimal(each) for each in listed[-1].split(b",")] if listed[-1] else [])
    offsets = [decimal(value) for key, value in pairs if key == b"GNU.sparse.offset"]
    lengths = [decimal(value) for key, value in pairs if key == b"GNU.sparse.numbytes"]
    if len(offsets) != len(lengths):
        raise Damaged("read", "archive", "a sparse file's map is malformed")
    return list(zip(offsets, lengths))


def segments(numbers: t.Sequence[int]) -> SparseMap:
    if len(numbers) % 2:
        raise Damaged("read", "archive", "a sparse file's map is malformed")
    return list(zip(numbers[::2], numbers[1::2]))


def checked_map(found: SparseMap, *, stored: int, real: int) -> SparseMap:
    """Ascending, without overlap, inside the file, and as many bytes as the archive holds. Raises Damaged."""
    at = total = 0
    for offset, length in found:
        if offset < at or length < 0 or offset + length > real:
            raise Damaged("read", "archive", "a sparse file's map is malformed")
        at, total = offset + length, total + length
    if total != stored:
        raise Damaged("read", "archive", "a sparse file's map does not fit its data")
    return [(offset, length) for offset, length in found if length]


def build(
    name: bytes, *, kind: bytes, mode: int = 0, uid: int = 0, gid: int = 0, size: int = 0, mtime: int = 0, link: bytes = b"",
    major: int = 0, minor: int = 0, pairs: t.Iterable[t.Tuple[bytes, bytes]] = (),
) -> bytes:
    """The blocks before an entry's data, one form for each meaning: POSIX, with extended records for what its fields cannot hold."""
    said = list(pairs)
    seconds, rest = divmod(mtime, _NANO)
    prefix, short = _split(name)
    if short is None:
        said.append((b"path", name))
        prefix, short = b"", name[:100]
    if len(link) > 100:
        said.append((b"linkpath", link))
    for key, value, largest in ((b"uid", uid, _SMALL), (b"gid", gid, _SMALL), (b"size", size, _LARGE)):
        if value > largest:
            said.append((key, b"%d" % value))
    if rest or not 0 <= seconds <= _LARGE:
        said.append((b"mtime", _decimal_time(mtime)))
    head = b""
    if said:
        text = b"".join(pax_record(key, value) for key, value in sorted(said))
        head = _block(b"././@PaxHeader", b"x", 0o644, 0, 0, len(text), 0, b"", 0, 0, b"") + text + bytes(-len(text) % BLOCK)
    fields = (mode, uid if uid <= _SMALL else 0, gid if gid <= _SMALL else 0, size if size <= _LARGE else 0)
    return head + _block(short, kind, *fields, seconds if 0 <= seconds <= _LARGE else 0, link[:100], major, minor, prefix)


_SMALL, _LARGE = 8 ** 7 - 1, 8 ** 11 - 1


def _split(name: bytes) -> t.Tuple[bytes, t.Optional[bytes]]:
    """Prefix and name for a header; no name where they do not fit."""
    if len(name) <= 100:
        return b"", name
    cut = name.find(b"/", len(name) - 101)
    if not 0 < cut <= 155 or cut == len(name) - 1:
        return b"", None
    return name[:cut], name[cut + 1:]


def _decimal_time(nanoseconds_: int) -> bytes:
    sign, value = (b"-", -nanoseconds_) if nanoseconds_ < 0 else (b"", nanoseconds_)
    seconds, rest = divmod(value, _NANO)
    return sign + (b"%d.%09d" % (seconds, rest)).rstrip(b"0").rstrip(b".")


def pax_record(key: bytes, value: bytes) -> bytes:
    """Its length counts itself."""
    size = len(key) + len(value) + 3
    length = size + len(str(size))
    length = size + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _block(
    name: bytes, kind: bytes, mode: int, uid: int, gid: int, size: int, mtime: int, link: bytes, major: int, minor: int, prefix: bytes,
) -> bytes:
    block = _HEADER.pack(
        name, b"%07o" % mode, b"%07o" % uid, b"%07o" % gid, b"%011o" % size, b"%011o" % mtime, b" " * 8, kind, link, _POSIX,
        b"", b"", b"%07o" % major, b"%07o" % minor, prefix, b"")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]
