# SPDX-License-Identifier: BSD-2-Clause
"""What is there of a container: its record, and whether it runs. Reads a few small files; changes nothing.

Not here: its networks (endpoints.py), and what others see of it (inspect.py).
"""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, poll, process
from ansible_collections.cocker.engine.plugins.module_utils.model import healthcheck
from ansible_collections.cocker.engine.plugins.module_utils.model.container import (
    CREATED,
    DEAD,
    EXITED,
    LOST_EXIT_CODE,
    PAUSED,
    RESTARTING,
    RUNNING,
    ContainerRecord,
    ContainerState,
    Exit,
    Health,
    Probe,
    Running,
    health_check,
)
from ansible_collections.cocker.engine.plugins.module_utils.model.container_fields import record_from_json
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged
from ansible_collections.cocker.engine.plugins.module_utils.runtime import state
from ansible_collections.cocker.engine.plugins.module_utils.storage import records

CONFIG = "config.json"  # in the container's directory, from its first start on
_ENDING = 5.0  # seconds that a supervisor may take from the end of PID 1 to its exit record


def container(host: Host, name: str) -> ContainerState:
    """`status` is None where nothing of that name exists. Raises Damaged for a record that cannot be read."""
    record = records.load(host.layout.spec(name), record_from_json)
    if record is None:
        return ContainerState(name, status=DEAD if os.path.isdir(host.layout.container(name)) else None)
    volatile = state.find(host.layout.container_run(name))
    if volatile is not None and volatile.is_running():
        status = PAUSED if cgroupfs.is_frozen(volatile.cgroups) else RUNNING
        return ContainerState(name, status, record, running=_running(volatile), health=health(host, record))
    if volatile is not None and volatile.boot_id == process.boot_id():
        volatile = _settled(host, name, volatile)
        if volatile is not None and volatile.lives():
            status = RUNNING if volatile.is_running() else RESTARTING
            return ContainerState(name, status, record, running=_running(volatile), health=health(host, record))
    return _ended(host, name, record, volatile.started_at if volatile else "")


def health(host: Host, record: ContainerRecord) -> t.Optional[Health]:
    """Of a container that runs. Results of another check than the one that is wanted now are none."""
    check = health_check(record)
    if check is None:
        return None
    found = state.find_health(host.layout.container_run(record.spec.name))
    if found is None or found.check != healthcheck.to_json(check):
        return Health(healthcheck.STARTING)
    return Health(found.status, found.streak, tuple(Probe(*probe) for probe in found.log))


def is_healthy(found: ContainerState) -> bool:
    """By its last check; one that nobody checks is not known to be."""
    return found.is_running and found.health is not None and found.health.status == healthcheck.HEALTHY


def _settled(host: Host, name: str, first: state.State) -> t.Optional[state.State]:
    """PID 1 has ended: its supervisor writes down how, and is quick at it; or it waits for the next run, or has begun that."""
    found: t.Optional[state.State] = first

    def is_settled() -> bool:
        nonlocal found
        if process.wait_gone(first.supervisor, 0.02):
            return True
        found = state.find(host.layout.container_run(name)) or found
        return found is not None and found.lives()

    poll.until(is_settled, timeout=_ENDING, interval=0)
    return found


def _ended(host: Host, name: str, record: ContainerRecord, started_at: str) -> ContainerState:
    """Without an exit record it never ran, or nobody saw the end: its supervisor was killed, or the host went down."""
    folder = host.layout.container(name)
    ended = state.find_exit(folder)
    if ended is not None:
        return ContainerState(name, EXITED, record, exit=_exit(ended))
    if started_at or os.path.exists(os.path.join(folder, CONFIG)):
        remains = not started_at and _remains(host, name)
        error = "its record below /run is gone, and it has processes" if remains else "nobody saw its end"
        lost = Exit(LOST_EXIT_CODE, oom_killed=False, started_at=started_at, finished_at=started_at, error=error)
        return ContainerState(name, EXITED, record, exit=lost, remains=remains)
    return ContainerState(name, CREATED, record)


def _remains(host: Host, name: str) -> bool:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import remains  # hardly ever

    return remains.are_there(host, name)


def containers(host: Host) -> t.Iterator[ContainerState]:
    """All of them; one whose record is damaged is `dead` and hides no other."""
    for name in host.layout.container_names():
        try:
            found = container(host, name)
        except Damaged:
            found = ContainerState(name, DEAD)
        if found.status is not None:
            yield found


def _running(found: state.State) -> Running:
    return Running(
        pid=found.init.pid,
        start_time=found.init.start_time,
        supervisor_pid=found.supervisor.pid,
        supervisor_start_time=found.supervisor.start_time,
        started_at=found.started_at,
        cgroups=found.cgroups,
        restart_count=found.restart_count,
        last=_exit(found.last) if found.last is not None else None,
    )


def _exit(ended: state.Ending) -> Exit:
    return Exit(ended.exit_code, ended.oom_killed, ended.started_at, ended.finished_at, ended.error, ended.restart_count)
