# SPDX-License-Identifier: BSD-2-Clause
"""Staying with a process until it ends: signals are passed on to it, and the caller's terminal is its own as long as it lasts.

For `run` and `exec` in the foreground. Not here: making its terminal (console.py).
"""
from __future__ import annotations

import errno
import fcntl
import gc
import os
import select
import signal
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fds, fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import tolerate

if t.TYPE_CHECKING:
    import _socket

_PIECE = 1 << 16
_LINGER = 0.2           # seconds for what a process has written last, when others still have its terminal
# Those are about us: stopping us, our children, our mistakes.
_OURS = {signal.SIGCHLD, signal.SIGURG, signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE,
         signal.SIGILL, signal.SIGTTIN, signal.SIGTTOU, signal.SIGTSTP, signal.SIGCONT}
_SIZE_BYTES = b"\0" * 8


class Watch:
    """Made before the fork, so that no signal is missed. `channel` is where the process will hand over its terminal, if it has one."""

    def __init__(self, *, terminal: bool) -> None:
        self._signals = signal.valid_signals() - _OURS | {signal.SIGCHLD}
        self._ours: t.Optional[_socket.socket] = None
        self.channel: t.Optional[_socket.socket] = None
        self._former: t.Optional[t.List[t.Any]] = None
        self._master = self._wakeup = -1
        if not terminal:        # nothing to wait for but signals
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)       # inherited as ignored, the kernel would bury our child
            signal.pthread_sigmask(signal.SIG_BLOCK, self._signals)
            return
        import _socket
        self._ours, self.channel = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC, 0)
        self._wakeup, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for signum in self._signals:
            with tolerate(errno.EINVAL):
                signal.signal(signum, _noted)

    def wait(self, pid: int) -> int:
        """The exit code; 128 + signal for one that was killed. Every other child is buried, too."""
        gc.freeze()
        gc.enable()
        status = self._wait_at_terminal(pid) if self._ours is not None else self._wait_for_signals(pid)
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code

    def _wait_for_signals(self, pid: int) -> int:
        status = _bury(pid)
        while status is None:
            signum = signal.sigwait(self._signals)
            if signum == signal.SIGCHLD:
                status = _bury(pid)
                continue
            with tolerate(errno.ESRCH):
                os.kill(pid, signum)        # our child, not waited for: the number is still its
        return status

    def _wait_at_terminal(self, pid: int) -> int:
        self._open_terminal()
        poller = select.poll()
        poller.register(self._wakeup, select.POLLIN)
        if self._master >= 0:
            poller.register(self._master, select.POLLIN)
            poller.register(0, select.POLLIN)
        try:
            status = _bury(pid)
            while status is None:
                for fd, _events in poller.poll():
                    if fd == self._wakeup:
                        self._pass_on(pid)
                        status = _bury(pid) if status is None else status
                    elif not (self._copy(0, self._master) if fd == 0 else self._copy(self._master, 1)):
                        poller.unregister(fd)
            self._drain()
        finally:
            self._close_terminal()
        return status

    def _pass_on(self, pid: int) -> None:
        for signum in os.read(self._wakeup, 4096):
            if signum == signal.SIGWINCH and self._master >= 0:
                self._resize()
            elif signum != signal.SIGCHLD:
                with tolerate(errno.ESRCH):
                    os.kill(pid, signum)

    def _open_terminal(self) -> None:
        import termios  # most have no terminal
        if self._ours is None or self.channel is None:
            return
        self.channel.close()
        _name, received = fds.recv_fds(self._ours, _PIECE, 1)
        self._ours.close()
        self._master = received[0]
        if os.isatty(0):
            self._resize()
            self._former = termios.tcgetattr(0)
            import tty
            tty.setraw(0)

    def _resize(self) -> None:
        import termios
        with tolerate(errno.ENOTTY):
            fcntl.ioctl(self._master, termios.TIOCSWINSZ, fcntl.ioctl(0, termios.TIOCGWINSZ, _SIZE_BYTES))

    def _close_terminal(self) -> None:
        if self._former is not None:
            import termios
            termios.tcsetattr(0, termios.TCSADRAIN, self._former)

    def _drain(self) -> None:
        while self._master >= 0 and select.select([self._master], [], [], _LINGER)[0] and self._copy(self._master, 1):
            continue

    def _copy(self, source: int, target: int) -> bool:
        """False at the end; a terminal that nobody has open any more is an input error."""
        try:
            piece = os.read(source, _PIECE)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False
        with tolerate(errno.EIO, errno.EPIPE):
            fs.write_all(target, piece)
        return bool(piece)


def _noted(_signum: int, _frame: t.Any) -> None:
    """The number is read from the wakeup pipe."""


def _bury(wanted: int) -> t.Optional[int]:
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        found = status if pid == wanted else found
