# SPDX-License-Identifier: BSD-2-Clause
"""From fork to exec: a forked copy of the supervisor goes into the container's namespaces and makes its file system there.

Only kernel calls happen here: no import, no lock; whatever fails goes to the parent as one sentence. Not here: what the
steps do (rootfs.py, masks.py), the rest of the way (command.py), and our own PID 1, which takes this way too (init/reaper.py).
"""
from __future__ import annotations

import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, namespaces, seccomp, sysctl
from ansible_collections.cocker.engine.plugins.module_utils.model import oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.runtime import (
    cgroup_mount,
    command,
    credentials,
    devices,
    loopback,
    masks,
    rootfs,
    streams,
    sync,
)


class Plan(t.NamedTuple):
    """All that the child needs, made before the fork. `stdio`, `report` and `joins` are descriptors."""

    bundle: oci.Bundle
    folder: str
    mounts: t.Sequence[rootfs.Placed]
    view: cgroup_mount.View
    joins: t.Sequence[int]
    syscalls: t.Optional[seccomp.Prepared]
    stdio: t.Tuple[int, int, int]
    report: int
    confine_init: bool


def run(plan: Plan) -> t.NoReturn:
    """PID 1 is the command itself."""
    try:
        enter(plan)
        build(plan)
        command.execute(plan.bundle.process, syscalls=plan.syscalls, report=plan.report)
    except BaseException as error:  # nothing may return into the code of the supervisor, of which this is a copy
        sync.send(plan.report, sync.describe("start", error))
        os._exit(1)
    os._exit(1)


def enter(plan: Plan) -> None:
    """From here on a member of the container's cgroups and namespaces, in the host's tree as yet."""
    command.forget_host()
    os.setsid()
    for fd in plan.joins:
        os.write(fd, b"0")      # itself: a process of one thread that moves itself takes no lock
    streams.take(plan.stdio)
    credentials.set_oom_score(plan.bundle.process.oom_score_adj)
    _enter_namespaces(plan.bundle)


def _enter_namespaces(bundle: oci.Bundle) -> None:
    flags = 0
    for namespace in bundle.namespaces:
        if namespace.path:
            _join(namespace)
        elif namespace.kind != "pid":        # that one came with the fork
            flags |= namespaces.KINDS[namespace.kind].flag
    namespaces.unshare(flags)
    if flags & consts.CLONE_NEWNET:
        loopback.bring_up()


def _join(namespace: oci.Namespace) -> None:
    try:
        fd = os.open(namespace.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        reason = os.strerror(error.errno or errno.EIO)
        raise NotFound("%s namespace" % namespace.kind, namespace.path, reason) from error
    try:
        namespaces.setns(fd, namespace.kind)
    except KernelError as error:
        raise KernelError("join %s namespace" % namespace.kind, namespace.path, error.errno) from error
    finally:
        os.close(fd)


def build(plan: Plan) -> None:
    """The tree, complete, and the root moved to it: for every process that is in this mount namespace."""
    bundle = plan.bundle
    os.umask(0)
    held = rootfs.hold_sources(plan.mounts)
    root = rootfs.mount_root(bundle, plan.folder)
    _place_all(root, held, plan.view)
    devices.create(root, bundle.devices)
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
