# SPDX-License-Identifier: BSD-2-Clause
"""Packets of the SFTP protocol, version 3: what is asked, and what an answer means. Not here: who asks (sftp.py)."""
from __future__ import annotations

import stat
import struct
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Damaged, Denied, NotFound, Unsupported

INIT, VERSION_SAID = 1, 2
OPEN, CLOSE, READ, WRITE, OPENDIR, READDIR, REMOVE, MKDIR, RMDIR, STAT, RENAME = 3, 4, 5, 6, 11, 12, 13, 14, 15, 17, 18
EXTENDED, STATUS, HANDLE, DATA, NAME, ATTRS, EXTENDED_REPLY = 200, 101, 102, 103, 104, 105, 201
TO_READ, TO_WRITE, CREATE, EXCLUSIVE = 0x01, 0x02, 0x08, 0x20
OK, EOF, NO_SUCH_FILE, PERMISSION_DENIED, UNSUPPORTED = 0, 1, 2, 3, 8
_SIZE, _OWNER, _MODE, _TIMES, _MORE = 0x01, 0x02, 0x04, 0x08, 0x80000000

Piece = t.Union[bytes, memoryview]


class Facts(t.NamedTuple):
    """`modified` in seconds since the epoch."""

    size: int
    mode: int
    modified: int

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)


class Request(t.NamedTuple):
    kind: int
    body: bytes
    path: str


class Answer(t.NamedTuple):
    kind: int
    body: bytes
    path: str


class Reader:
    """What a packet holds, one value after the other. Raises Damaged where it ends too early."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def number(self) -> int:
        return int(struct.unpack(">I", self._take(4))[0])

    def long(self) -> int:
        return int(struct.unpack(">Q", self._take(8))[0])

    def string(self) -> bytes:
        return self._take(self.number())

    def text(self) -> str:
        return self.string().decode("utf-8", "surrogateescape")

    def rest(self) -> bytes:
        return self._take(len(self._body) - self._at)

    def is_left(self) -> bool:
        return self._at < len(self._body)

    def _take(self, count: int) -> bytes:
        if count > len(self._body) - self._at:
            raise Damaged("read", "the server's answer", "it ends too early")
        self._at += count
        return self._body[self._at - count:self._at]

    def facts(self) -> Facts:
        flags, size, mode, modified = self.number(), 0, 0, 0
        if flags & _SIZE:
            size = self.long()
        if flags & _OWNER:
            self._take(8)
        if flags & _MODE:
            mode = self.number()
        if flags & _TIMES:
            _accessed, modified = self.number(), self.number()
        if flags & _MORE:
            for _each in range(self.number()):
                self.string()
                self.string()
        return Facts(size, mode, modified)


def string(value: t.Union[str, Piece]) -> bytes:
    raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)
    return struct.pack(">I", len(raw)) + raw


def stat_request(path: str) -> Request:
    return Request(STAT, string(path), path)


def open_request(path: str, flags: int) -> Request:
    return Request(OPEN, string(path) + struct.pack(">II", flags, 0), path)


def read_request(handle: bytes, at: int, length: int, path: str) -> Request:
    return Request(READ, string(handle) + struct.pack(">QI", at, length), path)


def status_of(answer: Answer) -> t.Optional[int]:
    """None for an answer that brings something."""
    return Reader(answer.body).number() if answer.kind == STATUS else None


def require(answer: Answer, op: str) -> None:
    if status_of(answer) != OK:
        raise failure(answer, op)


def failure(answer: Answer, op: str) -> CockerError:
    status = status_of(answer)
    if status is None:
        return Damaged(op, answer.path, "the server gives an answer that was not asked for")
    if status == NO_SUCH_FILE:
        return NotFound(op, answer.path, "it is not on the server")
    if status == PERMISSION_DENIED:
        return Denied(op, answer.path, "the server does not permit it")
    if status == UNSUPPORTED:
        return Unsupported(op, answer.path, "the server cannot do it")
    reader = Reader(answer.body)
    reader.number()
    said = reader.text() if reader.is_left() else ""
    return CockerError(op, answer.path, "the server says: %s" % ("".join(letter for letter in said if letter.isprintable()) or status))


def handle_of(answer: Answer) -> bytes:
    if answer.kind != HANDLE:
        raise failure(answer, "open")
    return Reader(answer.body).string()


def facts_of(answer: Answer) -> t.Optional[Facts]:
    """None for what is not there."""
    if status_of(answer) == NO_SUCH_FILE:
        return None
    if answer.kind != ATTRS:
        raise failure(answer, "look at")
    return Reader(answer.body).facts()


def data_of(answer: Answer) -> bytes:
    """Empty at the end of the file."""
    if status_of(answer) == EOF:
        return b""
    if answer.kind != DATA:
        raise failure(answer, "read")
    return Reader(answer.body).string()


def entries(answer: Answer) -> t.List[t.Tuple[str, Facts]]:
    if answer.kind != NAME:
        raise failure(answer, "list")
    reader = Reader(answer.body)
    found = []
    for _each in range(reader.number()):
        name, _long = reader.text(), reader.string()
        facts = reader.facts()
        if name not in (".", "..") and "/" not in name:
            found.append((name, facts))
    return found
