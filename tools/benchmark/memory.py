# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory of an idle container: what the engine keeps running for it, as proportional set size (proc_pid_smaps_rollup)."""
from __future__ import annotations

import signal
import typing as t

from benchmark import stage as stages
from benchmark.measure import MEGABYTES, Row
from benchmark.peers import Peer
from benchmark.stage import Stage

from ansible_collections.cocker.engine.plugins.module_utils.engine import bundle, observe
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.model.container import NONE, ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT, STARTED, STOPPED
from ansible_collections.cocker.engine.plugins.module_utils.runtime import launcher

CONTAINERS = 20
TARGET = 2.0


def pss(pid: int) -> float:
    """Megabytes."""
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as stream:
        for line in stream:
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    raise ValueError("no Pss of process %d" % pid)


def rows(stage: Stage, peers: t.Sequence[Peer]) -> t.List[Row]:
    theirs = {peer.name: stage.lab.run(_of_peer, peer, timeout=240) for peer in peers}
    found = []
    for kind, command in (("with a command", stages.SLEEP), ("with our init", None)):
        names = ["idle%s%d" % (kind[-4:], number) for number in range(CONTAINERS)]
        stage.lab.run(_start_each, stage.home, names, command, timeout=120)
        found.append(_row(kind + ", one by one", stage.lab.run(_of_ours, stage.home, names), theirs))
        stage.lab.run(_all, stage.home, names, STOPPED, timeout=120)
        stage.lab.run(_start_together, stage.home, names)
        found.append(_row(kind + ", by one launcher", stage.lab.run(_of_ours, stage.home, names), theirs))
        stage.lab.run(_all, stage.home, names, ABSENT, timeout=120)
    return found


def _row(how: str, found: t.Tuple[float, float], theirs: t.Mapping[str, float]) -> Row:
    """The first process of a container with a command is the user's, and not counted."""
    supervisor, init = found if "init" in how else (found[0], 0.0)
    note = "PSS for each container, MB: supervisor %.2f, init %.2f (%s)" % (supervisor, init, how)
    return Row("PSS of an idle container %s" % how, MEGABYTES, supervisor + init, TARGET, dict(theirs), (note,))


def _start_each(home: str, names: t.Sequence[str], command: t.Optional[t.Tuple[str, ...]]) -> None:
    """Without a command, supervisor and init are all that runs."""
    for name in names:
        spec = ContainerSpec(name, images=(stages.IMAGE,), command=command, network_mode=NONE, stop_signal=int(signal.SIGKILL))
        stages.ensure(home, spec, state=STARTED)


def _all(home: str, names: t.Sequence[str], state: str) -> None:
    for name in names:
        stages.ensure(home, ContainerSpec(name), state=state)


def _start_together(home: str, names: t.Sequence[str]) -> None:
    """From the config.json that their first start left; without a network there is nothing else that it needs."""
    host = open_host(home, dry_run=False)
    requests = [launcher.StartRequest(name, host.layout.container(name), host.layout.container_run(name)) for name in names]
    for result in launcher.start(requests, engine=bundle.install(host.layout.engine), python=bundle.python()):
        if result.error:
            raise RuntimeError(result.error)


def _of_ours(home: str, names: t.Sequence[str]) -> t.Tuple[float, float]:
    """Supervisors and inits, each the mean of all."""
    host = open_host(home, dry_run=True)
    running = [found for found in (observe.container(host, name).running for name in names) if found is not None]
    if len(running) != len(names):
        raise RuntimeError("%d of %d containers run" % (len(running), len(names)))
    supervisors = sum(pss(found.supervisor_pid) for found in running)
    return supervisors / len(names), sum(pss(found.pid) for found in running) / len(names)


def _of_peer(peer: Peer) -> float:
    """Only what there is for each container; daemons come on top."""
    for number in range(CONTAINERS):
        peer.timed(peer.run("idle%d" % number))
    found = peer.monitors()
    whole = sum(map(pss, found))
    if len(found) != CONTAINERS:
        raise RuntimeError("%d processes of %s for %d containers" % (len(found), peer.name, CONTAINERS))
    for number in range(CONTAINERS):
        peer.timed(peer.remove("idle%d" % number))
    return whole / CONTAINERS
