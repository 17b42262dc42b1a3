# SPDX-License-Identifier: BSD-2-Clause
"""The pipes of a launcher, from the side that asks, and what tells those apart that can be asked.

For a process that asks once and ends: what is imported here (typing, json, contextlib) would take longer than the answer.
Not here: making a launcher (launcher.py).
"""
from __future__ import annotations

import os
import select
import time

TYPE_CHECKING = False       # as in typing
if TYPE_CHECKING:
    import typing as t


def likeness(engine: str, python: str) -> str:
    """The same for processes that run the same code in the same interpreter, whose path is a real one."""
    facts = os.stat(python)
    return repr((engine, python, facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns))


class Exchange:
    """Feeds the launcher and collects what it says, without ever waiting for one of the two alone."""

    def __init__(self, requests: int, output: int, errors: int, replies: int) -> None:
        self._input, self._rest, self._last = requests, memoryview(b""), False
        self._output, self._errors, self._replies = output, errors, replies
        self._found: t.Dict[int, t.List[bytes]] = {output: [], errors: [], replies: []}
        self._is_over = False
        self._poller = select.poll()
        for fd in self._found:
            os.set_blocking(fd, False)
            self._poller.register(fd, select.POLLIN)
        os.set_blocking(self._input, False)

    def send(self, content: bytes, *, last: bool = False) -> None:
        """What `step` writes from now on; nothing of an earlier content is left when the answer to it is there."""
        self._rest, self._last = memoryview(content), last
        self._poller.register(self._input, select.POLLOUT)

    @property
    def output(self) -> bytes:
        return b"".join(self._found[self._output])

    @property
    def errors(self) -> bytes:
        return b"".join(self._found[self._errors])

    def step(self, deadline: t.Optional[float]) -> bool:
        """False when the time is up, or the launcher has closed its answers."""
        if self._is_over:
            return False
        left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        ready = self._poller.poll(left)
        for fd, _events in ready:
            if fd == self._input:
                self._feed()
            elif not self._read(fd):
                self._poller.unregister(fd)
                if fd == self._replies:
                    self._is_over = True
                    return False
        return bool(ready)

    def _feed(self) -> None:
        try:
            if self._rest:
                self._rest = self._rest[os.write(self._input, self._rest[:65536]):]
        except BlockingIOError:
            return
        except BrokenPipeError:         # a command need not read its input
            self._rest = self._rest[:0]
        if not self._rest:
            self._poller.unregister(self._input)
            if self._last:
                os.close(self._input)
                self._input = -1

    def _read(self, fd: int) -> bool:
        """False at the end of the stream."""
        try:
            piece = os.read(fd, 65536)
        except BlockingIOError:
            return True
        self._found[fd].append(piece)
        return bool(piece)

    def take_lines(self) -> t.List[bytes]:
        """Whole answers; the beginning of the next one stays."""
        *lines, rest = b"".join(self._found[self._replies]).split(b"\n")
        self._found[self._replies] = [rest]
        return lines

    def drain(self) -> None:
        """What is in the pipes when the command has ended; something that it left behind may hold them open for ever."""
        for fd in (self._output, self._errors):
            before = -1
            while before != len(self._found[fd]):
                before = len(self._found[fd])
                if not self._read(fd):
                    break

    def close(self) -> None:
        for fd in (*self._found, self._input):
            if fd >= 0:
                os.close(fd)
