# SPDX-License-Identifier: BSD-2-Clause
"""Bars for long work, on a terminal only: a process beside this one draws them on stderr, and clears them when all is done.

Not here: who tells how far the work is (kernel/progress.py).
"""
from __future__ import annotations

import contextlib
import os
import select
import sys
import time
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli import render
from ansible_collections.cocker.engine.plugins.module_utils.engine import progress

_INTERVAL = 0.1     # seconds between two pictures
_NAME, _BAR, _SHORTEST = 24, 30, 5
_SIZE = (80, 24)
_END = b"\n"


class Work(t.NamedTuple):
    """`done` in bytes, or where that is read; `total` 0 is not known."""

    done: str
    total: int


@contextlib.contextmanager
def shown() -> t.Iterator[None]:
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        yield
        return
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writer)
        _draw_and_leave(reader)
    os.close(reader)
    os.set_blocking(writer, False)
    try:
        with progress.listened(writer):
            yield
    finally:
        os.set_blocking(writer, True)
        with contextlib.suppress(BrokenPipeError):
            os.write(writer, _END)      # a worker may hold the pipe for a moment longer
        os.close(writer)
        os.waitpid(pid, 0)


def _draw_and_leave(reader: int) -> t.NoReturn:
    """A fork of the command, which must not go on as a second one."""
    drawn = 0
    try:
        for works in _heard(reader):
            drawn = _draw(works, drawn)
    except KeyboardInterrupt:       # it is meant for the command
        pass
    finally:
        with contextlib.suppress(OSError):
            os.write(2, _up(drawn) + b"\x1b[J" if drawn else b"")
        os._exit(0)


def _heard(reader: int) -> t.Iterator[t.Dict[str, Work]]:
    """What is under way, at most so often as it is to be drawn."""
    works: t.Dict[str, Work] = {}
    rest, drawn = b"", 0.0
    while True:
        if select.select([reader], [], [], _INTERVAL)[0]:
            piece = os.read(reader, 1 << 16)
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                works.update(parse(line.decode("utf-8", "replace")))
            if not piece or b"" in lines:
                return
        if time.monotonic() - drawn >= _INTERVAL:
            drawn = time.monotonic()
            yield works


def parse(line: str) -> t.Dict[str, Work]:
    """Pure."""
    what, _tab, rest = line.partition("\t")
    done, _tab, total = rest.partition("\t")
    return {what: Work(done, int(total))} if total.isdigit() else {}


def _draw(works: t.Mapping[str, Work], former: int) -> int:
    """How many lines the picture has: those that go on, as many as there is room for."""
    columns, rows = _size()
    counts = [(what, _count(work.done), work.total) for what, work in works.items()]
    lines = [picture(*each, width=columns) for each in under_way(counts)[: rows - 1]]
    text = "".join("\x1b[K%s\n" % line for line in lines)
    os.write(2, _up(former) + text.encode("utf-8", "replace") + b"\x1b[J")
    return len(lines)


def under_way(counts: t.Sequence[t.Tuple[str, int, int]]) -> t.Sequence[t.Tuple[str, int, int]]:
    """Pure. What has begun and goes on; the last one where all of it has come, and the disk is waited for."""
    begun = [each for each in counts if each[1]]
    return [each for each in begun if not each[2] or each[1] < each[2]] or begun[-1:]


def _up(count: int) -> bytes:
    return b"\x1b[%dA" % count if count else b""


def _size() -> t.Tuple[int, int]:
    try:
        found = os.get_terminal_size(2)
    except OSError:
        return _SIZE
    return (found.columns, found.lines) if found.columns and found.lines else _SIZE


def _count(done: str) -> int:
    if done.isdigit():
        return int(done)
    try:
        with open(done, encoding="ascii") as stream:
            return int(stream.readline().split()[-1])       # `pos:` is the first
    except (OSError, ValueError, IndexError):       # it has ended
        return 0


def picture(what: str, done: int, total: int, *, width: int) -> str:
    """Pure. `3f2a9c...  [=====>    ]  12.3MB/50MB`, no wider than that: the numbers stay, the bar shrinks, and then the name."""
    numbers = render.size(done) + ("/" + render.size(total) if total else "")
    name, room = render.printable(what), max(1, min(_NAME, width - len(numbers) - 1))
    name = name if len(name) <= room else name[: room - 1] + "\u2026"
    length = min(_BAR, width - room - len(numbers) - 4)
    drawn = ""
    if total and length >= _SHORTEST:
        filled = min(length, done * length // total)
        drawn = "[%s] " % ("=" * filled + ">" * (filled < length)).ljust(length)
    return ("%-*s %s%s" % (room, name, drawn, numbers))[:width]
