# SPDX-License-Identifier: BSD-2-Clause
"""Sitting at a container's own streams: the asking side. The supervisor passes on what it reads (init/audience.py); what is typed goes
straight to the container.

Not here: commands beside the container's own (dialogue.py).
"""
from __future__ import annotations

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
from ansible_collections.cocker.engine.plugins.module_utils.runtime import control
from ansible_collections.cocker.engine.plugins.module_utils.runtime.dialogue import Person, typed

_CHUNK = 1 << 15
_TIMEOUT = 5.0      # for a supervisor to answer


def hold(state_dir: str, person: Person, pass_on: t.Callable[[int], None], *, once: bool) -> bool:
    """Until the container has ended: True; or until the person has left it. `once`: as init/audience.py has it.

    `pass_on` gets signals for the container. Raises NotFound, Conflict, Unsupported.
    """
    out, err = os.pipe(), os.pipe()
    try:
        answer, given = control.ask(state_dir, {"verb": "attach", "once": once}, give=(out[1], err[1]), timeout=_TIMEOUT)
    finally:
        os.close(out[1])
        os.close(err[1])
    seat = _Seat(person, pass_on, out=out[0], err=err[0], entrance=given[0] if given else -1, tty=bool(answer["tty"]))
    try:
        return seat.run()
    finally:
        seat.close()


class _Seat:
    def __init__(self, person: Person, pass_on: t.Callable[[int], None], *, out: int, err: int, entrance: int, tty: bool) -> None:
        self._person, self._pass_on = person, pass_on
        self._targets = {out: person.stdout, err: person.stderr}
        self._held = [fd for fd in (out, err, entrance) if fd >= 0]
        self._entrance, self._tty = entrance, tty
        self._poller = select.poll()
        for fd in (*self._targets, person.wakeup):
            self._poller.register(fd, select.POLLIN)
        self._stdin = person.stdin if entrance >= 0 else -1
        if self._stdin >= 0:
            self._poller.register(self._stdin, select.POLLIN)
        if tty:
            self._resize()

    def run(self) -> bool:
        while self._targets:
            for fd, _events in self._poller.poll():
                if fd == self._person.wakeup:
                    self._signalled()
                elif fd == self._stdin:
                    if self._read():
                        return False
                elif fd in self._targets and not self._copy(fd):
                    self._poller.unregister(fd)
                    del self._targets[fd]
        return True

    def _copy(self, fd: int) -> bool:
        piece = os.read(fd, _CHUNK)
        fs.write_all(self._targets[fd], piece)
        return bool(piece)

    def _read(self) -> bool:
        """True when the person leaves."""
        piece = typed(self._stdin, tty=self._tty)
        content, leaves = self._person.typed(piece) if piece else (b"", False)
        with tolerate(errno.EPIPE, errno.EIO):      # a command need not read, or has ended
            fs.write_all(self._entrance, content)
        if not piece:
            self._poller.unregister(self._stdin)
            self._stdin = -1
            self._held.remove(self._entrance)
            os.close(self._entrance)
        return leaves

    def _signalled(self) -> None:
        with tolerate(errno.EAGAIN):
            for number in os.read(self._person.wakeup, _CHUNK):
                if number == signal.SIGWINCH:
                    self._resize()
                elif self._person.heard(number):
                    self._pass_on(number)

    def _resize(self) -> None:
        if self._tty:
            rows, columns = self._person.size()
            with tolerate(errno.EIO):
                fcntl.ioctl(self._entrance, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self) -> None:
        for fd in self._held:
            os.close(fd)
