# SPDX-License-Identifier: BSD-2-Clause
"""Starting and stopping one container. The caller holds its lock.

Not here: whether it is to be started (container_plan.py) and what is left of it afterwards (teardown.py).
"""
from __future__ import annotations

import errno
import json
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import (
    bundle,
    compile,
    contents,
    drift,
    endpoints,
    hostnames,
    leased,
    limits,
    logs,
    observe,
    owning,
    supervision,
    teardown,
    usermaps,
)
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import also, finish
from ansible_collections.cocker.engine.plugins.module_utils.init import logs as logfiles
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, process
from ansible_collections.cocker.engine.plugins.module_utils.model import mounts
from ansible_collections.cocker.engine.plugins.module_utils.model.container import (
    BRIDGE,
    CUSTOM,
    PAUSED,
    RESTARTING,
    STOP_TIMEOUT,
    ContainerRecord,
    ContainerSpec,
    ContainerState,
    Running,
    stop_signal,
)
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Conflict, NotFound, StartFailed, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime import launcher, spec, state
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import factory
from ansible_collections.cocker.engine.plugins.module_utils.storage import owners, snapshots

_KILL_TIMEOUT = 10.0  # seconds that the kernel may take to end what was killed


def start(host: Host, record: ContainerRecord) -> None:
    """Returns when the container's process has been exec'd. After a failure nothing of the attempt is left. Raises StartFailed."""
    name = record.spec.name
    _prepare(host, name)
    snapshots.ensure_work(host.layout.container(name))
    get_ready(host)
    try:
        _own(host, record)
        _fill_volumes(host, record)
        _connect(host, record)
        hosts = _write_bundle(host, record)
        _launch(host, record, hosts)
        _note_limits(host, record)
    except BaseException as first:
        also(first, _undo(host, name))
        raise


def _own(host: Host, record: ContainerRecord) -> None:
    usermaps.take(host, record.spec)
    owning.prepare(host, record)


def _fill_volumes(host: Host, record: ContainerRecord) -> None:
    if any(mount.kind == mounts.VOLUME for mount in record.spec.mounts or ()):
        from ansible_collections.cocker.engine.plugins.module_utils.engine import firstuse  # most containers have none

        firstuse.fill(host, record)
        owning.prepare_volumes(host, record.spec)


def _prepare(host: Host, name: str) -> None:
    _refuse_running(host, name)
    if os.path.isdir(host.layout.container_run(name)):
        teardown.clear(host, name)  # the run before ended without anybody to clean up


def _undo(host: Host, name: str) -> t.List[BaseException]:
    return finish([lambda: teardown.clear(host, name), lambda: _forget_config(host, name)])


def get_ready(host: Host) -> launcher.Launcher:
    """The task's launcher. It takes longer to load than all the rest, so it is asked for as soon as something is to be started."""
    found = host.kept.launcher
    if found is None or found.ended:
        found = launcher.Launcher(engine=bundle.install(host.layout.engine), python=bundle.python(), beside=host.layout.containers_run)
        host.kept.launcher = found
    return found


def _refuse_running(host: Host, name: str) -> None:
    found = state.find(host.layout.container_run(name))
    if found is not None and found.lives():
        raise Conflict("start container", name, "it runs already")


def _forget_config(host: Host, name: str) -> None:
    """Of a container that never ran: a config.json without an exit record tells of a run whose end nobody saw."""
    folder = host.layout.container(name)
    if state.find_exit(folder) is None:
        with tolerate(errno.ENOENT):
            os.unlink(os.path.join(folder, observe.CONFIG))


def _connect(host: Host, record: ContainerRecord) -> None:
    mode = record.spec.network_mode or BRIDGE
    if mode == CUSTOM:
        endpoints.prepare(host, record.spec)
    if mode == BRIDGE:
        endpoints.attach(host, record)


def _write_bundle(host: Host, record: ContainerRecord) -> bytes:
    """Its /etc/hosts. config.json follows from the record: it is made anew at each start and need not survive a power cut."""
    hostnames.write(host, record.spec)
    contents.write(host.layout, record.spec, usermaps.on_disk(host, record.spec))
    hosts = hostnames.introduce(host, record.spec.name, _networks(record))
    owning.give_files(host, record.spec)
    _write_config(host, record)
    return hosts


def _networks(record: ContainerRecord) -> t.List[str]:
    return [attachment.name for attachment in record.spec.attachments()]


def _write_config(host: Host, record: ContainerRecord) -> None:
    text = json.dumps(compile.config(host, record), sort_keys=True) + "\n"  # to indent takes Python's slow way
    path = os.path.join(host.layout.container(record.spec.name), observe.CONFIG)
    fs.write_atomic(path, text.encode("utf-8", "surrogateescape"), durable=False)


def _launch(host: Host, record: ContainerRecord, hosts: bytes) -> None:
    """While it is made, the others on its networks hear of it, and what a power cut must not take goes to the disk."""
    ready, name = get_ready(host), record.spec.name
    request = launcher.StartRequest(
        name=host.kernel_name(name),
        bundle=host.layout.container(name),
        state_dir=host.layout.container_run(name),
        reap=bundle.command(ready.engine, bundle.REAP, host.layout.home, name),
    )

    def settle() -> None:
        hostnames.follow(host, _networks(record), anew={name: hosts})
        while host.kept.unsynced:
            with tolerate(errno.ENOENT):        # of a start before that failed
                fs.fsync_dir(host.kept.unsynced.pop())

    error = ready.start([request], timeout=launcher.START_TIMEOUT, meanwhile=settle)[0].error
    if error:
        raise StartFailed("start container", name, error)


def stop(
    host: Host, found: ContainerState, wanted: t.Optional[ContainerRecord] = None,
    *, kill_signal: t.Optional[int] = None, within: t.Optional[int] = None,
) -> None:
    """The stop signal, the stop timeout, SIGKILL, as `wanted` has them; then nothing of the run is left but its record.

    `kill_signal` and `within` (seconds) take their places.
    """
    running, record = found.running, wanted or found.record
    if found.remains:
        teardown.clear(host, found.name)
    if running is None or record is None:
        return
    teardown.announce(host, found.name)
    identity = process.Identity(running.pid, running.start_time)
    timeout = next(each for each in (within, record.spec.stop_timeout, STOP_TIMEOUT) if each is not None)
    process.signal(identity, kill_signal or stop_signal(record.spec, record.config.stop_signal or None))
    if found.status == PAUSED:
        factory.from_paths(running.cgroups).thaw()  # with the signal waiting for it
    if not process.wait_gone(identity, timeout):
        factory.from_paths(running.cgroups).kill()
        if not process.wait_gone(identity, _KILL_TIMEOUT):
            raise CockerError("stop container", found.name, "its first process does not end, not even by SIGKILL")
    teardown.clear(host, found.name)


def pause(host: Host, name: str) -> None:
    """Idempotent. Raises CockerError when the processes do not come to a standstill, and leaves them running."""
    running = observe.container(host, name).running
    if running is None:
        raise Conflict("pause container", name, "it does not run")
    factory.from_paths(running.cgroups).freeze()


def unpause(host: Host, name: str) -> None:
    """Idempotent."""
    running = observe.container(host, name).running
    if running is not None:
        factory.from_paths(running.cgroups).thaw()


def update(
    host: Host, found: ContainerState, record: ContainerRecord, options: t.Collection[str], former: leased.Pairs = (),
    *, specs: t.Sequence[ContainerSpec] = (),
) -> None:
    """What a running container takes while it runs: limits, networks, ports, what its supervisor does. `record` is the new one.

    `former` are the leases that come back where a change is undone; `specs` say which limits may be in force.
    """
    if (record.spec.network_mode or BRIDGE) == BRIDGE:
        if {"networks", "links"} & set(options) and found.running is not None:
            endpoints.rewire(host, record, former)
        elif endpoints.PORTS & set(options):
            endpoints.republish(host, record)
    if found.running is None:
        return
    if hostnames.OPTIONS & set(options):
        repair_hosts(host, record)
    if "mounts" in options:
        _rewrite_files(host, found, found.running, record, specs)
    changed = dict(limits.changed(record.spec, options, specs))
    if "device_cgroup_rules" in options:
        changed["devices"] = spec.device_rules(compile.runtime_wish(host, record))
    if changed or (supervision.OPTIONS | {limits.OOM_SCORE}).intersection(options):
        _write_config(host, record)     # first: a run that begins right now takes its limits from there
        process.signal(process.Identity(found.running.supervisor_pid, found.running.supervisor_start_time), process.SIGNALS["HUP"])
    if found.status != RESTARTING:
        _limit(host, found, found.running, changed, record.spec.oom_score_adj or 0 if limits.OOM_SCORE in options else None)
    _note_limits(host, record)


def _note_limits(host: Host, record: ContainerRecord) -> None:
    """For who looks later whether somebody has changed them."""
    drift.note(host, record.spec.name, limits.in_force(host.kernel_name(record.spec.name), record.spec))


def repair_limits(host: Host, found: ContainerState, record: ContainerRecord, options: t.Collection[str]) -> None:
    """Sets these as they are wanted, whatever somebody has made of them."""
    if found.running is not None:
        _limit(host, found, found.running, limits.changed(record.spec, options, [record.spec]), None)
        _note_limits(host, record)


def repair_hosts(host: Host, record: ContainerRecord) -> None:
    """Writes it anew, with its neighbours."""
    hostnames.write(host, record.spec)
    hostnames.follow(host, endpoints.names(host, record.spec.name), anew={record.spec.name: b""})


def forget_logs(host: Host, record: ContainerRecord) -> None:
    """Older files than the log may have now. Of a container that runs, its supervisor does the same when it has heard of the change."""
    files = logs.kept_files(record)
    if files is not None:
        logfiles.drop_beyond(logs.folder(host, record.spec.name), files)


def _rewrite_files(
    host: Host, found: ContainerState, running: Running, record: ContainerRecord, specs: t.Sequence[ContainerSpec]
) -> None:
    """Of two specifications `record` has one: the other one is what the container has read. A run that has just ended needs no signal."""
    contents.write(host.layout, record.spec, owners.find(owning.upper(host, found.name)))
    former = next((spec for spec in specs if spec != record.spec), record.spec)
    for signal in mounts.signals(former.mounts or (), record.spec.mounts or ()) if found.status != RESTARTING else ():
        process.signal(process.Identity(running.pid, running.start_time), signal)


def _limit(
    host: Host, found: ContainerState, running: Running, changed: t.Mapping[str, t.Any], oom_score: t.Optional[int]
) -> None:
    """A container that has just ended and is started again has no cgroup for a moment, and then a new one."""
    group = factory.from_paths(running.cgroups)
    try:
        if changed:
            group.apply(changed)
    except NotFound:
        now = observe.container(host, found.name)
        if now.running is None or (now.status != RESTARTING and now.running.pid == running.pid):
            raise
    if oom_score is not None:
        for pid in group.procs():
            process.set_oom_score(oom_score, pid)
