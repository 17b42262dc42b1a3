# SPDX-License-Identifier: BSD-2-Clause
"""Whoever sits at this command: the terminal, raw for the time of a session, its size, and signals.

Not here: what is carried where (runtime/dialogue.py).
"""
from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios
import tty
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli import keys

_SIZE = (24, 80)
_MANY = 4096
_ENDING = (signal.SIGHUP, signal.SIGTERM)
_PASSED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


class Gone(BaseException):
    """This command was told to end while its terminal was raw; `number` is the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Person:
    """With a terminal every key goes to the command but those of `detach`; without one, signals go to it."""

    def __init__(self, *, interactive: bool, terminal: bool, detach: bytes = b"") -> None:
        self.stdin = 0 if interactive else -1
        self.stdout, self.stderr = 1, 2
        self.terminal = terminal
        self.wakeup, self._told = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._keys = keys.Watch(detach if terminal else b"")

    def typed(self, piece: bytes) -> t.Tuple[bytes, bool]:
        return self._keys.feed(piece)

    def size(self) -> t.Tuple[int, int]:
        for number in (0, 1, 2):
            with contextlib.suppress(OSError):
                found = os.get_terminal_size(number)
                if found.lines and found.columns:
                    return found.lines, found.columns
        return _SIZE

    def heard(self, number: int) -> bool:
        if self.terminal and number in _ENDING:
            raise Gone(number)
        return number in _PASSED_ON

    def signals(self) -> t.List[int]:
        """Those that have come for the container."""
        try:
            return [number for number in os.read(self.wakeup, _MANY) if number in _PASSED_ON]
        except BlockingIOError:
            return []

    @contextlib.contextmanager
    def seated(self) -> t.Iterator[None]:
        """Whatever happens, the terminal is as it was afterwards."""
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        former = {number: signal.signal(number, _nothing) for number in (*_PASSED_ON, signal.SIGWINCH)}
        signal.set_wakeup_fd(self._told, warn_on_full_buffer=False)
        try:
            with _raw() if self.terminal and self.stdin >= 0 else contextlib.nullcontext():
                yield
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in former.items():
                signal.signal(number, handler)


def _nothing(_number: int, _frame: t.Any) -> None:
    """It is read from the wake-up pipe."""


@contextlib.contextmanager
def _raw() -> t.Iterator[None]:
    before = termios.tcgetattr(0)
    tty.setraw(0, termios.TCSADRAIN)
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):        # a terminal that is gone needs no care
            termios.tcsetattr(0, termios.TCSADRAIN, before)
