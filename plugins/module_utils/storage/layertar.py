# SPDX-License-Identifier: BSD-2-Clause
"""A layer's tree, or what a stack of layers shows, becomes a tar archive that any engine reads: the same tree gives the same bytes.

Sorted by name, POSIX headers, extended ones only where a value needs it, overlayfs's whiteouts in the form that the reader knows.
Not here: the way in (layertree.py), compression and digests (layerblob.py).
"""
from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Damaged, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.storage import archive, owners, stackwalk, tarheader, treecopy
from ansible_collections.cocker.engine.plugins.module_utils.storage.layertree import OPAQUE, WHITEOUT
from ansible_collections.cocker.engine.plugins.module_utils.storage.snapshots import HIDES_ALL

Write = t.Callable[[t.Union[bytes, memoryview]], object]

_END = bytes(2 * tarheader.BLOCK)
_CHUNK = 1 << 20
_HOLES = 1 << 20                # bytes of holes from which on a file is written as a sparse one
_SOURCE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NANO = 1_000_000_000
_KINDS = (
    (stat.S_ISREG, archive.FILE), (stat.S_ISDIR, archive.DIRECTORY), (stat.S_ISLNK, archive.SYMLINK), (stat.S_ISCHR, archive.CHARACTER),
    (stat.S_ISBLK, archive.BLOCK_DEVICE), (stat.S_ISFIFO, archive.FIFO),
)
# What overlayfs itself keeps in a directory or file whose meaning is elsewhere: a name or data of a lower layer.
_ELSEWHERE = ("trusted.overlay.redirect", "trusted.overlay.metacopy")


# How the archive says what of the layers below is hidden: by OCI's `.wh.` entries; by devices and attributes, as on the disk; not at all.
# EXACT is for a tree that is no layer: as DEVICES, and these devices have an owner, a mode and a time like any other.
OCI, DEVICES, NOTHING, EXACT = "oci", "devices", "nothing", "exact"


class Total(t.NamedTuple):
    """`size` is the sum of the files' sizes, as unpacking counts it."""

    entries: int
    size: int


def write(top: str, out: Write, *, hidden: str = OCI, shift: owners.Shift = owners.AS_IT_IS) -> Total:
    """`out` gets the archive in pieces, each valid during the call only. Raises Damaged for a tree that changes meanwhile, Unsupported.

    Sockets are left out: no archive holds them. `shift` says whose the entries are.
    """
    seen = (stackwalk.Seen(visit, _hides_all(visit)) for visit in treecopy.walk(top) if visit.event != treecopy.LEAVE)
    return _write(top, seen, _Writer(out, hidden, shift))


def write_stack(tops: t.Sequence[str], out: Write, *, hidden: str) -> Total:
    """What the layers (topmost first) show together, as write() does with one."""
    return _write(tops[0], stackwalk.walk(tops), _Writer(out, hidden))


def _write(top: str, seen: t.Iterable[stackwalk.Seen], writer: _Writer) -> Total:
    try:
        writer.top(top)
        for visit, hides_all in seen:
            writer.take(visit, hides_all)
    except OSError as error:
        raise CockerError("write", top, "%s: %s" % (error.filename, error.strerror)) from error
    writer.out(_END)
    return Total(writer.entries, writer.size)


def _hides_all(visit: treecopy.Visit) -> bool:
    return stat.S_ISDIR(visit.facts.st_mode) and fs.find_xattr(_path(visit), HIDES_ALL) == b"y"


class _Writer:
    def __init__(self, out: Write, hidden: str, shift: owners.Shift = owners.AS_IT_IS) -> None:
        self.out = out
        self._hidden, self._shift = hidden, shift
        self._linked: t.Dict[t.Tuple[int, int], bytes] = {}
        self._buffer = memoryview(bytearray(_CHUNK))
        self.entries = self.size = 0

    def top(self, path: str) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            xattrs = fs.xattrs(fd)
            self._directory(b"./", os.fstat(fd), xattrs, hides_all=xattrs.get(HIDES_ALL) == b"y")
        finally:
            os.close(fd)

    def take(self, visit: treecopy.Visit, hides_all: bool) -> None:
        facts, mode = visit.facts, visit.facts.st_mode
        if visit.name.startswith(WHITEOUT) and self._hidden == OCI:
            raise Unsupported("write", os.fsdecode(visit.path), "a name that begins with .wh. would hide another one")
        if stat.S_ISSOCK(mode):
            return
        if stackwalk.is_whiteout(facts) and self._hidden != EXACT:
            folder, slash, name = visit.path.rpartition(b"/")
            self._whiteout(visit.path, folder + slash + WHITEOUT + name)
        elif stat.S_ISDIR(mode):
            self._with_attributes(visit, lambda fd: self._directory(visit.path + b"/", facts, fs.xattrs(fd), hides_all=hides_all))
        elif not self._link(visit):
            self._node(visit)

    def _with_attributes(self, visit: treecopy.Visit, call: t.Callable[[int], None]) -> None:
        fd = os.open(visit.name, _SOURCE, dir_fd=visit.dir_fd)
        try:
            if not os.path.samestat(os.fstat(fd), visit.facts):
                raise Damaged("write", os.fsdecode(visit.path), "it was replaced while it was read")
            call(fd)
        finally:
            os.close(fd)

    def _directory(self, path: bytes, facts: os.stat_result, xattrs: t.Mapping[str, bytes], *, hides_all: bool) -> None:
        mark = [(b"SCHILY.xattr." + os.fsencode(HIDES_ALL), b"y")] if hides_all and self._hidden in (DEVICES, EXACT) else []
        self._header(path, archive.DIRECTORY, facts, xattrs=xattrs, said=mark)
        if hides_all and self._hidden == OCI:
            self._whiteout(b"", (path if path != b"./" else b"") + OPAQUE)

    def _whiteout(self, device: bytes, name: bytes) -> None:
        """Owner, mode and time of it mean nothing, so they are always the same."""
        if self._hidden == OCI:
            self.out(tarheader.build(name, kind=archive.FILE, mode=0o600))
            self.entries += 1
        elif self._hidden == DEVICES:
            self.out(tarheader.build(device, kind=archive.CHARACTER))
            self.entries += 1

    def _link(self, visit: treecopy.Visit) -> bool:
        """A second name of what was written before."""
        facts = visit.facts
        key = (facts.st_dev, facts.st_ino)
        if facts.st_nlink < 2 or self._linked.setdefault(key, visit.path) == visit.path:
            return False
        self._header(visit.path, archive.HARD_LINK, facts, link=self._linked[key])
        return True

    def _node(self, visit: treecopy.Visit) -> None:
        facts = visit.facts
        kind = next((kind for test, kind in _KINDS if test(facts.st_mode)), None)
        if kind is None:
            raise Unsupported("write", os.fsdecode(visit.path), "a file of mode %o" % facts.st_mode)
        if kind == archive.FILE:
            self._with_attributes(visit, lambda fd: self._file(visit.path, fd, facts))
            return
        link = os.readlink(visit.name, dir_fd=visit.dir_fd) if kind == archive.SYMLINK else b""
        self._header(visit.path, kind, facts, link=link, xattrs=_attributes_of(visit))

    def _file(self, path: bytes, fd: int, facts: os.stat_result) -> None:
        self.size += facts.st_size
        xattrs = fs.xattrs(fd)
        sparse = _segments(fd, facts)
        if sparse is None:
            self._header(path, archive.FILE, facts, size=facts.st_size, xattrs=xattrs)
            self._data(path, fd, [(0, facts.st_size)])
            return
        text = b"".join(b"%d\n" % number for number in (len(sparse), *(each for segment in sparse for each in segment)))
        text += bytes(-len(text) % tarheader.BLOCK)
        stored = sum(length for _offset, length in sparse)
        folder, slash, name = path.rpartition(b"/")
        said = [(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", path),
                (b"GNU.sparse.realsize", b"%d" % facts.st_size)]
        self._header(folder + slash + b"GNUSparseFile.0/" + name, archive.FILE, facts, size=len(text) + stored, xattrs=xattrs, said=said)
        self.out(text)
        self._data(path, fd, sparse)

    def _data(self, path: bytes, fd: int, segments: tarheader.SparseMap) -> None:
        stored = 0
        for offset, length in segments:
            stored += length
            while length:
                count = os.preadv(fd, [self._buffer[:min(length, _CHUNK)]], offset)
                if not count:
                    raise Damaged("write", os.fsdecode(path), "it became shorter while it was read")
                self.out(self._buffer[:count])
                offset, length = offset + count, length - count
        if stored % tarheader.BLOCK:
            self.out(bytes(-stored % tarheader.BLOCK))

    def _header(
        self, path: bytes, kind: bytes, facts: os.stat_result, *, size: int = 0, link: bytes = b"",
        xattrs: t.Optional[t.Mapping[str, bytes]] = None, said: t.Iterable[t.Tuple[bytes, bytes]] = (),
    ) -> None:
        self.entries += 1
        xattrs = xattrs or {}
        elsewhere = [name for name in _ELSEWHERE if name in xattrs]
        if elsewhere:
            raise Unsupported("write", os.fsdecode(path), "it has the attribute %s, so a part of it is in another layer" % elsewhere[0])
        pairs = list(said)
        kept = self._shift.attributes(treecopy.kept(xattrs))
        pairs += [(b"SCHILY.xattr." + os.fsencode(name), value) for name, value in sorted(kept.items())]
        uid, gid = self._shift.owner(facts)
        device = kind in (archive.CHARACTER, archive.BLOCK_DEVICE)
        self.out(tarheader.build(
            path, kind=kind, mode=stat.S_IMODE(facts.st_mode), uid=uid, gid=gid, size=size, mtime=facts.st_mtime_ns,
            link=link, major=os.major(facts.st_rdev) if device else 0, minor=os.minor(facts.st_rdev) if device else 0, pairs=pairs,
        ))


def _attributes_of(visit: treecopy.Visit) -> t.Mapping[str, bytes]:
    """Of what is not opened; these calls have no form with a directory, but /proc gives its descriptor a name."""
    return fs.xattrs(_path(visit))


def _path(visit: treecopy.Visit) -> bytes:
    return b"/proc/self/fd/%d/%s" % (visit.dir_fd, visit.name)


def _segments(fd: int, facts: os.stat_result) -> t.Optional[tarheader.SparseMap]:
    """Where there is data; None for a file that has no holes worth it."""
    size = facts.st_size
    if size - facts.st_blocks * 512 < _HOLES:
        return None
    found: tarheader.SparseMap = []
    end = 0
    while end < size:
        try:
            start = os.lseek(fd, end, os.SEEK_DATA)
            end = min(os.lseek(fd, start, os.SEEK_HOLE), size)
        except OSError:     # ENXIO: nothing but a hole from here on. EINVAL: a file system that knows no holes
            break
        found.append((start, end - start))
    if not found or found[-1][0] + found[-1][1] < size:
        found.append((size, 0))
    return found
