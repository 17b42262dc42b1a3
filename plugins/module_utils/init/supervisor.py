# SPDX-License-Identifier: BSD-2-Clause
"""The one process that outlives a task: parent of a container's PID 1, keeps its log, starts it again, records its end, cleans up.

It is a fork of the launcher and belongs to nobody. If it dies, the kernel kills the container (parent-death signal).
While the container runs it does as little as it can: what it touches is memory that it no longer shares with the others.
Not here: what comes before (launch.py), one run (run.py), whether there is another one (restart.py).
"""
from __future__ import annotations

import contextlib
import errno
import gc
import json
import os
import select
import signal
import time
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.init import audience, control, health, logs, restart, run
from ansible_collections.cocker.engine.plugins.module_utils.init.run import Order, Run
from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, namespaces, process
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import call, libc
from ansible_collections.cocker.engine.plugins.module_utils.model import settings
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, StartFailed, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime import child, state, streams, sync
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import scope
from ansible_collections.cocker.engine.plugins.module_utils.runtime.sync import MESSAGE, PID

_PIECE = 1 << 16
_NOT_FOUND, _NOT_RUNNABLE, _NOT_STARTED = 127, 126, 128     # what a shell says, and docker


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
    first = run.begin(order, links, home=home, foreign=(wakeup, writer, report, acknowledged, desk.listener.fileno()))
    if first.failure:
        os.write(report, MESSAGE + first.failure)
        return
    os.write(report, PID + b"%d" % first.pid)
    os.close(report)
    if not os.read(acknowledged, 1):        # whoever asked is gone, and nobody will know of this container
        os.kill(first.pid, signal.SIGKILL)
        os.waitpid(first.pid, 0)
        undo(order)
        return
    os.close(acknowledged)
    Supervisor(order, desk, wakeup, writer).live(first)


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


class Supervisor:
    """One container from its first run to its last."""

    def __init__(self, order: Order, desk: control.Desk, wakeup: int, writer: int) -> None:
        self._order, self._wakeup = order, wakeup
        self._foreign = (wakeup, writer, desk.listener.fileno())
        self._log = logs.Log(os.path.join(order.folder, "logs"), order.bundle.settings)
        self._history = restart.History()
        self._deadline = 0.0        # of a container that was asked to end, because the host shuts down
        self._poller = select.poll()
        self._poller.register(wakeup, select.POLLIN)
        self._audience = audience.Audience(self._poller)
        self._server = control.Server(desk, {audience.VERB: control.Verb(self._audience.join)}, self._poller)
        self._health = health.Monitor(self._poller)

    def live(self, first: Run) -> None:
        current: t.Optional[Run] = first
        while current is not None:
            begun = time.monotonic()
            self._health.begin(self._order)
            status = self._watch(current)
            self._health.end(self._order)
            self._drain(current)
            ending = self._end(status)
            current = self._next(ending, time.monotonic() - begun)

    # while it runs

    def _watch(self, current: Run) -> int:
        """Until PID 1 has ended: its wait status."""
        for fd in current.streams():
            self._poller.register(fd, select.POLLIN)
        self._audience.enter(current.entrance(), tty=current.err < 0)
        status = _bury(current.pid)
        while status is None:
            for fd, _events in self._poller.poll(self._patience()):
                if self._server.owns(fd):
                    self._server.serve(fd)
                elif fd == self._wakeup:
                    self._hear(current.pid)
                    status = _bury(current.pid) if status is None else status
                elif self._audience.owns(fd):
                    self._audience.serve(fd)
                elif self._health.owns(fd):
                    self._health.hear(self._order)
                elif fd in current.streams() and not self._copy(fd, current):
                    self._poller.unregister(fd)
            if self._deadline and time.monotonic() > self._deadline and status is None:
                self._order.cgroup.kill()
            if status is None:
                self._health.turn(self._order)
        return status

    def _patience(self) -> t.Optional[float]:
        moments = [moment for moment in (self._deadline, self._health.due) if moment]
        return max(0.0, min(moments) - time.monotonic()) * 1000 + 1 if moments else None

    def _hear(self, init: int) -> None:
        """SIGTERM to us (the host shuts down) is passed on as the container's stop signal; SIGHUP: config.json has changed."""
        heard = os.read(self._wakeup, 4096)
        if signal.SIGHUP in heard:
            self._order = refreshed(self._order)
            self._log.change(self._order.bundle.settings)
            if init:
                self._health.change(self._order)
        if signal.SIGTERM in heard and not self._deadline:
            wanted = self._order.bundle.settings
            if init:
                with tolerate(errno.ESRCH):
                    os.kill(init, process.signal_number(wanted.stop_signal))      # our child, not waited for: the number is still its
            self._deadline = time.monotonic() + wanted.stop_timeout

    def _copy(self, fd: int, current: Run) -> bool:
        """False at the end of the stream, or when there is nothing more to read without waiting."""
        try:
            content = os.read(fd, _PIECE)
        except BlockingIOError:
            return False
        stream = "stdout" if fd == current.out else "stderr"
        self._log.add(stream, content)
        self._audience.tell(stream, content)
        return bool(content)

    def _drain(self, current: Run) -> None:
        for fd in current.streams():
            os.set_blocking(fd, False)      # whoever could still write is dead, unless the pipe was passed out of the container
            while self._copy(fd, current):
                continue
            with contextlib.suppress(KeyError):     # at the end of a stream it went already
                self._poller.unregister(fd)
            os.close(fd)
        given = self._audience.leave()
        for fd in current.held:
            if fd != given:
                os.close(fd)
        self._log.close()

    # when it has ended

    def _end(self, status: int) -> state.Ending:
        """Of the run nothing is left but its record; the cgroup's counter before the cgroup goes."""
        code = os.waitstatus_to_exitcode(status)
        failures, oom_killed = [], False
        try:
            oom_killed = self._order.cgroup.oom_kills() > 0
            self._order.cgroup.kill()
            self._order.cgroup.remove()
        except (CockerError, OSError) as error:
            failures.append(str(error))
        running = state.find(self._order.state_dir)
        return state.Ending(
            exit_code=code if code >= 0 else 128 - code, signal=None if code >= 0 else -code, oom_killed=oom_killed,
            started_at=running.started_at if running else "", finished_at=state.now(), error="; ".join(failures),
        )

    def _next(self, ending: state.Ending, lasted: float) -> t.Optional[Run]:
        """The run that follows, after its wait; None when there is none, and all is recorded."""
        while True:
            following = self._following(ending, lasted)
            if following is None or not self._wait(ending, following):
                self._finish(ending)
                return None
            gc.collect()        # what is frozen is not looked at: this is little
            try:
                return self._again(ending)
            except (CockerError, OSError) as error:
                ending, lasted = _not_started(error), 0.0

    def _following(self, ending: state.Ending, lasted: float) -> t.Optional[restart.History]:
        if self._deadline or self._is_being_stopped():
            return None
        policy = self._order.bundle.settings.restart
        return restart.following(policy, self._history, exit_code=ending.exit_code, lasted=lasted)

    def _is_being_stopped(self) -> bool:
        return os.path.exists(os.path.join(self._order.state_dir, state.STOPPING))

    def _wait(self, ending: state.Ending, following: restart.History) -> bool:
        """False when there is not to be another run after all."""
        self._history = following
        self._record(lambda found: found._replace(restarting=True, restart_count=following.restarts - 1, last=ending))
        deadline = time.monotonic() + following.delay
        while True:
            left = deadline - time.monotonic()
            former = following._replace(restarts=following.restarts - 1)
            wanted = restart.wanted(self._order.bundle.settings.restart, former, ending.exit_code)
            if self._deadline or not wanted or self._is_being_stopped():
                self._history = former
                return False
            if left <= 0:
                return True
            for fd, _events in self._poller.poll(left * 1000 + 1):
                if self._server.owns(fd):
                    self._server.serve(fd)
                else:
                    self._hear(0)
                    _bury(0)

    def _again(self, ending: state.Ending) -> Run:
        """As the launcher did it the first time, from the same order; limits and settings are those of config.json now."""
        order = self._order = refreshed(self._order)
        order.cgroup.create()
        try:
            if order.bundle.resources:
                order.cgroup.apply(order.bundle.resources)
            home = namespaces.open_of("self", "pid")
            found = run.begin(order, run.open_links(order), home=home, foreign=self._foreign)
            if found.failure:
                failure = sync.parse(found.failure)
                raise StartFailed("start again", order.name, failure.reason, hint=str(failure.errno))
        except BaseException:
            with tolerate(errno.ENOENT, errno.ENODEV):
                order.cgroup.kill()
            order.cgroup.remove()
            raise
        init = process.Identity(found.pid, run.start_time(found.pid))
        self._record(lambda former: former._replace(
            init=init, started_at=state.now(), restarting=False, restart_count=self._history.restarts, last=ending))
        return found

    def _record(self, changed: t.Callable[[state.State], state.State]) -> None:
        """A run directory that is gone, or a full disk, does not stop the container."""
        try:
            found = state.find(self._order.state_dir)
            if found is not None:
                state.write(self._order.state_dir, changed(found))
        except (CockerError, OSError):
            return

    def _finish(self, ending: state.Ending) -> None:
        """The record first, so that nobody ever finds neither."""
        order, stopped = self._order, self._is_being_stopped()
        state.write_exit(order.folder, ending._replace(
            log_lost=self._log.lost, restart_count=self._history.restarts, stopped=stopped, with_host=bool(self._deadline)))
        state.remove(order.state_dir)
        if order.reap and not stopped:
            _spawn_reap(order.reap)


def refreshed(order: Order) -> Order:
    """With the settings and limits that config.json has now; one that cannot be read changes nothing, for nobody is there to be told."""
    try:
        with open(os.path.join(order.folder, "config.json"), "rb") as stream:
            value = json.load(stream)
        found, resources = settings.parse(value["annotations"]), value["linux"].get("resources") or {}
    except (CockerError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return order
    return order._replace(bundle=order.bundle._replace(settings=found, resources=resources))


def _not_started(error: t.Union[CockerError, OSError]) -> state.Ending:
    """A run that could not be begun counts as one that failed."""
    code, number = _NOT_STARTED, getattr(error, "errno", 0) or 0
    if isinstance(error, StartFailed) and error.reason.startswith("exec "):
        number = int(error.hint or 0)
        code = _NOT_FOUND if number == errno.ENOENT else _NOT_RUNNABLE
    moment, reason = state.now(), getattr(error, "reason", "") or str(error)
    return state.Ending(code, None, False, moment, moment, "it could not be started again: %s" % reason)


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


def _spawn_reap(argv: t.Sequence[str]) -> None:
    """Frees what only the engine knows of (address, ports). It goes on without us."""
    if os.fork() == 0:
        try:
            os.setsid()
            process.reset_signals()
            os.execve(argv[0], list(argv), {})
        except BaseException:
            os._exit(127)
