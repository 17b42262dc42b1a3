# SPDX-License-Identifier: BSD-2-Clause
"""What is there of a container: its record, and whether it runs. Reads a few small files; changes nothing.

Not here: its networks (endpoints.py), and what others see of it (inspect.py).
"""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model.container import (
    CREATED,
    DEAD,
    EXITED,
    LOST_EXIT_CODE,
    RUNNING,
    ContainerState,
    Exit,
    Running,
    record_from_json,
)
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged
from ansible_collections.cocker.engine.plugins.module_utils.runtime import state
from ansible_collections.cocker.engine.plugins.module_utils.storage import records


def container(host: Host, name: str) -> ContainerState:
    """`status` is None where nothing of that name exists. Raises Damaged for a record that cannot be read."""
    record = records.load(host.layout.spec(name), record_from_json)
    if record is None:
        return ContainerState(name, status=DEAD if os.path.isdir(host.layout.container(name)) else None)
    volatile = state.find(host.layout.container_run(name))
    if volatile is not None and volatile.is_running():
        return ContainerState(name, RUNNING, record, running=_running(volatile))
    ended = state.find_exit(host.layout.container(name))
    if ended is not None:
        return ContainerState(name, EXITED, record, exit=_exit(ended))
    if volatile is not None:
        return ContainerState(name, EXITED, record, exit=_lost(volatile))
    return ContainerState(name, CREATED, record)


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
    )


def _exit(ended: state.Ending) -> Exit:
    return Exit(ended.exit_code, ended.oom_killed, ended.started_at, ended.finished_at, ended.error)


def _lost(found: state.State) -> Exit:
    """Killed together with its supervisor, or the host went down: nobody saw the end."""
    return Exit(LOST_EXIT_CODE, oom_killed=False, started_at=found.started_at, finished_at=found.started_at, error="its supervisor died")
