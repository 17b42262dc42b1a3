# SPDX-License-Identifier: BSD-2-Clause
"""The members of a file that holds images (docker-archive, OCI layout), by name: a tar archive, packed or not, or a directory.

Not here: what the members mean (imagefile.py).
"""
from __future__ import annotations

import contextlib
import os
import posixpath
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, rootpath
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged
from ansible_collections.cocker.engine.plugins.module_utils.storage import archive, decompress, importlayer, pipeline, unpack

LARGEST_DOCUMENT = 4 << 20
_MOST = archive.Limits(entries=1 << 16, bytes=1 << 44)
_KEPT = 64 << 20                # bytes of documents that are kept of a packed archive
_LINKS = 8
_CHUNK = 1 << 20
_HEAD = 512
_MEMBER = os.O_RDONLY | os.O_NONBLOCK


class _Member(t.NamedTuple):
    size: int
    offset: int = 0
    content: t.Optional[bytes] = None
    link: str = ""


class Members(t.Protocol):
    def find(self, name: str) -> t.Optional[int]:
        """The member's size."""

    def pieces(self, name: str) -> t.Iterator[bytes]:
        """Raises Damaged where there is none."""


def read(members: Members, name: str, *, most: int = LARGEST_DOCUMENT) -> bytes:
    """A document. Raises Damaged."""
    size = members.find(name)
    if size is None:
        raise Damaged("read", name, "it is not in the archive")
    if size > most:
        raise Damaged("read", name, "it has %d bytes, more than %d" % (size, most))
    content = b"".join(members.pieces(name))
    if len(content) != size:
        raise Damaged("read", name, "it is truncated")
    return content


class TarMembers:
    """Of a plain archive everything can be read, of a packed one the documents."""

    def __init__(self, fd: int, found: t.Mapping[str, _Member]) -> None:
        self._fd = fd
        self._found = found

    def _resolved(self, name: str) -> t.Optional[_Member]:
        for _step in range(_LINKS):
            member = self._found.get(name)
            if member is None or not member.link:
                return member
            name = member.link
        raise Damaged("read", name, "its links lead nowhere")

    def find(self, name: str) -> t.Optional[int]:
        member = self._resolved(name)
        return member.size if member else None

    def pieces(self, name: str) -> t.Iterator[bytes]:
        member = self._resolved(name)
        if member is None:
            raise Damaged("read", name, "it is not in the archive")
        if member.content is not None:
            return iter((member.content,))
        if self._fd < 0:
            raise Damaged("read", name, "it is no document")
        return importlayer.file_pieces(self._fd, offset=member.offset, size=member.size)


class DirectoryMembers:
    """Nothing outside of the directory is reached, whatever links there are in it."""

    def __init__(self, root_fd: int) -> None:
        self._root = root_fd

    def find(self, name: str) -> t.Optional[int]:
        try:
            with self._opened(name) as fd:
                return os.fstat(fd).st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def pieces(self, name: str) -> t.Iterator[bytes]:
        with self._opened(name) as fd:
            yield from importlayer.file_pieces(fd)

    @contextlib.contextmanager
    def _opened(self, name: str) -> t.Iterator[int]:
        fd = rootpath.open_in(self._root, name, _MEMBER)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise Damaged("read", name, "it is no regular file")
            yield fd
        finally:
            os.close(fd)


@contextlib.contextmanager
def opened(path: str, *, spool: str = "") -> t.Iterator[Members]:
    """`spool` is a directory for a packed archive's content; without it only its documents can be read."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, fd)
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            yield DirectoryMembers(fd)
            return
        kind = kind_of(fd)
        if kind != decompress.PLAIN and spool:
            fd = stack.enter_context(_spooled(fd, kind, spool))
        if kind == decompress.PLAIN or spool:
            yield TarMembers(fd, _index(_SeekingReader(fd)))
        else:
            stream, finish = pipeline.decompressed(stack, fd, kind)
            found = _index(archive.Reader(stream, _MOST), keep=True)
            finish()
            yield TarMembers(-1, found)


def kind_of(fd: int) -> str:
    return decompress.kind_of(os.pread(fd, _HEAD, 0))


@contextlib.contextmanager
def _spooled(source: int, kind: str, directory: str) -> t.Iterator[int]:
    """The unpacked archive in a file without a name."""
    path = os.path.join(directory, "archive")
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.unlink(path)
        with contextlib.ExitStack() as stack:
            stream, finish = pipeline.decompressed(stack, source, kind)
            total = 0
            for piece in iter(lambda: os.read(stream, _CHUNK), b""):
                total += len(piece)
                if total > _MOST.bytes:
                    raise Damaged("decompress", "archive", "it unpacks to more than %d bytes" % _MOST.bytes)
                fs.write_all(fd, piece)
            finish()
        yield fd
    finally:
        os.close(fd)


class _SeekingReader(archive.Reader):
    """Of a file: what is not looked at is not read."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd, _MOST)
        self.stream = _SeekingStream(fd)


class _SeekingStream(archive.Stream):
    def __init__(self, fd: int) -> None:
        super().__init__(fd)
        os.lseek(fd, 0, os.SEEK_SET)
        self._size = os.fstat(fd).st_size

    def skip(self, count: int) -> None:
        there = self._end - self._start
        if count <= there:
            self._start += count
            return
        self._start = self._end = 0
        if os.lseek(self._fd, count - there, os.SEEK_CUR) > self._size:
            raise Damaged("read", "archive", "it is truncated")


def _index(reader: archive.Reader, *, keep: bool = False) -> t.Dict[str, _Member]:
    """The last member of a name counts, as in any archive. Raises Damaged for what no archive of images holds."""
    found: t.Dict[str, _Member] = {}
    kept = 0
    for entry in reader:
        name = os.fsdecode(unpack.clean(entry.name))
        if entry.kind == archive.FILE and entry.sparse is None:
            content, offset = None, 0 if keep else reader.stream.position()
            if keep and entry.size <= LARGEST_DOCUMENT and kept + entry.size <= _KEPT:
                content = b"".join(bytes(piece) for piece in reader.data())
                kept += len(content)
            found[name] = _Member(entry.size, offset, content)
        elif entry.kind == archive.SYMLINK:
            found[name] = _Member(0, link=posixpath.normpath(posixpath.join(posixpath.dirname(name), os.fsdecode(entry.link))))
        elif entry.kind == archive.HARD_LINK:
            found[name] = _Member(0, link=os.fsdecode(unpack.clean(entry.link)))
        elif entry.kind != archive.DIRECTORY:
            raise Damaged("read", name, "an archive of images holds files, directories and links only")
    return found


def first_name(path: str) -> str:
    """Of the first member that is not the top; empty if there is none. Raises Damaged, Unsupported."""
    with contextlib.ExitStack() as stack:
        stream = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        stack.callback(os.close, stream)
        kind, finish = kind_of(stream), None
        if kind != decompress.PLAIN:
            stream, finish = pipeline.decompressed(stack, stream, kind)
        try:
            names = (unpack.clean(entry.name) for entry in archive.Reader(stream))
            return os.fsdecode(next((name for name in names if name), b""))
        except Damaged:
            if finish is not None:
                finish()            # damage further up the stream says more than what it led to
            raise
