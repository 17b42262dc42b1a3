# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds of an image by the role image_build: whole runs of ansible-playbook, less one that only pings."""
from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time
import typing as t

from benchmark import measure, stage as stages, tasks
from benchmark.measure import MILLISECONDS, Row
from benchmark.peers import Peer
from benchmark.stage import Stage

from ansible_collections.cocker.engine.tests.root import netlab

FIRST, UNCHANGED, EDITED = "first", "unchanged", "edited"
_STEPS = 3
_ROUNDS = 3
_TIMEOUT = 600


def play(stage: Stage, steps: int) -> t.List[t.Dict[str, t.Any]]:
    """Without steps a ping."""
    variables = {"ansible_python_interpreter": tasks.HOST_PYTHON, "ansible_connection": "local", "ansible_pipelining": True}
    said = {
        "image_build_name": "built", "image_build_from": [stages.IMAGE], "image_build_network_mode": "none", "image_build_home": stage.home,
        "image_build_steps": [{"tasks": stage.path("step%d.yml" % number)} for number in range(steps)],
    }
    task = {"ansible.builtin.include_role": {"name": "cocker.engine.image_build"}, "vars": said} if steps else {"ansible.builtin.ping": {}}
    return [{"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": [task]}]


def write_step(stage: Stage, number: int, content: str) -> None:
    step = [{"name": "A file", "ansible.builtin.copy": {"dest": "/file%d" % number, "content": content, "mode": "0644"}}]
    pathlib.Path(stage.path("step%d.yml" % number)).write_text(json.dumps(step), encoding="utf-8")


def run(stage: Stage, plays: t.List[t.Dict[str, t.Any]]) -> float:
    """Milliseconds of a whole run. Raises LabError with what Ansible said."""
    playbook, config, log = stage.path("build.yml"), stage.path("ansible.cfg"), stage.path("build.log")
    pathlib.Path(playbook).write_text(json.dumps(plays), encoding="utf-8")
    pathlib.Path(config).touch()
    env = {
        **os.environ, "ANSIBLE_COLLECTIONS_PATH": str(tasks.COLLECTIONS), "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_CONFIG": config,
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false", "ANSIBLE_HOME": stage.path("ansible"), "ANSIBLE_DEVEL_WARNING": "false",
    }
    started = time.perf_counter()
    with open(log, "wb") as output:
        command = [str(pathlib.Path(sys.executable).parent / "ansible-playbook"), playbook]
        process = stage.lab.spawn(command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            code = process.wait(_TIMEOUT)
        finally:
            stage.lab.end(process)
    if code:
        raise netlab.LabError("ansible-playbook: " + pathlib.Path(log).read_text(encoding="utf-8", errors="replace")[-3000:])
    return (time.perf_counter() - started) * 1000


def rows(stage: Stage, _peers: t.Sequence[Peer]) -> t.List[Row]:
    """The first round brings the engine to the host and is not counted."""
    times: t.Dict[str, t.List[float]] = {"ping": [], FIRST: [], UNCHANGED: [], EDITED: []}
    for number in range(_ROUNDS + 1):
        for step in range(_STEPS):
            write_step(stage, step, "round %d" % number)
        times["ping"].append(run(stage, play(stage, 0)))
        times[FIRST].append(run(stage, play(stage, _STEPS)))
        times[UNCHANGED].append(run(stage, play(stage, _STEPS)))
        write_step(stage, _STEPS - 1, "edited in round %d" % number)
        times[EDITED].append(run(stage, play(stage, _STEPS)))
    found = {what: measure.median(values[1:]) for what, values in times.items()}
    notes = ("builds, whole, ms: " + ", ".join("%s %.0f" % item for item in found.items()),)
    return [
        Row("image_build: %d steps of a task, beyond a ping" % _STEPS, MILLISECONDS, found[FIRST] - found["ping"], None, {}, notes),
        Row("image_build: nothing changed, no task run", MILLISECONDS, found[UNCHANGED] - found["ping"]),
        Row("image_build: the last step edited", MILLISECONDS, found[EDITED] - found["ping"]),
    ]
