# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that are started again by their supervisor: when, how often, and what is there of them in between. Without Ansible."""
from __future__ import annotations

import json
import os
import pathlib
import signal
import time
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import process
from ansible_collections.cocker.engine.plugins.module_utils.runtime import state
from ansible_collections.cocker.engine.tests.root import runtimelab

pytestmark = pytest.mark.root
Make = t.Callable[..., runtimelab.Box]
layer, make, until = runtimelab.layer, runtimelab.make, runtimelab.until       # fixtures, and a helper

COUNT = "n=$(cat /n 2>/dev/null || echo 0); n=$((n+1)); echo $n > /n; echo run $n; "


def started(box: runtimelab.Box) -> state.State:
    assert box.start().error == ""
    return box.state()


def counted(box: runtimelab.Box, number: int) -> state.State:
    def found() -> t.Optional[state.State]:
        now = state.find(str(box.state_dir))
        return now if now is not None and now.restart_count >= number and now.is_running() else None
    return t.cast(state.State, until(found, 20))


def stop(box: runtimelab.Box) -> state.Ending:
    (box.state_dir / state.STOPPING).touch()
    found = box.state()
    process.signal(found.supervisor, signal.SIGHUP)
    process.signal(found.init, signal.SIGKILL)
    return box.wait()


def configure(box: runtimelab.Box, **annotations: str) -> None:
    box.config["annotations"].update({"cocker." + key: value for key, value in annotations.items()})
    box.write()
    process.signal(box.state().supervisor, signal.SIGHUP)


@pytest.mark.parametrize("init", [False, True])
def test_it_runs_again_until_it_succeeds(make: Make, init: bool) -> None:
    box = make(init=init, restart="on-failure", args=("sh", "-c", COUNT + "[ $n = 4 ]"))
    ending = box.run()
    assert (ending.exit_code, ending.restart_count, ending.stopped) == (0, 3, False)
    assert box.lines() == ["run 1", "run 2", "run 3", "run 4"]      # one log, one writable layer
    times = [entry["time"] for entry in box.entries()]
    assert times == sorted(times)


def test_it_gives_up_after_the_retries(make: Make) -> None:
    box = make(restart="on-failure:2", args=("sh", "-c", COUNT + "exit 7"))
    ending = box.run()
    assert (ending.exit_code, ending.restart_count) == (7, 2) and len(box.lines()) == 3


def test_killed_it_runs_again_as_another_process_in_a_fresh_cgroup(make: Make) -> None:
    limits = {"memory": {"limit": 16 << 20}, "pids": {"limit": 30}}
    box = make(init=True, restart="always", resources=limits, args=("sleep", "100"))
    first = started(box)
    assert box.exec("sh", "-c", "sleep 90 & sleep 91 & true").rc == 0
    process.signal(first.init, signal.SIGKILL)
    second = counted(box, 1)
    assert second.init != first.init and second.supervisor == first.supervisor and second.last is not None
    assert (second.last.exit_code, second.last.signal) == (137, 9)
    assert box.exec("sh", "-c", "set -- /proc/[0-9]*; echo $#").stdout.strip() == b"3"      # PID 1, sleep, sh
    assert pathlib.Path(second.cgroups["memory"], "memory.limit_in_bytes").read_text().strip() == str(16 << 20) if "memory" in second.cgroups else True
    assert stop(box).stopped
    assert box.cgroup_directories() == []


def test_out_of_memory_in_one_run_is_not_that_of_the_next(make: Make) -> None:
    script = "[ -e /was ] && exec sleep 100; touch /was; x=0123456789abcdef; while :; do x=$x$x; done"
    box = make(restart="always", resources={"memory": {"limit": 16 << 20}}, args=("sh", "-c", script))
    started(box)
    found = counted(box, 1)
    assert found.last is not None and found.last.oom_killed
    assert not stop(box).oom_killed


def test_it_is_restarting_meanwhile_and_a_stop_ends_the_wait(make: Make) -> None:
    box = make(restart="always", args=("sh", "-c", COUNT + "exit 3"))
    started(box)
    waiting = until(lambda: [each for each in [state.find(str(box.state_dir))] if each and each.restart_count >= 3 and each.is_restarting()])[0]
    assert not waiting.is_running() and waiting.last.exit_code == 3 and state.find_exit(str(box.bundle)) is None
    assert box.cgroup_directories() == []
    begun = time.monotonic()
    ending = stop(box)
    assert (ending.exit_code, ending.stopped) == (3, True) and time.monotonic() - begun < 2


def test_the_policy_changes_while_it_runs_and_while_it_waits(make: Make) -> None:
    box = make("runs", restart="always", args=("sh", "-c", "sleep 0.5; exit 5"))
    started(box)
    configure(box, restart="no")
    assert (box.wait().exit_code, state.find_exit(str(box.bundle)).restart_count) == (5, 0)     # type: ignore[union-attr]
    box = make("waits", restart="always", args=("sh", "-c", "exit 6"))
    started(box)
    until(lambda: (state.find(str(box.state_dir)) or box.state()).restart_count >= 3)
    configure(box, restart="no")
    assert box.wait(5).exit_code == 6
    box = make("begins", args=("sh", "-c", COUNT + "sleep 0.5; [ $n = 2 ]"))
    started(box)
    configure(box, restart="on-failure:5")
    assert box.wait().restart_count == 1


def test_limits_of_the_config_hold_for_the_next_run(make: Make) -> None:
    box = make(restart="always", resources={"pids": {"limit": 30}}, args=("sleep", "100"))
    first = started(box)
    box.config["linux"]["resources"]["pids"]["limit"] = 40
    configure(box)
    process.signal(first.init, signal.SIGKILL)
    found = counted(box, 1)
    folder = found.cgroups.get("pids") or found.cgroups["unified"]
    assert pathlib.Path(folder, "pids.max").read_text() == "40\n"
    stop(box)


def test_a_start_that_fails_counts_and_is_told(make: Make) -> None:
    box = make(restart="on-failure:3", args=("sh", "-c", "rm /bin/sh; exit 1"))
    ending = box.run()
    assert (ending.exit_code, ending.restart_count) == (127, 3)
    assert ending.error == "it could not be started again: exec sh: No such file or directory"
    assert box.cgroup_directories() == []


def test_a_source_that_comes_back_is_waited_for(make: Make, tmp_path: pathlib.Path) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.runtime import spec
    source = tmp_path / "shared"
    source.mkdir()
    box = make(restart="always", args=("sleep", "100"), mounts=(spec.MountWish(spec.BIND, "/shared", str(source)),))
    first = started(box)
    source.rename(tmp_path / "away")
    process.signal(first.init, signal.SIGKILL)
    until(lambda: box.state().last and "shared" in box.state().last.error)      # type: ignore[union-attr]
    (tmp_path / "away").rename(source)
    counted(box, 2)
    stop(box)


def test_sigterm_to_the_supervisor_ends_it_for_good(make: Make) -> None:
    box = make(restart="always", args=("sleep", "100"), stop_signal="KILL")
    process.signal(started(box).supervisor, signal.SIGTERM)
    ending = box.wait()
    assert (ending.exit_code, ending.restart_count) == (137, 0)


def test_the_death_of_the_supervisor_ends_it_in_the_wait_too(make: Make) -> None:
    box = make(restart="always", args=("false",))
    found = started(box)
    until(lambda: box.state().restart_count >= 2)
    process.signal(found.supervisor, signal.SIGKILL)
    process.wait_gone(found.supervisor, 5)
    time.sleep(0.1)
    assert not box.state().is_restarting() and not box.state().is_running() and box.ending() is None
    for path in box.cgroup_directories():
        os.rmdir(path)


def test_a_long_life_does_not_grow(make: Make) -> None:
    """A run of ten seconds is simulated by a container that outlives the wait: the policy's clock is not ours to move, its delays are."""
    box = make(restart="always", args=("sleep", "100"))
    found = started(box)

    def size() -> t.Tuple[int, int]:
        status = pathlib.Path("/proc/%d/status" % found.supervisor.pid).read_text()
        rss = int(status.partition("RssAnon:")[2].split()[0])
        return len(os.listdir("/proc/%d/fd" % found.supervisor.pid)), rss

    sizes = []
    for number in range(1, 6):
        process.signal(box.state().init, signal.SIGKILL)
        counted(box, number)
        sizes.append(size())
    assert len({fds for fds, _rss in sizes}) == 1
    assert sizes[-1][1] - sizes[1][1] <= 64, sizes       # kB
    stop(box)
    assert json.loads((box.bundle / "exit.json").read_text())["restart_count"] == 5


def test_a_record_that_cannot_be_read_is_no_reason_to_end(make: Make) -> None:
    box = make(restart="always", args=("sh", "-c", COUNT + "exit 3"))
    started(box)
    until(lambda: (state.find(str(box.state_dir)) or box.state()).restart_count >= 1, 30)
    record = box.state_dir / "state.json"
    good, damaged = record.read_bytes(), record.with_name("damaged")
    damaged.write_text("{")
    damaged.rename(record)
    before = len(box.lines())
    try:
        until(lambda: len(box.lines()) > before + 1, 30)
    finally:
        restored = record.with_name("restored")
        restored.write_bytes(good)
        restored.rename(record)
    assert stop(box).stopped
