# SPDX-License-Identifier: GPL-3.0-or-later
"""Many containers: two hundred at once, what one more costs beside them, and fifty of one task that finds nothing to do."""
from __future__ import annotations

import functools
import os
import statistics
import time
import typing as t

from benchmark import measure, stage as stages, tasks
from benchmark.measure import MILLISECONDS, Row
from benchmark.peers import Peer
from benchmark.stage import Stage

from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT, STARTED

AT_ONCE = 200
OF_ONE_TASK = 50
SECONDS, TIMES_FEW = "s", "x few"
_WARM_UP, _AROUND = 4, 16
_PARTS = (slice(_WARM_UP, _WARM_UP + _AROUND), slice(-_AROUND, None))
_ROUNDS = 5
_NEW, _AGAIN, _GONE = "many: " + tasks.NEW, "many: " + tasks.NOOP, "many: " + tasks.ABSENT


class Growth(t.NamedTuple):
    """Milliseconds: each container that a task has started, the task's own time on a CPU for it, each that had nothing to be done, and
    the seconds of all of them.
    """

    started: t.List[float]
    on_cpu: t.List[float]
    again: t.List[float]
    whole: float


def rows(stage: Stage, peers: t.Sequence[Peer]) -> t.List[Row]:
    grown = stage.lab.run(_grow, stage.home, AT_ONCE, timeout=600)
    again = _tasks(stage)
    few, many = (_fastest(grown.started[part]) for part in _PARTS)
    busy = tuple(_fastest(grown.on_cpu[part]) for part in _PARTS)
    note = "create + start, fastest quarter, ms: %.1f beside %d others, %.1f beside %d, on a CPU %.1f and %.1f; nothing to do: %.1f" % (
        few, _WARM_UP + _AROUND // 2, many, AT_ONCE - _AROUND // 2, *busy, _fastest(grown.again))
    return [
        Row("%d containers at once: bridge, port, limits, seccomp" % AT_ONCE, SECONDS, grown.whole, None, {}, (note,)),
        Row("create + start, one more beside %d" % AT_ONCE, TIMES_FEW, many / few, 1.2),
        Row("cocker_containers: %d with nothing to do, whole task" % OF_ONE_TASK, MILLISECONDS, measure.median(again), 1000, {},
            ("%d of one task with nothing to do, fastest, ms: %.0f" % (OF_ONE_TASK, min(again)),)),
    ]


def _fastest(values: t.Sequence[float]) -> float:
    """The mean of the fastest quarter: what others do on the machine comes on top of the rest."""
    return statistics.mean(sorted(values)[:max(len(values) // 4, 1)])


def _grow(home: str, count: int) -> Growth:
    """In the lab, in a process of its own: one task that starts one after the other, and then finds them running."""
    specs = [stages.server("many%d" % number, stages.FIRST_PORT + number) for number in range(count)]

    def each(host: Host) -> t.Iterator[t.Tuple[float, float]]:
        for spec in specs:
            before = time.process_time()
            took = measure.timed(functools.partial(stages.ensure, home, spec, state=STARTED, host=host))
            yield took, (time.process_time() - before) * 1000

    began = time.monotonic()
    started, on_cpu = zip(*each(open_host(home, dry_run=False)))
    whole = time.monotonic() - began
    again = [took for took, _busy in each(open_host(home, dry_run=False))]
    for spec in specs:
        stages.ensure(home, ContainerSpec(spec.name), state=ABSENT)
    return Growth(list(started), list(on_cpu), again, whole)


def _tasks(stage: Stage) -> t.List[float]:
    """Milliseconds of a task of cocker_containers, its way to the host included."""
    make = tasks.ours(stage)
    options = {
        "defaults": {key: value for key, value in make(0)[1].items() if key not in ("published_ports", "cocker_home")},
        "containers": [{"name": "each%d" % number, "published_ports": make(number)[1]["published_ports"]} for number in range(OF_ONE_TASK)],
        "cocker_home": stage.home,
    }
    module = "cocker.engine.cocker_containers"
    play = [{"name": _NEW, module: options}, *[{"name": _AGAIN, module: options}] * (_ROUNDS + 1),
            {"name": _GONE, module: {**options, "state": ABSENT}}]
    return tasks.run_play(stage, tasks.local(play), dict(os.environ))[_AGAIN]
