# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks in a container through the connection plugin, beside the same tasks on the host; ten instances of one template by the role."""
from __future__ import annotations

import os
import typing as t

from benchmark import builds, measure, stage as stages, tasks
from benchmark.measure import MILLISECONDS, Row
from benchmark.peers import Peer
from benchmark.stage import Stage

INSIDE, OUTSIDE = "inside", "outside"
_TASKS, _INSTANCES, _ROUNDS = 20, 10, 2


def connection_plays(stage: Stage) -> t.List[tasks.Options]:
    """The first ping of each place is not counted: it brings the module there."""
    made = {"name": "inside", "image": stages.IMAGE, "command": list(stages.SLEEP), "network_mode": "none", "stop_timeout": 0,
            "cocker_home": stage.home}
    host = {"name": "inside", "ansible_connection": "cocker.engine.cocker", "ansible_cocker_via": "localhost",
            "ansible_cocker_host_python": tasks.HOST_PYTHON, "ansible_cocker_home": stage.home, "ansible_python_interpreter": "auto_silent"}
    variables = {"ansible_python_interpreter": tasks.HOST_PYTHON, "ansible_connection": "local", "ansible_pipelining": True}
    return [
        {"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": [
            {"name": "container: " + tasks.NEW, "cocker.engine.cocker_container": made},
            {"name": "host: " + tasks.NEW, "ansible.builtin.add_host": host},
            *[{"name": OUTSIDE, "ansible.builtin.ping": {}}] * _TASKS,
        ]},
        {"hosts": "inside", "gather_facts": False, "vars": {"ansible_pipelining": True},
         "tasks": [{"name": INSIDE, "ansible.builtin.ping": {}}] * _TASKS},
    ]


def connection_rows(stage: Stage) -> t.List[Row]:
    found = tasks.run_play(stage, connection_plays(stage), os.environ)
    times = {what: measure.median(found[what]) for what in (INSIDE, OUTSIDE)}
    note = "ping through the connection, whole, ms: %.0f; on the host %.0f" % (times[INSIDE], times[OUTSIDE])
    return [Row("task through the connection plugin, beyond local", MILLISECONDS, times[INSIDE] - times[OUTSIDE], 15, {}, (note,))]


def instance_play(stage: Stage, state: str) -> t.List[tasks.Options]:
    said = {
        "cocker_instance_group": "bench", "cocker_instance_state": state, "cocker_instance_images": [stages.IMAGE],
        "cocker_instance_container": {"command": list(stages.SLEEP), "stop_timeout": 0},
        "cocker_instance_list": [{"name": "bench%d" % number, "mapping": {"${NAME}": "bench%d" % number}} for number in range(_INSTANCES)],
        "cocker_instance_files": [{"template": "/etc/passwd", "dest": "/etc/configured"}],
        "cocker_instance_services": [{"name": "web", "command": list(stages.SERVER), "port": 8080}],
    }
    variables = {"ansible_python_interpreter": tasks.HOST_PYTHON, "ansible_connection": "local", "ansible_pipelining": True,
                 "cocker_home": stage.home}
    task = {"ansible.builtin.include_role": {"name": "cocker.engine.instance"}, "vars": said}
    return [{"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": [task],
             "module_defaults": {"group/cocker.engine.cocker": {"cocker_home": stage.home}}}]


def rows(stage: Stage, _peers: t.Sequence[Peer]) -> t.List[Row]:
    """Whole runs of ansible-playbook; the first round brings the engine to the host and is not counted."""
    times: t.Dict[str, t.List[float]] = {"first": [], "again": [], "absent": []}
    for _round in range(_ROUNDS + 1):
        times["first"].append(builds.run(stage, instance_play(stage, "present")))
        times["again"].append(builds.run(stage, instance_play(stage, "present")))
        times["absent"].append(builds.run(stage, instance_play(stage, "absent")))
    found = {what: measure.median(values[1:]) for what, values in times.items()}
    return [
        *connection_rows(stage),
        Row("instance: %d of one template with a service each, whole run" % _INSTANCES, MILLISECONDS, found["first"]),
        Row("instance: the same again, nothing changed", MILLISECONDS, found["again"]),
        Row("instance: all removed", MILLISECONDS, found["absent"]),
    ]
