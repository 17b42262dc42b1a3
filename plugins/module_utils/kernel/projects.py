# SPDX-License-Identifier: BSD-2-Clause
"""Quotas of directories on ext4 and XFS: a directory and all that is made below it belong to a project, whose blocks are limited.

Man pages: quotactl(2), xfsctl(3) (FS_IOC_FSSETXATTR). One interface with subvolumes.py; which of them is asked is storage/quotas.py's.
"""
from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import struct
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import NR, call, is_missing, libc, syscall
from ansible_collections.cocker.engine.plugins.module_utils.kernel.subvolumes import Usage
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, KernelError

_GET_ATTRIBUTES, _SET_ATTRIBUTES = 0x801C581F, 0x401C5820      # linux/fs.h: FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR
_ATTRIBUTES = struct.Struct("=IIIII8s")                         # struct fsxattr: flags, ..., project
_INHERIT = 0x200                                                # FS_XFLAG_PROJINHERIT

_GET, _SET, _STATE = 0x5803, 0x5804, 0x5805                     # linux/dqblk_xfs.h: Q_XGETQUOTA, Q_XSETQLIM, Q_XGETQSTAT
_PROJECT = 2                                                    # PRJQUOTA
_QUOTA = struct.Struct("=bbHI6QiiHH4b3QiHh8s")                  # struct fs_disk_quota
_VERSION, _OF_PROJECT, _LIMITS = 1, 2, 0xC                      # FS_PROJ_QUOTA; FS_DQ_BSOFT | FS_DQ_BHARD
_STATE_SIZE, _STATE_FLAGS, _ENFORCED = 128, struct.Struct("=bxH"), 0x20     # struct fs_quota_stat; FS_QUOTA_PDQ_ENFD
_BLOCK = 512
_FIRST, _LAST = 1 << 20, (1 << 31) - 1                          # far from the numbers that people give
_ATTEMPTS = 64
_OFF = (errno.ENOSYS, errno.ESRCH, errno.EINVAL, errno.EOPNOTSUPP, errno.ENODEV, errno.ENOENT, errno.ENOTBLK)


def lacking(folder: str) -> str:
    """Why no directory here can be limited; empty where it can. Changes nothing."""
    state = ctypes.create_string_buffer(_STATE_SIZE)
    try:
        _quotactl(folder, _STATE, 0, state)
    except KernelError as error:
        if error.errno not in _OFF:
            raise
        return "it has no project quotas"
    _version, flags = _STATE_FLAGS.unpack_from(state)
    return "" if flags & _ENFORCED else "its project quotas are not enforced"


def make(path: str) -> None:
    """A new directory that can be limited."""
    os.mkdir(path, 0o700)
    with _opened(path) as fd:
        flags, *rest, _project, more, padding = _attributes(fd)
        fcntl.ioctl(fd, _SET_ATTRIBUTES, _ATTRIBUTES.pack(flags | _INHERIT, *rest, _unused(path), more, padding))


def number(path: str) -> int:
    """Of the project whose root the directory is; 0 where it is none's."""
    with _opened(path) as fd:
        try:
            flags, _extent, _extents, project, _more, _padding = _attributes(fd)
        except OSError as error:
            if error.errno in (errno.ENOTTY, errno.EOPNOTSUPP):
                return 0
            raise
    return project if flags & _INHERIT else 0


def find(path: str) -> t.Optional[Usage]:
    """None for a directory that cannot be limited."""
    project = number(path)
    return _usage(path, project) if project else None


def limit(path: str, size: int) -> None:
    """0 takes the limit away. The directory is one of make()'s."""
    _limit(path, number(path), size)


def forget(folder: str, project: int) -> None:
    """The directory is gone; `folder` is any on its file system."""
    _limit(folder, project, 0)


@contextlib.contextmanager
def _opened(path: str) -> t.Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _attributes(fd: int) -> t.Tuple[t.Any, ...]:
    return _ATTRIBUTES.unpack(fcntl.ioctl(fd, _GET_ATTRIBUTES, bytes(_ATTRIBUTES.size)))


def _unused(path: str) -> int:
    """By chance: nobody keeps a list of them, and one in two thousand millions is not met twice."""
    for _attempt in range(_ATTEMPTS):
        found = _FIRST + int.from_bytes(os.urandom(4), "little") % (_LAST - _FIRST)
        if _usage(path, found) == Usage(0, 0):
            return found
    raise CockerError("limit", path, "no project is free")


def _usage(path: str, project: int) -> Usage:
    found = ctypes.create_string_buffer(_QUOTA.size)
    try:
        _quotactl(path, _GET, project, found)
    except KernelError as error:
        if error.errno in _OFF:         # nothing is known of it
            return Usage(0, 0)
        raise
    _version, _flags, _mask, _id, hard, _soft, _files_hard, _files_soft, blocks, *_rest = _QUOTA.unpack(found.raw)
    return Usage(hard * _BLOCK, blocks * _BLOCK)


def _limit(path: str, project: int, size: int) -> None:
    blocks = -(-size // _BLOCK)
    said = _QUOTA.pack(_VERSION, _OF_PROJECT, _LIMITS, project, blocks, blocks, *[0] * 18, b"")
    _quotactl(path, _SET, project, ctypes.create_string_buffer(said, _QUOTA.size))


def _quotactl(path: str, command: int, project: int, room: t.Any) -> None:
    asked = command << 8 | _PROJECT
    if is_missing("quotactl_fd"):       # before Linux 5.14, by the device, which udev has made
        device = os.stat(path).st_dev
        node = "/dev/block/%d:%d" % (os.major(device), os.minor(device))
        call(libc.quotactl, asked, node.encode(), project, ctypes.addressof(room), op="quotactl", subject=path)
        return
    with _opened(path) as fd:
        syscall(NR["quotactl_fd"], fd, asked, project, ctypes.byref(room), op="quotactl", subject=path)
