# SPDX-License-Identifier: BSD-2-Clause
"""One run of a container, as its supervisor sees it: the process that prepares it is asked, PID 1 and our ends of its streams come of it.

Not here: the preparation (prepare.py) and what is done about the end (supervisor.py).
"""
from __future__ import annotations

import _socket
import os
import signal
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.init import orders, prepare, reaper
from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, consts, fds
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import call, libc
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.runtime import sync

_LARGEST, _MOST_FDS = 1 << 16, 64
_DIED = b'["start","start: the process that prepares it died",0]'


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
    """Returns when the command is exec'd, or has failed. `foreign` is not for the child; `published` and `report` as in prepare.py.

    Little happens here: what this process touches it no longer shares with the other supervisors.
    """
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    watched, alive = os.pipe()
    parent, asked = os.getpid(), ours.fileno()
    if os.fork() == 0:
        signal.set_wakeup_fd(-1)
        for fd in (*foreign, asked, watched):
            os.close(fd)
        prepare.main(ticket, prepare.Ends(theirs, alive, parent, report), first=first, published=published)
    theirs.close()
    os.close(alive)
    said, got = fds.recv_fds(ours, _LARGEST, _MOST_FDS)
    init = 0
    if said[:1] == prepare.BEAR:
        init = _bear(ticket, said, got, foreign=(*foreign, asked, watched, *((report,) if report >= 0 else ())))
        said, got = fds.recv_fds(ours, _LARGEST, _MOST_FDS)
    ours.close()
    os.close(watched)
    if said[:1] != prepare.BEGUN:
        if init:
            os.kill(init, signal.SIGKILL)       # our child, not waited for: the number is still its
            os.waitpid(init, 0)
        return Run(-1, -1, -1, said or prepare.FAILED + _DIED)
    config, listener = (got.pop(0), got.pop(0)) if first else (-1, -1)
    pid, terminal, awake = said[1:].split()
    out, *more = got
    err, held = (-1, more) if terminal == b"1" else (more[0], more[1:])
    return Run(init or int(pid), out, err, b"", tuple(held), awake == b"1", config, listener)


def _bear(ticket: orders.Ticket, said: bytes, got: t.List[int], *, foreign: t.Sequence[int]) -> int:
    """PID 1, where it is ours: the first process of a new pid namespace; we stay in ours. 0 where it cannot be, which is told, then."""
    told, unified = got[0], got[1] if said[1:2] == prepare.UNIFIED else -1
    home = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    pid = 0
    try:
        call(libc.unshare, consts.CLONE_NEWPID, op="unshare pid namespace")
        try:
            pid = cgroupfs.fork_member(unified)
            if pid == 0:
                signal.set_wakeup_fd(-1)
                for fd in (*foreign, home):
                    os.close(fd)
                reaper.run(said[2:], got, ticket)
        finally:
            call(libc.setns, home, consts.CLONE_NEWPID, op="return to pid namespace")
    except (CockerError, OSError) as error:
        sync.send(told, sync.describe("start", error))
    for fd in (*got, home):
        os.close(fd)
    return pid


def start_time(pid: int) -> int:
    """Also of a zombie: the container may have ended already, and its supervisor has not buried it yet."""
    with open("/proc/%d/stat" % pid, "rb") as stream:
        return int(stream.read().rpartition(b")")[2].split()[22 - 3])
