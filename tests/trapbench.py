# SPDX-License-Identifier: GPL-3.0-or-later
"""A container that a first task has left, and what a second task would cost it: for tests of values that are written in several ways.

Options are read, the record is written and read, and the plan is made as in a task of the module; nothing is made in the kernel.
"""
from __future__ import annotations

import os
import pathlib
import re
import shutil
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import containers, observe, stacks
from ansible_collections.cocker.engine.plugins.module_utils.engine.container_plan import wanted_spec
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Plan
from ansible_collections.cocker.engine.plugins.module_utils.kernel import process
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerRecord
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageConfig, ImageRecord, Provenance
from ansible_collections.cocker.engine.plugins.module_utils.runtime import state
from ansible_collections.cocker.engine.plugins.module_utils.storage import images, records
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout
from ansible_collections.cocker.engine.tests import taskcorpus
from ansible_collections.cocker.engine.tests.taskcorpus import Task

SAME = ""
NAME, CREATED = "web", "2026-01-01T00:00:00Z"
SPEAKING = ImageConfig(     # an image that says everything that an image can say
    env=("PATH=/bin", "FROM=image"), cmd=("server", "--port", "80"), entrypoint=("/entry",), user="web", working_dir="/srv",
    labels={"of": "image"}, exposed_ports=("80/tcp",), volumes=("/kept",), stop_signal="SIGQUIT",
    healthcheck={"Test": ["CMD-SHELL", "curl localhost"], "Interval": 90 * 10 ** 9, "Retries": 4},
)
MADE = Provenance("directory")
_REASON = re.compile(r"(\w+) changed \((\w+)\)")

Case = t.Tuple[str, Task, Task, str]


class Bench:
    """`box` is an image that says nothing, `app:1` one that says everything; `app:2` has the same layers, `app:3` others."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.layout = Layout(str(directory / "home"), run_root=str(directory / "run"))
        self.host = Host(self.layout, dry_run=True)
        self.image("box", "1", layers=("base",), config=ImageConfig())
        for version, layers in (("1", ("base", "app")), ("2", ("base", "app")), ("3", ("base", "other"))):
            self.image("app", version, layers=layers, config=SPEAKING)

    def image(self, name: str, version: str, *, layers: t.Tuple[str, ...], config: ImageConfig, origin: Provenance = MADE) -> None:
        images.save(self.layout, ImageRecord(name, version, layers, config, CREATED, origin))

    def leave(self, task: Task) -> None:
        """What a run of the task leaves: its record, of a container that runs."""
        wish = containers._whole(self.host, taskcorpus.wish({"name": NAME, **task}))
        have = observe.container(self.host, wish.spec.name)
        spec = wanted_spec(wish, have)
        pins, config = stacks.pinned(self.host, spec.images or ())
        record = ContainerRecord(os.urandom(32).hex(), CREATED, spec, pins, config)
        for folder in (self.layout.container(spec.name), self.layout.container_run(spec.name)):
            os.makedirs(folder, exist_ok=True)
        records.write(self.layout.spec(spec.name), record.to_json(), durable=False)
        me = process.find(os.getpid())
        if me is not None:
            state.write(self.layout.container_run(spec.name), state.State(spec.name, me, me, CREATED, "", {}, process.boot_id()))

    def forget(self) -> None:
        """There is no container any more."""
        for folder in (self.layout.containers, self.layout.containers_run):
            shutil.rmtree(folder, ignore_errors=True)

    def cost(self, task: Task) -> str:
        """`env restart`, `env restart + memory update`, SAME, or `refused OPTION`."""
        try:
            found = containers.settled(self.host, taskcorpus.wish({"name": NAME, **task}))
        except CockerError as error:
            return "refused %s" % error.subject
        if not isinstance(found, Plan):
            return SAME
        told = [_REASON.fullmatch(reason) for reason in found.reasons]
        costs = [" ".join(match.groups()) if match else reason for match, reason in zip(told, found.reasons)]
        if all(told) and found.action not in {cost.rpartition(" ")[2] for cost in costs}:
            raise AssertionError("action %s for %s" % (found.action, found.reasons))
        return " + ".join(costs)

    def judged(self, first: Task, second: Task) -> str:
        """What the second task costs after the first; each of them run again costs nothing, and the way back is as much of a change."""
        if self._left(first) != SAME:
            return self._left(first)
        found = self.cost(second)
        if found.startswith("refused"):
            return found
        if self._left(second) != SAME or (self.cost(first) == SAME) != (found == SAME):
            raise AssertionError("again: %s, back: %s" % (self.cost(second), self.cost(first)))
        return found

    def _left(self, task: Task) -> str:
        """Of a second run."""
        try:
            self.leave(task)
        except CockerError as error:
            return "refused %s" % error.subject
        return self.cost(task)


def box(**said: t.Any) -> Task:
    return {"image": "box", "command": ["sleep", "1000"], **said}


def app(**said: t.Any) -> Task:
    return {"image": "app:1", **said}


def ids(cases: t.Sequence[Case]) -> t.List[str]:
    return [case[0] for case in cases]
