# SPDX-License-Identifier: BSD-2-Clause
"""A command in a container that somebody sits at: the launcher's side, which reads frames and passes signals on.

Whoever sits there may go, on purpose or because the line broke: the command hears of it as of any terminal that is gone, and the
container does not. Not here: the other side (dialogue.py), and commands of tasks (relay.py).
"""
from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import signal
import struct
import termios
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime import frames, relay, streams

PASSED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
_CHUNK = 1 << 16
_MOST_INPUT = 1 << 20       # bytes that wait for a command that does not read; more is left where it comes from


class Live(relay.Pipes):
    """Input comes in frames; output is the asking process's own pipes, which the command gets."""

    def __init__(self) -> None:
        self._frames = frames.Reader()
        self._input, self._ended, self._leader = b"", False, 0
        self._sink, self._theirs = self._made()

    def _made(self) -> t.Tuple[int, int]:
        """Where input goes, and the command's end of it."""
        theirs, sink = os.pipe()
        return sink, theirs

    def in_child(self) -> None:
        streams.take((self._theirs, 1, 2))

    def in_parent(self, leader: int) -> None:
        self._leader = leader
        os.close(self._theirs)
        os.set_blocking(self._sink, False)
        self._let_go((1, 2))

    def _let_go(self, numbers: t.Sequence[int]) -> None:
        """Of these nobody else hears any more."""
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        for number in numbers:
            os.dup2(null, number)
        os.close(null)

    def register(self, poller: select.poll) -> None:
        poller.register(0, select.POLLIN)

    def signal(self, number: int) -> None:
        """To the command with all that it started, as a terminal does it."""
        with tolerate(errno.ESRCH):
            os.killpg(self._leader, number)

    def step(self, fd: int, poller: select.poll) -> None:
        if fd == 0:
            self._hear(poller)
        elif fd == self._sink:
            self._pour(poller)

    def _hear(self, poller: select.poll) -> None:
        piece = os.read(0, _CHUNK)
        if not piece:
            poller.unregister(0)
            self._hang_up(poller)
            return
        for kind, content in self._frames.feed(piece):
            if kind == frames.INPUT:
                self._ended = self._ended or not content
                self._input += content or self._end_of_input()
                self._watch_sink(poller)
            elif kind == frames.SIZE:
                self._resize(content)
            elif kind == frames.DETACH:
                poller.unregister(0)
                self._leave(poller)
                return
        if len(self._input) > _MOST_INPUT:
            poller.modify(0, 0)     # an end of the line is told all the same

    def _watch_sink(self, poller: select.poll) -> None:
        if self._sink >= 0:
            poller.register(self._sink, select.POLLOUT)

    def _end_of_input(self) -> bytes:
        return b""

    def _pour(self, poller: select.poll) -> None:
        full = len(self._input) > _MOST_INPUT
        try:
            with tolerate(errno.EAGAIN):
                self._input = self._input[os.write(self._sink, self._input[:_CHUNK]):] if self._input else b""
        except BrokenPipeError:     # a command need not read its input
            self._input, self._ended = b"", True
        if full and len(self._input) <= _MOST_INPUT:
            poller.modify(0, select.POLLIN)
        if not self._input and self._ended:
            self._forget_sink(poller)
        elif not self._input:
            poller.unregister(self._sink)

    def _resize(self, content: bytes) -> None:
        """Nothing of ours."""

    def _hang_up(self, poller: select.poll) -> None:
        """The line broke."""
        self.signal(signal.SIGHUP)
        self._leave(poller)

    def _leave(self, poller: select.poll) -> None:
        self._forget_sink(poller)

    def _forget_sink(self, poller: select.poll) -> None:
        if self._sink >= 0:
            with contextlib.suppress(KeyError):     # it is not always waited for
                poller.unregister(self._sink)
            os.close(self._sink)
            self._sink = -1

    def finish(self) -> None:
        """Nothing is held."""


class LiveTerminal(Live):
    """A terminal of the container's own, of the size of the one that somebody sits at."""

    def __init__(self, pid: int, rows: int, columns: int) -> None:
        """`pid` is the container's first process."""
        self._pid = pid
        super().__init__()
        self._set_size(rows, columns)

    def _made(self) -> t.Tuple[int, int]:
        return relay.open_terminal(self._pid)

    def in_child(self) -> None:
        streams.take((self._theirs, self._theirs, self._theirs))
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def in_parent(self, leader: int) -> None:
        self._leader = leader
        os.close(self._theirs)
        os.set_blocking(self._sink, False)
        self._let_go((2,))

    def register(self, poller: select.poll) -> None:
        poller.register(0, select.POLLIN)
        poller.register(self._sink, select.POLLIN)

    def step(self, fd: int, poller: select.poll) -> None:
        if fd == 0:
            self._hear(poller)
        elif fd == self._sink:
            self._pour(poller)
            if self._sink >= 0 and not self._take():
                poller.unregister(self._sink)

    def _watch_sink(self, poller: select.poll) -> None:
        if self._sink >= 0:
            poller.register(self._sink, select.POLLIN | select.POLLOUT)

    def _end_of_input(self) -> bytes:
        return relay.END_OF_FILE

    def _pour(self, poller: select.poll) -> None:
        full = len(self._input) > _MOST_INPUT
        if self._input:
            with tolerate(errno.EAGAIN, errno.EIO):
                self._input = self._input[os.write(self._sink, self._input[:_CHUNK]):]
            if not self._input:
                poller.modify(self._sink, select.POLLIN)
        if full and len(self._input) <= _MOST_INPUT:
            poller.modify(0, select.POLLIN)

    def _take(self) -> bool:
        """False when nobody has the terminal open any more, which the kernel calls an input error."""
        try:
            piece = os.read(self._sink, _CHUNK)
        except BlockingIOError:
            return True
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False
        try:
            fs.write_all(1, piece)
        except BrokenPipeError:     # the line's end is heard on the other side
            self._let_go((1,))
        return bool(piece)

    def _resize(self, content: bytes) -> None:
        self._set_size(*frames.size(content))

    def _set_size(self, rows: int, columns: int) -> None:
        if self._sink >= 0:
            fcntl.ioctl(self._sink, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _hang_up(self, poller: select.poll) -> None:
        """The kernel tells the terminal's processes (SIGHUP) when its other end is closed."""
        self._forget_sink(poller)

    def _leave(self, poller: select.poll) -> None:
        """The command keeps its terminal; what it writes there is read by nobody."""
        self._let_go((0, 1))

    def finish(self) -> None:
        """What is in it when the command has ended."""
        before = self._sink >= 0
        while before and select.select([self._sink], [], [], 0)[0]:
            before = self._take()
        if self._sink >= 0:
            os.close(self._sink)
