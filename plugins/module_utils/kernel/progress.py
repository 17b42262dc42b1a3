# SPDX-License-Identifier: BSD-2-Clause
"""How far long work is, told to whoever listens: a line into a pipe now and then, and nothing at all where nobody does.

Workers are forks and share the pipe; what does not fit is not told. Not here: who shows it (cli/bars.py).
"""
from __future__ import annotations

import contextlib
import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import tolerate

Piece = t.TypeVar("Piece", bound=t.Sized)


class _Listener:
    pipe = -1


@contextlib.contextmanager
def listened(pipe: int) -> t.Iterator[None]:
    """`pipe` must not block."""
    _Listener.pipe = pipe
    try:
        yield
    finally:
        _Listener.pipe = -1


def tell(what: str, done: int, total: int) -> None:
    """In bytes; `total` 0 is not known."""
    if _Listener.pipe >= 0:
        _say("%s\t%d\t%d\n" % (what, done, total))


def watch(what: str, fd: int, total: int) -> None:
    """How far a file of this process is read or written is its offset, which all share that have it from here."""
    if _Listener.pipe >= 0:
        _say("%s\t/proc/%d/fdinfo/%d\t%d\n" % (what, os.getpid(), fd, total))


def adding(what: str, total: int) -> t.Callable[[int], None]:
    """To be called with what has been done since it was called last."""
    done = 0

    def add(count: int) -> None:
        nonlocal done
        done += count
        tell(what, done, total)
    return add


def counted(what: str, total: int, pieces: t.Iterable[Piece]) -> t.Iterator[Piece]:
    done = 0
    for piece in pieces:
        yield piece
        done += len(piece)
        tell(what, done, total)


def _say(line: str) -> None:
    with tolerate(errno.EAGAIN, errno.EPIPE):
        os.write(_Listener.pipe, line.encode("utf-8", "replace"))
