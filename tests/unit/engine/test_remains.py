# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that nobody knows of any more, by files that stand for the cgroup of a host with version 2."""
from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import remains
from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs

NAME = "web@0123456789"
# Plays a supervisor: has its name, and a child whose number it tells.
SUPERVISOR = """
import os, subprocess, sys
open("/proc/self/comm", "w").write(sys.argv[1])
child = subprocess.Popen(["sleep", "1000"])
print(child.pid, flush=True)
sys.stdin.read()
child.kill()
"""


@pytest.fixture
def members(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The file `cgroup.procs` of the container."""
    folder = tmp_path / "cocker" / NAME
    folder.mkdir(parents=True)
    layout = cgroupfs.Layout(mode="v2", controllers={}, unified=str(tmp_path))
    monkeypatch.setattr(cgroupfs, "_remembered", [layout])
    return folder / "cgroup.procs"


@pytest.fixture
def spawn() -> t.Iterator[t.Callable[[str], t.Tuple[int, int]]]:
    """A process of this name, and its child."""
    spawned = []

    def start(name: str) -> t.Tuple[int, int]:
        process = subprocess.Popen([sys.executable, "-c", SUPERVISOR, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        spawned.append(process)
        assert process.stdout is not None
        return process.pid, int(process.stdout.readline())

    yield start
    for process in spawned:
        process.communicate()


def test_the_supervisor_is_the_parent_of_that_name(members: pathlib.Path, spawn: t.Callable[[str], t.Tuple[int, int]]) -> None:
    supervisor, child = spawn("cocker:" + NAME)
    members.write_text("%d\n" % child)
    found = remains.supervisor(NAME)
    assert found is not None and found.pid == supervisor


@pytest.mark.parametrize("name", ["cocker:other@01", "cocker-exec", "web"])
def test_a_parent_of_another_name_is_none(members: pathlib.Path, spawn: t.Callable[[str], t.Tuple[int, int]], name: str) -> None:
    _parent, child = spawn(name)
    members.write_text("%d\n" % child)
    assert remains.supervisor(NAME) is None


def test_a_member_is_no_supervisor(members: pathlib.Path, spawn: t.Callable[[str], t.Tuple[int, int]]) -> None:
    """Whatever a process in the container calls itself."""
    supervisor, child = spawn("cocker:" + NAME)
    members.write_text("%d\n%d\n" % (child, supervisor))
    assert remains.supervisor(NAME) is None


@pytest.mark.parametrize("text", ["", "4194305\n"])
def test_nobody_is_left(members: pathlib.Path, text: str) -> None:
    members.write_text(text)
    assert remains.supervisor(NAME) is None
    members.unlink()
    os.rmdir(members.parent)
    assert remains.supervisor(NAME) is None
