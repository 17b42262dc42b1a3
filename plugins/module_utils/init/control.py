# SPDX-License-Identifier: BSD-2-Clause
"""The control socket of a supervisor: who may ask, one message in, one out, and a table of what can be asked.

Served by the supervisor's one loop, which never waits for a peer. Not here: what a verb does, and the asking side (runtime/control.py).
"""
from __future__ import annotations

import _socket
import fcntl
import json
import os
import select
import signal
import struct
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.init import likeness
from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, fds
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.runtime import control, streams

MOST_PEERS = 32
_CREDENTIALS = struct.Struct("iII")         # struct ucred
_LIKE, _ELSEWHERE = b"=", b"elsewhere"


class Call(t.NamedTuple):
    """One message. `fds` are the verb's from now on: it closes them, or keeps them."""

    words: control.Words
    fds: t.List[int]
    pid: int
    channel: _socket.socket


class Verb(t.NamedTuple):
    """`run` answers with words, or with None where it has taken over the channel.

    `apart`: it runs in a process of its own, which has nothing of this container's and answers before it runs.
    """

    run: t.Callable[[Call], t.Optional[control.Words]]
    apart: bool = False


Verbs = t.Mapping[str, Verb]


class Desk(t.NamedTuple):
    """What a supervisor is born with: its socket, what it forks others for, and the `key` of those who may ask for that."""

    listener: _socket.socket
    key: str
    verbs: Verbs


class Server:
    """Adds its descriptors to the supervisor's poller; `serve` takes those that `owns`. `verbs` are the supervisor's own."""

    def __init__(self, desk: Desk, verbs: Verbs, poller: select.poll) -> None:
        self._listener, self._key, self._poller = desk.listener, desk.key, poller
        self._verbs = {**desk.verbs, **verbs}
        self._peers: t.Dict[int, _socket.socket] = {}
        poller.register(desk.listener.fileno(), select.POLLIN)

    def owns(self, fd: int) -> bool:
        return fd == self._listener.fileno() or fd in self._peers

    def serve(self, fd: int) -> None:
        if fd == self._listener.fileno():
            self._accept()
        else:
            self._hear(self._peers.pop(fd))

    def _accept(self) -> None:
        try:
            fd, _address = self._listener._accept()     # type: ignore[attr-defined]
        except (BlockingIOError, ConnectionAbortedError):
            return
        channel = _socket.socket(fileno=fd)
        if len(self._peers) >= MOST_PEERS or _peer(channel)[1] != 0:
            channel.close()
            return
        channel.setblocking(False)
        self._peers[fd] = channel
        self._poller.register(fd, select.POLLIN)

    def _hear(self, channel: _socket.socket) -> None:
        """Whatever comes of it, the connection is not waited for again."""
        self._poller.unregister(channel.fileno())
        try:
            data, given = fds.recv_fds(channel, control.LARGEST, control.MOST_FDS)
            answer = self._answer(data, given, channel)
        except CockerError as error:
            answer = control.described(error)
        except OSError:
            answer = None
        if answer is not None:
            _say(channel, answer)
            channel.close()

    def _answer(self, data: bytes, given: t.List[int], channel: _socket.socket) -> t.Optional[control.Words]:
        try:
            words = json.loads(data)
            verb = self._verbs[words["verb"]]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            _close(given)
            raise Unsupported("ask supervisor", "", "this one does not know %r" % data[:100]) from error
        call = Call(words, given, _peer(channel)[0], channel)
        if not verb.apart:
            return verb.run(call)
        try:
            if words.get("key") != self._key:
                raise Unsupported("fork", words["verb"], "this supervisor is of another engine or interpreter")
            if cgroupfs.fork_as(cgroupfs.CLONE_PARENT) == 0:        # no child of ours: it outlives us and is nobody's orphan
                _run_apart(verb, call)
        finally:
            _close(given)
        channel.close()
        return None


def _run_apart(verb: Verb, call: Call) -> t.NoReturn:
    """Forked. Nothing may return into the code of the supervisor, of which this is a copy."""
    try:
        signal.set_wakeup_fd(-1)
        os.setsid()
        seen = _looked(call.pid)
        if seen == _ELSEWHERE:
            likeness.join_cgroups(call.pid)
            seen = _looked(call.pid)
        if seen[:1] != _LIKE:
            refusal = Unsupported("fork", str(call.words["verb"]), seen.decode("utf-8", "replace"))
            _say(call.channel, control.described(refusal))
            os._exit(0)
        _send(call.channel, b'{"pid": %d, "start_time": %d}' % (os.getpid(), int(seen[1:])))     # an encoder would touch more memory
        held = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 100) for fd in call.fds]
        for number, fd in enumerate(held):
            os.dup2(fd, number)
        streams.close_all(keep=range(len(held)))
        verb.run(call)
    except BaseException as error:
        os.write(2, b"%s: %s\n" % (type(error).__name__.encode(), str(error).encode("utf-8", "replace")))
        os._exit(1)
    os._exit(0)


def _looked(pid: int) -> bytes:
    """LIKE and when this process began, ELSEWHERE for one in other cgroups than the task, or what differs.

    By a child: so much is read for it, and what it writes to is to be no memory of the supervisors to come.
    """
    told, teller = os.pipe()
    parent, child = os.getpid(), os.fork()
    if child == 0:
        try:
            if likeness.is_elsewhere(pid):
                os.write(teller, _ELSEWHERE)
            else:
                likeness.require(pid)
                os.write(teller, _LIKE + b"%d" % _start_time(parent))
        except BaseException as error:
            os.write(teller, str(error).encode("utf-8", "replace"))
            os._exit(1)
        os._exit(0)
    os.close(teller)
    said = os.read(told, select.PIPE_BUF)
    os.close(told)
    os.waitpid(child, 0)
    return said


def _start_time(pid: int) -> int:
    with open("/proc/%d/stat" % pid, "rb") as stream:
        return int(stream.read().rpartition(b")")[2].split()[22 - 3])


def _peer(channel: _socket.socket) -> t.Tuple[int, int]:
    """Pid and user id of whoever connected; the pid is 0 where our namespace does not know it."""
    pid, uid, _gid = _CREDENTIALS.unpack(channel.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, _CREDENTIALS.size))
    return pid, uid


def _say(channel: _socket.socket, answer: control.Words) -> None:
    _send(channel, json.dumps(answer).encode())


def _send(channel: _socket.socket, message: bytes) -> None:
    """A peer that is gone, or does not read, needs no answer."""
    try:
        channel.send(message)
    except OSError:
        return


def _close(given: t.Iterable[int]) -> None:
    for fd in given:
        os.close(fd)
