# SPDX-License-Identifier: BSD-2-Clause
"""How a starting process tells its parent what went wrong: one JSON message through a CLOEXEC pipe; end of file means exec'd."""
from __future__ import annotations

import errno
import json
import os
import select
import time
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, KernelError

MESSAGE, PID = b"!", b"="       # what a supervisor's answer to the launcher begins with
_LARGEST = 4000     # one write of at most PIPE_BUF bytes never mixes with another


class Failure(t.NamedTuple):
    """`step` is where it happened, `reason` the whole sentence, `errno` 0 where none is known."""

    step: str
    reason: str
    errno: int = 0


def describe(step: str, error: BaseException) -> Failure:
    number = getattr(error, "errno", 0)
    number = number if isinstance(number, int) else 0
    if isinstance(error, (CockerError, KernelError)):
        return Failure(step, str(error), number)
    if isinstance(error, OSError) and error.strerror:
        subject = " %s" % os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else ""
        return Failure(step, "%s%s: %s" % (step, subject, error.strerror), number)
    return Failure(step, "%s: %s: %s" % (step, type(error).__name__, error), number)


def message(failure: Failure) -> bytes:
    """What `parse` reads; short enough to be written in one piece."""
    reason = failure.reason[:_LARGEST // 6]         # each letter takes up to six bytes of JSON
    return json.dumps([failure.step, reason, failure.errno]).encode()


def send(fd: int, failure: Failure, *, prefix: bytes = b"") -> None:
    """A parent that is gone needs no message."""
    try:
        os.write(fd, prefix + message(failure))
    except BrokenPipeError:
        return


def receive(fd: int, *, timeout: float) -> t.Optional[Failure]:
    """None when the other side has exec'd (or closed the pipe on purpose)."""
    deadline = time.monotonic() + timeout
    data = b""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not poller.poll(left * 1000):
            return Failure("start", "start: nothing was heard of the process for %g s" % timeout, errno.ETIMEDOUT)
        piece = os.read(fd, 65536)
        if not piece:
            break
        data += piece
    return parse(data) if data else None


def parse(data: bytes) -> Failure:
    step, reason, number = json.loads(data)
    return Failure(step, reason, number)


def is_parent_gone(fd: int) -> bool:
    """Whether nobody reads the pipe any more."""
    poller = select.poll()
    poller.register(fd, 0)
    return bool(poller.poll(0))
