# SPDX-License-Identifier: BSD-2-Clause
"""Copies files and trees of the host as they are: holes, links, owners, times and attributes; by descriptors, without recursion.

Not here: trees that somebody hostile fills (unpack.py reads archives, rootpath.py opens in containers).
"""
from __future__ import annotations

import errno
import fcntl
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, fs, rootpath
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import is_missing
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged
from ansible_collections.cocker.engine.plugins.module_utils.storage import owners

ENTER, LEAVE, LEAF = "enter", "leave", "leaf"

_FICLONE = 0x40049409           # linux/fs.h: share the blocks, where the file system can
_CHUNK = 1 << 20
_SPAN = 1 << 26                 # copied by the kernel at once: whoever waits is told in between
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SOURCE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_TARGET = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NOT_HERE = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.ENOTTY, errno.EBADF, errno.EPERM)
# As in an archive: these would act on the host's own view of the copy.
_DROPPED = ("security.", "trusted.overlay.", "user.overlay.", owners.MARK)
_KEPT = "security.capability"
_OF_OVERLAYS = ("trusted.overlay.opaque", "trusted.overlay.redirect", "trusted.overlay.metacopy")    # what a layer says of those below


Told = t.Callable[[int], None]      # called with the bytes that were copied since the last time


class Visit(t.NamedTuple):
    """`dir_fd` is the directory that `name` is in; for LEAVE both say the directory itself. `path` is relative to the top."""

    event: str
    path: bytes
    name: bytes
    dir_fd: int
    facts: os.stat_result


class Totals(t.NamedTuple):
    entries: int
    size: int


def _nobody(_count: int) -> None:
    pass


def copy_data(source: int, target: int, size: int, *, told: Told = _nobody) -> None:
    """Everything from the start; holes stay holes, blocks are shared where the file system can."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
        told(size)
        return
    except OSError as error:
        if error.errno not in _NOT_HERE:
            raise
    start = 0
    while start < size:
        try:
            start = os.lseek(source, start, os.SEEK_DATA)
            end = os.lseek(source, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:      # nothing but a hole from here on
                break
            if error.errno != errno.EINVAL:
                raise
            end = size                          # a file system that knows no holes
        _copy_segment(source, target, start, min(end, size), told)
        start = end
    os.ftruncate(target, size)


def _copy_segment(source: int, target: int, start: int, end: int, told: Told) -> None:
    while start < end:
        try:
            count = os.copy_file_range(source, target, min(_SPAN, end - start), start, start)
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
            chunk = os.pread(source, min(_CHUNK, end - start), start)
            count = os.pwrite(target, chunk, start) if chunk else 0
        if not count:
            raise Damaged("copy", "", "a file became shorter while it was copied")
        start += count
        told(count)


def walk(top: str, *, cross_mounts: bool = False) -> t.Iterator[Visit]:
    """Depth first, by name. Descriptors are valid until the next visit. A mount point that is not crossed is an empty directory."""
    fd = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    levels: t.List[t.Tuple[bytes, os.stat_result, t.List[bytes]]] = []
    try:
        levels.append((b"", os.fstat(fd), _names(fd)))
        while levels:
            path, facts, left = levels[-1]
            if not left:
                yield Visit(LEAVE, path, b".", fd, facts)
                levels.pop()
                if levels:
                    fd = _swap(fd, climb(fd, levels[-1][1], path))
                continue
            name = left.pop()
            here = path + b"/" + name if path else name
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if not stat.S_ISDIR(found.st_mode):
                yield Visit(LEAF, here, name, fd, found)
                continue
            yield Visit(ENTER, here, name, fd, found)
            below, is_mount = _enter(fd, name, cross_mounts)
            fd = _swap(fd, below)
            levels.append((here, os.fstat(fd), [] if is_mount else _names(fd)))
    finally:
        os.close(fd)


def _swap(old: int, new: int) -> int:
    os.close(old)
    return new


def _names(fd: int) -> t.List[bytes]:
    return sorted((os.fsencode(name) for name in os.listdir(fd)), reverse=True)


def _enter(fd: int, name: bytes, cross_mounts: bool) -> t.Tuple[int, bool]:
    """Also whether it is a mount that is not to be crossed; then what is opened serves to climb back only."""
    if not cross_mounts and not is_missing("openat2"):
        try:
            return rootpath.openat2(fd, os.fsdecode(name), flags=_DIRECTORY, resolve=consts.RESOLVE_NO_XDEV), False
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return os.open(name, _DIRECTORY, dir_fd=fd), True
    below = os.open(name, _DIRECTORY, dir_fd=fd)
    return below, not cross_mounts and os.fstat(below).st_dev != os.fstat(fd).st_dev


def climb(fd: int, above: os.stat_result, path: bytes) -> int:
    """The directory that this one is in, which must still be the one it was."""
    parent = os.open("..", _DIRECTORY, dir_fd=fd)
    if not os.path.samestat(os.fstat(parent), above):
        os.close(parent)
        raise Damaged("copy", os.fsdecode(path), "somebody moves directories in it")
    return parent


def copy_tree(
    source: str, target: str, *, cross_mounts: bool = False, overlay: bool = False, shift: owners.Shift = owners.AS_IT_IS,
    told: Told = _nobody,
) -> Totals:
    """Into an existing directory, which gets what the top of the source has. Sockets are left out.

    `overlay`: the source is the writable layer of an overlay, and the copy is to hide and to rename what is below it, too.
    `shift` says whose the copies are.
    """
    copier = _Copier(target, overlay, shift, told)
    try:
        for visit in walk(source, cross_mounts=cross_mounts):
            copier.take(visit)
        return Totals(copier.entries, copier.size)
    finally:
        copier.close()


class _Copier:
    def __init__(self, target: str, overlay: bool, shift: owners.Shift, told: Told) -> None:
        self._overlay, self._shift, self._told = overlay, shift, told
        self._root = os.open(target, _DIRECTORY)
        self._fd = os.dup(self._root)
        self._linked: t.Dict[t.Tuple[int, int], bytes] = {}
        self._trail: t.List[os.stat_result] = []
        self.entries = self.size = 0

    def close(self) -> None:
        os.close(self._fd)
        os.close(self._root)

    def take(self, visit: Visit) -> None:
        facts = visit.facts
        if visit.event == ENTER:
            self.entries += 1
            os.mkdir(visit.name, 0o700, dir_fd=self._fd)
            self._trail.append(os.fstat(self._fd))
            self._fd = _swap(self._fd, os.open(visit.name, _DIRECTORY, dir_fd=self._fd))
        elif visit.event == LEAVE:
            describe(self._fd, facts, kept(fs.xattrs(visit.dir_fd), overlay=self._overlay), shift=self._shift)
            if self._trail:
                self._fd = _swap(self._fd, climb(self._fd, self._trail.pop(), visit.path))
        elif self._shift != owners.AS_IT_IS or not stat.S_ISSOCK(facts.st_mode):     # a tree that becomes another's keeps all that it has
            self.entries += 1
            if not self._link(visit):
                self._make(visit)

    def _link(self, visit: Visit) -> bool:
        """A second name of what was copied before."""
        facts = visit.facts
        key = (facts.st_dev, facts.st_ino)
        if facts.st_nlink < 2 or self._linked.setdefault(key, visit.path) == visit.path:
            return False
        try:
            os.link(self._linked[key], visit.name, src_dir_fd=self._root, dst_dir_fd=self._fd, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.ENAMETOOLONG, errno.EMLINK):
                raise
            return False
        return True

    def _make(self, visit: Visit) -> None:
        name, facts = visit.name, visit.facts
        if stat.S_ISREG(facts.st_mode):
            self.size += copy_file(
                name, name, source_dir=visit.dir_fd, target_dir=self._fd, overlay=self._overlay, shift=self._shift, told=self._told)
            return
        if stat.S_ISLNK(facts.st_mode):
            os.symlink(os.readlink(name, dir_fd=visit.dir_fd), name, dir_fd=self._fd)
        else:
            os.mknod(name, facts.st_mode, facts.st_rdev, dir_fd=self._fd)
        os.chown(name, *self._shift.owner(facts), dir_fd=self._fd, follow_symlinks=False)
        if not stat.S_ISLNK(facts.st_mode):
            os.chmod(name, stat.S_IMODE(facts.st_mode), dir_fd=self._fd)
        os.utime(name, ns=(facts.st_mtime_ns, facts.st_mtime_ns), dir_fd=self._fd, follow_symlinks=False)


def copy_file(
    source: bytes, target: bytes, *, source_dir: t.Optional[int] = None, target_dir: int, overlay: bool = False,
    shift: owners.Shift = owners.AS_IT_IS, told: Told = _nobody,
) -> int:
    """A regular file with all that belongs to it; its size."""
    read = os.open(source, _SOURCE, dir_fd=source_dir)
    try:
        facts = os.fstat(read)
        if not stat.S_ISREG(facts.st_mode):
            raise Damaged("copy", os.fsdecode(source), "it is no regular file any more")
        write = os.open(target, _TARGET, 0o600, dir_fd=target_dir)
        try:
            copy_data(read, write, facts.st_size, told=told)
            describe(write, facts, kept(fs.xattrs(read), overlay=overlay), shift=shift)
        finally:
            os.close(write)
        return facts.st_size
    finally:
        os.close(read)


def describe(fd: int, facts: os.stat_result, xattrs: t.Mapping[str, bytes], *, shift: owners.Shift = owners.AS_IT_IS) -> None:
    """Owner first: a change of owner clears set-id bits and capabilities."""
    os.fchown(fd, *shift.owner(facts))
    os.fchmod(fd, stat.S_IMODE(facts.st_mode))
    for name, value in shift.attributes(xattrs).items():
        os.setxattr(fd, name, value)
    os.utime(fd, ns=(facts.st_mtime_ns, facts.st_mtime_ns))


def kept(xattrs: t.Mapping[str, bytes], *, overlay: bool = False) -> t.Dict[str, bytes]:
    also = (_KEPT, *_OF_OVERLAYS) if overlay else (_KEPT,)
    return {name: value for name, value in xattrs.items() if name in also or not name.startswith(_DROPPED)}
