# SPDX-License-Identifier: BSD-2-Clause
"""Waiting for what a container writes next, and for its end: the directories of its log and of its record are watched.

Not here: reading the log (logs.py).
"""
from __future__ import annotations

import contextlib
import os
import select
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import inotify
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError

_LONGEST = 1.0      # seconds: a supervisor that was killed writes nothing down
_UNWATCHED = 0.1    # where the kernel gives no more watches


class News:
    """`wait` returns when there may be something new since it returned last, or when one of `others` can be read."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def wait(self, *others: int) -> None:
        watched = [self._fd] if self._fd >= 0 else []
        ready = select.select([*watched, *others], [], [], _LONGEST if watched else _UNWATCHED)[0]
        if self._fd in ready:
            inotify.drain(self._fd)


@contextlib.contextmanager
def news(host: Host, name: str) -> t.Iterator[News]:
    """Begun before the log is read for the first time, so that nothing is missed."""
    folder = host.layout.container(name)
    try:
        fd = inotify.watch((folder, os.path.join(folder, "logs")))
    except KernelError:
        fd = -1
    try:
        yield News(fd)
    finally:
        if fd >= 0:
            os.close(fd)
