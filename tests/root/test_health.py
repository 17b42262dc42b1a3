# SPDX-License-Identifier: GPL-3.0-or-later
"""Health checks by the supervisor, on the real kernel, without Ansible."""
from __future__ import annotations

import os
import pathlib
import signal
import time
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import process
from ansible_collections.cocker.engine.plugins.module_utils.model import healthcheck
from ansible_collections.cocker.engine.plugins.module_utils.model.healthcheck import SECOND, Check
from ansible_collections.cocker.engine.plugins.module_utils.runtime import state
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import factory
from ansible_collections.cocker.engine.tests.root import runtimelab

pytestmark = pytest.mark.root
Make = t.Callable[..., runtimelab.Box]
layer, make, until = runtimelab.layer, runtimelab.make, runtimelab.until       # fixtures, and a helper

OFTEN = SECOND // 50


def check(script: str, **said: int) -> Check:
    return Check(("CMD-SHELL", script), **{**{"interval": OFTEN, "timeout": 10 * SECOND, "start_period": 0, "start_interval": OFTEN, "retries": 3}, **said})


def started(make: Make, script: str = "true", *, wish: t.Optional[t.Dict[str, t.Any]] = None, **said: int) -> runtimelab.Box:
    box = make(**{"args": ("sleep", "100"), **(wish or {})}, health=check(script, **said))
    assert box.start().error == ""
    return box


def health(box: runtimelab.Box) -> t.Optional[state.Health]:
    return state.find_health(str(box.state_dir))


def until_status(box: runtimelab.Box, status: str, timeout: float = 10.0) -> state.Health:
    def found() -> t.Optional[state.Health]:
        now = health(box)
        return now if now is not None and now.status == status else None
    return t.cast(state.Health, until(found, timeout))


def configure(box: runtimelab.Box, wanted: t.Optional[Check]) -> None:
    box.config["annotations"].pop("cocker.health", None)
    box.config["annotations"].update({"cocker.health": healthcheck.to_json(wanted)} if wanted else {})
    box.write()
    process.signal(box.state().supervisor, signal.SIGHUP)


def children(pid: int) -> t.List[str]:
    return pathlib.Path("/proc/%d/task/%d/children" % (pid, pid)).read_text().split()


@pytest.mark.parametrize("init", [False, True])
def test_it_is_healthy_and_five_results_are_kept(make: Make, init: bool) -> None:
    script = "echo $MODE $(id -u) $PWD $(cat /proc/self/cgroup | wc -l); echo errors >&2"
    box = started(make, script, wish={"init": init, "user": "app", "cwd": "/tmp", "env": {"MODE": "fast"}})
    found = until_status(box, "healthy")
    assert found.check == healthcheck.to_json(check(script)) and found.streak == 0
    until(lambda: len((health(box) or found).log) == 5)
    probe = (health(box) or found).log[-1]
    words, errors = probe.output.splitlines()
    assert words.startswith("fast 1000 /tmp ") and errors == "errors" and probe.exit_code == 0
    assert found.log[0].start < found.log[0].end < probe.start
    time.sleep(0.1)
    assert len((health(box) or found).log) == 5 and box.entries() == []      # nothing in the container's own log


def test_after_the_failures_it_is_unhealthy_and_comes_back(make: Make) -> None:
    box = started(make, "echo sick; [ -e /tmp/well ]", retries=2)
    found = until_status(box, "unhealthy")
    assert found.streak == 2 and [(probe.exit_code, probe.output) for probe in found.log] == [(1, "sick\n")] * 2
    (box.bundle / "upper" / "tmp").mkdir(exist_ok=True)
    assert box.exec("touch", "/tmp/well").rc == 0
    assert until_status(box, "healthy").streak == 0


def test_in_the_start_period_failures_do_not_count(make: Make) -> None:
    box = started(make, "[ -e /well ]", retries=1, start_period=100 * SECOND, interval=100 * SECOND)
    found = until(lambda: [each for each in [health(box)] if each and len(each.log) >= 3])[0]
    assert (found.status, found.streak) == ("starting", 0)
    assert box.exec("touch", "/well").rc == 0
    until_status(box, "healthy")


def test_a_check_that_takes_too_long_is_killed_with_all_it_started(make: Make) -> None:
    box = started(make, "echo begun; sleep 77 & sleep 77", retries=1, timeout=SECOND // 5)
    found = until_status(box, "unhealthy")
    assert found.log[0].exit_code == -1 and found.log[0].output == "the check took longer than 0.2 s: begun\n"
    configure(box, None)
    until(lambda: b"sleep 77" not in box.exec("ps").stdout)


@pytest.mark.parametrize("test,code,said", [
    (("CMD", "/nowhere"), 127, "exec /nowhere: No such file or directory"), (("CMD", "/etc/passwd"), 126, "Permission denied"),
    (("CMD", "sh", "-c", "kill -9 $$"), 137, ""), (("CMD", "sh", "-c", "yes | head -c 100000"), 0, "y\ny\n"),
])
def test_ends_of_all_kinds(make: Make, test: t.Tuple[str, ...], code: int, said: str) -> None:
    box = make(args=("sleep", "100"), health=check("")._replace(test=test))
    assert box.start().error == ""
    probe = until(lambda: health(box)).log[0]
    assert probe.exit_code == code and said in probe.output and len(probe.output) <= 4096


def test_nobody_is_asked_while_it_is_paused(make: Make) -> None:
    box = started(make, "sleep 0.1", timeout=SECOND // 2, retries=1)
    until_status(box, "healthy")
    cgroup = factory.from_paths(box.state().cgroups)
    cgroup.freeze()
    time.sleep(0.1)
    before = health(box)
    time.sleep(0.8)
    assert health(box) == before
    cgroup.thaw()
    until(lambda: health(box) != before)
    assert health(box).status == "healthy"      # type: ignore[union-attr]


def test_it_changes_while_the_container_runs(make: Make) -> None:
    box = make(args=("sleep", "100"))
    assert box.start().error == ""
    configure(box, check("exit 4", retries=1))
    until_status(box, "unhealthy")
    configure(box, check("exit 0"))
    found = until_status(box, "healthy")
    assert {probe.exit_code for probe in found.log} == {0}
    configure(box, check("sleep 50", timeout=100 * SECOND))
    until(lambda: health(box) is None and b"sleep 50" in box.exec("ps").stdout)
    configure(box, None)
    until(lambda: b"sleep 50" not in box.exec("ps").stdout and children(box.state().supervisor.pid) == [str(box.state().init.pid)])
    assert health(box) is None


def test_a_further_run_begins_anew(make: Make) -> None:
    box = started(make, "[ -e /tmp/two ] && sleep 60; true", wish={"restart": "always"}, timeout=100 * SECOND)
    until_status(box, "healthy")
    first = box.state().init
    assert box.exec("touch", "/tmp/two").rc == 0
    process.signal(first, signal.SIGKILL)
    until(lambda: box.state().restart_count == 1 and box.state().is_running())
    assert health(box) is None


def test_the_container_ends_amid_a_check(make: Make) -> None:
    box = started(make, "sleep 60", wish={"args": ("sh", "-c", "sleep 0.3; exit 7")}, timeout=100 * SECOND)
    assert box.wait().exit_code == 7
    assert os.listdir(box.state_dir) == [] and box.cgroup_directories() == []


def test_between_two_checks_there_is_no_process_and_no_work(make: Make) -> None:
    box = started(make, interval=SECOND // 4)
    until_status(box, "healthy")
    time.sleep(0.05)
    supervisor = box.state().supervisor.pid
    assert children(supervisor) == [str(box.state().init.pid)]
    files = sorted(os.listdir("/proc/%d/fd" % supervisor))
    until(lambda: len((health(box) or state.Health("", "")).log) >= 3)
    until(lambda: sorted(os.listdir("/proc/%d/fd" % supervisor)) == files)
