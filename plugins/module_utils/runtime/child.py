# SPDX-License-Identifier: BSD-2-Clause
"""From fork to exec: a forked copy of the supervisor becomes the container's first process, step by step.

Only kernel calls happen here: no import, no lock; whatever fails goes to the parent as one sentence. Not here: what the
steps do (rootfs.py, masks.py, credentials.py).
"""
from __future__ import annotations

import errno
import os
import signal
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, consts, fds, namespaces, process, seccomp, sysctl
from ansible_collections.cocker.engine.plugins.module_utils.model import oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, KernelError, NotFound, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.runtime import (
    cgroup_mount,
    credentials,
    defaults,
    devices,
    loopback,
    masks,
    rootfs,
    streams,
    sync,
    users,
)
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups.group import Cgroup


class Plan(t.NamedTuple):
    """All that the child needs, made before the fork. `stdio` and `report` are descriptors."""

    bundle: oci.Bundle
    folder: str
    mounts: t.Sequence[rootfs.Placed]
    cgroup: Cgroup
    view: cgroup_mount.View
    syscalls: t.Optional[seccomp.Prepared]
    stdio: t.Tuple[int, int, int]
    report: int
    in_unified: bool
    confine_init: bool


class Ready(t.NamedTuple):
    """A process in its container with all its privileges left, about to give them up and run `process.args`."""

    process: oci.Process
    settings: oci.Settings
    user: users.User
    working_directory: int
    syscalls: t.Optional[seccomp.Prepared]
    report: int
    confine_init: bool = False


def run(plan: Plan, become: t.Callable[[Ready], None]) -> t.NoReturn:
    """`become` ends in an exec (or, for our own PID 1, never returns)."""
    step = "start"
    try:
        forget_host()
        process.set_dumpable(dumpable=False)
        os.setsid()
        os.umask(0)
        step = "cgroup"
        plan.cgroup.join(unified=not plan.in_unified)
        streams.take(plan.stdio)
        step = "namespaces"
        _enter_namespaces(plan.bundle)
        step = "mounts"
        root, ready = _build(plan)
        step = "root"
        rootfs.pivot(root)
        os.close(root)
        step = "process"
        become(ready)
    except BaseException as error:  # nothing may return into the code of the supervisor, of which this is a copy
        sync.send(plan.report, sync.describe(step, error))
        os._exit(1)
    os._exit(1)


def fork_member(cgroup: Cgroup) -> t.Tuple[int, bool]:
    """fork(2), into the cgroup where the kernel can (v2); the second value says so, and `cgroup.join` does the rest."""
    unified = cgroup.open_unified()
    if unified is not None:
        try:
            return cgroupfs.fork_into(unified), True
        except Unsupported:
            pass
        finally:
            os.close(unified)
    return os.fork(), False


def forget_host() -> None:
    """From here on nothing can be imported: what would be found is the container's, and would run with our privileges."""
    signal.set_wakeup_fd(-1)
    del sys.path[:]
    del sys.meta_path[:]
    del sys.path_hooks[:]
    sys.path_importer_cache.clear()


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


def _build(plan: Plan) -> t.Tuple[int, Ready]:
    """The tree, complete, with the process's user and directory found in it; still at its place below the host's root."""
    bundle = plan.bundle
    held = rootfs.hold_sources(plan.mounts)
    root = rootfs.mount_root(bundle, plan.folder)
    _place_all(root, held, plan.view)
    devices.create(root, bundle.devices)
    user = users.find(root, bundle.process)
    directory = rootfs.open_working_directory(root, bundle.process.cwd)
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
    credentials.set_oom_score(bundle.process.oom_score_adj)
    return root, Ready(
        process=bundle.process, settings=bundle.settings, user=user, working_directory=directory, syscalls=plan.syscalls,
        report=plan.report, confine_init=plan.confine_init,
    )


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


def execute(ready: Ready) -> None:
    """Gives up what is to be given up and becomes the command. Returns only by an exception."""
    wanted = ready.process
    enter_directory(ready.working_directory)
    streams.give_to(ready.user.uid)
    credentials.set_limits(wanted.rlimits)
    credentials.assume(ready.user, wanted, syscalls=ready.syscalls)
    die_with_parent(ready.report)
    os.umask(0o022 if wanted.umask is None else wanted.umask)
    exec_command(wanted.args, environment(wanted, ready.user))


def enter_directory(fd: int) -> None:
    os.fchdir(fd)
    if not os.getcwd().startswith("/"):     # "(unreachable)": outside of the root
        raise Invalid("working_dir", "it lies outside of the container")


def die_with_parent(report: int) -> None:
    """After every change of credentials, which clears it. A parent that died before it is found through the pipe."""
    process.set_parent_death_signal(signal.SIGKILL)
    if sync.is_parent_gone(report):
        os._exit(1)


def environment(wanted: oci.Process, user: users.User) -> t.Dict[str, str]:
    found = {}
    for word in wanted.env:
        name, _equals, value = word.partition("=")
        found[name] = value
    found.setdefault("HOME", user.home or ("/" if user.uid else "/root"))
    return found


def exec_command(args: t.Sequence[str], env: t.Mapping[str, str]) -> None:
    """execvpe(3) with the container's PATH; KernelError with the errno that says most."""
    fds.close_range_cloexec(3)
    process.reset_signals()
    name = args[0]
    folders = [""] if "/" in name else (env.get("PATH") or defaults.PATH).split(":")
    found = errno.ENOENT
    for folder in folders:
        path = "%s/%s" % (folder or ".", name) if "/" not in name else name
        try:
            os.execve(path, list(args), dict(env))
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                found = error.errno or errno.EIO
            elif "/" in name and os.path.exists(path):
                hint = "the file is there: its interpreter or loader is missing"
                raise KernelError("exec", name, errno.ENOENT, hint=hint) from error
            if found not in (errno.ENOENT, errno.EACCES):
                break
    raise KernelError("exec", name, found)
