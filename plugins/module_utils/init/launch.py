# SPDX-License-Identifier: BSD-2-Clause
"""The launcher: for each line of requests makes the cgroups, forks a supervisor a container, records what they say. Ends with its task.

Single-threaded, and done with the heavy work before the forks, so that the supervisors share its memory. Not here: what a
supervisor does (supervisor.py).
"""
from __future__ import annotations

import errno
import gc
import json
import os
import select
import signal
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.init import control, logs, orders, prepare, run, supervisor
from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, fds, heap, libc, mounts, poll, process, seccomp
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime import command, enter, state, streams, sync, visit
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import scope

ANSWERS, REQUESTS = 3, 4
REPORT, ACKNOWLEDGED = 3, 4     # of a supervisor, which has nothing of the launcher's
GENERATIONS = 6     # a launcher from a supervisor from a launcher ...: each brings along what the ones before wrote to their memory
_SURVIVED = (signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE)
_LAST_BREATH = 10.0         # seconds
_PIECE = 1 << 16
_kept: t.List[t.Any] = []


class Pending(t.NamedTuple):
    """A supervisor that has not answered yet: where it reports, and where it hears that this is on record."""

    ticket: orders.Ticket
    heard: int
    acknowledge: int
    pid: int = 0


class Lineage(t.NamedTuple):
    """Which engine and interpreter this is, and how many launchers there were between an exec and this one."""

    key: str
    generation: int = 0

    def published(self) -> str:
        """Under what its supervisors are to be found by whoever wants a launcher; empty for the last ones."""
        return self.key if self.generation < GENERATIONS else ""

    def verbs(self) -> control.Verbs:
        """What its supervisors fork processes for."""
        child = self._replace(generation=self.generation + 1)
        return {
            "launch": control.Verb(lambda _call: main(child), apart=True),
            "exec": control.Verb(lambda _call: enter.main(logs.open_own), apart=True),
            "visit": control.Verb(lambda _call: visit.main(logs.open_own), apart=True),
        }


def main(lineage: Lineage) -> None:
    """What a supervisor forks is as the launcher was that it comes from, but for the streams."""
    if lineage.generation == 0:
        streams.close_all(keep=(0, 1, 2, ANSWERS))
        fds.close_range_cloexec(3)
        process.set_dumpable(dumpable=False)
        _settle()
        _ask_kernel()
        _load_resident()
        command.forget_host()
        gc.collect()
        gc.disable()
        gc.freeze()     # what is here now is shared with every supervisor, and stays untouched
    os.set_inheritable(ANSWERS, False)
    os.dup2(0, REQUESTS, inheritable=False)
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    streams.take((null, null))
    os.close(null)
    rest = b""
    while True:
        piece = os.read(REQUESTS, _PIECE)
        if not piece:
            return
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            _collect(_start_all(line, lineage))
            _bury()


def _bury() -> None:
    """Supervisors of containers that have ended meanwhile; those that outlive us are somebody else's."""
    with tolerate(errno.ECHILD):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _seated(message: bytes, count: int) -> t.List[t.Tuple[int, t.Optional[scope.Anchor]]]:
    """Where systemd runs the host a supervisor is born in the container's scope. Those for which there is none are answered."""
    found: t.List[t.Tuple[int, t.Optional[scope.Anchor]]] = []
    if not scope.is_used(cgroupfs.remembered()):
        return [(number, None) for number in range(count)]      # nothing is read as yet: it would be memory of each supervisor
    for number in range(count):
        ticket = orders.ticket_of((message, number))
        try:
            orders.refuse_running(ticket)
            found.append((number, scope.begin(ticket.name, ticket.layout)))
        except (CockerError, OSError) as error:
            _answer(ticket.name, failure=sync.describe("config", error))
    return found


def _settle() -> None:
    """What a supervisor needs and a fork inherits: no signal of a terminal."""
    os.chdir("/")
    os.umask(0o022)
    for signum in _SURVIVED:
        signal.signal(signum, signal.SIG_IGN)
    for signum in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _noted)


def _ask_kernel() -> None:
    """What this kernel has is remembered, so that it is asked once and not in every child."""
    cgroupfs.remembered()
    mounts.takes_single_layers()
    for name in ("close_range", "mount_setattr", "open_tree", "openat2"):
        libc.is_missing(name)
    seccomp.preload()


def _load_resident() -> None:
    """After all else, and into memory without gaps: so it lies together, and a process that stays copies few pages."""
    gc.collect()
    _kept.extend(heap.close_gaps())
    from ansible_collections.cocker.engine.plugins.module_utils.init import resident

    resident.rehearse()


def _noted(_signum: int, _frame: t.Any) -> None:
    """A supervisor reads the number from its wakeup pipe."""


def _start_all(line: bytes, lineage: Lineage) -> t.List[Pending]:
    """The names come before the message. One fork after the other, with next to nothing before and in between: it would be their memory."""
    *names, message = line.split(b"\0")
    forked: t.List[t.Tuple[int, int, int, int]] = []
    for number, anchor in _seated(message, len(names)):
        heard, report = os.pipe()
        acknowledged, acknowledge = os.pipe()
        streams.set_name(b"cocker:" + names[number])     # that of the supervisor
        pid = _fork_supervisor(anchor)
        if pid == 0:
            beyond = max(report, acknowledge) + 2       # numbers are given out from below, and one may be the scope's
            os.dup2(report, REPORT, inheritable=False)
            os.dup2(acknowledged, ACKNOWLEDGED, inheritable=False)
            os.closerange(ACKNOWLEDGED + 1, beyond)
            _supervise((message, number), lineage)
        os.close(report)
        os.close(acknowledged)
        forked.append((number, heard, acknowledge, pid))
    return [Pending(orders.ticket_of((message, number)), *rest) for number, *rest in forked]


def _fork_supervisor(anchor: t.Optional[scope.Anchor]) -> int:
    """Beside the container in its scope, and so outside of its limits; elsewhere it stays where the task is."""
    from ansible_collections.cocker.engine.plugins.module_utils.init import resident

    if anchor is None:
        return int(resident.fork())
    seat = os.open(anchor.seat, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    pid = cgroupfs.fork_member(seat)
    if pid:
        os.close(seat)
        scope.end(anchor)
    return pid


def _supervise(source: orders.Source, lineage: Lineage) -> t.NoReturn:
    """What fails after the report is in the container's exit record, or nowhere: there is nobody left to tell."""
    from ansible_collections.cocker.engine.plugins.module_utils.init import resident

    try:
        idle = resident.supervise(source, published=lineage.published(), report=REPORT, acknowledged=ACKNOWLEDGED)
        if idle is not None:
            supervisor.go_on(source, idle, lineage.verbs(), lineage.key)
    except BaseException as error:  # a copy of the launcher must not go on as a second one
        with tolerate(errno.EBADF):     # reported long ago
            sync.send(REPORT, sync.describe("start", error), prefix=sync.MESSAGE)
        os._exit(1)
    os._exit(0)


def _collect(pending: t.Sequence[Pending]) -> None:
    """In the order in which they report. One that dies without a word is a failure, too."""
    running = {each.heard: each for each in pending}
    poller = select.poll()
    for fd in running:
        poller.register(fd, select.POLLIN)
    while running:
        for fd, _events in poller.poll():
            found, said = running.pop(fd), os.read(fd, select.PIPE_BUF)
            poller.unregister(fd)
            try:
                _settled(found, said)
            except (CockerError, OSError) as error:
                _failed(found, sync.describe("start", error))
            os.close(fd)
            os.close(found.acknowledge)


def _settled(pending: Pending, said: bytes) -> None:
    """On record first, then acknowledged, then answered."""
    ticket = pending.ticket
    if said[:1] != sync.PID:
        failure = sync.parse(said[1:]) if said else sync.Failure("start", "start %s: the supervisor died" % ticket.name)
        _failed(pending, failure, undo=said[:1] != prepare.REFUSED)
        return
    init = process.Identity(int(said[1:]), run.start_time(int(said[1:])))
    state.remove_exit(ticket.folder)
    state.write(ticket.state_dir, state.State(
        name=ticket.name, init=init, supervisor=process.Identity(pending.pid, run.start_time(pending.pid)), started_at=state.now(),
        bundle=ticket.folder, cgroups=ticket.cgroup().paths(), boot_id=process.boot_id(),
    ))
    os.write(pending.acknowledge, b"1")
    _answer(ticket.name, init=init)


def _failed(pending: Pending, failure: sync.Failure, *, undo: bool = True) -> None:
    """Nothing of the attempt stays; what does, is said."""
    with tolerate(errno.ESRCH):
        os.kill(pending.pid, signal.SIGKILL)        # it has nothing more to do, and our undoing is not to meet its
    os.waitpid(pending.pid, 0)
    try:
        if undo:
            poll.wait_closed(pending.heard, _LAST_BREATH)       # what prepared the run dies with its supervisor
            orders.refuse_running(pending.ticket)
            orders.undo(pending.ticket)
    except CockerError as error:
        failure = failure._replace(reason="%s (and cleaning up: %s)" % (failure.reason, error))
    _answer(pending.ticket.name, failure=failure)


def _answer(name: str, *, init: t.Optional[process.Identity] = None, failure: t.Optional[sync.Failure] = None) -> None:
    answer = {
        "name": name, "pid": init.pid if init else 0, "start_time": init.start_time if init else 0,
        "error": failure.reason if failure else "", "step": failure.step if failure else "",
    }
    try:
        os.write(ANSWERS, json.dumps(answer).encode() + b"\n")
    except BrokenPipeError:         # the module is gone; its next run finds the container as it is
        return
