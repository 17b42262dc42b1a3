# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import _socket
import os
import select
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.init import audience, control
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fds
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict


class Peer(t.NamedTuple):
    out: int
    err: int
    answer: bytes
    given: t.List[int]


def join(found: audience.Audience, **words: t.Any) -> Peer:
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    out, err = os.pipe(), os.pipe()
    found.join(control.Call(words, [out[1], err[1]], os.getpid(), theirs))
    answer, given = fds.recv_fds(ours, 100, 2)
    ours.close()
    return Peer(out[0], err[0], answer, given)


@pytest.fixture
def found() -> audience.Audience:
    return audience.Audience(select.poll())


def test_everybody_hears_what_is_said_apart(found: audience.Audience) -> None:
    found.enter(-1, tty=False)
    peers = [join(found) for _round in range(2)]
    found.tell("stdout", b"out")
    found.tell("stderr", b"err")
    assert found.leave() == -1
    for peer in peers:
        assert (os.read(peer.out, 9), os.read(peer.out, 9), os.read(peer.err, 9), os.read(peer.err, 9)) == (b"out", b"", b"err", b"")


def test_the_first_hears_the_beginning(found: audience.Audience) -> None:
    reader, writer = os.pipe()
    found.enter(writer, tty=False)
    found.tell("stdout", b"before")
    first, second = join(found, once=True), join(found)
    found.tell("stdout", b" after")
    found.leave()
    assert (os.read(first.out, 20), os.read(second.out, 20)) == (b"before after", b" after")
    os.close(reader)


def test_the_entrance_is_shared_or_given_away(found: audience.Audience) -> None:
    reader, writer = os.pipe()
    found.enter(writer, tty=False)
    peer, last = join(found), join(found, once=True)
    assert peer.answer == b'{"tty": false}'
    os.write(peer.given[0], b"a")
    os.close(peer.given[0])
    os.close(last.given[0])
    assert (os.read(reader, 9), os.read(reader, 9)) == (b"a", b"") and found.leave() == writer


def test_who_does_not_read_is_left_behind(found: audience.Audience) -> None:
    found.enter(-1, tty=False)
    deaf, good = join(found), join(found)
    for _round in range(40):
        found.tell("stdout", b"x" * (1 << 16))
        while select.select([good.out], [], [], 0)[0]:
            os.read(good.out, 1 << 20)
    size = len(b"".join(iter(lambda: os.read(deaf.out, 1 << 20), b"")))
    assert size < 40 << 16
    found.tell("stdout", b"still")
    assert os.read(good.out, 9) == b"still"


def test_who_has_gone_is_forgotten(found: audience.Audience) -> None:
    found.enter(-1, tty=False)
    peer = join(found)
    os.close(peer.out)
    found.tell("stdout", b"x")
    found.tell("stdout", b"x")
    found.leave()


def test_there_are_not_too_many(found: audience.Audience) -> None:
    found.enter(-1, tty=False)
    for _round in range(audience.MOST // 2):
        join(found)
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    ends = [os.open(os.devnull, os.O_WRONLY) for _round in range(2)]
    with pytest.raises(Conflict):
        found.join(control.Call({}, ends, os.getpid(), theirs))
    theirs.send(b"no")      # the server can still tell them
    assert ours.recv(9) == b"no"
