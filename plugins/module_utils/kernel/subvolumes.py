# SPDX-License-Identifier: BSD-2-Clause
"""Quotas of directories on btrfs: a subvolume looks like a directory, and what it refers to is counted and limited.

The requests are those of btrfs(5) and linux/btrfs.h. One interface with projects.py; which of them is asked is storage/quotas.py's.
"""
from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
import typing as t
import uuid

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import tolerate

_CREATE, _LOOKUP, _INFO = 0x5000940E, 0xD0009412, 0x8400941F       # BTRFS_IOC_SUBVOL_CREATE, _INO_LOOKUP, _FS_INFO
_LIMIT, _GROUP = 0x8030942B, 0x4010942A                            # BTRFS_IOC_QGROUP_LIMIT, _QGROUP_CREATE
_NAME, _PLACE, _FACTS = struct.Struct("=q4088s"), struct.Struct("=QQ4080s"), struct.Struct("=QQ16s992s")
_QUOTA = struct.Struct("=QQQQQQ")                                  # group, flags, referenced, exclusive, reserved
_REFERENCED, _NONE = 1, (1 << 64) - 1                              # BTRFS_QGROUP_LIMIT_MAX_RFER
_TOP = 256                                                         # BTRFS_FIRST_FREE_OBJECTID: the inode of every subvolume's top
_GROUPS = "/sys/fs/btrfs/%s/qgroups"                               # Linux 5.9


class Usage(t.NamedTuple):
    """Bytes. `limit` 0: none."""

    limit: int
    used: int


def lacking(folder: str) -> str:
    """Why no directory here can be limited; empty where it can. Changes nothing."""
    return "" if os.path.isdir(_groups(folder)) else "its quotas are not enabled"


def make(path: str) -> None:
    """A new directory that can be limited."""
    folder, name = os.path.split(path)
    with _opened(folder) as fd:
        fcntl.ioctl(fd, _CREATE, bytearray(_NAME.pack(0, os.fsencode(name))))
    os.chmod(path, 0o700)


def number(path: str) -> int:
    """Of the subvolume whose top the directory is; 0 where it is none's."""
    with _opened(path) as fd:
        if os.fstat(fd).st_ino != _TOP:
            return 0
        place = bytearray(_PLACE.pack(0, _TOP, b""))        # fcntl takes only so much in bytes
        fcntl.ioctl(fd, _LOOKUP, place)
        return int(_PLACE.unpack(place)[0])


def find(path: str) -> t.Optional[Usage]:
    """None for a directory that cannot be limited."""
    subvolume = number(path)
    if not subvolume:
        return None
    folder = os.path.join(_groups(path), "0_%d" % subvolume)
    if not os.path.isdir(folder):
        return Usage(0, 0)
    flags, largest, used = (_number(os.path.join(folder, name)) for name in ("limit_flags", "max_referenced", "referenced"))
    return Usage(largest if flags & _REFERENCED else 0, used)


def limit(path: str, size: int) -> None:
    """0 takes the limit away. The directory is one of make()'s."""
    with _opened(path) as fd:
        fcntl.ioctl(fd, _LIMIT, _QUOTA.pack(0, _REFERENCED, size or _NONE, 0, 0, 0))


def forget(folder: str, subvolume: int) -> None:
    """The directory is gone; `folder` is any on its file system. Linux before 6.8 keeps the group while it frees the blocks."""
    with _opened(folder) as fd, tolerate(errno.EBUSY, errno.ENOENT, errno.EINVAL):
        fcntl.ioctl(fd, _GROUP, struct.pack("=QQ", 0, subvolume))


def _groups(path: str) -> str:
    with _opened(path) as fd:
        facts = _FACTS.unpack(fcntl.ioctl(fd, _INFO, bytes(_FACTS.size)))
    return _GROUPS % uuid.UUID(bytes=facts[2])


def _number(path: str) -> int:
    with open(path, encoding="ascii") as file:
        text = file.read().strip()
    return 0 if text == "none" else int(text, 0)


@contextlib.contextmanager
def _opened(path: str) -> t.Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)
