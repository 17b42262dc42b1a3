# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that a task stays with, and containers that go when they have ended."""
from __future__ import annotations

import os
import signal
import threading

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import foreground
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import Mount
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root


def sh(script, **said):
    return {"command": ("/bin/sh", "-c", script), "network_mode": "none", **said}


def job(script, **said):
    return sh(script, detach=False, **said)


def gone(engine, name="web"):
    return poll.until(lambda: engine.find(name) is None, timeout=15)


def test_the_exit_code_and_what_it_wrote(engine):
    outcome = engine.start(**job("echo out; sleep 0.1; echo err >&2; sleep 0.1; echo more"))
    result = outcome.result
    assert (result["rc"], result["status"], result["stdout"], result["stderr"]) == (0, 0, b"out\nmore\n", b"err\n")
    assert result["container"]["Output"] == b"out\nerr\nmore\n" and result["container"]["State"]["Status"] == "exited"
    assert "failed" not in result and outcome.changed
    second = engine.start(**job("echo out; sleep 0.1; echo err >&2; sleep 0.1; echo more")).result
    assert second["container"]["Output"] == b"out\nerr\nmore\n"      # not that of the run before
    assert second["container"]["Id"] == result["container"]["Id"]


def test_a_code_that_is_not_0_fails(engine):
    result = engine.start(**job("echo no luck; exit 3")).result
    assert (result["failed"], result["msg"], result["rc"]) == (True, b"no luck", 3)
    result = engine.start("quiet", **job("exit 9")).result
    assert (result["failed"], result["msg"], result["rc"]) == (True, "container quiet ended with exit code 9", 9)


def test_it_is_cleaned_up_whatever_its_code(engine):
    for code in (0, 4):
        foreseen = engine.start(check=True, cleanup=True, **job("exit %d" % code))
        outcome = engine.start(cleanup=True, **job("exit %d" % code))
        assert outcome.actions == foreseen.actions and [each["action"] for each in outcome.actions] == ["create", "start", "remove"]
        assert outcome.result["rc"] == outcome.result["container"]["State"]["ExitCode"] == code
        assert engine.find("web") is None


def test_one_that_runs_already_is_not_waited_for(engine):
    engine.start(network_mode="none")
    outcome = engine.start(network_mode="none", detach=False, cleanup=True)
    assert not outcome.changed and "rc" not in outcome.result and engine.state("web")["Running"]


def test_it_runs_again_as_its_policy_says_and_the_last_code_counts(engine):
    script = "n=$(cat /n 2>/dev/null || echo 0); n=$((n+1)); echo $n > /n; echo run $n; [ $n = 3 ]"
    result = engine.start(**job(script, restart_policy="on-failure")).result
    assert (result["rc"], result["stdout"]) == (0, b"run 1\nrun 2\nrun 3\n")


def test_others_work_on_it_meanwhile(engine):
    found = {}
    waiter = threading.Thread(target=lambda: found.update(engine.start(**job("echo begun; exec sleep 100")).result))
    waiter.start()
    assert poll.until(lambda: engine.find("web") and engine.state("web")["Running"], timeout=10)
    assert engine.ensure("web", memory=32 << 20).plan["action"] == "update"
    engine.ensure("web", state="stopped")
    waiter.join()
    assert (found["rc"], found["stdout"]) == (137, b"begun\n")


def test_it_goes_when_it_has_ended_by_itself(engine):
    before = engine.snapshot()
    said = {"auto_remove": True, "mounts": (Mount("volume", "", "/data"),), "network_mode": None}
    engine.start(**sh("sleep 0.2; exit 3", **said))
    assert engine.find("web")["HostConfig"]["AutoRemove"] and len(engine.layout.volume_names()) == 1
    assert gone(engine)
    assert poll.until(lambda: not engine.layout.volume_names(), timeout=5)
    assert {key: engine.snapshot()[key] for key in ("pins", "cgroups")} == {key: before[key] for key in ("pins", "cgroups")}
    engine.network("cocker0", "absent")


def test_it_is_removed_when_the_task_has_heard_of_its_end(engine):
    outcome = engine.start(**job("echo done; exit 5", auto_remove=True))
    assert (outcome.result["rc"], outcome.result["stdout"]) == (5, b"done\n")
    assert engine.find("web") is None       # so that the next task makes it anew, each time


def test_who_waits_and_dies_keeps_nothing(engine):
    def die():
        os.kill(os.getpid(), signal.SIGKILL)
    with pytest.raises(Exception):      # noqa: B017 (however the laboratory tells of it)
        engine.start(before=lambda: setattr(foreground.waiting, "wait", lambda *_args: die()), **job("sleep 0.2", auto_remove=True))
    assert gone(engine)


def test_what_a_task_stops_goes(engine):
    """As with docker's --rm: whoever stops it. It is not made to be stopped, so that the second run finds nothing to do."""
    said = {"auto_remove": True, "mounts": (Mount("volume", "", "/data"),), "network_mode": "none"}
    engine.start(**said)
    assert engine.ensure("web", restart=True).changed and engine.state("web")["Running"]
    foreseen = engine.ensure("web", state="stopped", check=True)
    outcome = engine.ensure("web", state="stopped")
    assert (outcome.actions, outcome.plan, outcome.diff) == (foreseen.actions, foreseen.plan, foreseen.diff)
    assert [each["action"] for each in outcome.actions] == ["stop", "remove", "remove_volume"]
    assert outcome.plan["reasons"] == ["state stopped is wanted, the container is running", "auto_remove is set"]
    assert foreseen.result["container"]["State"]["Running"] and outcome.result == {"container": None}
    assert engine.find("web") is None and engine.layout.volume_names() == []
    for check in (True, False):
        again = engine.start(state="stopped", check=check, **said)
        assert (again.changed, again.actions, again.result) == (False, [], {"container": None})


def test_one_that_never_ran_does_not_go(engine):
    engine.start(state="present", network_mode="none", auto_remove=True)
    assert not engine.ensure("web", state="stopped").changed
    assert engine.state("web")["Status"] == "created"


def test_it_goes_with_the_task_that_says_so_first_and_stays_with_the_one_that_says_no(engine):
    engine.start(network_mode="none")
    assert engine.ensure("web", auto_remove=True, state="stopped").plan["action"] == "remove"
    engine.start(network_mode="none", auto_remove=True)
    assert [each["action"] for each in engine.ensure("web", auto_remove=False, state="stopped").actions] == ["update", "stop"]
    assert engine.state("web")["Status"] == "exited"


def test_whoever_stays_with_it_hears_how_it_ended_before_it_goes(engine):
    found = {}
    waiter = threading.Thread(target=lambda: found.update(engine.start(**job("echo begun; exec sleep 100", auto_remove=True)).result))
    waiter.start()
    assert poll.until(lambda: engine.find("web") and engine.state("web")["Running"], timeout=20)
    engine.ensure("web", state="stopped")
    waiter.join()
    assert (found["rc"], found["stdout"], engine.find("web")) == (137, b"begun\n", None)


def test_what_a_killed_task_has_stopped_goes_with_the_next(engine):
    engine.start(network_mode="none", auto_remove=True)
    with pytest.raises(Exception):      # noqa: B017 (however the laboratory tells of it)
        engine.ensure("web", state="stopped", before=enginelab.dying("engine.ended.remove"))
    assert engine.state("web")["Status"] == "exited"
    assert [each["action"] for each in engine.ensure("web", state="stopped").actions] == ["remove"]
    assert engine.find("web") is None


def test_one_that_is_told_to_stay_stays(engine):
    engine.start(network_mode="none", auto_remove=True)
    engine.ensure("web", auto_remove=False, state="started")
    os.kill(engine.state("web")["Pid"], signal.SIGKILL)
    assert poll.until(lambda: not any("containers/" in path for path in engine.files()["run"]), timeout=10)
    assert engine.state("web")["Status"] == "exited"


def test_it_cannot_both_go_and_start_again(engine):
    for check in (True, False):
        with pytest.raises(Invalid, match="auto_remove: a container that goes when it has ended cannot start again"):
            engine.start(network_mode="none", auto_remove=True, restart_policy="always", check=check)
    assert open_host(engine.home, dry_run=True).layout.container_names() == []
