# SPDX-License-Identifier: BSD-2-Clause
"""The SFTP protocol, version 3 (draft-ietf-secsh-filexfer-02), with OpenSSH's extensions: files of a server, many requests under way.

Not here: how the bytes get there (sshprogram.py), what a packet holds (sftppacket.py), and which files are meant (repository.py).
"""
from __future__ import annotations

import collections
import contextlib
import struct
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import (
    CockerError,
    Conflict,
    Damaged,
    Denied,
    Unreachable,
    Unsupported,
)
from ansible_collections.cocker.engine.plugins.module_utils.registry import sftppacket as p
from ansible_collections.cocker.engine.plugins.module_utils.registry.sftppacket import Answer, Facts, Piece, Reader, Request, string

POSIX_RENAME, FSYNC, STATVFS = "posix-rename@openssh.com", "fsync@openssh.com", "statvfs@openssh.com"

_VERSION = 3
_CHUNK = 32 << 10               # of a file in one packet: every server takes as much
_WINDOW = 64                    # requests under way: their answers fit into a pipe, so that neither side waits for the other
_LARGEST_PACKET = 512 << 10
_MOST_NAMES = 1 << 20


class Wire(t.Protocol):
    def read(self, count: int) -> bytes: ...
    def write(self, data: bytes) -> None: ...


class Sftp:
    """Raises NotFound, Denied, CockerError for what the server refuses, Damaged for answers that are none, and what the wire raises."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._last = 0
        self._early: t.Dict[int, t.Tuple[int, bytes]] = {}
        wire.write(struct.pack(">IBI", 5, p.INIT, _VERSION))
        kind, body = self._packet()
        reader = Reader(body)
        if kind != p.VERSION_SAID or reader.number() != _VERSION:
            raise Unsupported("speak to", "the server", "it does not know version 3 of sftp")
        self.extensions: t.Set[str] = set()
        while reader.is_left():
            name, _value = reader.text(), reader.string()
            self.extensions.add(name)

    def batch(self, requests: t.Iterable[Request]) -> t.Iterator[Answer]:
        """The answers in the order of the requests, some of which are under way while an answer is looked at."""
        waiting: t.Deque[t.Tuple[int, str]] = collections.deque()
        for request in requests:
            waiting.append((self._send(request), request.path))
            if len(waiting) >= _WINDOW:
                yield self._wait(*waiting.popleft())
        while waiting:
            yield self._wait(*waiting.popleft())

    def ask(self, request: Request) -> Answer:
        return self._wait(self._send(request), request.path)

    def _send(self, request: Request) -> int:
        self._last = (self._last + 1) & 0xFFFFFFFF
        self._wire.write(struct.pack(">IBI", len(request.body) + 5, request.kind, self._last) + request.body)
        return self._last

    def _wait(self, number: int, path: str) -> Answer:
        while number not in self._early:
            kind, body = self._packet()
            reader = Reader(body)
            answered = reader.number()
            self._early[answered] = kind, reader.rest()
        return Answer(*self._early.pop(number), path)

    def _packet(self) -> t.Tuple[int, bytes]:
        length, kind = struct.unpack(">IB", self._wire.read(5))
        if not 1 <= length <= _LARGEST_PACKET:
            raise Damaged("read", "the server's answer", "a packet of %d bytes; does its shell print something at log in?" % length)
        return kind, self._wire.read(length - 1)

    def find(self, path: str) -> t.Optional[Facts]:
        return p.facts_of(self.ask(p.stat_request(path)))

    def names(self, path: str) -> t.List[t.Tuple[str, Facts]]:
        """What is in a directory, in no order; empty for one that does not exist."""
        return self.names_all([path])[0]

    def names_all(self, paths: t.Sequence[str]) -> t.List[t.List[t.Tuple[str, Facts]]]:
        """Of each directory, without waiting for one after the other."""
        return [found for group in _groups(paths) for found in self._names(group)]

    def _names(self, paths: t.Sequence[str]) -> t.List[t.List[t.Tuple[str, Facts]]]:
        handles = self._handles(Request(p.OPENDIR, string(path), path) for path in paths)
        found: t.List[t.List[t.Tuple[str, Facts]]] = [[] for _path in paths]
        left = [place for place, handle in enumerate(handles) if handle is not None]
        while left:
            more = []
            requests = [Request(p.READDIR, string(handles[place] or b""), paths[place]) for place in left]
            for place, answer in zip(left, self.batch(requests)):
                if p.status_of(answer) != p.EOF:
                    found[place] += p.entries(answer)
                    more.append(place)
                if len(found[place]) > _MOST_NAMES:
                    raise Damaged("read", paths[place], "it has more than %d entries" % _MOST_NAMES)
            left = more
        self._close_all(handles, paths)
        return found

    def read(self, path: str, most: int) -> t.Optional[bytes]:
        return self.read_all([path], most)[0]

    def read_all(self, paths: t.Sequence[str], most: int) -> t.List[t.Optional[bytes]]:
        """Small files as a whole, without waiting for one after the other; None for one that is not there."""
        return [found for group in _groups(paths) for found in self._read_all(group, most)]

    def _read_all(self, paths: t.Sequence[str], most: int) -> t.List[t.Optional[bytes]]:
        handles = self._handles(p.open_request(path, p.TO_READ) for path in paths)
        there = [(handle, path) for handle, path in zip(handles, paths) if handle is not None]
        heads = [p.data_of(answer) for answer in self.batch([p.read_request(handle, 0, _CHUNK, path) for handle, path in there])]
        found = iter([head + self._tail(handle, len(head), most, path) for head, (handle, path) in zip(heads, there)])
        self._close_all(handles, paths)
        return [None if handle is None else next(found) for handle in handles]

    def _handles(self, requests: t.Iterable[Request]) -> t.List[t.Optional[bytes]]:
        return [None if p.status_of(answer) == p.NO_SUCH_FILE else p.handle_of(answer) for answer in self.batch(requests)]

    def _close_all(self, handles: t.Sequence[t.Optional[bytes]], paths: t.Sequence[str]) -> None:
        for answer in self.batch([Request(p.CLOSE, string(handle), path) for handle, path in zip(handles, paths) if handle is not None]):
            p.require(answer, "close")

    def _tail(self, handle: bytes, at: int, most: int, path: str) -> bytes:
        """A short read may be the end, or not."""
        found = b""
        while at:
            piece = p.data_of(self.ask(p.read_request(handle, at + len(found), _CHUNK, path)))
            if not piece:
                break
            found += piece
            if at + len(found) > most:
                raise Damaged("read", path, "it is larger than %d bytes" % most)
        return found

    def pieces(self, path: str, size: int) -> t.Iterator[bytes]:
        """The first `size` bytes; fewer if the file has fewer."""
        with self._closing(p.handle_of(self.ask(p.open_request(path, p.TO_READ))), path) as handle:
            places = range(0, size, _CHUNK)
            answers = self.batch(p.read_request(handle, at, min(_CHUNK, size - at), path) for at in places)
            for at, answer in zip(places, answers):
                piece, wanted = p.data_of(answer), min(_CHUNK, size - at)
                while len(piece) < wanted:
                    more = p.data_of(self.ask(p.read_request(handle, at + len(piece), wanted - len(piece), path)))
                    if not more:
                        yield piece
                        return
                    piece += more
                yield piece

    def write(self, path: str, pieces: t.Iterable[Piece]) -> None:
        """A new file, on the server's disk when this returns. One that exists is a Conflict. What was begun stays when it fails."""
        with self._closing(p.handle_of(self.ask(p.open_request(path, p.TO_WRITE | p.CREATE | p.EXCLUSIVE))), path) as handle:
            for answer in self.batch(_write_requests(handle, pieces, path)):
                if p.status_of(answer) != p.OK:
                    raise self._not_written(answer)
            if FSYNC in self.extensions:
                answer = self.ask(Request(p.EXTENDED, string(FSYNC) + string(handle), path))
                if p.status_of(answer) != p.OK:
                    raise self._not_written(answer)

    def _not_written(self, answer: Answer) -> CockerError:
        """The protocol has no word for a full disk, but tells how much of it is free."""
        if STATVFS in self.extensions:
            asked = self.ask(Request(p.EXTENDED, string(STATVFS) + string(answer.path), answer.path))
            if asked.kind == p.EXTENDED_REPLY and len(asked.body) == 88:
                block, _fragment, _blocks, _free, available = struct.unpack(">5Q", asked.body[:40])
                if available * block < _WINDOW * _CHUNK:
                    return CockerError("write", answer.path, "the disk of the server is full")
        return p.failure(answer, "write")

    def rename(self, old: str, new: str) -> None:
        """Conflict where `new` exists."""
        answer = self.ask(Request(p.RENAME, string(old) + string(new), old))
        if p.status_of(answer) != p.OK and self.find(new) is not None:
            raise Conflict("make", new, "it exists")
        p.require(answer, "rename")

    def replace(self, old: str, new: str) -> None:
        """Atomic, whether `new` exists or not. Raises Unsupported."""
        if POSIX_RENAME not in self.extensions:
            raise Unsupported("replace", new, "the server cannot rename a file over another one")
        p.require(self.ask(Request(p.EXTENDED, string(POSIX_RENAME) + string(old) + string(new), old)), "rename")

    def remove(self, path: str) -> bool:
        """False for what is not there."""
        answer = self.ask(Request(p.REMOVE, string(path), path))
        if p.status_of(answer) == p.NO_SUCH_FILE:
            return False
        p.require(answer, "remove")
        return True

    def remove_directory(self, path: str) -> bool:
        """False where it is not empty, or not there."""
        return p.status_of(self.ask(Request(p.RMDIR, string(path), path))) == p.OK

    def ensure_directory(self, path: str) -> None:
        answer = self.ask(Request(p.MKDIR, string(path) + struct.pack(">I", 0), path))
        if p.status_of(answer) != p.OK:
            facts = self.find(path)
            if facts is None or not facts.is_directory:
                raise p.failure(answer, "make")

    def _closing(self, handle: bytes, path: str) -> _Open:
        return _Open(self, handle, path)


class _Open:
    """A file of the server that is closed at the end; what fails before says more than what closing it then meets."""

    def __init__(self, sftp: Sftp, handle: bytes, path: str) -> None:
        self._sftp, self._handle = sftp, handle
        self._request = Request(p.CLOSE, string(handle), path)

    def __enter__(self) -> bytes:
        return self._handle

    def __exit__(self, kind: t.Optional[t.Type[BaseException]], *_error: object) -> None:
        if kind is None:
            p.require(self._sftp.ask(self._request), "close")
            return
        with contextlib.suppress(Unreachable, Denied, Damaged):
            self._sftp.ask(self._request)


def _groups(paths: t.Sequence[str]) -> t.Iterator[t.Sequence[str]]:
    """A server has no more files open than these."""
    return (paths[at:at + _WINDOW] for at in range(0, len(paths), _WINDOW))


def _write_requests(handle: bytes, pieces: t.Iterable[Piece], path: str) -> t.Iterator[Request]:
    at = 0
    for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(view), _CHUNK):
            part = view[start:start + _CHUNK]
            yield Request(p.WRITE, string(handle) + struct.pack(">Q", at) + string(part), path)
            at += len(part)
