# SPDX-License-Identifier: BSD-2-Clause
"""Reads a tar stream, entry by entry, in constant memory: ustar, GNU and PAX. A stream that is not exactly one whole archive is Damaged.

Python's tarfile is not used: it stops silently at damage, keeps every header, and passes what is hostile.
Not here: decompression (decompress.py), and what an entry becomes on disk (unpack.py).
"""
from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.storage import tarheader
from ansible_collections.cocker.engine.plugins.module_utils.storage.tarheader import BLOCK

FILE, HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"

_LONGEST_HEADER = 1 << 20       # bytes of a PAX header, a GNU long name, a sparse map
_LONGEST_END = 64 << 20         # zeros that a writer may have filled its last record up with
_BUFFER = 1 << 20
_NANO = 1_000_000_000
_LATEST = 1 << 62               # nanoseconds; nobody's clock shows more
_NOT_SAID = (1 << 32) - 1       # chown(2) would leave the owner as it is: root
_AS_FILE = (b"0", b"7", b"S")
_WITHOUT_DATA = (HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO)
_PAX_LOCAL, _PAX_GLOBAL = (b"x", b"X"), b"g"
_XATTR, _SPARSE = b"SCHILY.xattr.", b"GNU.sparse."


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one archive may bring: a decompression bomb ends here. `bytes` counts holes too."""

    entries: int = 2_000_000
    bytes: int = 256 << 30


class Entry(t.NamedTuple):
    """`size` bytes of data follow in the stream; `real_size` and `sparse` (None: no holes) are the file's. `mtime` in nanoseconds."""

    name: bytes
    kind: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    link: bytes
    major: int
    minor: int
    real_size: int
    xattrs: t.Mapping[bytes, bytes] = {}
    sparse: t.Optional[tarheader.SparseMap] = None


class Stream:
    """Big reads from a descriptor, handed out in pieces without copying."""

    def __init__(self, fd: int, taken: t.Callable[[memoryview], object] = len) -> None:
        self._fd = fd
        self._taken = taken
        self._view = memoryview(bytearray(_BUFFER))
        self._start = self._end = 0

    def block(self) -> bytes:
        """The next 512 bytes; empty at the end. Raises Damaged for an end in the middle."""
        start = self._start
        if self._end - start < BLOCK and not self._fill(BLOCK):
            if self._end > self._start:
                raise Damaged("read", "archive", "it is truncated")
            return b""
        start = self._start
        self._start = start + BLOCK
        return bytes(self._view[start:self._start])

    def _fill(self, wanted: int) -> bool:
        left = self._end - self._start
        self._view[:left] = bytes(self._view[self._start:self._end])
        self._start, self._end = 0, left
        while self._end < wanted:
            count = os.readv(self._fd, [self._view[self._end:]])
            if not count:
                return False
            self._taken(self._view[self._end:self._end + count])
            self._end += count
        return True

    def piece(self, most: int) -> memoryview:
        """At least one of the next `most` bytes, valid until the next call."""
        if self._start == self._end and not self._fill(1):
            raise Damaged("read", "archive", "it is truncated")
        start = self._start
        self._start = min(self._end, start + most)
        return self._view[start:self._start]

    def position(self) -> int:
        """Of the next byte in a file that is read by nobody else."""
        return os.lseek(self._fd, 0, os.SEEK_CUR) - (self._end - self._start)

    def skip(self, count: int) -> None:
        while count:
            count -= len(self.piece(count))

    def take(self, count: int) -> bytes:
        """A whole header's worth, with its padding dropped."""
        found = bytearray()
        while len(found) < count:
            found += self.piece(count - len(found))
        self.skip(-count % BLOCK)
        return bytes(found)


class Reader:
    """Iterates over the entries. The data of each must be read from `stream` (data()) before the next; what is left is skipped.

    `taken` is called with every byte of the archive, in order, such as a digest's update; it may not keep what it is given.
    """

    def __init__(self, fd: int, limits: Limits = Limits(), taken: t.Callable[[memoryview], object] = len) -> None:
        self.stream = Stream(fd, taken)
        self.entries = 0
        self.bytes = 0
        self._counted = 0
        self._limits = limits
        self._left = self._padding = self._headers = 0
        self._global: t.Dict[bytes, bytes] = {}

    def data(self) -> t.Iterator[memoryview]:
        """The stored bytes of the current entry, in pieces; each is valid until the next is asked for."""
        while self._left:
            piece = self.stream.piece(self._left)
            self._left -= len(piece)
            yield piece

    def __iter__(self) -> t.Iterator[Entry]:
        while True:
            entry = self._next()
            if entry is None:
                self._check_end()
                return
            self.entries += 1
            self.bytes += entry.real_size
            if self.entries > self._limits.entries:
                raise Damaged("read", "archive", "it has more than %d entries" % self._limits.entries)
            self._count(max(entry.size, entry.real_size))
            yield entry

    def _count(self, size: int) -> None:
        """Whatever it is that the archive is blown up with."""
        self._counted += size
        if self._counted > self._limits.bytes:
            raise Damaged("read", "archive", "it unpacks to more than %d bytes" % self._limits.bytes, hint="the limit can be raised")

    def _next(self) -> t.Optional[Entry]:
        """Gathers the headers that belong to one entry."""
        self.stream.skip(self._left + self._padding)
        self._left = self._padding = self._headers = 0
        name = link = None
        pairs: tarheader.Pairs = []
        block = self._header()
        while block is not None:
            header = tarheader.parse(block)
            kind = header[tarheader.KIND]
            if kind in _PAX_LOCAL:
                pairs += tarheader.pax_records(self._text(header))
            elif kind == b"L":
                name = self._text(header).rstrip(b"\0")
            elif kind == b"K":
                link = self._text(header).rstrip(b"\0")
            elif kind == _PAX_GLOBAL:
                self._global.update(tarheader.pax_records(self._text(header)))
                if sum(map(len, self._global.values())) + sum(map(len, self._global)) > _LONGEST_HEADER:
                    raise Damaged("read", "archive", "it has long headers for all of its entries of more than %d bytes" % _LONGEST_HEADER)
            else:
                return self._entry(header, block, pairs, name, link)
            block = self._header()
        if name is not None or link is not None or pairs:
            raise Damaged("read", "archive", "it is truncated")
        return None

    def _header(self) -> t.Optional[bytes]:
        """None at the end mark. An archive without one may have been cut off."""
        block = self.stream.block()
        if not block:
            raise Damaged("read", "archive", "it is truncated" if self.entries else "it is empty")
        return None if block == tarheader.ZEROS else block

    def _check_end(self) -> None:
        """Only zeros follow the end mark: anything else would be data that another reader sees and this one does not."""
        block, read = self.stream.block(), 0
        while block:
            if block != tarheader.ZEROS:
                raise Damaged("read", "archive", "there is data after its end")
            read += BLOCK
            if read > _LONGEST_END:
                raise Damaged("read", "archive", "there are more than %d zeros after its end" % _LONGEST_END)
            block = self.stream.block()

    def _text(self, header: tarheader.Header) -> bytes:
        size = header[4]
        self._headers += size
        if size < 0 or self._headers > _LONGEST_HEADER:
            raise Damaged("read", "archive", "an entry has long headers of %d bytes" % max(size, self._headers))
        self._count(size)
        return self.stream.take(size)

    def _entry(
        self, header: tarheader.Header, block: bytes, pairs: tarheader.Pairs, long_name: t.Optional[bytes], long_link: t.Optional[bytes],
    ) -> Entry:
        name, mode, uid, gid, size, mtime, kind, link, major, minor = header
        name, link = long_name or name, long_link or link
        if kind == FILE and name.endswith(b"/"):
            kind = DIRECTORY        # before POSIX a directory was a file whose name ends in a slash
        fields = [name, kind, mode, uid, gid, size, mtime * _NANO, link, major, minor, size]
        entry = self._extended(fields, pairs) if pairs or self._global else Entry(*fields)  # type: ignore[arg-type]
        if kind != FILE:
            entry = self._special(entry, block)
        return self._checked(entry)

    def _special(self, entry: Entry, block: bytes) -> Entry:
        kind = entry.kind
        if kind == b"S":
            entry = self._gnu_sparse(entry, block)
        if kind in _AS_FILE:
            return entry._replace(kind=FILE)
        if kind not in _WITHOUT_DATA and kind != b"D":
            raise Unsupported("read", os.fsdecode(entry.name), "an archive entry of type %r" % os.fsdecode(kind))
        # Only a dump directory (D) has data after these; what other writers put into `size` is the size of a link's target.
        return entry._replace(size=entry.size if kind == b"D" else 0, real_size=0, kind=DIRECTORY if kind == b"D" else kind)

    def _checked(self, entry: Entry) -> Entry:
        if entry.size < 0 or entry.real_size < 0:
            raise Damaged("read", os.fsdecode(entry.name), "its size is negative")
        if not (0 <= entry.uid < _NOT_SAID and 0 <= entry.gid < _NOT_SAID):
            raise Damaged("read", os.fsdecode(entry.name), "its owner %d:%d is out of range" % (entry.uid, entry.gid))
        if not -_LATEST < entry.mtime < _LATEST:
            raise Damaged("read", os.fsdecode(entry.name), "its time is out of range")
        if not entry.name or b"\0" in entry.name or b"\0" in entry.link:
            raise Damaged("read", os.fsdecode(entry.name) or "archive", "an entry has an impossible name")
        self._left, self._padding = entry.size, -entry.size % BLOCK
        return entry

    def _extended(self, fields: t.List[t.Any], pairs: tarheader.Pairs) -> Entry:
        """The last record of a key counts; an empty one unsays it."""
        xattrs: t.Dict[bytes, bytes] = {}
        sparse = False
        if self._global:
            said = dict(self._global)
            said.update(pairs)
            pairs = list(said.items()) + [pair for pair in pairs if pair[0].startswith(_SPARSE)]
        for key, value in pairs:
            known = _PAX.get(key)
            if known is not None:
                if value:
                    fields[known[0]] = known[1](value)
                    if known[0] == _SIZE:
                        fields[_REAL_SIZE] = fields[_SIZE]
            elif key.startswith(_XATTR):
                xattrs[key[len(_XATTR):]] = value
            elif key.startswith(_SPARSE):
                sparse = True
        entry = Entry(*[*fields, xattrs])
        return self._pax_sparse(entry, dict(pairs), pairs) if sparse else entry

    def _pax_sparse(self, entry: Entry, said: t.Mapping[bytes, bytes], pairs: tarheader.Pairs) -> Entry:
        real = said.get(b"GNU.sparse.realsize", said.get(b"GNU.sparse.size"))
        if entry.kind not in _AS_FILE or real is None:
            raise Damaged("read", os.fsdecode(entry.name), "it is no sparse file that this format describes")
        entry = entry._replace(name=said.get(b"GNU.sparse.name") or entry.name, real_size=tarheader.decimal(real))
        if said.get(b"GNU.sparse.major") == b"1":
            found, stored = self._map_before_data(entry.size)
        else:
            found, stored = tarheader.pax_sparse(pairs), entry.size
        return entry._replace(size=stored, sparse=tarheader.checked_map(found, stored=stored, real=entry.real_size))

    def _map_before_data(self, size: int) -> t.Tuple[tarheader.SparseMap, int]:
        """Format 1.0: decimal numbers, one a line, in whole blocks before the data. Also how many bytes of data are left."""
        numbers: t.List[int] = []
        text, wanted, left = b"", 1, size
        while len(numbers) < wanted:
            if left < BLOCK or size - left >= _LONGEST_HEADER or len(text) > BLOCK:
                raise Damaged("read", "archive", "a sparse file's map is malformed or too long")
            *lines, text = (text + self._block()).split(b"\n")
            left -= BLOCK
            for line in lines:
                if len(numbers) < wanted:
                    numbers.append(tarheader.decimal(line))
                    wanted = 1 + 2 * numbers[0]
        return tarheader.segments(numbers[1:]), left

    def _gnu_sparse(self, entry: Entry, block: bytes) -> Entry:
        real = tarheader.gnu_real_size(block)
        found, more = tarheader.gnu_sparse(block, first=True)
        while more:
            if len(found) > _LONGEST_HEADER // BLOCK * tarheader.SEGMENTS_IN_BLOCK:
                raise Damaged("read", os.fsdecode(entry.name), "the sparse file's map is too long")
            rest, more = tarheader.gnu_sparse(self._block(), first=False)
            found += rest or [(0, -1)] * more       # a full block is the only reason for another one
        return entry._replace(real_size=real, sparse=tarheader.checked_map(found, stored=entry.size, real=real))

    def _block(self) -> bytes:
        block = self.stream.block()
        if not block:
            raise Damaged("read", "archive", "it is truncated")
        return block


_SIZE, _REAL_SIZE = Entry._fields.index("size"), Entry._fields.index("real_size")
_PAX: t.Dict[bytes, t.Tuple[int, t.Callable[[bytes], t.Any]]] = {
    key: (Entry._fields.index(field), read) for key, field, read in (
        (b"path", "name", bytes),
        (b"linkpath", "link", bytes),
        (b"size", "size", tarheader.decimal),
        (b"uid", "uid", tarheader.decimal),
        (b"gid", "gid", tarheader.decimal),
        (b"mtime", "mtime", tarheader.nanoseconds),
    )
}
