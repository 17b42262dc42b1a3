# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of sftp against servers that answer in another order, in parts, or nonsense."""
from __future__ import annotations

import random
import struct
import typing as t

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import (
    CockerError,
    Damaged,
    Denied,
    NotFound,
    Unreachable,
    Unsupported,
)
from ansible_collections.cocker.engine.plugins.module_utils.registry import sftppacket as p
from ansible_collections.cocker.engine.plugins.module_utils.registry.sftp import Sftp

HELLO = struct.pack(">IBI", 5, p.VERSION_SAID, 3)


class Scripted:
    """Answers each request by a function of (kind, number, body); what it returns is sent in parts."""

    def __init__(self, answer: t.Callable[[int, int, bytes], bytes], hello: bytes = HELLO, late: int = 0) -> None:
        self._answer, self._late = answer, late
        self._waiting: t.List[bytes] = []
        self._out = bytearray(hello)
        self._greeted = False

    def write(self, data: bytes) -> None:
        if not self._greeted:
            self._greeted = True
            return
        kind, number = struct.unpack(">BI", data[4:9])
        self._waiting.append(self._answer(kind, number, data[9:]))
        if len(self._waiting) > self._late:
            self._flush()

    def _flush(self) -> None:
        random.Random(1).shuffle(self._waiting)
        self._out += b"".join(self._waiting)
        self._waiting = []

    def read(self, count: int) -> bytes:
        if len(self._out) < count:
            self._flush()
        if len(self._out) < count:
            raise Unreachable("reach", "the test", "nothing more is said")
        found, self._out = bytes(self._out[:count]), self._out[count:]
        return found


def packet(kind: int, number: int, body: bytes) -> bytes:
    return struct.pack(">IBI", len(body) + 5, kind, number) + body


def status(number: int, code: int, text: str = "") -> bytes:
    return packet(p.STATUS, number, struct.pack(">I", code) + p.string(text) + p.string(""))


def file_server(content: bytes, *, most: int = 1 << 20) -> t.Callable[[int, int, bytes], bytes]:
    """One file; gives at most so many bytes at once."""
    def answer(kind: int, number: int, body: bytes) -> bytes:
        if kind == p.OPEN:
            return packet(p.HANDLE, number, p.string(b"h"))
        if kind == p.READ:
            at, length = struct.unpack(">QI", body[5:])
            piece = content[at:at + min(length, most)]
            return packet(p.DATA, number, p.string(piece)) if piece else status(number, p.EOF)
        return status(number, p.OK)
    return answer


@pytest.mark.parametrize(("late", "most"), [(0, 1 << 20), (5, 1 << 20), (0, 10_000), (5, 777)])
def test_a_file_is_read_in_order_however_it_is_answered(late: int, most: int) -> None:
    content = random.Random(0).randbytes(200_001)
    sftp = Sftp(Scripted(file_server(content, most=most), late=late))
    assert b"".join(sftp.pieces("f", len(content))) == content
    assert b"".join(sftp.pieces("f", 100)) == content[:100]
    assert sftp.read("f", 1 << 20) == content
    with pytest.raises(Damaged, match="larger than 1000 bytes"):
        sftp.read("f", 1000)


def test_a_file_that_is_shorter_than_announced() -> None:
    assert b"".join(Sftp(Scripted(file_server(b"x" * 100_000))).pieces("f", 200_000)) == b"x" * 100_000


def test_where_a_transfer_is_given_up_the_next_one_is_whole() -> None:
    sftp = Sftp(Scripted(file_server(b"x" * 1_000_000)))
    pieces = sftp.pieces("f", 1_000_000)
    next(pieces)
    pieces.close()
    assert sftp.read("f", 1 << 20) == b"x" * 1_000_000


def test_extensions_are_known() -> None:
    body = struct.pack(">I", 3) + p.string("fsync@openssh.com") + p.string("1")
    assert Sftp(Scripted(file_server(b""), struct.pack(">IB", len(body) + 1, p.VERSION_SAID) + body)).extensions == {"fsync@openssh.com"}


@pytest.mark.parametrize(("code", "error"), [
    (p.NO_SUCH_FILE, NotFound), (p.PERMISSION_DENIED, Denied), (p.UNSUPPORTED, Unsupported), (4, CockerError),
])
def test_what_the_server_refuses(code: int, error: t.Type[CockerError]) -> None:
    sftp = Sftp(Scripted(lambda kind, number, body: status(number, code, "No\n way")))
    with pytest.raises(error):
        sftp.write("f", [b"x"])
    assert sftp.remove("f") is False if code == p.NO_SUCH_FILE else True


@pytest.mark.parametrize("hello", [
    b"Welcome to the server\n", struct.pack(">IBI", 5, p.VERSION_SAID, 2), struct.pack(">IBI", 5, 77, 3), struct.pack(">IB", 1, p.VERSION_SAID) + b"\0\0\0\0",
    struct.pack(">IBII", 9, p.VERSION_SAID, 3, 99),
])
def test_what_is_no_sftp(hello: bytes) -> None:
    with pytest.raises((Damaged, Unsupported)):
        Sftp(Scripted(file_server(b""), hello))


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.binary(max_size=200), st.sampled_from([p.STATUS, p.HANDLE, p.DATA, p.NAME, p.ATTRS, p.EXTENDED_REPLY, 0]), st.sampled_from(range(5)))
def test_nonsense_is_an_error_of_ours(body: bytes, kind: int, which: int) -> None:
    sftp = Sftp(Scripted(lambda _kind, number, _body: packet(kind, number, body)))
    calls: t.List[t.Callable[[], t.Any]] = [
        lambda: sftp.find("f"), lambda: sftp.names("f"), lambda: sftp.read("f", 100), lambda: list(sftp.pieces("f", 100)), lambda: sftp.write("f", [b"x"]),
    ]
    try:
        calls[which]()
    except CockerError:
        pass
