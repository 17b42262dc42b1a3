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

from ansible_collections.cocker.engine.plugins.module_utils.init import control, logs, reaper, run, supervisor
from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, fds, libc, mounts, namespaces, process, seccomp
from ansible_collections.cocker.engine.plugins.module_utils.model import oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Conflict, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime import (
    cgroup_mount,
    child,
    command,
    control as desk,
    credentials,
    enter,
    rootfs,
    state,
    streams,
    sync,
    sysctls,
    visit,
)
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import factory, scope
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups.group import Cgroup

ANSWERS, REQUESTS = 3, 4
GENERATIONS = 6     # a launcher from a supervisor from a launcher ...: each brings along what the ones before wrote to their memory
_SURVIVED = (signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE)
Filters = t.Dict[str, t.Optional[seccomp.Prepared]]


class Pending(t.NamedTuple):
    """A supervisor that has not answered yet."""

    order: run.Order
    pid: int
    acknowledge: int


class Lineage(t.NamedTuple):
    """Which engine and interpreter this is, and how many launchers there were between an exec and this one."""

    key: str
    generation: int = 0

    def verbs(self) -> control.Verbs:
        """What its supervisors fork processes for."""
        child = self._replace(generation=self.generation + 1)
        return {
            "launch": control.Verb(lambda _call: main(child), apart=True),
            "exec": control.Verb(lambda _call: enter.main(logs.open_own), apart=True),
            "visit": control.Verb(lambda _call: visit.main(logs.open_own), apart=True),
        }


def main(lineage: Lineage) -> None:
    streams.close_all(keep=(0, 1, 2, ANSWERS))
    fds.close_range_cloexec(3)
    process.set_dumpable(dumpable=False)
    os.dup2(0, REQUESTS, inheritable=False)
    _settle()
    layout = cgroupfs.layout()
    filters: Filters = {}
    _ask_kernel()
    with open(REQUESTS, "rb", closefd=False) as lines:
        for line in lines:
            orders = _orders(json.loads(line), layout, filters)
            command.forget_host()
            gc.collect()
            gc.disable()
            gc.freeze()     # what is here now is shared with every supervisor, and stays untouched
            _collect(_start_all(orders, lineage))
            _bury()


def _orders(message: t.Mapping[str, t.Any], layout: cgroupfs.Layout, filters: Filters) -> t.List[run.Order]:
    orders: t.List[run.Order] = []
    for request in message["containers"]:
        try:
            orders.append(_order(request, layout, cache=message["seccomp_cache"], filters=filters))
        except (CockerError, OSError, ValueError) as error:
            _answer(request["name"], failure=sync.describe("config", error))
    return orders


def _bury() -> None:
    """Supervisors of containers that have ended meanwhile; those that outlive us are somebody else's."""
    with tolerate(errno.ECHILD):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _settle() -> None:
    """What a supervisor needs and a fork inherits: no stream of the task's but the one that tells of a crash, no signal of a terminal."""
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    streams.take((null, null))
    os.close(null)
    os.chdir("/")
    os.umask(0o022)
    for signum in _SURVIVED:
        signal.signal(signum, signal.SIG_IGN)
    for signum in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _noted)


def _ask_kernel() -> None:
    """What this kernel has is remembered, so that it is asked once and not in every child."""
    mounts.takes_single_layers()
    for name in ("close_range", "mount_setattr", "open_tree", "openat2"):
        libc.is_missing(name)
    seccomp.preload()


def _noted(_signum: int, _frame: t.Any) -> None:
    """A supervisor reads the number from its wakeup pipe."""


def _order(request: t.Mapping[str, t.Any], layout: cgroupfs.Layout, *, cache: str, filters: Filters) -> run.Order:
    """Everything that can be wrong without a process is found here. The cgroup comes last."""
    name, folder, state_dir = request["name"], request["bundle"], request["state_dir"]
    with open(os.path.join(folder, "config.json"), "rb") as stream:
        bundle = oci.parse(json.load(stream))
    private = {namespace.kind for namespace in bundle.namespaces}
    sysctls.check(bundle.sysctl, private=private)
    process.signal_number(bundle.settings.stop_signal)
    found = state.find(state_dir)
    if found is not None and found.is_running():
        raise Conflict("start", name, "it runs already")
    mounts, syscalls = rootfs.prepare(bundle), _filter(bundle.seccomp, cache, filters)
    os.makedirs(state_dir, mode=0o700, exist_ok=True)
    cgroup, anchor = _make_cgroup(name, bundle, layout)
    plan = child.Plan(
        bundle=bundle, folder=folder, mounts=mounts, view=cgroup_mount.View(layout, cgroup.paths(), "cgroup" in private),
        new_spaces=child.new_spaces(bundle), syscalls=syscalls,
    )
    return run.Order(
        name=name, folder=folder, state_dir=state_dir, reap=request["reap"], bundle=bundle, cgroup=cgroup, plan=plan,
        init=reaper.confinement(bundle, syscalls) if bundle.settings.init else None, anchor=anchor,
    )


def _filter(profile: t.Optional[oci.Object], cache: str, filters: Filters) -> t.Optional[seccomp.Prepared]:
    """Containers of one batch mostly share a profile."""
    if profile is None:
        return None
    credentials.check_filter(profile)
    key = json.dumps(profile, sort_keys=True)
    if key not in filters:
        os.makedirs(cache, mode=0o700, exist_ok=True)
        filters[key] = seccomp.prepare(seccomp.cached(profile, cache), flags=seccomp.flags(profile))
    return filters[key]


def _make_cgroup(name: str, bundle: oci.Bundle, layout: cgroupfs.Layout) -> t.Tuple[Cgroup, t.Optional[scope.Anchor]]:
    anchor = scope.begin(name, layout) if scope.is_used(layout) else None
    cgroup = factory.open_cgroup(name, layout=layout)
    try:
        cgroup.create()
        if bundle.resources:
            cgroup.apply(bundle.resources)
    except BaseException:
        cgroup.remove()
        if anchor is not None:
            scope.end(anchor)
        raise
    return cgroup, anchor


def _open_desk(order: run.Order, lineage: Lineage) -> control.Desk:
    found = control.Desk(desk.listen(order.state_dir), lineage.key, lineage.verbs())
    if lineage.key and lineage.generation < GENERATIONS:
        desk.publish(order.state_dir, lineage.key)
    return found


def _start_all(orders: t.Sequence[run.Order], lineage: Lineage) -> t.Dict[int, Pending]:
    """By the descriptor on which the supervisor reports."""
    running: t.Dict[int, Pending] = {}
    home = namespaces.open_of("self", "pid")
    for order in orders:
        try:
            links = run.open_links(order)
            asked = _open_desk(order, lineage)
        except (CockerError, OSError) as error:
            supervisor.undo(order)
            _answer(order.name, failure=sync.describe("config", error))
            continue
        heard, report = os.pipe()
        acknowledged, acknowledge = os.pipe()
        foreign = [heard, acknowledge, ANSWERS, REQUESTS] + [fd for other in running for fd in (other, running[other].acknowledge)]
        pid = _fork_supervisor(order)
        order = order._replace(anchor=None)     # it has done its part, and its number may soon be another's
        if pid == 0:
            for fd in foreign:
                os.close(fd)
            _supervise(order, links, asked, home=home, report=report, acknowledged=acknowledged)
        for fd in (report, acknowledged, *links.held()):
            os.close(fd)
        asked.listener.close()
        running[heard] = Pending(order, pid, acknowledge)
    return running


def _fork_supervisor(order: run.Order) -> int:
    """Beside the container in its scope, and so outside of its limits; elsewhere it stays where the task is."""
    if order.anchor is None:
        return os.fork()
    seat = os.open(order.anchor.seat, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    pid = run.fork_member(seat)
    os.close(seat)
    if pid:
        scope.end(order.anchor)
    return pid


def _supervise(
    order: run.Order, links: child.Links, asked: control.Desk, *, home: int, report: int, acknowledged: int
) -> t.NoReturn:
    """What fails after the report is in the container's exit record, or nowhere: there is nobody left to tell."""
    try:
        supervisor.supervise(order, links, asked, home=home, report=report, acknowledged=acknowledged)
    except BaseException as error:  # a copy of the launcher must not go on as a second one
        with tolerate(errno.EBADF):     # reported long ago
            sync.send(report, sync.describe("start", error), prefix=sync.MESSAGE)
        os._exit(1)
    os._exit(0)


def _collect(running: t.Dict[int, Pending]) -> None:
    """In the order in which they report. One that dies without a word is a failure, too."""
    poller = select.poll()
    for fd in running:
        poller.register(fd, select.POLLIN)
    while running:
        for fd, _events in poller.poll():
            pending, said = running.pop(fd), os.read(fd, select.PIPE_BUF)
            poller.unregister(fd)
            os.close(fd)
            try:
                _settled(pending, said)
            except (CockerError, OSError) as error:
                _failed(pending, sync.describe("start", error))
            os.close(pending.acknowledge)


def _settled(pending: Pending, said: bytes) -> None:
    """On record first, then acknowledged, then answered."""
    order = pending.order
    if said[:1] != sync.PID:
        message = said[1:] if said[:1] == sync.MESSAGE else b""
        _failed(pending, sync.parse(message) if message else sync.Failure("start", "start %s: the supervisor died" % order.name))
        return
    init = process.Identity(int(said[1:]), run.start_time(int(said[1:])))
    state.remove_exit(order.folder)
    state.write(order.state_dir, state.State(
        name=order.name, init=init, supervisor=process.Identity(pending.pid, run.start_time(pending.pid)), started_at=state.now(),
        bundle=order.folder, cgroups=order.cgroup.paths(), boot_id=process.boot_id(),
    ))
    os.write(pending.acknowledge, b"1")
    _answer(order.name, init=init)


def _failed(pending: Pending, failure: sync.Failure) -> None:
    """Nothing of the attempt stays; what does, is said."""
    with tolerate(errno.ESRCH):
        os.kill(pending.pid, signal.SIGKILL)        # it has nothing more to do, and our undoing is not to meet its
    os.waitpid(pending.pid, 0)
    try:
        supervisor.undo(pending.order)
    except CockerError as error:
        failure = failure._replace(reason="%s (and cleaning up: %s)" % (failure.reason, error))
    _answer(pending.order.name, failure=failure)


def _answer(name: str, *, init: t.Optional[process.Identity] = None, failure: t.Optional[sync.Failure] = None) -> None:
    answer = {
        "name": name, "pid": init.pid if init else 0, "start_time": init.start_time if init else 0,
        "error": failure.reason if failure else "", "step": failure.step if failure else "",
    }
    try:
        os.write(ANSWERS, json.dumps(answer).encode() + b"\n")
    except BrokenPipeError:         # the module is gone; its next run finds the container as it is
        return
