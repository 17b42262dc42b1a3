# SPDX-License-Identifier: BSD-2-Clause
"""From fork to exec: a forked copy of the supervisor goes into the container's namespaces and makes its file system there.

Only kernel calls happen here: no import, no lock; whatever fails goes to the parent as one sentence. Not here: what the
steps do (rootfs.py, masks.py), the rest of the way (command.py), and our own PID 1, which takes this way too (init/reaper.py).
"""
from __future__ import annotations

import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, namespaces, process, seccomp, sysctl, userns
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import call, libc
from ansible_collections.cocker.engine.plugins.module_utils.model import idmap, oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import NotFound
from ansible_collections.cocker.engine.plugins.module_utils.runtime import (
    cgroup_mount,
    command,
    devices,
    loopback,
    masks,
    relay,
    rootfs,
    streams,
    sync,
)


class Plan(t.NamedTuple):
    """All that the child needs, made before any fork."""

    bundle: oci.Bundle
    folder: str
    mounts: t.Sequence[rootfs.Placed]
    view: cgroup_mount.View
    new_spaces: int
    syscalls: t.Optional[seccomp.Prepared]


class Links(t.NamedTuple):
    """Open files: `joins` to write 0 into, to be in the v1 cgroups; the v2 one to be born in; `spaces` to enter; where to report.

    `user` is the user namespace that is entered in the end; `console` a socket for the ends of a terminal, where the command has one;
    `pids` the pid namespace of another container, in which the command is born. Nobody reads `alive` any more when the parent is gone; -1
    where it is the parent that reads `report`.
    """

    joins: t.Sequence[int]
    spaces: t.Sequence[t.Tuple[int, int]]
    unified: int = -1
    user: int = -1
    stdio: t.Tuple[int, int, int] = (0, 1, 2)
    report: int = -1
    console: int = -1
    pids: int = -1
    alive: int = -1

    def parent(self) -> int:
        """What tells whether the parent lives."""
        return self.report if self.alive < 0 else self.alive

    def held(self) -> t.List[int]:
        """Those that nobody needs any more when the child has them."""
        return [*self.joins, *[fd for fd, _flag in self.spaces], *[fd for fd in (self.unified, self.user, self.pids) if fd >= 0]]


def run(plan: Plan, links: Links) -> t.NoReturn:
    """PID 1 is the command itself."""
    try:
        enter(links, new_spaces=plan.new_spaces, oom_score_adj=plan.bundle.process.oom_score_adj)
        build(plan, links.user)
        if links.console >= 0:
            relay.become_terminal(links.console)
        command.execute(plan.bundle.process, syscalls=plan.syscalls, report=links.parent(), user_space=links.user)
    except BaseException as error:  # nothing may return into the code of the supervisor, of which this is a copy
        sync.send(links.report, sync.describe("start", error))
        os._exit(1)
    os._exit(1)


def new_spaces(bundle: oci.Bundle) -> int:
    """Pure: flags for unshare(2); the pid namespace comes with the fork, a network that belongs to a user namespace with that."""
    others = ("pid", "user") if bundle.process.maps is None else ("pid", "user", "network")
    flags = 0
    for namespace in bundle.namespaces:
        if not namespace.path and namespace.kind not in others:
            flags |= namespaces.KINDS[namespace.kind].flag
    return flags


def open_spaces(bundle: oci.Bundle) -> t.List[t.Tuple[int, int]]:
    """The namespaces that are joined, with their flags. NotFound for one that is not there."""
    found = []
    for namespace in bundle.namespaces:
        if namespace.path and namespace.kind not in ("user", "pid"):
            found.append((_opened(namespace), namespaces.KINDS[namespace.kind].flag))
    return found


def open_pids(bundle: oci.Bundle) -> int:
    """The pid namespace that is joined, which is done before the fork; -1 for none. Raises NotFound."""
    space = bundle.namespace("pid")
    return _opened(space) if space is not None and space.path else -1


def _opened(namespace: oci.Namespace) -> int:
    try:
        return os.open(namespace.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        reason = os.strerror(error.errno or errno.EIO)
        raise NotFound("%s namespace" % namespace.kind, namespace.path, reason) from error


def open_user(bundle: oci.Bundle) -> t.Tuple[int, t.List[t.Tuple[int, int]]]:
    """The user namespace (-1 for none), and the new network namespace that belongs to it, to be joined as the others are.

    Not between fork and exec: it forks. Raises NotFound, KernelError.
    """
    maps, space, network = bundle.process.maps, bundle.namespace("user"), bundle.namespace("network")
    if maps is None or space is None:
        return -1, []
    if space.path:
        fd = _opened(space)
        try:
            return userns.owner_of(fd), []
        finally:
            os.close(fd)
    user, net = userns.make(idmap.text(maps.uids), idmap.text(maps.gids), network=network is not None and not network.path)
    return user, [(net, consts.CLONE_NEWNET)] if net >= 0 else []


def enter(links: Links, *, new_spaces: int, oom_score_adj: t.Optional[int]) -> None:
    """From here on a member of the container's cgroups and namespaces, in the host's tree as yet."""
    os.setsid()
    for fd in links.joins:
        os.write(fd, b"0")      # itself: a process of one thread that moves itself takes no lock
    streams.take(links.stdio)
    if oom_score_adj is not None:
        process.set_oom_score(oom_score_adj)
    for fd, flag in links.spaces:
        call(libc.setns, fd, flag, op="join namespace")
    call(libc.unshare, new_spaces, op="unshare")


def build(plan: Plan, user: int = -1) -> None:
    """The tree, complete, and the root moved to it: for every process that is in this mount namespace.

    With a user namespace all that is made is its root's, and it is made with the privileges of the host.
    """
    bundle = plan.bundle
    os.umask(0)
    if bundle.process.maps is not None:
        userns.make_files_as(*bundle.process.maps.root)
    network = bundle.namespace("network")
    if network is not None and not network.path:
        loopback.bring_up()
    held = rootfs.hold_sources(plan.mounts, user)
    root = rootfs.mount_root(bundle, plan.folder, user)
    _place_all(root, held, plan.view)
    devices.create(root, bundle.devices, maps=bundle.process.maps)
    rootfs.ensure_working_directory(root, bundle.process.cwd)
    for name, value in sorted(bundle.sysctl.items()):
        sysctl.write(name, value)
    for name, value in (("kernel.hostname", bundle.hostname), ("kernel.domainname", bundle.domainname)):
        if value:
            sysctl.write(name, value)
    null = devices.open_null(root)
    masks.hide(root, bundle.masked, null=null)
    masks.protect(root, bundle.readonly_paths)
    os.close(null)
    if bundle.read_only:
        rootfs.set_read_only(root)
    rootfs.pivot(root)
    os.close(root)


def _place_all(root: int, held: t.Sequence[rootfs.Placed], view: cgroup_mount.View) -> None:
    """/dev gets its nodes as soon as it is mounted, unless it is somebody else's directory."""
    on_dev = [item for item in held if os.path.normpath(item.mount.destination) == "/dev"]
    if not on_dev:
        os.close(_populated(rootfs.open_own_dev(root)))
    for item in held:
        mounted = rootfs.place(root, item, cgroups=view)
        if on_dev and item is on_dev[-1] and not item.options.bind:
            _populated(mounted)
        os.close(mounted)


def _populated(dev: int) -> int:
    devices.populate(dev)
    return dev
