# SPDX-License-Identifier: BSD-2-Clause
"""The control socket of a supervisor: who may ask, one message in, one out, and a table of what can be asked.

Served by the supervisor's one loop, which never waits for a peer; what another process is forked for is not read by it. Not here: the fork,
and a supervisor that is idle (resident.py), what a verb does, and the asking side (runtime/control.py).
"""
from __future__ import annotations

import _socket
import json
import os
import select
import struct
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.init import likeness
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fds
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.runtime import control

MOST_PEERS = 32
ATTACH = "attach"                           # the supervisor's own; the others are for processes that it forks
LAUNCH, EXEC, VISIT = b"launch", b"exec", b"visit"
DONE, NOT_MINE = b"1", b"0"                 # of a clerk to the supervisor
_APART = {os.fsdecode(verb): verb for verb in (LAUNCH, EXEC, VISIT)}
_CREDENTIALS = struct.Struct("iII")         # struct ucred


class Call(t.NamedTuple):
    """One message. `fds` are the verb's from now on: it closes them, or keeps them."""

    words: control.Words
    fds: t.List[int]
    pid: int
    channel: _socket.socket


Verbs = t.Mapping[str, t.Callable[[Call], None]]        # each takes over the channel


class Server:
    """Adds its descriptors to the supervisor's poller; `serve` takes those that `owns`. `verbs` are the supervisor's own.

    `forks` is resident.is_for_another. `peers` were there before.
    """

    def __init__(
        self, listener: _socket.socket, forks: t.Callable[[int], bool], verbs: Verbs, poller: select.poll, peers: t.Iterable[int] = ()
    ) -> None:
        self._listener, self._forks, self._poller, self._verbs = listener, forks, poller, verbs
        self._peers: t.Dict[int, _socket.socket] = {}
        poller.register(listener.fileno(), select.POLLIN)
        for fd in peers:
            self._admit(fd)

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
        if len(self._peers) >= MOST_PEERS:
            os.close(fd)
        else:
            self._admit(fd)

    def _admit(self, fd: int) -> None:
        channel = _socket.socket(fileno=fd)
        channel.setblocking(False)
        self._peers[fd] = channel
        self._poller.register(fd, select.POLLIN)

    def _hear(self, channel: _socket.socket) -> None:
        """Whatever comes of it, the connection is not waited for again."""
        self._poller.unregister(channel.fileno())
        if self._forks(channel.fileno()):
            channel.close()
            return
        try:
            words, given = _heard(channel)
            self._verbs[words["verb"]](Call(words, given, _peer(channel)[0], channel))
        except CockerError as error:
            _say(channel, control.described(error))
            channel.close()
        except OSError:
            channel.close()


def _heard(channel: _socket.socket) -> t.Tuple[control.Words, t.List[int]]:
    data, given = fds.recv_fds(channel, control.LARGEST, control.MOST_FDS)
    return json.loads(data), given


def decide(answers: _socket.socket, peer: int, told: int, key: str) -> t.NoReturn:
    """By a clerk, which a process forks that is to become what is asked for: so much is read for it, and it would be that one's memory.

    `told` hears at once whether the supervisor is to do it itself, and has the message, then. `answers` hears what is to be done: the verb,
    how many descriptors there are for it, and how many to write 0 into; or nothing. Those come along, and a cgroup to be born in.
    """
    channel = _socket.socket(fileno=peer)
    try:
        verb, is_own = _wanted(channel)
        os.write(told, NOT_MINE if is_own else DONE)
        if verb:
            words, given = _heard(channel)
            if words.get("key") != key:
                raise Unsupported("fork", words["verb"], "this supervisor is of another engine or interpreter")
            pid = _peer(channel)[0]
            files, seat = likeness.moves(pid) if likeness.is_elsewhere(pid) else ([], None)
            if not files and seat is None:
                likeness.require(pid)
            fds.send_fds(answers, b"%s %d %d" % (verb, len(given), len(files)), [*given, *files, *([] if seat is None else [seat])])
    except CockerError as error:
        _say(channel, control.described(error))
    finally:
        os._exit(0)


def _wanted(channel: _socket.socket) -> t.Tuple[bytes, bool]:
    """The verb, if it is for another process, and whether it is the supervisor's own. The message stays where it is."""
    if _peer(channel)[1] != 0:
        return b"", False
    data = channel.recv(control.LARGEST, _socket.MSG_PEEK)
    try:
        verb = json.loads(data)["verb"]
        return (b"", True) if verb == ATTACH else (_APART[verb], False)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        channel.recv(control.LARGEST)       # what hangs up with something unread is a broken connection, not an answer
        raise Unsupported("ask supervisor", "", "this one does not know %r" % data[:100]) from error


def look(answers: _socket.socket, peer: int) -> t.NoReturn:
    """Whether the process that asks is the task's like, now that it is in its cgroups. By a clerk, too; it answers where it is not."""
    channel = _socket.socket(fileno=peer)
    try:
        likeness.require(_peer(channel)[0])
        answers.send(DONE)
    except CockerError as error:
        _say(channel, control.described(error))
    finally:
        os._exit(0)


def _peer(channel: _socket.socket) -> t.Tuple[int, int]:
    """Pid and user id of whoever connected; the pid is 0 where our namespace does not know it."""
    pid, uid, _gid = _CREDENTIALS.unpack(channel.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, _CREDENTIALS.size))
    return pid, uid


def _say(channel: _socket.socket, answer: control.Words) -> None:
    """A peer that is gone, or does not read, needs no answer."""
    try:
        channel.send(json.dumps(answer).encode())
    except OSError:
        return
