# SPDX-License-Identifier: BSD-2-Clause
"""The standard streams, the other descriptors and the name of a process on its way into a container."""
from __future__ import annotations

import errno
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import tolerate


def take(streams: t.Sequence[int]) -> None:
    """They become 0, 1 and 2."""
    for number, fd in enumerate(streams):
        if fd != number:
            os.dup2(fd, number)


def give_to(uid: int) -> None:
    """So that a process that is not root may open /dev/stdout, as with docker."""
    for number in range(3):
        if uid and (stat.S_ISFIFO(os.fstat(number).st_mode) or os.isatty(number)):
            os.fchown(number, uid, -1)


def close_all(*, keep: t.Container[int] = (0, 1, 2)) -> None:
    """Really closes, not only at exec: a forked copy would hold the task's own pipes open."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in keep:
            with tolerate(errno.EBADF):     # the listing's own
                os.close(int(name))


def to_null() -> None:
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    take((null, null, null))
    if null > 2:
        os.close(null)


def set_name(name: bytes) -> None:
    """What ps shows, through the host's procfs: prctl(2) does the same, but ctypes touches more of the shared memory."""
    fd = os.open("/proc/self/comm", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, name[:15])
    finally:
        os.close(fd)
