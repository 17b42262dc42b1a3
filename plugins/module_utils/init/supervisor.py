# SPDX-License-Identifier: BSD-2-Clause
"""The one process that outlives a task: parent of a container's PID 1, keeps its log, starts it again, records its end, cleans up.

It is a fork of the launcher and belongs to nobody. If it dies, the kernel kills the container (parent-death signal).
Not here: what comes before (launch.py), an idle container (resident.py), one run (run.py), whether there is another one (restart.py).
"""
from __future__ import annotations

import _socket
import contextlib
import errno
import gc
import os
import select
import signal
import time
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.init import audience, control, health, logs, orders, prepare, restart, run
from ansible_collections.cocker.engine.plugins.module_utils.init.orders import Order, Ticket
from ansible_collections.cocker.engine.plugins.module_utils.init.run import Run
from ansible_collections.cocker.engine.plugins.module_utils.kernel import process
from ansible_collections.cocker.engine.plugins.module_utils.model import settings
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, StartFailed, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime import state, sync

if t.TYPE_CHECKING:
    from ansible_collections.cocker.engine.plugins.module_utils.init import resident

_PIECE = 1 << 16
_NOT_FOUND, _NOT_RUNNABLE, _NOT_STARTED = 127, 126, 128     # what a shell says, and docker


def go_on(source: orders.Source, idle: resident.Idle, forks: t.Callable[[int], bool]) -> None:
    """From when there is something to do for the first time to the container's end. `forks` is as control.Server has it."""
    first = run.made(idle.said, idle.got, idle.init, first=True)
    ticket = orders.ticket_of(source)._replace(config=first.config)
    listener = _socket.socket(fileno=first.listener)
    Supervisor(ticket, idle, listener, forks).live(first, idle.heard, idle.begun)


class Supervisor:
    """One container from its first run to its last."""

    def __init__(self, ticket: Ticket, idle: resident.Idle, listener: _socket.socket, forks: t.Callable[[int], bool]) -> None:
        process.set_subreaper()     # what a health check leaves is ours, and a container without a pid namespace of its own
        self._ticket, self._wakeup = ticket, idle.wakeup
        self._foreign = (idle.wakeup, idle.writer, listener.fileno())
        self._known: t.Optional[settings.Settings] = None       # read when they are first needed
        self._order: t.Optional[Order] = None                   # for the health check, where there is one
        self._log = logs.Log(ticket.folder + "/logs", self._settings)
        self._history = restart.History()
        self._deadline = 0.0        # of a container that was asked to end, because the host shuts down
        self._poller = select.poll()
        self._poller.register(idle.wakeup, select.POLLIN)
        self._audience = audience.Audience(self._poller)
        self._server = control.Server(listener, forks, {control.ATTACH: self._audience.join}, self._poller, idle.peers)
        self._health = health.Monitor(self._poller)

    def live(self, first: Run, heard: bytes, begun: float) -> None:
        """`heard` are signals that have come since the first run was `begun`."""
        current: t.Optional[Run] = first
        while current is not None:
            self._health.begin(begun)
            self._heed(heard, current.pid)
            if current.awake:
                self._health.change(self._read())
            status = self._watch(current)
            if self._order is not None:
                self._health.end(self._order)
            self._drain(current)
            current = self._next(self._end(status), time.monotonic() - begun)
            heard, begun = b"", time.monotonic()

    def _settings(self) -> settings.Settings:
        if self._known is None:
            self._known = orders.settings_of(self._ticket)
        return self._known

    def _read(self) -> Order:
        if self._order is None:
            self._order = orders.refreshed(orders.read(self._ticket))
            self._known = self._order.bundle.settings
        return self._order

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
                elif self._order is not None and self._health.owns(fd):
                    self._health.hear(self._order)
                elif fd in current.streams() and not self._copy(fd, current):
                    self._poller.unregister(fd)
            if self._deadline and time.monotonic() > self._deadline and status is None:
                self._ticket.cgroup().kill()
            if status is None and self._order is not None:
                self._health.turn(self._order)
        return status

    def _patience(self) -> t.Optional[float]:
        moments = [moment for moment in (self._deadline, self._health.due) if moment]
        return max(0.0, min(moments) - time.monotonic()) * 1000 + 1 if moments else None

    def _hear(self, init: int) -> None:
        """SIGTERM to us (the host shuts down) is passed on as the container's stop signal; SIGHUP: config.json has changed."""
        self._heed(os.read(self._wakeup, 4096), init)

    def _heed(self, heard: bytes, init: int) -> None:
        if signal.SIGHUP in heard:
            self._refresh()
            if init and (self._order is not None or self._settings().health is not None):
                self._health.change(self._read())
        if signal.SIGTERM in heard and not self._deadline:
            wanted = self._settings()
            if init:
                with tolerate(errno.ESRCH):
                    os.kill(init, process.signal_number(wanted.stop_signal))      # our child, not waited for: the number is still its
            self._deadline = time.monotonic() + wanted.stop_timeout

    def _refresh(self) -> None:
        """What can be changed of a running container is read again. The log opens anew, with the next line."""
        found = orders.settings_now(self._ticket.folder)
        if found is not None:
            self._known = found
        if self._order is not None:
            self._order = orders.refreshed(self._order)
        self._log.change()

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
        cgroup = self._ticket.cgroup()
        try:
            oom_killed = cgroup.oom_kills() > 0
            cgroup.kill()
            cgroup.remove()
        except (CockerError, OSError) as error:
            failures.append(str(error))
        running = self._recorded()
        return state.Ending(
            exit_code=code if code >= 0 else 128 - code, signal=None if code >= 0 else -code, oom_killed=oom_killed,
            started_at=running.started_at if running else "", finished_at=state.now(), error="; ".join(failures),
        )

    def _next(self, ending: state.Ending, lasted: float) -> t.Optional[Run]:
        """The run that follows, after its wait; None when there is none, and all is recorded."""
        while True:
            following = self._following(ending, lasted)
            if following is None or not self._wait(ending, following) or self._owner() != os.getpid():
                self._finish(ending)
                return None
            gc.collect()        # what is frozen is not looked at: this is little
            try:
                return self._again(ending)
            except (CockerError, OSError) as error:
                ending, lasted = _not_started(error), 0.0

    def _owner(self) -> int:
        """Who watches over the container, by its record: another one where somebody took the record away and it was started since; or 0.

        One that cannot be read at the moment is no reason to give up.
        """
        try:
            found = state.find(self._ticket.state_dir)
        except (CockerError, OSError):
            return os.getpid()
        return found.supervisor.pid if found is not None else 0

    def _following(self, ending: state.Ending, lasted: float) -> t.Optional[restart.History]:
        if self._deadline or self._is_being_stopped():
            return None
        policy = self._settings().restart
        return restart.following(policy, self._history, exit_code=ending.exit_code, lasted=lasted)

    def _is_being_stopped(self) -> bool:
        return os.path.exists(os.path.join(self._ticket.state_dir, state.STOPPING))

    def _wait(self, ending: state.Ending, following: restart.History) -> bool:
        """False when there is not to be another run after all."""
        self._history = following
        self._record(lambda found: found._replace(restarting=True, restart_count=following.restarts - 1, last=ending))
        deadline = time.monotonic() + following.delay
        while True:
            left = deadline - time.monotonic()
            former = following._replace(restarts=following.restarts - 1)
            wanted = restart.wanted(self._settings().restart, former, ending.exit_code)
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
        """As the first time, from the config.json of then; limits and settings are those of config.json now."""
        self._refresh()
        found = run.begin(self._ticket, foreign=self._foreign, first=False)
        if found.failure:
            if found.failure[:1] == prepare.FAILED:
                self._clear()
            failure = sync.parse(found.failure[1:])
            raise StartFailed("start again", self._ticket.name, failure.reason, hint=str(failure.errno))
        init = process.Identity(found.pid, run.start_time(found.pid))
        self._record(lambda former: former._replace(
            init=init, started_at=state.now(), restarting=False, restart_count=self._history.restarts, last=ending))
        return found

    def _clear(self) -> None:
        """What prepared a run in vain has done this, unless it died."""
        cgroup = self._ticket.cgroup()
        with tolerate(errno.ENOENT, errno.ENODEV):
            cgroup.kill()
        cgroup.remove()

    def _record(self, changed: t.Callable[[state.State], state.State]) -> None:
        """A run directory that is gone, or a full disk, does not stop the container."""
        found = self._recorded()
        if found is not None:
            with contextlib.suppress(CockerError, OSError):
                state.write(self._ticket.state_dir, changed(found))

    def _recorded(self) -> t.Optional[state.State]:
        """None, too, where somebody has damaged the record."""
        try:
            return state.find(self._ticket.state_dir)
        except (CockerError, OSError):
            return None

    def _finish(self, ending: state.Ending) -> None:
        """The record first, so that nobody ever finds neither."""
        if self._owner() not in (0, os.getpid()):
            return
        ticket, stopped = self._ticket, self._is_being_stopped()
        state.write_exit(ticket.folder, ending._replace(
            log_lost=self._log.lost, restart_count=self._history.restarts, stopped=stopped, with_host=bool(self._deadline)))
        state.remove(ticket.state_dir)
        if ticket.reap and not stopped:
            _spawn_reap(ticket.reap)


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
