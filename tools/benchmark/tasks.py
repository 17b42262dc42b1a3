# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks of a playbook, beyond a `ping` task: ansible-playbook in the lab, pipelining on, modules alternating in one play."""
from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

from benchmark import measure, stage as stages
from benchmark.measure import MILLISECONDS, Row
from benchmark.peers import Peer
from benchmark.stage import Stage

from ansible_collections.cocker.engine.tests.root import netlab

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / ".build" / "collections"
PEER_COLLECTIONS = (ROOT / ".build" / "peers", pathlib.Path.home() / ".ansible" / "collections")
HOST_PYTHON = "/usr/bin/python3"        # a managed host's: it has pyroute2 from Debian, and requests where docker is to be compared
PING, NEW, NOOP, ABSENT = "ping", "new", "no-op", "absent"
_CALLBACKS = str(ROOT / "tools" / "benchmark" / "callback")
_ROUNDS = 6
_TIMEOUT = 200

Options = t.Dict[str, t.Any]


def _common(number: int) -> Options:
    port = "%d:8080" % (stages.FIRST_PORT + number)
    return {"command": list(stages.SERVER), "published_ports": [port], "memory": "64M", "pids_limit": stages.PIDS, "stop_timeout": 0}


def ours(stage: Stage) -> t.Callable[[int], t.Tuple[str, Options]]:
    return lambda number: ("cocker.engine.cocker_container", {
        "images": [stages.IMAGE], "cpus": float(stages.CPUS), "cocker_home": stage.home, **_common(number)})


def theirs(peer: Peer) -> t.Callable[[int], t.Tuple[str, Options]]:
    if peer.name == "docker":
        fixed = {"image": stages.PEER_IMAGE, "pull": "never", "cpus": float(stages.CPUS), "docker_host": peer.env["DOCKER_HOST"]}
        return lambda number: ("community.docker.docker_container", {**fixed, **_common(number)})

    def podman(number: int) -> t.Tuple[str, Options]:
        options = _common(number)
        options.update(image=stages.PEER_IMAGE, cpus=stages.CPUS, pids_limit=str(stages.PIDS))
        return "containers.podman.podman_container", options

    return podman


def play(task_of: t.Callable[[int], t.Tuple[str, Options]]) -> t.List[Options]:
    """Each round: a ping, a new container, the same task again. The first round builds the payloads and is not counted."""
    tasks: t.List[Options] = []
    for number in range(_ROUNDS + 1):
        module, options = task_of(number)
        task = {module: {**options, "name": "task%d" % number}}
        tasks += [{"name": PING, "ansible.builtin.ping": {}}, {"name": NEW, **task}, {"name": NOOP, **task}]
    for number in range(_ROUNDS + 1):
        module, options = task_of(number)
        kept = {key: value for key, value in options.items() if key in ("cocker_home", "docker_host")}
        tasks.append({"name": ABSENT, module: {**kept, "name": "task%d" % number, "state": "absent"}})
    return [{"hosts": "localhost", "gather_facts": False, "tasks": tasks,
             "vars": {"ansible_python_interpreter": HOST_PYTHON, "ansible_connection": "local", "ansible_pipelining": True}}]


def run_play(stage: Stage, plays: t.List[Options], env: t.Mapping[str, str]) -> t.Dict[str, t.List[float]]:
    """Milliseconds of each task by its name, without the first round. Raises LabError with the play's output."""
    playbook, times, log = stage.path("play.yml"), stage.path("times.json"), stage.path("play.log")
    pathlib.Path(playbook).write_text(json.dumps(plays), encoding="utf-8")
    config = stage.path("ansible.cfg")
    pathlib.Path(config).touch()
    settings = {
        **env, "ANSIBLE_CALLBACK_PLUGINS": _CALLBACKS, "ANSIBLE_CALLBACKS_ENABLED": "task_times", "TASK_TIMES": times,
        "ANSIBLE_COLLECTIONS_PATH": ":".join(map(str, (COLLECTIONS, *PEER_COLLECTIONS))), "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false", "ANSIBLE_CONFIG": config, "ANSIBLE_HOME": stage.path("ansible"),
        "ANSIBLE_DEVEL_WARNING": "false",
    }
    with open(log, "wb") as output:
        command = [str(pathlib.Path(sys.executable).parent / "ansible-playbook"), playbook]
        process = stage.lab.spawn(command, env=settings, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            code = process.wait(_TIMEOUT)
        finally:
            stage.lab.end(process)
    said = pathlib.Path(log).read_text(encoding="utf-8", errors="replace")
    if code:
        raise netlab.LabError("ansible-playbook: " + said[-3000:])
    found: t.Dict[str, t.List[float]] = {}
    for task, elapsed, changed in json.loads(pathlib.Path(times).read_text(encoding="utf-8")):
        if changed != (task in (NEW, ABSENT)):
            raise netlab.LabError("task %s: changed is %s\n%s" % (task, changed, said[-3000:]))
        found.setdefault(task, []).append(elapsed)
    return {task: values[1:] for task, values in found.items()}


def has_collection(name: str) -> bool:
    return any((place / "ansible_collections" / name.replace(".", "/")).is_dir() for place in PEER_COLLECTIONS)


def rows(stage: Stage, peers: t.Sequence[Peer]) -> t.List[Row]:
    found = {"cocker": _medians(run_play(stage, play(ours(stage)), os.environ))}
    absent = [peer.collection for peer in peers if not has_collection(peer.collection)]
    notes = ["tasks: no collection %s below %s" % (name, PEER_COLLECTIONS[0]) for name in absent]
    for peer in peers:
        if has_collection(peer.collection):
            found[peer.name] = _medians(run_play(stage, play(theirs(peer)), peer.env))
    notes.append("tasks, whole, ms: " + "; ".join(
        "%s %s" % (who, ", ".join("%s %.0f" % item for item in medians.items())) for who, medians in found.items()))

    def row(what: str, task: str, target: t.Optional[float], notes: t.Tuple[str, ...] = ()) -> Row:
        beyond = {who: medians[task] - medians[PING] for who, medians in found.items()}
        return Row(what, MILLISECONDS, beyond.pop("cocker"), target, beyond, notes)

    return [
        row("task: new container with network, beyond ping", NEW, 250, tuple(notes)),
        row("task: nothing to do, beyond ping", NOOP, 80),
        row("task: absent, beyond ping", ABSENT, None),
    ]


def _medians(found: t.Mapping[str, t.Sequence[float]]) -> t.Dict[str, float]:
    return {task: measure.median(values) for task, values in found.items()}
