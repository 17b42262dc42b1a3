# SPDX-License-Identifier: BSD-2-Clause
"""A terminal for a container's process: made in the container's own devpts, its other end handed over through a Unix socket.

Not here: who holds that end: conmon, a shim, or `run` and `exec` themselves (terminal.py).
"""
from __future__ import annotations

import _socket
import fcntl
import os
import stat
import struct
import termios
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, fds, libc, mounts, rootpath
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Invalid, Unsupported

_MULTIPLEXER = (5, 2)                                       # Documentation/admin-guide/devices.txt
_TIOCSPTLCK, _TIOCGPTPEER = 0x40045431, 0x5441              # ioctl_tty(2); the second is Linux 4.13
NAME = b"/dev/ptmx"


def connect(path: str) -> _socket.socket:
    """To whoever wants the terminal. Raises CockerError before anything is made."""
    channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC, 0)
    try:
        channel.connect(path)
    except OSError as error:
        channel.close()
        raise CockerError("console-socket", path, error.strerror or str(error)) from error
    return channel


def check(path: t.Optional[str], *, terminal: bool, detached: bool) -> None:
    """Whoever is not there to relay a terminal has to name a socket, and nobody else does."""
    if terminal and detached and not path:
        raise Invalid("console-socket", "a detached process with a terminal needs a socket to hand the terminal over")
    if path and not (terminal and detached):
        raise Invalid("console-socket", "it is for a detached process that has a terminal")


def make(root_fd: int, *, rows: int, columns: int) -> t.Tuple[int, int]:
    """(master, slave) of a new terminal in the devpts below the root."""
    master = _open_master(root_fd)
    fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
    slave = fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY)
    os.set_inheritable(slave, False)
    if rows or columns:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    return master, slave


def _open_master(root_fd: int) -> int:
    """Looked at before it is opened: the image can have anything there."""
    try:
        held = rootpath.open_in(root_fd, "/dev/pts/ptmx", os.O_PATH | os.O_NOFOLLOW)
    except OSError as error:
        raise Unsupported("open terminal", "/dev/pts/ptmx", "the container has no devpts") from error
    try:
        facts = os.fstat(held)
        device = os.major(facts.st_rdev), os.minor(facts.st_rdev)
        if not stat.S_ISCHR(facts.st_mode) or device != _MULTIPLEXER or libc.filesystem_type(held) != consts.DEVPTS_SUPER_MAGIC:
            raise Unsupported("open terminal", "/dev/pts/ptmx", "it is not what the kernel has there")
        return os.open(mounts.path_of(held), os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    finally:
        os.close(held)


def bind_console(root_fd: int, slave: int) -> None:
    """As /dev/console, where programs look for it."""
    rootpath.ensure_file(root_fd, "/dev/console", 0o666)
    target = rootpath.open_in(root_fd, "/dev/console", os.O_PATH | os.O_NOFOLLOW)
    try:
        mounts.bind(slave, target)
    finally:
        os.close(target)


def hand_over(channel: int, master: int) -> None:
    """To the socket, with the name that it goes by; ours is closed."""
    connected = _socket.socket(fileno=channel)
    try:
        fds.send_fds(connected, NAME, [master])
    finally:
        connected.close()
        os.close(master)


def take(slave: int) -> None:
    """As the standard streams and the terminal of the session that the caller leads."""
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for number in range(3):
        os.dup2(slave, number)
    if slave > 2:
        os.close(slave)
