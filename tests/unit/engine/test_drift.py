# SPDX-License-Identifier: GPL-3.0-or-later
"""What was changed by hand, found in files that stand for the kernel's: as a host with cgroup v2 has them, and one with both."""
from __future__ import annotations

import dataclasses
import os
import pathlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import drift
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Plan
from ansible_collections.cocker.engine.plugins.module_utils.kernel import process
from ansible_collections.cocker.engine.plugins.module_utils.model.container import (
    RUNNING,
    ContainerRecord,
    ContainerSpec,
    ContainerState,
    Running,
)
from ansible_collections.cocker.engine.plugins.module_utils.network import resolver
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import group
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

V2 = {"memory.max": "67108864\n", "pids.max": "50\n", "cpu.max": "50000 100000\n", "io.max": "8:0 rbps=1000 wbps=max riops=max wiops=max\n"}


@pytest.fixture
def host(tmp_path: pathlib.Path) -> Host:
    found = Host(Layout(str(tmp_path / "home"), run_root=str(tmp_path / "run")), dry_run=True)
    os.makedirs(found.layout.container("web"))
    os.makedirs(found.layout.container_run("web"))
    return found


@pytest.fixture
def cgroup(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "v2" / "cocker" / "web"
    folder.mkdir(parents=True)
    (tmp_path / "v2" / "cgroup.controllers").write_text("cpu io memory pids\n")
    for directory in (folder, folder.parent, folder.parent.parent):
        (directory / "cgroup.procs").write_text("")
    for name, text in V2.items():
        (folder / name).write_text(text)
    return folder


def found(cgroup: pathlib.Path, controller: str = "unified") -> ContainerState:
    me = process.find(os.getpid())
    assert me is not None
    running = Running(me.pid, me.start_time, me.pid, me.start_time, "", {controller: str(cgroup)})
    return ContainerState("web", RUNNING, ContainerRecord("1", "", ContainerSpec("web"), ()), running=running)


def noted(host: Host, cgroup: pathlib.Path) -> None:
    wanted = {"memory": {"limit": 64 << 20}, "pids": {"limit": 50}, "cpu": {"quota": 50000, "period": 100000},
              "blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1000}]}}
    said = group.from_paths({"unified": str(cgroup)}).read_back(wanted)
    assert [(option, controller, file) for option, controller, file, _text in said] == [
        ("memory.limit", "memory", "memory.max"), ("cpu.quota", "cpu", "cpu.max"), ("pids.limit", "pids", "pids.max"),
        ("blockIO.throttleReadBpsDevice", "io", "io.max"),
    ]
    drift.note(host, "web", [drift.Kept(option, controller, file, drift.said(file, text)) for option, controller, file, text in said])


def test_nothing_has_changed(host: Host, cgroup: pathlib.Path) -> None:
    noted(host, cgroup)
    assert drift.added(host, found(cgroup), Plan()) == Plan()


@pytest.mark.parametrize(("name", "text"), [
    ("memory.max", "max\n"), ("pids.max", "51\n"), ("cpu.max", "max 100000\n"), ("io.max", ""),
])
def test_a_limit_has_changed(host: Host, cgroup: pathlib.Path, name: str, text: str) -> None:
    noted(host, cgroup)
    (cgroup / name).write_text(text)
    plan = drift.added(host, found(cgroup), Plan())
    assert [action.kind for action in plan.actions] == [drift.LIMITS]
    assert (plan.before, plan.after) == ({name: text.strip()}, {name: V2[name].strip()})
    ended = dataclasses.replace(found(cgroup), status="restarting")
    assert drift.added(host, ended, Plan()) == Plan()
    assert drift.added(host, found(cgroup), Plan(actions=(Action("stop", "web"),))).actions == (Action("stop", "web"),)


def test_what_is_gone_or_was_never_noted_is_no_change(host: Host, cgroup: pathlib.Path) -> None:
    assert drift.added(host, found(cgroup), Plan()) == Plan()
    noted(host, cgroup)
    (cgroup / "memory.max").unlink()
    assert drift.added(host, found(cgroup), Plan()) == Plan()
    drift.note(host, "web", [])
    drift.note(host, "nobody", [drift.Kept("memory", "memory", "memory.max", "1")])
    (cgroup / "pids.max").write_text("1\n")
    assert drift.added(host, found(cgroup), Plan()) == Plan()


def test_of_the_oom_killer_only_the_switch(host: Host, cgroup: pathlib.Path) -> None:
    """Version 1 has counters in the same file."""
    drift.note(host, "web", [drift.Kept("oom_killer", "memory", "memory.oom_control", "oom_kill_disable 1")])
    for switch, changes in (("1", 0), ("0", 1)):
        (cgroup / "memory.oom_control").write_text("oom_kill_disable %s\nunder_oom 0\noom_kill 5\n" % switch)
        assert len(drift.added(host, found(cgroup, "memory"), Plan()).actions) == changes


LINES: t.Sequence[t.Tuple[str, t.List[str]]] = [
    ("{own}10.0.0.3\tdb\n", []), ("10.1.1.1\tmine\n{own}", []), ("10.0.0.2\tweb\n10.9.9.9\tother\n", []),
    ("10.0.0.2\tweb\n", ["10.9.9.9\tother"]), ("10.0.0.22\tweb\n", ["10.0.0.2\tweb", "10.9.9.9\tother"]), ("", ["10.0.0.2\tweb", "10.9.9.9\tother"]),
]


@pytest.mark.parametrize(("text", "missing"), LINES)
def test_its_own_lines(host: Host, cgroup: pathlib.Path, text: str, missing: t.List[str]) -> None:
    own = resolver.hosts("web", [("10.0.0.2/24", ())], [("other", "10.9.9.9")])
    pathlib.Path(host.layout.container("web"), drift.OWN_HOSTS).write_text(own)
    pathlib.Path(host.layout.hosts("web")).write_text(text.format(own=own))
    plan = drift.added(host, found(cgroup), Plan())
    assert plan.actions == ((Action(drift.HOSTS, "web", {"missing": missing}),) if missing else ())
