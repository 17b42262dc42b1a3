# SPDX-License-Identifier: BSD-2-Clause
"""Turns tar entries into a tree: by directory descriptors, never following what the archive brought, never above its root.

Owner, mode, time and attributes become exactly what the archive says, so this runs as root, with umask 0.
Not here: the process that it is confined to (confine.py) and the reading (archive.py).
"""
from __future__ import annotations

import contextlib
import errno
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, rootpath
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Damaged, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.storage import archive, owners
from ansible_collections.cocker.engine.plugins.module_utils.storage.archive import Entry

_OPEN_DIRECTORIES = 128
_LONGEST_PATH = 32 << 10
_DEEPEST_PATH = 4096
_COST, _MOST_REMEMBERED = 300, 512 << 20        # bytes of memory for a directory besides its name, and for all of them
_MAJORS, _MINORS = 1 << 12, 1 << 20
_PLACE = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_ORDINARY = 0o777               # the rest: set-id bits, which a change of owner clears, and the sticky bit
_NODES = {archive.CHARACTER: stat.S_IFCHR, archive.BLOCK_DEVICE: stat.S_IFBLK, archive.FIFO: stat.S_IFIFO}
# Of the archive's making; the rest is ours, or this host's.
_HOSTILE = frozenset((
    errno.EEXIST, errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.EMLINK, errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR, errno.EXDEV,
))

# Attributes that mean something to overlayfs or to the host's security module would act on the host, not on the image.
_KEPT_SECURITY = b"security.capability"
_DROPPED = (b"security.", b"trusted.overlay.", b"user.overlay.", os.fsencode(owners.MARK))

Attributes = t.Mapping[bytes, bytes]


class _Directory(t.NamedTuple):
    mode: int
    uid: int
    gid: int
    mtime: int
    xattrs: Attributes


def unpack(reader: archive.Reader, tree: Tree) -> None:
    """Closes the tree. Raises Damaged for what no archive of a root file system has, CockerError for what this host cannot store."""
    umask = os.umask(0)
    name = b""
    try:
        for entry in reader:
            name = entry.name
            tree.add(entry, reader.data())
        tree.finish()
    except OSError as error:
        kind = Damaged if error.errno in _HOSTILE else Unsupported if error.errno == errno.ENOTSUP else CockerError
        raise kind("unpack", os.fsdecode(name)[:_DEEPEST_PATH], error.strerror or str(error)) from error
    finally:
        os.umask(umask)
        tree.close()


class Tree:
    """Entries as they stand: what is in the archive is in the tree."""

    def __init__(self, root: str) -> None:
        self._root = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._open: t.Dict[bytes, int] = {}             # directory -> O_PATH descriptor, oldest first
        self._directories: t.Dict[bytes, _Directory] = {}
        self._remembered = 0
        self.implied: t.Set[bytes] = {b""}              # directories that no entry has described

    def close(self) -> None:
        self._forget()
        os.close(self._root)

    def add(self, entry: Entry, data: t.Iterator[memoryview]) -> None:
        path = clean(entry.name)
        folder, _slash, name = path.rpartition(b"/")
        if entry.kind == archive.FILE and name:
            self._file(folder, name, entry, data)
        elif entry.kind == archive.DIRECTORY:
            if name:
                self._make(folder, name, lambda parent: _make_directory(parent, name, entry.mode))
            self.implied.discard(path)
            self.remember(path)
            self._directories[path] = _Directory(entry.mode, entry.uid, entry.gid, entry.mtime, _kept(entry.xattrs))
        elif not name:
            raise Damaged("unpack", os.fsdecode(entry.name), "the root of the tree is no directory")
        elif entry.kind == archive.HARD_LINK:
            self._hard_link(folder, name, entry)
        else:
            self._make(folder, name, lambda parent: _make_node(parent, name, entry))
            self._describe(self.place(folder), name, entry)

    def remember(self, path: bytes) -> None:
        """Counts what is kept until the end. Raises Damaged."""
        self._remembered += len(path) + _COST
        if self._remembered > _MOST_REMEMBERED:
            raise Damaged("unpack", os.fsdecode(path)[:_DEEPEST_PATH], "the archive has too many directories or too long names of them")

    def finish(self) -> None:
        """Directories get what they shall have when nothing is made in them any more; the same archive makes the same tree."""
        # Sorted, so that each is near the one before: a way of 4,000 directories is not gone for each of them.
        for path in sorted(self.implied):
            with self.directory(path) as fd:
                if fd is not None:
                    os.utime(fd, ns=(0, 0))
        for path, wanted in sorted(self._directories.items()):
            with self.directory(path) as fd:
                if fd is not None:
                    os.fchown(fd, wanted.uid, wanted.gid)
                    os.fchmod(fd, wanted.mode)
                    _set_attributes(fd, wanted.xattrs)
                    os.utime(fd, ns=(wanted.mtime, wanted.mtime))

    @contextlib.contextmanager
    def directory(self, path: bytes) -> t.Iterator[t.Optional[int]]:
        """Opened for reading; None where a later entry took its place."""
        folder, _slash, name = path.rpartition(b"/")
        fd = None
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            fd = os.open(name or b".", os.O_RDONLY | _PLACE & ~os.O_PATH, dir_fd=self.place(folder, make=False))
        try:
            yield fd
        finally:
            if fd is not None:
                os.close(fd)

    def place(self, folder: bytes, *, make: bool = True) -> int:
        """Descriptor of a directory, valid until the next call; what is missing is made, as tar does."""
        if not folder:
            return self._root
        found = self._open.get(folder)
        if found is not None:
            return found
        missing, known = [folder], folder.rpartition(b"/")[0]
        while known and known not in self._open:
            missing.append(known)
            known = known.rpartition(b"/")[0]
        fd = self._open[known] if known else self._root
        for path in reversed(missing):
            fd = self._step(fd, path, make)
            self._open[path] = fd
            if len(self._open) > _OPEN_DIRECTORIES:
                os.close(self._open.pop(next(iter(self._open))))
        return fd

    def _step(self, parent: int, path: bytes, make: bool) -> int:
        name = path.rpartition(b"/")[2]
        try:
            return os.open(name, _PLACE, dir_fd=parent)
        except FileNotFoundError:
            if not make:
                raise
            os.mkdir(name, 0o755, dir_fd=parent)
            self.remember(path)
            self.implied.add(path)
            return os.open(name, _PLACE, dir_fd=parent)
        except NotADirectoryError:
            # Perhaps a link: what it says counts inside the tree only.
            text = os.fsdecode(path)
            if make:
                rootpath.ensure_dir(self._root, text)
            return rootpath.open_in(self._root, text, os.O_PATH | os.O_DIRECTORY)

    def _forget(self) -> None:
        for fd in self._open.values():
            os.close(fd)
        self._open.clear()

    def _make(self, folder: bytes, name: bytes, make: t.Callable[[int], None]) -> None:
        try:
            make(self.place(folder))
        except FileExistsError:
            self._clear(folder, name)
            make(self.place(folder))

    def _clear(self, folder: bytes, name: bytes) -> None:
        """The later entry wins over whatever has its name."""
        parent = self.place(folder)
        kind = stat.S_IFMT(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
        fs.remove_at(parent, name)
        if kind in (stat.S_IFDIR, stat.S_IFLNK):
            self._forget()          # what was reached through it may be elsewhere from now on

    def _file(self, folder: bytes, name: bytes, entry: Entry, data: t.Iterator[memoryview]) -> None:
        mode = entry.mode
        try:
            fd = os.open(name, _NEW_FILE, mode & _ORDINARY, dir_fd=self.place(folder))
        except FileExistsError:
            self._clear(folder, name)
            fd = os.open(name, _NEW_FILE, mode & _ORDINARY, dir_fd=self.place(folder))
        try:
            if entry.sparse is not None:
                _write_sparse(fd, entry, data)
            elif entry.size:
                for piece in data:
                    fs.write_all(fd, piece)
            if entry.uid or entry.gid:
                os.fchown(fd, entry.uid, entry.gid)
            if mode & ~_ORDINARY:
                os.fchmod(fd, mode)         # after chown, which clears the set-id bits
            if entry.xattrs:
                _set_attributes(fd, _kept(entry.xattrs))        # after chown too: it clears capabilities
            os.utime(fd, ns=(entry.mtime, entry.mtime))
        finally:
            os.close(fd)

    def _hard_link(self, folder: bytes, name: bytes, entry: Entry) -> None:
        target = clean(entry.link)
        from_folder, _slash, from_name = target.rpartition(b"/")
        try:
            source = os.dup(self.place(from_folder, make=False))
        except (FileNotFoundError, NotADirectoryError):
            raise _no_target(entry) from None
        try:
            self._link(source, from_name, folder, name, entry)
        finally:
            os.close(source)

    def _link(self, source: int, from_name: bytes, folder: bytes, name: bytes, entry: Entry) -> None:
        try:
            wanted = os.stat(from_name, dir_fd=source, follow_symlinks=False)
        except FileNotFoundError:
            raise _no_target(entry) from None
        if stat.S_ISDIR(wanted.st_mode):
            raise Damaged("unpack", os.fsdecode(entry.name), "it is a hard link to a directory")
        try:
            os.link(from_name, name, src_dir_fd=source, dst_dir_fd=self.place(folder), follow_symlinks=False)
        except FileExistsError:
            if os.path.samestat(wanted, os.stat(name, dir_fd=self.place(folder), follow_symlinks=False)):
                return
            self._clear(folder, name)
            os.link(from_name, name, src_dir_fd=source, dst_dir_fd=self.place(folder), follow_symlinks=False)

    def _describe(self, parent: int, name: bytes, entry: Entry) -> None:
        """Links, devices and FIFOs are never opened."""
        if entry.uid or entry.gid:
            os.chown(name, entry.uid, entry.gid, dir_fd=parent, follow_symlinks=False)
        if entry.mode & ~_ORDINARY and entry.kind != archive.SYMLINK:
            os.chmod(name, entry.mode, dir_fd=parent)
        attributes = _kept(entry.xattrs)
        if attributes:
            os.fchdir(parent)           # these calls have no form with a directory
            for key, value in attributes.items():
                os.setxattr(name, key, value, follow_symlinks=False)
            os.fchdir(self._root)
        os.utime(name, ns=(entry.mtime, entry.mtime), dir_fd=parent, follow_symlinks=False)


def clean(name: bytes) -> bytes:
    """Relative, without `.` and double slashes. What goes up is refused: nobody who packs a tree writes that."""
    parts = name.split(b"/")
    if b".." in parts or len(parts) > _DEEPEST_PATH or len(name) > _LONGEST_PATH:
        reason = "it leads out of the tree" if b".." in parts else "its path is too long"
        raise Damaged("unpack", os.fsdecode(name)[:_DEEPEST_PATH], reason)
    return b"/".join([part for part in parts if part and part != b"."])


def _no_target(entry: Entry) -> Damaged:
    reason = "it is a hard link to %s, which the archive has not brought" % os.fsdecode(entry.link)
    return Damaged("unpack", os.fsdecode(entry.name), reason)


def _make_directory(parent: int, name: bytes, mode: int) -> None:
    """One that is there stays, with what is in it."""
    try:
        os.mkdir(name, mode & _ORDINARY | 0o700, dir_fd=parent)
    except FileExistsError:
        if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            raise


def _make_node(parent: int, name: bytes, entry: Entry) -> None:
    if entry.kind == archive.SYMLINK:
        os.symlink(entry.link, name, dir_fd=parent)
        return
    if not (0 <= entry.major < _MAJORS and 0 <= entry.minor < _MINORS):
        raise Damaged("unpack", os.fsdecode(entry.name), "its device number %d:%d is out of range" % (entry.major, entry.minor))
    os.mknod(name, _NODES[entry.kind] | entry.mode & _ORDINARY, os.makedev(entry.major, entry.minor), dir_fd=parent)


def _write_sparse(fd: int, entry: Entry, data: t.Iterator[memoryview]) -> None:
    piece = memoryview(b"")
    for offset, length in entry.sparse or ():
        os.lseek(fd, offset, os.SEEK_SET)
        while length:
            piece = piece or next(data)
            part = piece[:length]
            fs.write_all(fd, part)
            piece, length = piece[len(part):], length - len(part)
    os.ftruncate(fd, entry.real_size)


def _kept(xattrs: Attributes) -> Attributes:
    return {name: value for name, value in xattrs.items() if name == _KEPT_SECURITY or not name.startswith(_DROPPED)} if xattrs else xattrs


def _set_attributes(fd: int, xattrs: Attributes) -> None:
    for name, value in xattrs.items():
        os.setxattr(fd, name, value)
