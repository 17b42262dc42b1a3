# SPDX-License-Identifier: BSD-2-Clause
"""System calls of the processes that stay, and of what they fork, as resident.py wants them: each a function of its own, beside the others.

Not here: everybody else's, which are in kernel/ and cost a few pages of memory more.
"""
from __future__ import annotations

import _socket
import ctypes
import struct
import typing as t
from os import strerror, waitpid
from signal import SIGCHLD
from sys import byteorder

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, consts
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import NR
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError

_SEQPACKET, _UNIX = _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC, _socket.AF_UNIX
_LARGEST, _ROOM = 4200, _socket.CMSG_SPACE(64 * 4)      # of a message, and of the descriptors that come with it
_CLOEXEC, _CLONE3, _SIZE = consts.MSG_CMSG_CLOEXEC, NR["clone3"], cgroupfs.CLONE_ARGS_SIZE
_INTO_CGROUP = struct.pack("=10Q", cgroupfs.CLONE_INTO_CGROUP, 0, 0, 0, int(SIGCHLD), 0, 0, 0, 0, 0)    # clone_args, up to the cgroup
_SIBLING = struct.pack("=11Q", cgroupfs.CLONE_PARENT, *[0] * 10)


class Filter(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def _function(name: str, *arguments: t.Any) -> t.Any:
    found = getattr(ctypes.PyDLL(None, use_errno=True), name)
    found.argtypes = arguments
    return found


_INT, _WORD, _TEXT, _POINTER = ctypes.c_int, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_void_p
_errno = ctypes.get_errno
_fork, _clone = _function("fork"), _function("syscall", ctypes.c_long, _TEXT, ctypes.c_size_t)
prctl, prctl_name = _function("prctl", _INT, _WORD, _WORD, _WORD, _WORD), _function("prctl", _INT, _TEXT)
load_filter, load_filter_with = _function("prctl", _INT, _WORD, _POINTER), _function("syscall", ctypes.c_long, _WORD, _WORD, _POINTER)
capset, setns, unshare = _function("capset", _TEXT, _TEXT), _function("setns", _INT, _INT), _function("unshare", _INT)
block, wait_signal = _function("sigprocmask", _INT, _TEXT, _POINTER), _function("sigwaitinfo", _TEXT, _POINTER)
accept = _function("accept4", _INT, _POINTER, _POINTER, _INT)
# A method that is looked up by its name touches the name, which is on another page.
shut, number_of = _socket.socket.close, _socket.socket.fileno
_recvmsg, _cast, _to_bytes = _socket.socket.recvmsg, memoryview.cast, int.to_bytes


def checked(result: int, op: str) -> None:
    if result == -1:
        raise KernelError(op, "", _errno())


def fork() -> int:
    """fork(2) by itself: the interpreter's own renews its locks, of which a single thread needs none, and which are memory. OSError."""
    pid = int(_fork())
    if pid == -1:
        raise OSError(_errno(), strerror(_errno()))
    return pid


def fork_into(cgroup: int) -> int:
    """As cgroupfs.fork_member, which is asked where the kernel cannot do this."""
    pid = int(_clone(_CLONE3, _INTO_CGROUP + _to_bytes(cgroup, 8, byteorder), _SIZE))
    return cgroupfs.fork_member(cgroup) if pid == -1 else pid


def fork_sibling() -> int:
    """No child of ours: it outlives us and is nobody's orphan."""
    pid = int(_clone(_CLONE3, _SIBLING, _SIZE))
    return cgroupfs.fork_as(cgroupfs.CLONE_PARENT) if pid == -1 else pid


def pair() -> t.Tuple[_socket.socket, _socket.socket]:
    return _socket.socketpair(_UNIX, _SEQPACKET)


def receive(channel: _socket.socket) -> t.Tuple[bytes, t.List[int]]:
    """One message of few bytes, and the descriptors that come with it."""
    said, rights, _flags, _peer = _recvmsg(channel, _LARGEST, _ROOM, _CLOEXEC)
    return said, list(_cast(memoryview(rights[0][2]), "i")) if rights else []


def asked(work: t.Callable[..., t.NoReturn], *words: t.Any) -> t.Tuple[bytes, t.List[int]]:
    """What a child says, by `receive`, that does the reading and the thinking."""
    ours, theirs = pair()
    pid = fork()
    if pid == 0:
        shut(ours)
        work(theirs, *words)
    shut(theirs)
    found = receive(ours)
    shut(ours)
    waitpid(pid, 0)
    return found
