# SPDX-License-Identifier: GPL-3.0-or-later
"""Create and start, stop, remove, exec: the engine in one process, the peers by their commands."""
from __future__ import annotations

import functools
import os
import typing as t

from benchmark import measure, stage as stages
from benchmark.measure import MILLISECONDS, Row
from benchmark.peers import Peer
from benchmark.stage import Stage

from ansible_collections.cocker.engine.plugins.module_utils.engine import (
    bundle,
    checks,
    compile,
    containers_together,
    endpoints,
    exec,
    hostnames,
    info,
    networks,
    observe,
)
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import (
    ABSENT,
    STARTED,
    STOPPED,
    ContainersWish,
    ContainerWish,
    ExecWish,
    Member,
)
from ansible_collections.cocker.engine.plugins.module_utils.network import endpoint, firewall
from ansible_collections.cocker.engine.plugins.module_utils.runtime import launcher, spec
from ansible_collections.cocker.engine.plugins.module_utils.storage import intents, records
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

# Function -> phase. What a function spends in another one of the table counts there.
PHASES: t.Tuple[t.Tuple[t.Any, str, str], ...] = (
    (observe, "container", "observe"),
    (checks, "container", "check"),
    (Layout, "ensure", "store's directories"),
    (intents, "declare", "records"),
    (intents, "settle", "records"),
    (records, "write", "records"),
    (os, "fsync", "fsync"),
    (networks, "ensure_up", "bridge"),
    (endpoints, "attach", "lease"),
    (endpoint, "prepare", "netns"),
    (endpoint, "attach", "veth"),
    (firewall, "apply", "firewall"),
    (hostnames, "write", "names"),
    (hostnames, "follow", "names"),
    (compile, "runtime_wish", "config"),
    (spec, "compile_config", "config"),
    (bundle, "install", "engine copy"),
    (launcher.Launcher, "__init__", "launcher"),        # it loads while config, lease, veth and firewall are made
    (launcher.Launcher, "start", "launcher"),
    (info, "container", "result"),
)
FURTHER = "started, another one of the same task"
OURS = "cocker"
BATCH = 50
_WARM_UP = 2
_PREFIX = "bench"

Samples = t.Dict[str, t.List[float]]


def run_all(home: str, count: int) -> t.Tuple[Samples, t.List[t.Dict[str, float]]]:
    """In the lab, in a process of its own. The first ones import and install, and are not counted."""
    phases = measure.Phases()
    for owner, name, phase in PHASES:
        phases.watch(owner, name, phase)
    found: Samples = {FURTHER: [], STARTED: [], STOPPED: [], ABSENT: []}
    shares = []
    task = open_host(home, dry_run=False)
    for number in range(2 * (count + _WARM_UP)):
        state, host = (STARTED, None) if number % 2 else (FURTHER, task)
        wish = stages.server("%s%d" % (_PREFIX, number), stages.FIRST_PORT + number)
        found[state].append(measure.timed(functools.partial(stages.ensure, home, wish, state=STARTED, host=host)))
        share = phases.take(found[state][-1])
        if host is None:
            shares.append(share)
    for state in (STOPPED, ABSENT):
        for number in range(2 * (count + _WARM_UP)):
            wish = ContainerSpec("%s%d" % (_PREFIX, number))
            found[state].append(measure.timed(functools.partial(stages.ensure, home, wish, state=state)))
    return {state: times[_WARM_UP:] for state, times in found.items()}, shares[_WARM_UP:]


def run_batch(home: str, count: int) -> float:
    """Milliseconds for each: one task of cocker_containers, without Ansible. In the lab, in a process of its own."""
    specs = [stages.server("batch%d" % number, stages.FIRST_PORT + number) for number in range(count)]
    wish = ContainersWish(tuple(Member(ContainerWish(spec)) for spec in specs), tuple(spec.name for spec in specs))

    def batch() -> None:
        for _name, answer in containers_together.ensure(open_host(home, dry_run=False), wish):
            if isinstance(answer, Exception):
                raise answer

    try:
        return measure.timed(batch) / count
    finally:
        for spec in specs:
            stages.ensure(home, ContainerSpec(spec.name), state=ABSENT)


def peer_commands(peer: Peer, number: int) -> t.Dict[str, t.List[str]]:
    name = "bench%d" % number
    return {STARTED: peer.run(name, port=stages.FIRST_PORT + number), STOPPED: peer.stop(name), ABSENT: peer.remove(name)}


def rows(stage: Stage, peers: t.Sequence[Peer]) -> t.List[Row]:
    ours, shares = stage.lab.run(run_all, stage.home, stage.repeat, timeout=120)
    batch = stage.lab.run(run_batch, stage.home, BATCH, timeout=240)
    theirs = {peer.name: stage.lab.run(_run_peer, peer, stage.repeat, timeout=120) for peer in peers}

    def row(what: str, state: str, target: t.Optional[float] = None, notes: t.Tuple[str, ...] = ()) -> Row:
        medians = {name: measure.median(found[state]) for name, found in theirs.items()}
        return Row(what, MILLISECONDS, measure.median(ours[state]), target, medians, notes)

    split = ", ".join("%s %.1f" % item for item in measure.medians(shares).items() if item[1] >= 0.05)
    quickest = {who: min(found[STARTED]) for who, found in {OURS: ours, **theirs}.items()}
    fastest = "create + start, fastest, ms: " + ", ".join("%s %.0f" % item for item in quickest.items())
    for times in theirs.values():
        times[FURTHER] = times[STARTED]
    return [
        row("create + start: bridge, port, limits, seccomp; a task's first", STARTED, None, ("create + start, ms: " + split, fastest)),
        row("create + start, each further one of a task", FURTHER, 30),
        Row("create + start, each of a batch of %d" % BATCH, MILLISECONDS, batch, 20,
            {name: measure.median(found[STARTED]) for name, found in theirs.items()}, ()),
        row("stop (no grace period)", STOPPED),
        row("remove", ABSENT),
    ]


def _run_peer(peer: Peer, count: int) -> Samples:
    found: Samples = {STARTED: [], STOPPED: [], ABSENT: []}
    for state, times in found.items():
        for number in range(count + 1):
            times.append(peer.timed(peer_commands(peer, number)[state]))
    return {state: times[1:] for state, times in found.items()}


def exec_rows(stage: Stage, peers: t.Sequence[Peer]) -> t.List[Row]:
    ours = stage.lab.run(_exec_ours, stage.home, stage.repeat, timeout=120)
    theirs = {peer.name: stage.lab.run(_exec_peer, peer, stage.repeat, timeout=120) for peer in peers}
    return [Row("exec of true", MILLISECONDS, measure.median(ours), 15, {name: measure.median(times) for name, times in theirs.items()})]


def _exec_ours(home: str, count: int) -> t.List[float]:
    server = stages.server("bench", stages.FIRST_PORT)
    stages.ensure(home, server, state=STARTED)
    wish = ExecWish("bench", ("/bin/true",))
    times = [measure.timed(lambda: exec.run(open_host(home, dry_run=False), wish)) for _each in range(count + _WARM_UP)]
    stages.ensure(home, server, state=ABSENT)
    return times[_WARM_UP:]


def _exec_peer(peer: Peer, count: int) -> t.List[float]:
    peer.timed(peer.run("bench", port=stages.FIRST_PORT))
    times = [peer.timed(peer.exec("bench", "/bin/true")) for _each in range(count + 1)]
    peer.timed(peer.remove("bench"))
    return times[1:]
