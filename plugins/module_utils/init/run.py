# SPDX-License-Identifier: BSD-2-Clause
"""One run of a container, as its supervisor sees it: the process that prepares it is asked, PID 1 and our ends of its streams come of it.

Not here: the preparation (prepare.py) and what is done about the end (supervisor.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.init import orders, prepare


class Run(t.NamedTuple):
    """PID 1, and where it is read (`err` is -1 for a terminal); `failure` is what prepare.py says instead: REFUSED or FAILED, and why.

    `held` keeps its standard input open. A first run also has config.json and the control socket, open. `awake`: there is something to do
    from the start, for there is a health check, or the container's orphans are not in a namespace of its own.
    """

    pid: int
    out: int
    err: int
    failure: bytes = b""
    held: t.Tuple[int, ...] = ()
    awake: bool = False
    config: int = -1
    listener: int = -1

    def entrance(self) -> int:
        """Where is typed: its terminal, or the pipe of its standard input; -1 for neither."""
        return self.out if self.err < 0 else self.held[0] if self.held else -1

    def streams(self) -> t.List[int]:
        return [fd for fd in (self.out, self.err) if fd >= 0]


def begin(ticket: orders.Ticket, *, foreign: t.Sequence[int], first: bool, published: str = "", report: int = -1) -> Run:
    """Returns when the command is exec'd, or has failed. `foreign` is not for the child; `published` and `report` as in prepare.py."""
    from ansible_collections.cocker.engine.plugins.module_utils.init import resident  # which the launcher loads last

    return made(*resident.begin(ticket, foreign, first, published, report), first=first)


def made(said: bytes, got: t.List[int], init: int, *, first: bool) -> Run:
    """Of what resident.begin says."""
    if said[:1] != prepare.BEGUN:
        return Run(-1, -1, -1, said)
    config, listener = (got.pop(0), got.pop(0)) if first else (-1, -1)
    _pid, terminal, awake = said[1:].split()
    out, *more = got
    err, held = (-1, more) if terminal == b"1" else (more[0], more[1:])
    return Run(init, out, err, b"", tuple(held), awake == b"1", config, listener)


def start_time(pid: int) -> int:
    """Also of a zombie: the container may have ended already, and its supervisor has not buried it yet."""
    with open("/proc/%d/stat" % pid, "rb") as stream:
        return int(stream.read().rpartition(b")")[2].split()[22 - 3])
