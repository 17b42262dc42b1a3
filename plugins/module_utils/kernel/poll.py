# SPDX-License-Identifier: BSD-2-Clause
"""Waiting: for a condition, for a descriptor; always with a deadline. Not here: what is waited for."""
from __future__ import annotations

import select
import time
import typing as t


def until(
    predicate: t.Callable[[], object],
    *,
    timeout: float,
    interval: float = 0.01,
    soonest: t.Optional[float] = None,
    clock: t.Callable[[], float] = time.monotonic,
    sleep: t.Callable[[float], object] = time.sleep,
) -> bool:
    """True as soon as the predicate holds, False when the time is up. It is asked at least once, and once more at the end.

    Every `interval` seconds; with `soonest` after so many seconds first, and then each time after twice as many.
    """
    deadline = clock() + timeout
    pause = interval if soonest is None else soonest
    while not predicate():
        left = deadline - clock()
        if left <= 0:
            return False
        sleep(min(pause, left))
        pause = min(2 * pause, interval)
    return True


def wait_readable(fd: int, timeout: float) -> bool:
    """True when a read would not block (end of file and errors included), False after `timeout` seconds."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(max(0, round(timeout * 1000))))


def wait_closed(fd: int, timeout: float) -> bool:
    """True when nobody has the other end of the pipe or socket any more, whatever there is to read; False after `timeout` seconds."""
    poller = select.poll()
    poller.register(fd, 0)
    return bool(poller.poll(max(0, round(timeout * 1000))))
