# SPDX-License-Identifier: BSD-2-Clause
"""Ends a container among the processes of others when its supervisor was killed: no PID 1 of its own takes along what its command has left.

A fork of the process that prepares the run, for such containers only, and outside of the container's cgroup. Not here: the ordinary end,
which is the supervisor's.
"""
from __future__ import annotations

import contextlib
import errno
import os
import select
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import namespaces, process
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import is_missing
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import group

_NAME = "cocker-guard"
_PAUSE = 50         # milliseconds between two looks at whether the supervisor has cleared up after the command's end


def begin(cgroup: group.Cgroup, *, supervisor: int, command: int) -> None:
    """The pids are those of processes that are not waited for yet. Before Linux 5.3 there is none, and the next task clears up."""
    if is_missing("pidfd_open"):
        return
    found = [process.find(pid) for pid in (supervisor, command)]
    watched = [_descriptor(each) for each in found]
    _return_to_own_pids()
    if os.fork() == 0:
        try:
            process.set_name(_NAME)
            _close_all_but(watched)
            _watch(cgroup, *watched)
        finally:
            os._exit(0)
    for fd in watched:
        if fd >= 0:
            os.close(fd)


def _return_to_own_pids() -> None:
    """Of what forks from here on, nothing is to be seen in the container whose processes the command has joined."""
    home = namespaces.open_of("self", "pid")
    try:
        namespaces.setns(home, "pid")
    finally:
        os.close(home)


def _descriptor(found: t.Optional[process.Identity]) -> int:
    """-1 for one that has ended."""
    with contextlib.suppress(ProcessLookupError):
        return found.pidfd() if found is not None else -1
    return -1


def _close_all_but(kept: t.Sequence[int]) -> None:
    """Whoever reads from the other end of what this process has must not wait for it."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            with tolerate(errno.EBADF):     # that of the listing
                os.close(int(name))


def _watch(cgroup: group.Cgroup, supervisor: int, command: int) -> None:
    mine = _places(cgroup)
    if supervisor >= 0 and command >= 0:
        poller = select.poll()
        for fd in (supervisor, command):
            poller.register(fd, select.POLLIN)
        poller.poll()
    while _is_there(supervisor) and _places(cgroup) == mine:
        continue
    if _places(cgroup) == mine:
        with contextlib.suppress(CockerError, OSError):     # the next task finds what is left, and says why
            cgroup.kill()


def _is_there(supervisor: int) -> bool:
    """Asked after a pause."""
    if supervisor < 0:
        return False
    poller = select.poll()
    poller.register(supervisor, select.POLLIN)
    return not poller.poll(_PAUSE)


def _places(cgroup: group.Cgroup) -> t.List[int]:
    """What a cgroup of the same name, which another run has, does not share. Empty once it is gone."""
    found = []
    with tolerate(errno.ENOENT, errno.ENODEV):
        for path in sorted(set(cgroup.paths().values())):
            found.append(os.stat(path).st_ino)
    return found
