# SPDX-License-Identifier: BSD-2-Clause
"""What a command that was started in a container has as its standard streams: the task's own pipes, a terminal, or pipes into a log.

The launcher's side of it, outside of the container. Not here: who starts the command (enter.py), the log itself (init/logs.py).
"""
from __future__ import annotations

import _socket
import errno
import fcntl
import os
import select
import stat
import struct
import termios
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, fds, fs, libc, mounts, rootpath
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Unsupported, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime import streams

_CHUNK = 1 << 16
_MULTIPLEXER = (5, 2)                                       # Documentation/admin-guide/devices.txt
_TIOCSPTLCK, _TIOCGPTPEER = 0x40045431, 0x5441              # ioctl_tty(2); the second is Linux 4.13
END_OF_FILE = b"\4"
_SIZE = struct.pack("HHHH", 24, 80, 0, 0)


class Log(t.Protocol):
    def add(self, stream: str, content: bytes) -> None: ...

    def close(self) -> None: ...


OpenLog = t.Callable[[str], Log]


class Pipes:
    """The command has the task's own, and nothing is to be relayed."""

    def in_child(self) -> None:
        """Right after the fork."""

    def in_parent(self, leader: int) -> None:
        """`leader` is the command's process, which leads a session."""
        streams.to_null()

    def register(self, poller: select.poll) -> None:
        """Nothing of ours."""

    def step(self, fd: int, poller: select.poll) -> None:
        """Nothing of ours."""

    def signal(self, number: int) -> None:
        """Nobody passes any on."""

    def finish(self) -> None:
        """Nothing is held."""


class Terminal(Pipes):
    """A terminal of the container's own, so that programs there find it by its name."""

    def __init__(self, pid: int) -> None:
        """Of the container whose first process this is."""
        self._master, self._slave = open_terminal(pid)
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, _SIZE)
        self._input = b""

    def in_child(self) -> None:
        streams.take((self._slave, self._slave, self._slave))
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def in_parent(self, leader: int) -> None:
        os.close(self._slave)
        os.set_blocking(self._master, False)

    def register(self, poller: select.poll) -> None:
        poller.register(0, select.POLLIN)
        poller.register(self._master, select.POLLIN)

    def step(self, fd: int, poller: select.poll) -> None:
        if fd == 0:
            piece = os.read(0, _CHUNK)
            self._input += piece or END_OF_FILE
            poller.modify(self._master, select.POLLIN | select.POLLOUT)
            if not piece:
                poller.unregister(0)
        elif fd == self._master:
            if self._input:
                with tolerate(errno.EAGAIN, errno.EIO):
                    self._input = self._input[os.write(self._master, self._input[:_CHUNK]):]
            if not self._input:
                poller.modify(self._master, select.POLLIN)
            if not self._take():
                poller.unregister(self._master)

    def _take(self) -> bool:
        """False when nobody has the terminal open any more, which the kernel calls an input error."""
        try:
            piece = os.read(self._master, _CHUNK)
        except BlockingIOError:
            return True
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False
        fs.write_all(1, piece)
        return bool(piece)

    def finish(self) -> None:
        """What is in it when the command has ended."""
        before = True
        while before and select.select([self._master], [], [], 0)[0]:
            before = self._take()
        os.close(self._master)


def open_terminal(pid: int) -> t.Tuple[int, int]:
    """Both ends, of one of the container whose process this is. Raises Unsupported."""
    return _open_terminal("/proc/%d/root" % pid)


def become_terminal(channel: int) -> None:
    """For a process in the container that leads a session: its streams are one from now on. Both ends go through the socket `channel`."""
    master, slave = _open_terminal("/")
    fcntl.ioctl(slave, termios.TIOCSWINSZ, _SIZE)
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    connected = _socket.socket(fileno=channel)
    fds.send_fds(connected, b"t", (master, slave))
    connected.close()
    os.close(master)
    streams.take((slave, slave, slave))
    os.close(slave)


def received_terminal(channel: int) -> t.Tuple[int, int]:
    """Its two ends, at the other end of the socket."""
    connected = _socket.socket(fileno=channel)
    try:
        _said, (master, slave) = fds.recv_fds(connected, 1, 2)
    finally:
        connected.close()
    return master, slave


def _open_terminal(top: str) -> t.Tuple[int, int]:
    master = _open_master(top)
    fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
    return master, fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY)


def _open_master(top: str) -> int:
    """Looked at before it is opened: the container can put anything there."""
    root = rootpath.open_root(top)
    try:
        try:
            held = rootpath.open_in(root, "/dev/pts/ptmx", os.O_PATH | os.O_NOFOLLOW)
        except OSError as error:
            raise Unsupported("open terminal", "/dev/pts/ptmx", "the container has none") from error
        try:
            facts = os.fstat(held)
            device = os.major(facts.st_rdev), os.minor(facts.st_rdev)
            if not stat.S_ISCHR(facts.st_mode) or device != _MULTIPLEXER or libc.filesystem_type(held) != consts.DEVPTS_SUPER_MAGIC:
                raise Unsupported("open terminal", "/dev/pts/ptmx", "it is not what the kernel has there")
            return os.open(mounts.path_of(held), os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        finally:
            os.close(held)
    finally:
        os.close(root)


class Logged(Pipes):
    """Nothing to read, and what it writes goes to a log of its own, told apart."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._pipes = {"stdout": os.pipe(), "stderr": os.pipe()}
        self._names = {ends[0]: stream for stream, ends in self._pipes.items()}

    def in_child(self) -> None:
        null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        streams.take((null, self._pipes["stdout"][1], self._pipes["stderr"][1]))

    def in_parent(self, leader: int) -> None:
        for ends in self._pipes.values():
            os.close(ends[1])
            os.set_blocking(ends[0], False)
        streams.to_null()

    def register(self, poller: select.poll) -> None:
        for fd in self._names:
            poller.register(fd, select.POLLIN)

    def step(self, fd: int, poller: select.poll) -> None:
        if fd in self._names and not self._take(fd):
            poller.unregister(fd)

    def _take(self, fd: int) -> bool:
        try:
            piece = os.read(fd, _CHUNK)
        except BlockingIOError:
            return True
        self._log.add(self._names[fd], piece)
        return bool(piece)

    def finish(self) -> None:
        for fd in self._names:
            while select.select([fd], [], [], 0)[0] and self._take(fd):
                continue
            os.close(fd)
        self._log.close()


class Captured(Pipes):
    """Nothing to read, and of what it writes, to both streams, the first `most` bytes are kept."""

    def __init__(self, most: int) -> None:
        self._reader, self._writer = os.pipe()
        self._most, self.output = most, b""

    def in_child(self) -> None:
        null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        streams.take((null, self._writer, self._writer))

    def in_parent(self, leader: int) -> None:
        os.close(self._writer)
        os.set_blocking(self._reader, False)

    def register(self, poller: select.poll) -> None:
        poller.register(self._reader, select.POLLIN)

    def step(self, fd: int, poller: select.poll) -> None:
        if fd == self._reader and not self._take():
            poller.unregister(fd)

    def _take(self) -> bool:
        """False at the end of the stream, or where nothing more is to be had without waiting."""
        try:
            piece = os.read(self._reader, _CHUNK)
        except BlockingIOError:
            return False
        self.output += piece[:self._most - len(self.output)]
        return bool(piece)

    def finish(self) -> None:
        """One look: a pipe holds no more, and what was left behind in the container may write for ever."""
        self._take()
        os.close(self._reader)
