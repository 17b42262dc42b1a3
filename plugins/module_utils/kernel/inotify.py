# SPDX-License-Identifier: BSD-2-Clause
"""inotify(7): a descriptor that can be read when something changes in one of some directories. Not here: what it was."""
from __future__ import annotations

import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import call, libc
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError

_MODIFY, _MOVED_TO, _CREATE, _DELETE_SELF = 0x2, 0x80, 0x100, 0x400
_EVENTS = _MODIFY | _MOVED_TO | _CREATE | _DELETE_SELF
_PIECE = 1 << 16
_GONE = (errno.ENOENT, errno.ENOTDIR)


def watch(folders: t.Iterable[str]) -> int:
    """Those that are there. Raises KernelError: EMFILE or ENOSPC where the user has no more of them."""
    fd = call(libc.inotify_init1, os.O_NONBLOCK | os.O_CLOEXEC, op="inotify_init1")
    try:
        for folder in folders:
            try:
                call(libc.inotify_add_watch, fd, os.fsencode(folder), _EVENTS, op="watch", subject=folder)
            except KernelError as error:
                if error.errno not in _GONE:
                    raise
    except BaseException:
        os.close(fd)
        raise
    return fd


def drain(fd: int) -> None:
    """What has happened so far is known: the descriptor can be read again only after the next change."""
    try:
        while os.read(fd, _PIECE):
            continue
    except BlockingIOError:
        pass
