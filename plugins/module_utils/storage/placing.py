# SPDX-License-Identifier: BSD-2-Clause
"""Files and trees read from a place and put into another one, either of which somebody hostile may change meanwhile.

A place is a directory that is held open and a name in it. Whatever is below is opened with that directory as its root, so no link
leads out, and no link that stands at the end of a path is followed. Everything is written beside its place first, and then put into it
by renaming. Not here: what is to be written (model/filetree.py), and whose files these are (the engine).
"""
from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, fs, libc, mounts, rootpath
from ansible_collections.cocker.engine.plugins.module_utils.model import filetree, idmap
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Damaged, Invalid, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.storage import treecopy

LARGEST_TREE = 1_000_000    # entries
LOOK = os.O_PATH | os.O_NOFOLLOW
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_CHUNK = 1 << 20
# What the kernel makes up is not copied with a tree, and nothing is put there.
_MADE_UP = (consts.PROC_SUPER_MAGIC, consts.SYSFS_MAGIC, consts.CGROUP_SUPER_MAGIC, consts.CGROUP2_SUPER_MAGIC)
_KINDS = {stat.S_IFREG: filetree.FILE, stat.S_IFDIR: filetree.DIRECTORY, stat.S_IFLNK: filetree.LINK}


class Place(t.NamedTuple):
    """`name` is one component, or "." for the directory itself. `maps` are those of the container whose ids are meant."""

    dir_fd: int
    name: str
    maps: t.Optional[idmap.Maps] = None

    def at(self, path: str) -> str:
        return self.name + "/" + path if path else self.name

    def open(self, path: str, flags: int) -> int:
        return rootpath.open_in(self.dir_fd, self.at(path), flags)


class Source(t.Protocol):
    """Where contents come from; `open` gives a descriptor at the start of a regular file, and how many bytes belong to it."""

    def open(self, entry: filetree.Entry) -> t.Tuple[int, int]: ...

    def digest(self, entry: filetree.Entry) -> str: ...


def look(place: Place, path: str = "") -> t.Optional[filetree.Entry]:
    """None where there is nothing, also where a directory on the way is missing or is none."""
    try:
        fd = place.open(path, LOOK)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise
    try:
        return _entry(fd, path, place.maps)
    finally:
        os.close(fd)


def _entry(fd: int, path: str, maps: t.Optional[idmap.Maps]) -> filetree.Entry:
    facts = os.fstat(fd)
    uid, gid = _owner(facts, maps)
    kind = _KINDS.get(stat.S_IFMT(facts.st_mode), filetree.OTHER)
    target = os.readlink("", dir_fd=fd) if kind == filetree.LINK else ""
    return filetree.Entry(path, kind, stat.S_IMODE(facts.st_mode), uid, gid, facts.st_size, target)


def _owner(facts: os.stat_result, maps: t.Optional[idmap.Maps]) -> t.Tuple[int, int]:
    """As the container sees it; what belongs to nobody there keeps the host's number."""
    if maps is None:
        return facts.st_uid, facts.st_gid
    uid, gid = idmap.inside(maps.uids, facts.st_uid), idmap.inside(maps.gids, facts.st_gid)
    return facts.st_uid if uid is None else uid, facts.st_gid if gid is None else gid


def _give(path: str, uid: int, gid: int, maps: t.Optional[idmap.Maps]) -> None:
    """-1 leaves it. Raises Invalid for an id that the container does not have."""
    if maps is not None:
        told = [number if number < 0 else idmap.outside(of, number) for number, of in ((uid, maps.uids), (gid, maps.gids))]
        if None in told:
            raise Invalid("owner", "%d:%d is not among the ids of the container's user namespace" % (uid, gid))
        uid, gid = t.cast(t.List[int], told)
    os.chown(path, uid, gid)


def scan(place: Place) -> t.Tuple[t.List[filetree.Entry], t.List[str]]:
    """What is at the place, parents first, and the paths of what is neither file, directory nor link. Empty where there is nothing."""
    found: t.List[filetree.Entry] = []
    others: t.List[str] = []
    for entry in walk(place):
        if entry.kind == filetree.OTHER:
            others.append(entry.path)
            continue
        found.append(entry)
        if len(found) > LARGEST_TREE:
            raise Damaged("copy", place.name, "there are more than %d entries" % LARGEST_TREE)
    return found, others


def walk(place: Place) -> t.Iterator[filetree.Entry]:
    """Whatever is at the place, parents first, in the order of its names."""
    pending = [""]
    while pending:
        path = pending.pop()
        entry = look(place, path)
        if entry is None:
            continue
        yield entry
        if entry.kind == filetree.DIRECTORY:
            pending += [path + "/" + name if path else name for name in sorted(_names(place, path), reverse=True)]


def _names(place: Place, path: str) -> t.List[str]:
    try:
        fd = place.open(path, _DIRECTORY)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):      # it is no directory any more
            return []
        raise
    try:
        return [] if libc.filesystem_type(fd) in _MADE_UP else os.listdir(fd)
    finally:
        os.close(fd)


class Files:
    """A source: what is at a place."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def open(self, entry: filetree.Entry) -> t.Tuple[int, int]:
        """Looked at before it is opened: to open a device or a FIFO would be to use it. Damaged when it is no file any more."""
        held = self._place.open(entry.path, LOOK)
        try:
            facts = os.fstat(held)
            if not stat.S_ISREG(facts.st_mode) or libc.filesystem_type(held) in _MADE_UP:
                raise Damaged("copy", self._place.at(entry.path), "it is no regular file")
            return os.open(mounts.path_of(held), os.O_RDONLY | os.O_CLOEXEC), facts.st_size
        finally:
            os.close(held)

    def digest(self, entry: filetree.Entry) -> str:
        fd, size = self.open(entry)
        try:
            return digest_of(fd, size)
        finally:
            os.close(fd)


def digest_of(fd: int, size: int) -> str:
    """Of as many bytes as there were: a file that grows all the time has an end for us."""
    digest = hashlib.sha256()
    while size > 0:
        chunk = os.read(fd, min(_CHUNK, size))
        if not chunk:
            break
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest()


class Content:
    """A source: one text that the task holds."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def open(self, entry: filetree.Entry) -> t.Tuple[int, int]:
        fd = os.memfd_create("content", os.MFD_CLOEXEC)
        fs.write_all(fd, self._content)
        os.lseek(fd, 0, os.SEEK_SET)
        return fd, len(self._content)

    def digest(self, entry: filetree.Entry) -> str:
        return hashlib.sha256(self._content).hexdigest()


class Pack:
    """A source: the contents that were sent, one after the other in one file, each under its digest."""

    def __init__(self, path: str, offsets: t.Mapping[str, t.Tuple[int, int]]) -> None:
        self._path, self._offsets = path, offsets

    def open(self, entry: filetree.Entry) -> t.Tuple[int, int]:
        if entry.digest not in self._offsets:
            raise Damaged("copy", entry.path, "its content has not been sent", hint="the destination changed meanwhile: run the task again")
        start, size = self._offsets[entry.digest]
        fd = os.memfd_create("content", os.MFD_CLOEXEC)
        with open(self._path, "rb") as stream:
            stream.seek(start)
            while size > 0:
                chunk = stream.read(min(_CHUNK, size))
                if not chunk:
                    raise Damaged("copy", entry.path, "what was sent ends too early")
                fs.write_all(fd, chunk)
                size -= len(chunk)
        os.lseek(fd, 0, os.SEEK_SET)
        return fd, self._offsets[entry.digest][1]

    def digest(self, entry: filetree.Entry) -> str:
        return entry.digest


class Placing:
    """One change on its way: `stage` writes beside the place, `commit` puts it there, `discard` undoes the first."""

    def __init__(self, place: Place, change: filetree.Change, source: Source) -> None:
        self._place, self._change, self._source = place, change, source
        folder, _slash, self._name = place.at(change.want.path).rpartition("/")
        self._folder = folder or "."
        self._temporary = fs.temporary_name(self._name)
        self._aside = ""
        self._made = False

    def stage(self) -> None:
        want = self._change.want
        if not self._change.writes:
            return
        with self._opened() as folder:
            for left in fs.abandoned(mounts.path_of(folder)):
                with tolerate(errno.ENOENT, errno.EISDIR, errno.EPERM):
                    os.unlink(os.path.basename(left), dir_fd=folder)
            if want.kind == filetree.DIRECTORY:
                self._make_directory(folder)
            elif want.kind == filetree.LINK:
                os.symlink(want.target, self._temporary, dir_fd=folder)
                self._made = True
            else:
                self._write(folder)

    def _make_directory(self, folder: int) -> None:
        """In its place at once, as what is staged below it needs it."""
        if self._change.have is not None:
            self._aside = self._temporary
            os.rename(self._name, self._aside, src_dir_fd=folder, dst_dir_fd=folder)
        os.mkdir(self._name, 0o700, dir_fd=folder)
        self._made = True

    def _write(self, folder: int) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        target = os.open(self._temporary, flags, 0o600, dir_fd=folder)
        self._made = True
        try:
            source, size = self._source.open(self._change.want)
            try:
                treecopy.copy_data(source, target, size)
            finally:
                os.close(source)
            self._describe(target)
        finally:
            os.close(target)

    def commit(self) -> None:
        want, have = self._change.want, self._change.have
        with self._opened() as folder:
            if not self._change.writes or want.kind == filetree.DIRECTORY:
                fd = os.open(self._name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
                try:
                    self._describe(fd)
                finally:
                    os.close(fd)
                if self._aside:
                    fs.remove_at(folder, self._aside)
                return
            if have is not None and have.kind == filetree.DIRECTORY:
                fs.remove_at(folder, self._name)
            os.rename(self._temporary, self._name, src_dir_fd=folder, dst_dir_fd=folder)

    def discard(self) -> None:
        """Idempotent, and of no effect after commit."""
        if not self._made:
            return
        with tolerate(errno.ENOENT), self._opened() as folder:
            if self._change.want.kind != filetree.DIRECTORY:
                os.unlink(self._temporary, dir_fd=folder)
                return
            os.rmdir(self._name, dir_fd=folder)
            if self._aside:
                os.rename(self._aside, self._name, src_dir_fd=folder, dst_dir_fd=folder)

    @contextlib.contextmanager
    def _opened(self) -> t.Iterator[int]:
        fd = rootpath.open_in(self._place.dir_fd, self._folder, _DIRECTORY)
        try:
            yield fd
        finally:
            os.close(fd)

    def _describe(self, fd: int) -> None:
        """Owner first: a change of owner clears set-id bits. By the descriptor's path, as one that only looks takes no fchmod."""
        want, path = filetree.settled(self._change), mounts.path_of(fd)
        facts = os.fstat(fd)
        if stat.S_ISLNK(facts.st_mode):
            return
        there = _owner(facts, self._place.maps)
        uid, gid = (-1 if wanted is None or wanted == found else wanted for wanted, found in zip((want.uid, want.gid), there))
        if (uid, gid) != (-1, -1):
            _give(path, uid, gid, self._place.maps)
        if want.mode is not None and want.mode != stat.S_IMODE(os.fstat(fd).st_mode):
            os.chmod(path, want.mode)


def refuse_mount(place: Place, entry: filetree.Entry) -> None:
    """A file that something is mounted on cannot be replaced; Conflict before the first effect."""
    folder, _slash, name = place.at(entry.path).rpartition("/")
    above = rootpath.open_in(place.dir_fd, folder or ".", os.O_PATH | os.O_DIRECTORY)
    try:
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
        try:
            if fs.mount_id(fd) != fs.mount_id(above):
                raise Conflict("replace", place.at(entry.path), "it is mounted there", hint="change what is mounted, on the host")
        finally:
            os.close(fd)
    finally:
        os.close(above)


def refuse_closed(dir_fd: int, subject: str) -> None:
    """Conflict where the files are the kernel's own, and where the mount takes nothing."""
    if libc.filesystem_type(dir_fd) in _MADE_UP:
        raise Conflict("copy to", subject, "the files there are the kernel's")
    if os.fstatvfs(dir_fd).f_flag & os.ST_RDONLY:
        raise Conflict("copy to", subject, "nothing can be put there: it is read-only, or it is empty at each start")
