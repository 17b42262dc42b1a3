# SPDX-License-Identifier: BSD-2-Clause
"""The one process that outlives a task: starts a container, keeps its log, records its end, removes what was made for it.

It is a fork of the launcher and belongs to nobody. If it dies, the kernel kills the container (parent-death signal).
Not here: the way from fork to exec (runtime/child.py).
"""
from __future__ import annotations

import errno
import os
import select
import signal
import time
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.init import logs, reaper
from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, namespaces, process, seccomp
from ansible_collections.cocker.engine.plugins.module_utils.model import oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import (
    CockerError,
    Conflict,
    KernelError,
    StartFailed,
    tolerate,
)
from ansible_collections.cocker.engine.plugins.module_utils.runtime import cgroup_mount, child, rootfs, state, streams, sync
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import factory
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups.group import Cgroup

START_TIMEOUT = 50.0        # below that of the module process, which should hear the reason
_STREAMS = ("stdout", "stderr")
_PIECE = 1 << 16
_SURVIVED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE)


class Order(t.NamedTuple):
    """One container to start, read and checked by the launcher. `reap` runs when it has ended by itself."""

    name: str
    folder: str
    state_dir: str
    reap: t.Sequence[str]
    bundle: oci.Bundle
    mounts: t.Sequence[rootfs.Placed]
    syscalls: t.Optional[seccomp.Prepared]


class Started(t.NamedTuple):
    init: process.Identity
    streams: t.Tuple[int, int]
    wakeup: int
    started_at: str


def supervise(order: Order, report: t.Callable[[t.Optional[process.Identity], t.Optional[sync.Failure]], None]) -> None:
    """Reports once; returns when the container has ended and everything of it is gone."""
    wakeup = _detach(order.name)
    cgroup = factory.open_cgroup(order.name)
    try:
        started = _start(order, cgroup, wakeup)
    except (CockerError, OSError) as error:
        failure = sync.describe("start", error)
        if isinstance(error, StartFailed):
            failure = sync.Failure(error.op, error.reason)
        report(None, failure)
        return
    try:
        report(started.init, None)
    except OSError:     # whoever asked is gone and will not know of this container
        _undo(order, cgroup, started.init)
        return
    _finish(order, cgroup, started, _watch(order, cgroup, started))


def _detach(name: str) -> int:
    """A session of its own, no stream and no descriptor of the task's. Returns the pipe that signals write into."""
    os.setsid()
    streams.to_null()
    os.chdir("/")
    os.umask(0o022)
    process.set_subreaper()
    process.set_name("cocker:" + name)
    for signum in _SURVIVED:
        signal.signal(signum, signal.SIG_IGN)
    wakeup, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for signum in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(signum, _noted)
    return wakeup


def _noted(_signum: int, _frame: t.Any) -> None:
    """The number is in the wakeup pipe already."""


def _start(order: Order, cgroup: Cgroup, wakeup: int) -> Started:
    """All or nothing: after a failure neither process nor cgroup nor record is left."""
    os.makedirs(order.state_dir, mode=0o700, exist_ok=True)
    found = state.find(order.state_dir)
    if found is not None and found.is_running():
        raise Conflict("start", order.name, "it runs already")
    cgroup.create()
    identity = None
    try:
        if order.bundle.resources:
            cgroup.apply(order.bundle.resources)
        identity, streams = _spawn(order, cgroup)
        started = Started(identity, streams, wakeup, state.now())
        state.remove_exit(order.folder)
        me = process.find(os.getpid())
        state.write(order.state_dir, state.State(
            name=order.name, init=identity, supervisor=me or process.Identity(os.getpid(), 0), started_at=started.started_at,
            bundle=order.folder, cgroups=cgroup.paths(), boot_id=process.boot_id(),
        ))
        return started
    except BaseException:
        _undo(order, cgroup, identity)
        raise


def _spawn(order: Order, cgroup: Cgroup) -> t.Tuple[process.Identity, t.Tuple[int, int]]:
    """PID 1, exec'd. Raises StartFailed with the step as its op."""
    heard, report = os.pipe()
    out, err = os.pipe(), os.pipe()
    null = os.open("/dev/null", os.O_RDWR)
    view = cgroup_mount.View(cgroupfs.layout(), cgroup.paths(), order.bundle.namespace("cgroup") is not None)
    plan = child.Plan(
        bundle=order.bundle, folder=order.folder, mounts=order.mounts, cgroup=cgroup, view=view, syscalls=order.syscalls,
        stdio=(null, out[1], err[1]), report=report, in_unified=False, confine_init=reaper.can_live_under(order.bundle.seccomp),
    )
    pid = _fork(plan, reaper.become if order.bundle.settings.init else child.execute, keep=(heard, out[0], err[0]))
    identity = process.find(pid) or process.Identity(pid, 0)
    for fd in (report, out[1], err[1], null):
        os.close(fd)
    failure = sync.receive(heard, timeout=START_TIMEOUT)
    os.close(heard)
    if failure is not None:
        with tolerate(errno.ESRCH):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise StartFailed(failure.step, "", failure.reason)
    if not identity.start_time:
        raise StartFailed("start", order.name, "its first process ended before anything was run")
    return identity, (out[0], err[0])


def _fork(plan: child.Plan, become: t.Callable[[child.Ready], None], *, keep: t.Tuple[int, ...]) -> int:
    """The child is the first process of a new pid namespace; we stay in ours."""
    home = namespaces.open_of("self", "pid")
    namespaces.unshare(namespaces.CLONE_NEWPID)
    pid, in_unified = child.fork_member(plan.cgroup)
    if pid == 0:
        for fd in keep:
            os.close(fd)
        child.run(plan._replace(in_unified=in_unified), become)
    namespaces.setns(home, "pid")
    os.close(home)
    return pid


def _undo(order: Order, cgroup: Cgroup, init: t.Optional[process.Identity]) -> None:
    if init is not None:
        process.signal(init, signal.SIGKILL)
    with tolerate(errno.ENOENT):
        cgroup.kill()
    _bury()
    cgroup.remove()
    state.remove(order.state_dir)
    with tolerate(errno.ENOENT, errno.ENOTEMPTY):
        os.rmdir(order.state_dir)


def _watch(order: Order, cgroup: Cgroup, started: Started) -> t.Tuple[int, int]:
    """Until PID 1 has ended: its wait status, and how many bytes of the log were lost."""
    settings = order.bundle.settings
    log = logs.open_log(os.path.join(order.folder, "logs"), driver=settings.log_driver, size=settings.log_size, files=settings.log_files)
    poller = select.poll()
    names = dict(zip(started.streams, _STREAMS))
    for fd in (*started.streams, started.wakeup):
        poller.register(fd, select.POLLIN)
    status, deadline = None, 0.0
    while status is None:
        for fd, _events in poller.poll(_patience(deadline)):
            if fd == started.wakeup:
                deadline = _signalled(started, settings, deadline)
                status = _bury(started.init.pid)
            elif not _copy(fd, names[fd], log):
                poller.unregister(fd)
        if deadline and time.monotonic() > deadline and status is None:
            cgroup.kill()
    for fd, name in names.items():
        os.set_blocking(fd, False)      # whoever could still write is dead, unless the pipe was passed out of the container
        while _copy(fd, name, log):
            continue
    log.close()
    return status, log.lost


def _patience(deadline: float) -> t.Optional[float]:
    return max(0.0, deadline - time.monotonic()) * 1000 + 1 if deadline else None


def _signalled(started: Started, settings: oci.Settings, deadline: float) -> float:
    """SIGTERM to us (the host shuts down) is passed on as the container's stop signal; returns when to stop waiting for it."""
    if signal.SIGTERM not in os.read(started.wakeup, 4096) or deadline:
        return deadline
    process.signal(started.init, process.signal_number(settings.stop_signal))
    return time.monotonic() + settings.stop_timeout


def _bury(init: int = 0) -> t.Optional[int]:
    """Every zombie; the wait status of PID 1 if it is among them."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == init:
            found = status


def _copy(fd: int, name: str, log: logs.AnyLog) -> bool:
    """False at the end of the stream, or when there is nothing more to read without waiting."""
    try:
        content = os.read(fd, _PIECE)
    except BlockingIOError:
        return False
    log.add(name, content)
    return bool(content)


def _finish(order: Order, cgroup: Cgroup, started: Started, ended: t.Tuple[int, int]) -> None:
    """The record first, so that nobody ever finds neither; the cgroup's counter before the cgroup goes."""
    status, lost = ended
    code = os.waitstatus_to_exitcode(status)
    failures = []
    oom_killed = False
    try:
        oom_killed = cgroup.oom_kills() > 0
        cgroup.kill()
        cgroup.remove()
    except (CockerError, KernelError) as error:
        failures.append(str(error))
    state.write_exit(order.folder, state.Ending(
        exit_code=code if code >= 0 else 128 - code, signal=None if code >= 0 else -code, oom_killed=oom_killed,
        started_at=started.started_at, finished_at=state.now(), error="; ".join(failures), log_lost=lost,
    ))
    stopping = os.path.exists(os.path.join(order.state_dir, state.STOPPING))
    state.remove(order.state_dir)
    if order.reap and not stopping:
        _spawn_reap(order.reap)


def _spawn_reap(argv: t.Sequence[str]) -> None:
    """Frees what only the engine knows of (address, ports). It goes on without us."""
    if os.fork() == 0:
        try:
            os.setsid()
            process.reset_signals()
            os.execve(argv[0], list(argv), {})
        except BaseException:
            os._exit(127)
