# SPDX-License-Identifier: BSD-2-Clause
"""Whether a process that was forked here is what the asking task would have exec'd: same namespaces, limits, privileges, priorities.

Not here: who asks (init/control.py). What differs is refused, never adapted, but for the cgroups: each session has its own.
"""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Unsupported

_SPACES = ("cgroup", "ipc", "mnt", "net", "pid_for_children", "user", "uts")
_FILES = ("limits", "oom_score_adj", "personality")
_STATUS = (
    b"Uid", b"Gid", b"Groups", b"CapInh", b"CapPrm", b"CapEff", b"CapBnd", b"CapAmb", b"NoNewPrivs", b"Seccomp", b"Seccomp_filters",
    b"Cpus_allowed", b"Mems_allowed",
)
Facts = t.Dict[str, t.Any]


def facts(pid: t.Union[int, str]) -> Facts:
    """All that an exec'd launcher takes over from the task, and that no later step sets anyway."""
    number = 0 if pid == "self" else int(pid)
    found: Facts = {name: os.readlink("/proc/%s/ns/%s" % (pid, name)) for name in _SPACES}
    found.update((name, _read(pid, name)) for name in _FILES)
    root = os.stat("/proc/%s/root/." % pid)
    found["root"] = root.st_dev, root.st_ino
    found["priority"] = os.getpriority(os.PRIO_PROCESS, number), os.sched_getscheduler(number)
    for line in _read(pid, "status").splitlines():
        name, _colon, value = line.partition(b":")
        if name in _STATUS:
            found[os.fsdecode(name)] = value.split()
    return found


def require(pid: int) -> None:
    """Raises Unsupported and names what differs."""
    ours, theirs = facts("self"), facts(pid)
    other = sorted(name for name in ours if ours[name] != theirs.get(name))
    if other:
        raise Unsupported("fork launcher", "for process %d" % pid, "it differs from the supervisor in: %s" % ", ".join(other))
    if cgroupfs.layout() != cgroupfs.remembered():
        raise Unsupported("fork launcher", "for process %d" % pid, "the host has other cgroup hierarchies now")


def is_elsewhere(pid: int) -> bool:
    """Whether it is in other cgroups than this process."""
    return _read("self", "cgroup") != _read(pid, "cgroup")


def moves(pid: int) -> t.Tuple[t.List[int], t.Optional[int]]:
    """The task's cgroups, where a launcher that it exec'd would be born: `tasks` to write 0 into (v1), and a directory to be born in (v2).

    They are open. Both ways are free of the lock that a move takes otherwise.
    """
    ours, theirs = _read("self", "cgroup"), _read(pid, "cgroup")
    layout, files, seat = cgroupfs.layout(), [], None
    for line in sorted(set(theirs.splitlines()) - set(ours.splitlines())):
        _id, controllers, path = os.fsdecode(line).split(":", 2)
        if controllers:
            files.append(os.open(layout.controllers[controllers.split(",")[0]] + path + "/tasks", os.O_WRONLY | os.O_CLOEXEC))
        else:
            seat = os.open(layout.unified + path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    return files, seat


def _read(pid: t.Union[int, str], name: str) -> bytes:
    with open("/proc/%s/%s" % (pid, name), "rb", buffering=0) as file:
        return file.read() or b""
