# SPDX-License-Identifier: BSD-2-Clause
"""Namespaces of a new container: which are joined and which are made, in the order that user namespaces demand, and the fork between.

The first process is a child of whoever calls, so that it is inherited by the caller's own parent or subreaper when that one ends.
Not here: what the process does then (child.py).
"""
from __future__ import annotations

import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, consts, namespaces, process
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import call, libc
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import NotFound, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.oci.config import Config, Range

# These hold for the children of who joins or makes them.
_FOR_CHILDREN = ("pid", "time")
# The mount namespace last: it takes the host's paths away.
_ORDER = ("network", "ipc", "uts", "cgroup", "user", "mount")

UNIFIED = "unified"     # the v2 hierarchy, as Cgroup.paths calls it


class Spaces(t.NamedTuple):
    """`joined` holds descriptors by kind; `made` are the kinds that are new."""

    joined: t.Mapping[str, int]
    made: t.FrozenSet[str]

    @property
    def has_user(self) -> bool:
        return "user" in self.joined or "user" in self.made


class Seat(t.NamedTuple):
    """Open files by which a process puts itself into its cgroup: v1 ones to write 0 into, the v2 one to be born in (-1 without)."""

    joins: t.Sequence[int]
    unified: int

    def held(self) -> t.List[int]:
        return [*self.joins, *([self.unified] if self.unified >= 0 else [])]


def find(config: Config) -> Spaces:
    """Raises NotFound for a namespace that is not there, Unsupported for a kind that this kernel lacks."""
    joined, made = {}, set()
    for space in config.bundle.namespaces:
        if not os.path.exists("/proc/self/ns/" + namespaces.KINDS[space.kind].proc):
            raise Unsupported("config.json", "linux.namespaces", "this kernel has no %s namespaces" % space.kind)
        if not space.path:
            made.add(space.kind)
            continue
        try:
            joined[space.kind] = os.open(space.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise NotFound("%s namespace" % space.kind, space.path, os.strerror(error.errno or errno.EIO)) from error
    return Spaces(joined, frozenset(made))


def open_seat(cgroups: t.Mapping[str, str]) -> Seat:
    """Of the directories by controller. A process of one thread that writes 0 into `tasks` is spared the lock that moving takes (v1)."""
    paths = sorted({path for controller, path in cgroups.items() if controller != UNIFIED})
    unified = os.open(cgroups[UNIFIED], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if UNIFIED in cgroups else -1
    return Seat([os.open(path + "/tasks", os.O_WRONLY | os.O_CLOEXEC) for path in paths], unified)


def fork_seated(seat: Seat) -> int:
    """fork(2); the child is in the cgroup when this returns there."""
    pid = cgroupfs.fork_member(seat.unified)
    if pid == 0:
        for fd in seat.joins:
            os.write(fd, b"0")
    return pid


def enter_for_children(spaces: Spaces, config: Config) -> None:
    """Of the calling process: those that a child of it is born in."""
    for kind in _FOR_CHILDREN:
        if kind in spaces.joined:
            namespaces.setns(spaces.joined[kind], kind)
        elif kind in spaces.made:
            namespaces.unshare(namespaces.KINDS[kind].flag)
    if config.offsets:
        fd = os.open("/proc/self/timens_offsets", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, "".join("%s %d %d\n" % (clock, *value) for clock, value in sorted(config.offsets.items())).encode())
        finally:
            os.close(fd)


def enter(spaces: Spaces, *, but: t.Container[str] = ()) -> None:
    """The others: first those that are joined, then new ones."""
    for kind in _ORDER:
        if kind in spaces.joined and kind not in but:
            namespaces.setns(spaces.joined[kind], kind)
    flags = 0
    for kind in spaces.made:
        if kind not in _FOR_CHILDREN and kind not in but:
            flags |= namespaces.KINDS[kind].flag
    call(libc.unshare, flags, op="unshare")


def homes(spaces: Spaces) -> t.Dict[str, int]:
    """The caller's own, to return to after the fork: what it runs later must not be in the container."""
    kinds = [kind for kind in _FOR_CHILDREN if kind in spaces.joined or kind in spaces.made]
    return {kind: namespaces.open_of("self", kind) for kind in kinds}


def fork_in_user_space(spaces: Spaces, config: Config, ask: t.Callable[[], object]) -> int:
    """Called in a process between (a stage), which ends then: in the user namespace, as its root, it forks the caller's other child.

    `ask` returns when the id maps of a new one are written. Only in a user namespace can the others be made that belong to it.
    """
    for kind in _ORDER:
        if kind in spaces.joined and kind != "mount":
            namespaces.setns(spaces.joined[kind], kind)
    if "user" in spaces.made:
        namespaces.unshare(consts.CLONE_NEWUSER)
        ask()
    os.setgroups(())
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    process.set_dumpable(dumpable=False)
    enter_for_children(spaces, config)
    return cgroupfs.fork_as(cgroupfs.CLONE_PARENT)


def write_ranges(pid: int, uids: t.Sequence[Range], gids: t.Sequence[Range]) -> None:
    """As the id maps of the process, which has just made its user namespace."""
    for name, ranges in (("uid_map", uids), ("gid_map", gids)):
        fd = os.open("/proc/%d/%s" % (pid, name), os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, lines(ranges).encode())
        except OSError as error:
            raise Unsupported("write", name, os.strerror(error.errno or errno.EIO)) from error
        finally:
            os.close(fd)


def lines(ranges: t.Sequence[Range]) -> str:
    """As an id map has them (user_namespaces(7))."""
    return "".join("%d %d %d\n" % line for line in ranges)
