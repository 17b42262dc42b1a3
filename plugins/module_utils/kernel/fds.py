# SPDX-License-Identifier: BSD-2-Clause
"""File descriptors: memfds, programs that nobody can write, passing descriptors, closing on exec.

Every descriptor from here is CLOEXEC. Not here: paths inside a container's root (rootpath.py).
"""
from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, mounts
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import NR, call, is_missing, libc, remember_missing, syscall
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, KernelError, Unsupported

if t.TYPE_CHECKING:
    import _socket

_LAST = 0xFFFFFFFF
_SEALS = consts.F_SEAL_SEAL | consts.F_SEAL_SHRINK | consts.F_SEAL_GROW | consts.F_SEAL_WRITE
_CHUNK = 1 << 30
_FD_BYTES = 4
# The second layer that an overlay without upper needs: whatever exists everywhere and is not above or below the program.
_SECOND_LAYERS = ("/run", "/dev", "/etc")


def close_range_cloexec(first: int) -> None:
    """Marks every descriptor from `first` on, so that the next exec closes it."""
    if not is_missing("close_range"):       # Linux 5.9, this flag 5.11
        try:
            syscall(NR["close_range"], first, _LAST, consts.CLOSE_RANGE_CLOEXEC, op="close_range")
            return
        except KernelError as error:
            if error.errno != errno.EINVAL:
                raise
            remember_missing("close_range")
    for name in os.listdir("/proc/self/fd"):
        if int(name) >= first:
            try:
                os.set_inheritable(int(name), False)
            except OSError as error:        # the listing's own descriptor is closed by now
                if error.errno != errno.EBADF:
                    raise


def memfd(name: str, *, executable: bool = False) -> int:
    """An anonymous file in memory that takes seals."""
    flags = consts.MFD_CLOEXEC | consts.MFD_ALLOW_SEALING
    wish = consts.MFD_EXEC if executable else consts.MFD_NOEXEC_SEAL
    try:
        return _memfd_create(name, flags | wish)        # Linux 6.3, where vm.memfd_noexec may demand one of the two
    except KernelError as error:
        if error.errno != errno.EINVAL:
            raise
    return _memfd_create(name, flags)


def _memfd_create(name: str, flags: int) -> int:
    return syscall(NR["memfd_create"], os.fsencode(name), flags, op="memfd_create", subject=name)


def seal(fd: int) -> None:
    """Nobody can change the memfd any more, or take this back."""
    fcntl.fcntl(fd, consts.F_ADD_SEALS, _SEALS)


def sealed_copy(path: str) -> int:
    """A program's copy in memory, to be exec'd by descriptor: a write through /proc/PID/exe cannot reach the original."""
    source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        copy = memfd(os.path.basename(path), executable=True)
        try:
            size = os.fstat(source).st_size
            while _sendfile(copy, source):
                pass
            if os.fstat(copy).st_size != size:
                raise Damaged("copy program", path, "it changed while it was read")
            seal(copy)
            return copy
        except BaseException:
            os.close(copy)
            raise
    finally:
        os.close(source)


def _sendfile(target: int, source: int) -> int:
    return os.sendfile(target, source, None, _CHUNK)


def overlay_program(path: str) -> int:
    """The program seen through a detached read-only overlay: cannot be written, and shares the page cache with the original.

    Unsupported where the kernel or the file system offers no such mount.
    """
    folder, name = os.path.split(os.path.realpath(path))
    beside = _beside(folder)
    attributes = consts.MOUNT_ATTR_RDONLY | consts.MOUNT_ATTR_NOSUID | consts.MOUNT_ATTR_NODEV
    if beside is None or not mounts.takes_single_layers():
        raise Unsupported("protect program", path, "it lies in /, or the kernel is older than 6.7")
    try:
        tree = mounts.overlay_tree(lower=[folder, beside], attributes=attributes)
    except KernelError as error:
        raise Unsupported("protect program", path, str(error)) from error
    try:
        # The mount goes with `tree`, but the open file keeps its own hold on it.
        return os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=tree)
    finally:
        os.close(tree)


def mount_programs(folder: str, target: str) -> None:
    """The programs of a folder once more at `target`, protected as by overlay_program(), for whoever executes them by path.

    Nobody can make them writable again, not even by a remount: an overlay without an upper layer has nowhere to write. Raises Unsupported.
    """
    beside = _beside(folder)
    if beside is None:
        raise Unsupported("protect programs", folder, "it lies in /")
    mounts.overlay(target, lower=[folder, beside])
    mounts.set_attributes(target, set_=consts.MOUNT_ATTR_RDONLY | consts.MOUNT_ATTR_NOSUID | consts.MOUNT_ATTR_NODEV)


def _beside(folder: str) -> t.Optional[str]:
    return next((other for other in _SECOND_LAYERS if not _nested(folder, other)), None)


def _nested(one: str, other: str) -> bool:
    one, other = one.rstrip("/") + "/", os.path.realpath(other).rstrip("/") + "/"
    return one.startswith(other) or other.startswith(one)


def protected_program(path: str) -> int:
    """Descriptor for os.execve() of a program that what it becomes cannot overwrite: an overlay, else a sealed copy."""
    try:
        return overlay_program(path)
    except Unsupported:
        return sealed_copy(path)


def packet_pair() -> t.Tuple[int, int]:
    """Two connected Unix sockets that keep messages apart; without the module for sockets, which takes long to load."""
    room = ctypes.create_string_buffer(2 * _FD_BYTES)
    call(libc.socketpair, consts.AF_UNIX, consts.SOCK_SEQPACKET | consts.SOCK_CLOEXEC, 0, ctypes.addressof(room), op="socketpair")
    one, other = (int.from_bytes(room.raw[at:at + _FD_BYTES], sys.byteorder) for at in (0, _FD_BYTES))
    return one, other


def send_fds(channel: _socket.socket, data: bytes, fds: t.Sequence[int]) -> None:
    """Over a Unix socket; `data` must not be empty."""
    import _socket
    rights = b"".join(fd.to_bytes(_FD_BYTES, sys.byteorder) for fd in fds)
    channel.sendmsg([data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])


def recv_fds(channel: _socket.socket, size: int, count: int) -> t.Tuple[bytes, t.List[int]]:
    """At most `size` bytes and `count` descriptors; both empty at the end of the stream."""
    import _socket
    room = _socket.CMSG_SPACE(count * _FD_BYTES)
    data, ancillary, flags, _peer = channel.recvmsg(size, room, consts.MSG_CMSG_CLOEXEC)
    found: t.List[int] = []
    for level, kind, rights in ancillary:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
            whole = len(rights) - len(rights) % _FD_BYTES
            found += [int.from_bytes(rights[at:at + _FD_BYTES], sys.byteorder) for at in range(0, whole, _FD_BYTES)]
    if flags & _socket.MSG_CTRUNC:
        for fd in found:
            os.close(fd)
        raise Damaged("receive descriptors", "", "more of them came than were expected")
    return data, found
