# SPDX-License-Identifier: BSD-2-Clause
"""Whoever sits at a container's own streams: they hear its output as it comes, and get the end where it is typed at.

Nobody slows the container down: one who does not read is left behind, and finds the rest in the log. Served by the supervisor's one
loop. Not here: the asking side (runtime/attachment.py).
"""
from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.init import control
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fds
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, tolerate

MOST = 16
_WAITING = 1 << 20      # bytes for one who does not read, before they are left behind
_BEGINNING = 1 << 16    # bytes that are kept for whoever comes first
_LAST_WORDS = 1.0       # seconds for those who still read when the container has ended
_F_SETPIPE_SZ, _PIPE = 1031, 1 << 20     # fcntl(2); Python has the number since 3.10
_READY = b'{"tty": %s}'


class Audience:
    """Of one container; `enter` and `leave` with each of its runs."""

    def __init__(self, poller: select.poll) -> None:
        self._poller = poller
        self._waiting: t.Dict[int, bytes] = {}          # by descriptor
        self._streams: t.Dict[str, t.List[int]] = {"stdout": [], "stderr": []}
        self._beginning: t.Optional[t.List[t.Tuple[str, bytes]]] = None
        self._entrance, self._tty, self._given = -1, False, -1

    def enter(self, entrance: int, *, tty: bool) -> None:
        """`entrance` is where is typed, -1 for none."""
        self._entrance, self._tty, self._given = entrance, tty, -1
        self._beginning = [] if entrance >= 0 else None

    def join(self, call: control.Call) -> None:
        """The message brings the ends of two pipes; the answer has the entrance, if there is one.

        `once` says who made the container to sit at it: they hear it from the beginning, and the end of their input is that of its input.
        """
        if len(call.fds) != 2 or len(self._waiting) >= MOST:
            for fd in call.fds:
                os.close(fd)
            raise Conflict("attach", "", "%d sit there already" % (len(self._waiting) // 2))     # the server says so, and hangs up
        for stream, fd in zip(self._streams, call.fds):
            os.set_blocking(fd, False)
            with tolerate(errno.EPERM, errno.EBUSY):
                fcntl.fcntl(fd, _F_SETPIPE_SZ, _PIPE)
            self._streams[stream].append(fd)
            self._waiting[fd] = b""
        fds.send_fds(call.channel, _READY % (b"true" if self._tty else b"false"), [self._entrance] if self._entrance >= 0 else [])
        call.channel.close()
        once = bool(call.words.get("once"))
        beginning, self._beginning = self._beginning, None
        for stream, content in beginning or () if once else ():
            self.tell(stream, content)
        if once and not self._tty and self._entrance >= 0:
            os.close(self._entrance)        # theirs is the last one, and its end that of the input
            self._entrance, self._given = -1, self._entrance

    def tell(self, stream: str, content: bytes) -> None:
        if self._beginning is not None and sum(len(each) for _stream, each in self._beginning) < _BEGINNING:
            self._beginning.append((stream, content))
        for fd in list(self._streams[stream]):
            was_empty = not self._waiting[fd]
            self._waiting[fd] += content
            if was_empty:
                self._give(fd)
            if fd in self._waiting and len(self._waiting[fd]) > _WAITING:
                self._forget(fd)

    def owns(self, fd: int) -> bool:
        return fd in self._waiting

    def serve(self, fd: int) -> None:
        self._give(fd)

    def _give(self, fd: int) -> None:
        try:
            with tolerate(errno.EAGAIN):
                self._waiting[fd] = self._waiting[fd][os.write(fd, self._waiting[fd]):]
        except BrokenPipeError:         # they have gone
            self._forget(fd)
            return
        if self._waiting[fd]:
            self._poller.register(fd, select.POLLOUT)
        else:
            with contextlib.suppress(KeyError):
                self._poller.unregister(fd)

    def _forget(self, fd: int) -> None:
        with contextlib.suppress(KeyError):
            self._poller.unregister(fd)
        del self._waiting[fd]
        for found in self._streams.values():
            if fd in found:
                found.remove(fd)
        os.close(fd)

    def leave(self) -> int:
        """The container has ended, and so does its output. The entrance that was given away, which is no descriptor of ours any more."""
        for fd in list(self._waiting):
            if self._waiting[fd] and select.select([], [fd], [], _LAST_WORDS)[1]:
                self._give(fd)
            if fd in self._waiting:
                self._forget(fd)
        self._entrance, self._beginning = -1, None
        return self._given
