# SPDX-License-Identifier: BSD-2-Clause
"""A command in a container that somebody sits at: the asking side, which carries what is typed to the launcher, and back what is said.

Nothing is kept: what comes is passed on at once. Not here: the launcher's side (live.py), terminals of the host (cli/terminal.py).
"""
from __future__ import annotations

import errno
import json
import os
import select
import signal
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, process
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import StartFailed, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime import control, frames, launcher

_CHUNK = 1 << 15
_MOST_WAITING = 1 << 18     # bytes typed that the launcher has not taken; more stays where it comes from


class Person(t.Protocol):
    """Who sits there. `stdin` is -1 for one who says nothing; `wakeup` is readable when signals have come: a byte for each number."""

    stdin: int
    stdout: int
    stderr: int
    wakeup: int

    def typed(self, piece: bytes) -> t.Tuple[bytes, bool]:
        """What of it is for the command, and whether to leave."""

    def size(self) -> t.Tuple[int, int]:
        """Rows and columns."""

    def heard(self, number: int) -> bool:
        """A signal; True where it is for the command."""


class Ended(t.NamedTuple):
    """`rc` None: whoever sat there has left, and the command goes on. `error` says why it could not be run (126, 127)."""

    rc: t.Optional[int]
    error: str = ""


def hold(request: launcher.ExecRequest, person: Person, *, engine: str, python: str) -> Ended:
    """Until the command ends. Raises NotFound or Conflict when the container does not run, Invalid for a bad user or directory."""
    launched, head = launcher.begin_exec(request, engine=engine, python=python, live=person.size())
    talk = _Talk(launched, person, head, tty=request.tty)
    try:
        answer = talk.run()
    except BaseException:
        talk.close()        # the launcher hears that the line broke, and is nobody's business from now on
        raise
    talk.close()
    if talk.left:
        return Ended(None)
    code = launcher.end(launched, kill=answer is None)
    if answer is None:
        raise StartFailed("exec", request.args[0], launcher.breakdown(code, talk.errors, late=""))
    control.raised(answer)
    return Ended(answer["rc"], answer["reason"])


def typed(stdin: int, *, tty: bool) -> bytes:
    """Empty at the end of input. A terminal has none, for it is raw: one that ends is gone, and BrokenPipeError."""
    try:
        piece = os.read(stdin, _CHUNK)
    except OSError as error:
        if error.errno != errno.EIO or not tty:
            raise
        piece = b""
    if tty and not piece:
        raise BrokenPipeError(errno.EPIPE, "the terminal is gone")
    return piece


class _Talk:
    def __init__(self, launched: launcher.Launched, person: Person, head: bytes, *, tty: bool) -> None:
        self._launched, self._person, self._tty = launched, person, tty
        self._waiting, self._answer = head, b""
        self.errors = b""       # the tail of what came on standard error: of a launcher that broke down it is the reason
        self.left = False
        self._poller = select.poll()
        for fd in (launched.output, launched.errors, launched.replies, person.wakeup):
            self._poller.register(fd, select.POLLIN)
        for fd in (launched.requests, launched.output, launched.errors):
            os.set_blocking(fd, False)
        self._listens = False
        self._stdin = person.stdin
        self._watch()

    def run(self) -> t.Optional[control.Words]:
        if self._stdin < 0 and not self._tty:
            self._say(frames.packed(frames.INPUT))
        while not self.left:
            for fd, _events in self._poller.poll():
                if fd == self._launched.replies:
                    piece = os.read(fd, _CHUNK)
                    self._answer += piece
                    if not piece or b"\n" in piece:
                        self._drain()
                        return t.cast("t.Optional[control.Words]", json.loads(self._answer) if piece else None)
                elif fd == self._launched.requests:
                    self._send()
                elif fd == self._person.wakeup:
                    self._signalled()
                elif fd == self._stdin:
                    self._read()
                elif not self._copy(fd):
                    self._poller.unregister(fd)
        return None

    def _watch(self) -> None:
        """Input is taken as far as it can be passed on."""
        if self._waiting:
            self._poller.register(self._launched.requests, select.POLLOUT)
        listens = self._stdin >= 0 and len(self._waiting) < _MOST_WAITING
        if listens and not self._listens:
            self._poller.register(self._stdin, select.POLLIN)
        elif self._listens and not listens:
            self._poller.unregister(self._stdin)
        self._listens = listens

    def _say(self, frame: bytes) -> None:
        self._waiting += frame
        self._watch()

    def _send(self) -> None:
        try:
            with tolerate(errno.EAGAIN):
                self._waiting = self._waiting[os.write(self._launched.requests, self._waiting[:_CHUNK]):]
        except BrokenPipeError:     # its answer says why
            self._waiting = b""
        if not self._waiting:
            self._poller.unregister(self._launched.requests)
        self._watch()

    def _read(self) -> None:
        piece = typed(self._stdin, tty=self._tty)
        content, leaves = self._person.typed(piece) if piece else (b"", False)
        if content or not piece:
            self._say(frames.packed(frames.INPUT, content))
        if not piece:
            self._poller.unregister(self._stdin)
            self._listens, self._stdin = False, -1
        if leaves:
            self._leave()

    def _leave(self) -> None:
        self._waiting += frames.packed(frames.DETACH)
        os.set_blocking(self._launched.requests, True)
        with tolerate(errno.EPIPE):
            fs.write_all(self._launched.requests, self._waiting)
        self.left = True

    def _signalled(self) -> None:
        with tolerate(errno.EAGAIN):
            for number in os.read(self._person.wakeup, _CHUNK):
                if number == signal.SIGWINCH:
                    if self._tty:
                        self._say(frames.packed_size(*self._person.size()))
                elif self._person.heard(number):
                    self._pass_on(number)

    def _pass_on(self, number: int) -> None:
        if self._launched.forked is not None:
            process.signal(self._launched.forked, number)
        else:
            os.kill(self._launched.pid, number)     # our own child, not waited for: the number is still its

    def _copy(self, fd: int) -> bool:
        """False at the end of the stream."""
        try:
            piece = os.read(fd, _CHUNK)
        except BlockingIOError:
            return True
        if fd == self._launched.errors:
            self.errors = (self.errors + piece)[-_CHUNK:]
        fs.write_all(self._person.stdout if fd == self._launched.output else self._person.stderr, piece)
        return bool(piece)

    def _drain(self) -> None:
        """What is in the pipes when the command has ended; something that it left behind may hold them open for ever."""
        for fd in (self._launched.output, self._launched.errors):
            while select.select([fd], [], [], 0)[0] and self._copy(fd):
                continue

    def close(self) -> None:
        for fd in (self._launched.requests, self._launched.output, self._launched.errors, self._launched.replies):
            os.close(fd)
