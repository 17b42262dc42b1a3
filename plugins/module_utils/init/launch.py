# SPDX-License-Identifier: BSD-2-Clause
"""The launcher: for each line of requests forks a supervisor a container, records what they say. Ends with its task.

Single-threaded, and done with the heavy work before the forks, so that the supervisors share its memory; what one writes to between its own
fork and theirs, each of them would have, so that part is in resident.py. Not here: what a supervisor does (supervisor.py).
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

_SURVIVED = (signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE)
_LAST_BREATH = 10.0         # seconds
_kept: t.List[t.Any] = []


class Pending(t.NamedTuple):
    """A supervisor that has not answered yet: where it reports, and where it hears that this is on record."""

    ticket: orders.Ticket
    heard: int
    acknowledge: int
    pid: int = 0


def main(key: str) -> None:
    """As it is exec'd. `key` says which engine and interpreter this is."""
    streams.close_all(keep=(0, 1, 2, orders.ANSWERS))
    fds.close_range_cloexec(3)
    process.set_dumpable(dumpable=False)
    _settle()
    _ask_kernel()
    gc.collect()
    _kept.extend(heap.close_gaps())
    from ansible_collections.cocker.engine.plugins.module_utils.init import resident  # after all else, into memory without gaps

    resident.rehearse(resident.Awake(seated, fork_seated, collect, supervisor.go_on, enter_container))
    command.forget_host()
    gc.collect()
    gc.disable()
    gc.freeze()     # what is here now is shared with every supervisor, and stays untouched
    resident.launch(key, 0)


def enter_container(verb: bytes) -> None:
    """What else than a launcher a supervisor forks a process for."""
    if verb == control.EXEC:
        enter.main(logs.open_own)
    elif verb == control.VISIT:
        visit.main(logs.open_own)


def collect(forked: t.Sequence[t.Tuple[int, int, int, int]], message: bytes) -> None:
    """Of one message, as resident.py has forked them; until all have reported."""
    _collect([Pending(orders.ticket_of((message, number)), *rest) for number, *rest in forked])
    _bury()


def _bury() -> None:
    """Supervisors of containers that have ended meanwhile; those that outlive us are somebody else's."""
    with tolerate(errno.ECHILD):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def seated(message: bytes, count: int) -> t.List[t.Tuple[int, scope.Anchor]]:
    """Where systemd runs the host a supervisor is born in the container's scope. Those for which there is none are answered."""
    found: t.List[t.Tuple[int, scope.Anchor]] = []
    for number in range(count):
        ticket = orders.ticket_of((message, number))
        try:
            orders.refuse_running(ticket)
            found.append((number, scope.begin(ticket.name, ticket.layout)))
        except (CockerError, OSError) as error:
            _answer(ticket.name, failure=sync.describe("config", error))
    return found


def fork_seated(anchor: scope.Anchor) -> int:
    """Beside the container in its scope, and so outside of its limits."""
    seat = os.open(anchor.seat, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    pid = cgroupfs.fork_member(seat)
    os.close(seat)
    if pid:
        scope.end(anchor)
    return pid


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


def _noted(_signum: int, _frame: t.Any) -> None:
    """A supervisor reads the number from its wakeup pipe."""


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
        os.write(orders.ANSWERS, json.dumps(answer).encode() + b"\n")
    except BrokenPipeError:         # the module is gone; its next run finds the container as it is
        return
