# SPDX-License-Identifier: GPL-3.0-or-later
"""Listening sockets, as the kernel tells them: the same as /proc/net has."""
from __future__ import annotations

import errno
import os
import socket
import struct
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import sockdiag
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Unsupported


def bound(family: int, kind: int, address: str) -> socket.socket:
    try:
        found = socket.socket(family, kind)
        found.bind((address, 0))
        if kind == socket.SOCK_STREAM:
            found.listen()
    except OSError as error:
        pytest.skip("no such address here: %s" % error)
    return found


def asked(protocol: str) -> t.List[sockdiag.Listener]:
    try:
        return sockdiag.listeners(protocol)
    except Unsupported as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(("family", "kind", "address", "protocol", "shown"), [
    (socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1", "tcp", "0100007F"),
    (socket.AF_INET, socket.SOCK_STREAM, "0.0.0.0", "tcp", "00000000"),
    (socket.AF_INET6, socket.SOCK_STREAM, "::1", "tcp", "0" * 24 + "01000000"),
    (socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1", "udp", "0100007F"),
])
def test_a_socket_is_found(family: int, kind: int, address: str, protocol: str, shown: str) -> None:
    with bound(family, kind, address) as mine:
        inode = str(os.fstat(mine.fileno()).st_ino)
        [found] = [each for each in asked(protocol) if each.inode == inode]
        assert (found.address, found.port) == (shown, mine.getsockname()[1])
    assert inode not in [each.inode for each in asked(protocol)]


def test_a_connection_is_none() -> None:
    with bound(socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1") as mine, socket.create_connection(mine.getsockname()) as peer:
        assert str(os.fstat(peer.fileno()).st_ino) not in [each.inode for each in asked("tcp")]


def test_messages_end_where_the_answer_ends() -> None:
    head = struct.Struct("=IHHII")
    answer = head.pack(18, 5, 0, 0, 0) + b"ab\0\0" + head.pack(16, 3, 0, 0, 0)
    assert list(sockdiag.messages(answer)) == [(5, b"ab"), (3, b"")]
    assert list(sockdiag.messages(head.pack(0, 5, 0, 0, 0) + b"x" * 16)) == [] == list(sockdiag.messages(b"short"))


def test_a_refusal_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Deaf:
        def __enter__(self) -> t.NoReturn:
            raise OSError(errno.EPROTONOSUPPORT, "no")

        def __exit__(self, *_exc: object) -> None:
            return

    monkeypatch.setattr(sockdiag, "_connected", Deaf)
    with pytest.raises(Unsupported, match="list sockets tcp"):
        sockdiag.listeners("tcp")
