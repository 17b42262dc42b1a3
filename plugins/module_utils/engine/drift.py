# SPDX-License-Identifier: BSD-2-Clause
"""What somebody changed by hand under a container that runs: a limit of its cgroup, its own lines in its /etc/hosts.

Looking is cheap, for it is done by every task that stops nothing: two small files, and those of the limits that were asked for. What the
kernel makes of a limit is its own business (pages, `max`, lists), so what it said right after the limit was set is kept, and compared.
Not here: putting it right (container_change.py), bridges and rules (repair.py).
"""
from __future__ import annotations

import dataclasses
import errno
import json
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Plan
from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, fs, process, small
from ansible_collections.cocker.engine.plugins.module_utils.model import changes
from ansible_collections.cocker.engine.plugins.module_utils.model.container import CONTAINER, PAUSED, RUNNING, ContainerState, Running
from ansible_collections.cocker.engine.plugins.module_utils.model.container_states import CREATE, REMOVE, START, STOP
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import tolerate

LIMITS, HOSTS = "repair_limits", "repair_hosts"
OWN_HOSTS = "hosts.own"     # what a container's hosts file begins with, whoever its neighbours are
LOCAL_LINES = 5             # of it, which are everybody's, and a container may do without
_NOTES = "limits"
_ANEW = frozenset((CREATE, REMOVE, START, STOP))


class Kept(t.NamedTuple):
    """What the kernel said of a limit in `file` of the controller's directory; `option` is the task's word for it."""

    option: str
    controller: str
    file: str
    text: str


def note(host: Host, name: str, kept: t.Sequence[Kept]) -> None:
    """For whoever has just set the limits. Goes with the run."""
    path = os.path.join(host.layout.container_run(name), _NOTES)
    with tolerate(errno.ENOENT):    # it may have ended already, and nothing is left of its run
        if kept:
            fs.write_atomic(path, json.dumps(kept).encode(), durable=False)
        else:
            os.unlink(path)


def added(host: Host, have: ContainerState, plan: Plan) -> Plan:
    """The plan, and what puts right what was changed by hand, unless the container begins anew by it."""
    running = have.running
    if running is None or have.record is None or have.status not in (RUNNING, PAUSED) or not _ANEW.isdisjoint(a.kind for a in plan.actions):
        return plan
    limits = _limits(host, have.name, running)
    lines = [] if (have.record.spec.network_mode or "").startswith(CONTAINER) else _lines(host, have.name)
    if not limits and not lines:
        return plan
    actions = [Action(LIMITS, have.name, {"options": sorted({kept.option for kept, _now in limits})})] if limits else []
    actions += [Action(HOSTS, have.name, {"missing": lines})] if lines else []
    reasons = ["%s was changed by hand: %s is %s, and was %s" % (kept.option, kept.file, now, kept.text) for kept, now in limits]
    reasons += ["its /etc/hosts was changed by hand: it lacks %s" % line for line in lines]
    before, after = {kept.file: now for kept, now in limits}, {kept.file: kept.text for kept, _now in limits}
    return dataclasses.replace(
        plan, action=plan.action if plan.actions else changes.LIVE, reasons=(*plan.reasons, *reasons), actions=(*actions, *plan.actions),
        before={**plan.before, **before, **({"/etc/hosts": []} if lines else {})},
        after={**plan.after, **after, **({"/etc/hosts": lines} if lines else {})})


def said(file: str, text: str) -> str:
    """Of what is in a control file what was written to it."""
    return text.partition("\n")[0] if file == "memory.oom_control" else text.strip()


def _limits(host: Host, name: str, running: Running) -> t.List[t.Tuple[Kept, str]]:
    """Those that are different now. What is gone is no limit: the run has ended meanwhile."""
    try:
        notes = [Kept(*each) for each in json.loads(small.read(os.path.join(host.layout.container_run(name), _NOTES)))]
    except (OSError, ValueError, TypeError):
        return []
    found = []
    for kept in notes:
        text = cgroupfs.find(running.cgroups.get(kept.controller) or running.cgroups.get("unified", ""), kept.file)
        if text is not None and said(kept.file, text) != kept.text:
            found.append((kept, said(kept.file, text)))
    return found if found and process.Identity(running.pid, running.start_time).alive() else []


def _lines(host: Host, name: str) -> t.List[str]:
    """Its own lines that its hosts file lacks."""
    try:
        own = small.read(os.path.join(host.layout.container(name), OWN_HOSTS)).splitlines()[LOCAL_LINES:]
        there = set(small.read(host.layout.hosts(name)).splitlines())
    except OSError:
        return []
    return [os.fsdecode(line) for line in own if line not in there]
