# SPDX-License-Identifier: BSD-2-Clause
"""What a host does with its containers as it comes up and goes down: restart policies across a reboot.

Not here: restarts while the host runs (init/restart.py).
"""
from __future__ import annotations

import os
import signal
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import observe, teardown
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import process
from ansible_collections.cocker.engine.plugins.module_utils.model import restarts
from ansible_collections.cocker.engine.plugins.module_utils.model.container import (
    CREATED,
    EXITED,
    STOP_TIMEOUT,
    ContainerRecord,
    ContainerSpec,
)
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT, STARTED, ContainerWish
from ansible_collections.cocker.engine.plugins.module_utils.runtime import state

Failures = t.Dict[str, Exception]
_GRACE = 10  # seconds beyond the stop timeout, for the supervisor's own work


def is_wanted(policy: str, ending: t.Optional[state.Ending]) -> bool:
    """PURE: whether a container that ran before the host went down is to run again. `ending` is None where nobody saw its end.

    What somebody stopped stays stopped, but for `always`; what ended by itself and well stays ended under `on-failure`.
    """
    if policy in (restarts.NO, ""):
        return False
    if policy == restarts.ALWAYS or ending is None:
        return True
    if ending.stopped:
        return False
    return policy == restarts.UNLESS_STOPPED or ending.with_host or ending.exit_code != 0


def start(host: Host, told: t.Callable[[str], None]) -> Failures:
    """Every container that is wanted, each with its networks, addresses and ports; one failure stops no other.

    As many side by side as there are CPUs; those that use the network, the shared memory or the processes of others come after these.

    Those that were to go when they end, and did not because the host ended with them or a task was killed, go.
    """
    from ansible_collections.cocker.engine.plugins.module_utils.engine import containers, workers

    failures: Failures = {}
    for name in _left(host):
        try:
            containers.ensure(host, ContainerWish(ContainerSpec(name), ABSENT, keep_volumes=False))
        except CockerError as error:
            failures[name] = error

    def started(name: str) -> bool:
        return containers.ensure(host, ContainerWish(ContainerSpec(name), STARTED)).changed

    for wanted in _wanted(host):
        for name, answer in workers.each(started, wanted, most=len(os.sched_getaffinity(0))):
            if isinstance(answer, Exception):
                failures[name] = answer
            elif answer:
                told(name)
    return failures


def _left(host: Host) -> t.List[str]:
    ended = [each for each in observe.containers(host) if each.status == EXITED and not each.remains]
    return [each.name for each in ended if each.record is not None and each.record.spec.auto_remove]


def _wanted(host: Host) -> t.Iterator[t.List[str]]:
    """In turns: who uses what is another one's comes after it."""
    found: t.Dict[str, ContainerRecord] = {}
    for each in observe.containers(host):
        if each.record is None or each.is_running or each.status == CREATED:
            continue
        policy = each.record.spec.restart_policy or restarts.NO
        if is_wanted(policy, state.find_exit(host.layout.container(each.name))):
            found[each.name] = each.record
    while found:
        names = sorted(name for name, record in found.items() if found.keys().isdisjoint(record.spec.shares().values()))
        yield names or sorted(found)
        for name in names or list(found):
            del found[name]


def stop(host: Host, told: t.Callable[[str], None]) -> Failures:
    """All that run, at the same time, by their supervisors: the stop signal, the stop timeout, SIGKILL. They come back with the host."""
    asked: t.List[t.Tuple[str, process.Identity, float]] = []
    for each in observe.containers(host):
        found = teardown.running(host, each.name)
        if each.record is not None and found is not None and found.lives():
            process.signal(found.supervisor, signal.SIGTERM)
            patience = each.record.spec.stop_timeout if each.record.spec.stop_timeout is not None else STOP_TIMEOUT
            asked.append((each.name, found.supervisor, float(patience + _GRACE)))
    failures: Failures = {}
    for name, supervisor, within in asked:
        if process.wait_gone(supervisor, within):
            told(name)
        else:
            failures[name] = CockerError("stop container", name, "its supervisor does not end")
    return failures
