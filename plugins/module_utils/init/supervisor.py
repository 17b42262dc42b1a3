# SPDX-License-Identifier: BSD-2-Clause
"""The one process that outlives a task: parent of a container's PID 1, keeps its log, records its end, removes what was made.

It is a fork of the launcher and belongs to nobody. If it dies, the kernel kills the container (parent-death signal).
Until the container ends it does as little as it can: what it touches is memory that it no longer shares with the others.
Not here: what comes before (launch.py) and the way from fork to exec (runtime/child.py).
"""
from __future__ import annotations

import errno
import json
import os
import select
import signal
import time
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.init import control, logs, reaper
from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, consts, process
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import call, libc
from ansible_collections.cocker.engine.plugins.module_utils.model import oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Unsupported, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime import child, state, streams
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import scope
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups.group import Cgroup
from ansible_collections.cocker.engine.plugins.module_utils.runtime.sync import MESSAGE, PID

START_TIMEOUT = 50.0        # below that of the module process, which should hear the reason
_STREAMS = ("stdout", "stderr")
_PIECE = 1 << 16


class Order(t.NamedTuple):
    """One container to start, read and checked, its cgroup made. `reap` runs when it has ended by itself.

    `anchor` holds the scope open until the supervisor is in it, where systemd runs the host.
    """

    name: str
    folder: str
    state_dir: str
    reap: t.Sequence[str]
    bundle: oci.Bundle
    cgroup: Cgroup
    plan: child.Plan
    init: t.Optional[reaper.Confinement]
    anchor: t.Optional[scope.Anchor] = None


class Streams(t.NamedTuple):
    out: int
    err: int
    wakeup: int


def supervise(order: Order, links: child.Links, desk: control.Desk, *, home: int, report: int, acknowledged: int) -> None:
    """Says PID 1's pid or why there is none, waits until that is on record, and stays with the container to its end.

    Whoever hears nothing, or a failure, removes the cgroup; from the acknowledgement on it is ours.
    """
    os.setsid()
    os.dup2(0, 2)
    call(libc.prctl, consts.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0, op="become subreaper")
    streams.set_name(b"cocker:" + os.fsencode(order.name))
    wakeup, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    heard, told = os.pipe()
    out, err = os.pipe(), os.pipe()
    links = links._replace(stdio=(0, out[1], err[1]), report=told)
    pid = _fork(order, links, home=home, theirs=(heard, out[0], err[0], wakeup, writer, report, acknowledged, desk.listener.fileno()))
    for fd in (told, out[1], err[1], home, *links.held()):
        os.close(fd)
    message = _listen(heard, START_TIMEOUT)
    os.close(heard)
    if message:
        os.kill(pid, signal.SIGKILL)        # our child, not waited for: the number is still its
        os.waitpid(pid, 0)
        os.write(report, MESSAGE + message)
        return
    os.write(report, PID + b"%d" % pid)
    os.close(report)
    if not os.read(acknowledged, 1):        # whoever asked is gone, and nobody will know of this container
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        undo(order)
        return
    os.close(acknowledged)
    finish(order, *_watch(order, pid, Streams(out[0], err[0], wakeup), desk))


def _fork(order: Order, links: child.Links, *, home: int, theirs: t.Sequence[int]) -> int:
    """The child is the first process of a new pid namespace; we stay in ours."""
    call(libc.unshare, consts.CLONE_NEWPID, op="unshare pid namespace")
    pid = fork_member(links.unified)
    if pid == 0:
        signal.set_wakeup_fd(-1)
        for fd in theirs:
            os.close(fd)
        if order.init is not None:
            reaper.run(order.plan, order.init, links)
        child.run(order.plan, links)
    call(libc.setns, home, consts.CLONE_NEWPID, op="return to pid namespace")
    return pid


def fork_member(unified: int) -> int:
    """fork(2), into the v2 cgroup: moving there later waits 5 to 10 ms for a lock. Before Linux 5.7 that is how it is."""
    if unified < 0:
        return os.fork()
    try:
        return cgroupfs.fork_into(unified)
    except Unsupported:
        pid = os.fork()
    if pid == 0:
        fd = os.open("cgroup.procs", os.O_WRONLY | os.O_CLOEXEC, dir_fd=unified)
        os.write(fd, b"0")
        os.close(fd)
    return pid


def _listen(fd: int, timeout: float) -> bytes:
    """Empty when the pipe is closed without a word: exec'd. The whole message comes in one piece."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    if not poller.poll(timeout * 1000):
        return b'["start","start: nothing was heard of the process for %d s",%d]' % (timeout, errno.ETIMEDOUT)
    return os.read(fd, select.PIPE_BUF)


def undo(order: Order) -> None:
    """After a failed start, when no process is left but perhaps in the cgroup. Idempotent."""
    with tolerate(errno.ENOENT, errno.ENODEV):
        order.cgroup.kill()
    order.cgroup.remove()
    if order.anchor is not None:
        scope.end(order.anchor)
    state.remove(order.state_dir)
    with tolerate(errno.ENOENT, errno.ENOTEMPTY):
        os.rmdir(order.state_dir)


def _watch(order: Order, init: int, mine: Streams, desk: control.Desk) -> t.Tuple[int, int]:
    """Until PID 1 has ended: its wait status, and how many bytes of the log were lost."""
    poller = select.poll()
    for fd in mine:
        poller.register(fd, select.POLLIN)
    server = control.Server(desk, {}, poller)
    log = logs.Log(os.path.join(order.folder, "logs"), order.bundle.settings)
    status, deadline = _bury(init), 0.0
    while status is None:
        for fd, _events in poller.poll(_patience(deadline)):
            if server.owns(fd):
                server.serve(fd)
                continue
            if fd == mine.wakeup:
                signals = os.read(mine.wakeup, 4096)
                if signal.SIGHUP in signals:
                    order = refreshed(order)
                    log.change(order.bundle.settings)
                if signal.SIGTERM in signals and not deadline:
                    deadline = _ask_to_end(order, init)
                status = _bury(init) if status is None else status
                continue
            if not _copy(fd, mine, log):
                poller.unregister(fd)
        if deadline and time.monotonic() > deadline and status is None:
            order.cgroup.kill()
    for fd in (mine.out, mine.err):
        os.set_blocking(fd, False)      # whoever could still write is dead, unless the pipe was passed out of the container
        while _copy(fd, mine, log):
            continue
    log.close()
    return status, log.lost


def _patience(deadline: float) -> t.Optional[float]:
    return max(0.0, deadline - time.monotonic()) * 1000 + 1 if deadline else None


def refreshed(order: Order) -> Order:
    """With the settings and limits that config.json has now; one that cannot be read changes nothing, for nobody is there to be told."""
    try:
        with open(os.path.join(order.folder, "config.json"), "rb") as stream:
            value = json.load(stream)
        settings, resources = oci.settings(value["annotations"]), value["linux"].get("resources") or {}
    except (CockerError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return order
    return order._replace(bundle=order.bundle._replace(settings=settings, resources=resources))


def _ask_to_end(order: Order, init: int) -> float:
    """SIGTERM to us (the host shuts down) is passed on as the container's stop signal; returns when to stop waiting for it."""
    settings = order.bundle.settings
    with tolerate(errno.ESRCH):
        os.kill(init, process.signal_number(settings.stop_signal))      # our child, not waited for: the number is still its
    return time.monotonic() + settings.stop_timeout


def _bury(init: int) -> t.Optional[int]:
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


def _copy(fd: int, mine: Streams, log: logs.Log) -> bool:
    """False at the end of the stream, or when there is nothing more to read without waiting."""
    try:
        content = os.read(fd, _PIECE)
    except BlockingIOError:
        return False
    log.add(_STREAMS[mine.index(fd)], content)
    return bool(content)


def finish(order: Order, status: int, lost: int) -> None:
    """The record first, so that nobody ever finds neither; the cgroup's counter before the cgroup goes."""
    code = os.waitstatus_to_exitcode(status)
    failures = []
    oom_killed = False
    try:
        oom_killed = order.cgroup.oom_kills() > 0
        order.cgroup.kill()
        order.cgroup.remove()
    except (CockerError, OSError) as error:
        failures.append(str(error))
    running = state.find(order.state_dir)
    state.write_exit(order.folder, state.Ending(
        exit_code=code if code >= 0 else 128 - code, signal=None if code >= 0 else -code, oom_killed=oom_killed,
        started_at=running.started_at if running else "", finished_at=state.now(), error="; ".join(failures), log_lost=lost,
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
