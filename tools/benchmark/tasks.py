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
OURS = "cocker"
PING, NEW, NOOP, ABSENT = "ping", "new", "no-op", "absent"
_CALLBACKS = str(ROOT / "tools" / "benchmark" / "callback")
_ROUNDS = 7
_TIMEOUT = 240

Options = t.Dict[str, t.Any]
Maker = t.Callable[[int], t.Tuple[str, Options]]        # number of a container -> module and its options


def _common(port: int) -> Options:
    limits = {"memory": "64M", "pids_limit": stages.PIDS}
    return {"command": list(stages.SERVER), "published_ports": ["%d:8080" % port], "stop_timeout": 0, **limits}


def ours(stage: Stage) -> Maker:
    fixed = {"images": [stages.IMAGE], "cpus": float(stages.CPUS), "cocker_home": stage.home}
    return lambda number: ("cocker.engine.cocker_container", {**fixed, **_common(stages.FIRST_PORT + number)})


def theirs(peer: Peer) -> Maker:
    if peer.name == "docker":
        fixed = {"image": stages.PEER_IMAGE, "pull": "never", "cpus": float(stages.CPUS), "docker_host": peer.env["DOCKER_HOST"]}
        return lambda number: ("community.docker.docker_container", {**fixed, **_common(stages.FIRST_PORT + 100 + number)})

    def podman(number: int) -> t.Tuple[str, Options]:
        options = _common(stages.FIRST_PORT + 200 + number)
        options.update(image=stages.PEER_IMAGE, cpus=stages.CPUS, pids_limit=str(stages.PIDS))
        return "containers.podman.podman_container", options

    return podman


def play(makers: t.Mapping[str, Maker]) -> t.List[Options]:
    """Each round: for each engine a ping, a new container, the same task again; a busy moment of the machine hits all alike.

    The first round builds the payloads and is not counted. Tasks are named `engine: what`.
    """
    rounds = range(_ROUNDS + 1)
    tasks: t.List[Options] = []
    for number in rounds:
        for engine, maker in makers.items():
            module, options = maker(number)
            task = {module: {**options, "name": "task%d" % number}}
            tasks.append({"name": PING, "ansible.builtin.ping": {}})
            tasks += [{"name": _name(engine, what), **task} for what in (NEW, NOOP)]
    for number in rounds:
        for engine, maker in makers.items():
            module, options = maker(number)
            kept = {key: value for key, value in options.items() if key in ("cocker_home", "docker_host")}
            tasks.append({"name": _name(engine, ABSENT), module: {**kept, "name": "task%d" % number, "state": "absent"}})
    return local(tasks)


def local(tasks: t.Sequence[Options]) -> t.List[Options]:
    """A play on this machine, as a managed host is reached."""
    return [{"hosts": "localhost", "gather_facts": False, "tasks": tasks,
             "vars": {"ansible_python_interpreter": HOST_PYTHON, "ansible_connection": "local", "ansible_pipelining": True}}]


def _name(engine: str, what: str) -> str:
    return "%s: %s" % (engine, what)


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
        if changed != task.endswith((NEW, ABSENT)):
            raise netlab.LabError("task %s: changed is %s\n%s" % (task, changed, said[-3000:]))
        found.setdefault(task, []).append(elapsed)
    return {task: values[1:] for task, values in found.items()}


def has_collection(name: str) -> bool:
    return any((place / "ansible_collections" / name.replace(".", "/")).is_dir() for place in PEER_COLLECTIONS)


def rows(stage: Stage, peers: t.Sequence[Peer]) -> t.List[Row]:
    there = [peer for peer in peers if has_collection(peer.collection)]
    notes = ["tasks: no collection %s below %s" % (peer.collection, PEER_COLLECTIONS[0]) for peer in peers if peer not in there]
    makers = {OURS: ours(stage), **{peer.name: theirs(peer) for peer in there}}
    env = dict(os.environ)
    for peer in there:
        env.update({key: value for key, value in peer.env.items() if key.startswith("CONTAINERS_")})    # docker's place is an option
    times = run_play(stage, play(makers), env)
    found = {task: measure.median(values) for task, values in times.items()}
    notes += ["tasks, whole, ms: " + ", ".join("%s %.0f" % item for item in found.items()),
              "tasks, whole, fastest, ms: " + ", ".join("%s %.0f" % (task, min(values)) for task, values in times.items())]

    def row(what: str, task: str, target: t.Optional[float], notes: t.Sequence[str] = ()) -> Row:
        beyond: t.Dict[str, t.Optional[float]] = {who: found[_name(who, task)] - found[PING] for who in makers}
        return Row(what, MILLISECONDS, beyond.pop(OURS) or 0.0, target, beyond, tuple(notes))

    return [
        row("task: new container with network, beyond ping", NEW, 250, notes),
        row("task: nothing to do, beyond ping", NOOP, 80),
        row("task: absent, beyond ping", ABSENT, None),
    ]
