# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers with a restart policy, as tasks see them: status, address and ports over a restart, stopping, changing, removing."""
from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import observe
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll
from ansible_collections.cocker.engine.tests.root import enginelab
from ansible_collections.cocker.engine.tests.root.test_engine_running import fetch

pytestmark = pytest.mark.root


FAILING = {"command": ("/bin/sh", "-c", "exit 3"), "network_mode": "none", "restart_policy": "always"}


def until(predicate):
    assert poll.until(predicate, timeout=15)


def restarting(engine, count=3):
    until(lambda: engine.find("web")["RestartCount"] >= count and engine.state("web")["Status"] == "restarting")
    return engine.find("web")


def test_its_address_and_its_ports_stay(engine):
    said = {"command": enginelab.SERVER, "published_ports": ["18080:8080"], "restart_policy": "unless-stopped"}
    engine.start(**said)
    before, links = engine.find("web"), engine.lab.snapshot()["links"]
    os.kill(before["State"]["Pid"], signal.SIGKILL)
    until(lambda: engine.find("web")["RestartCount"] == 1 and engine.state("web")["Status"] == "running")
    found = engine.find("web")
    assert found["State"]["Pid"] != before["State"]["Pid"] and found["NetworkSettings"] == before["NetworkSettings"]
    until(lambda: engine.lab.run(fetch, "192.0.2.1", 18080) == "hello\n")
    assert engine.lab.snapshot()["links"] == links
    assert not engine.start(**said).changed
    assert found["HostConfig"]["RestartPolicy"] == {"Name": "unless-stopped", "MaximumRetryCount": 0}


def test_what_a_task_stops_stays_stopped(engine):
    engine.start(restart_policy="always", network_mode="none")
    outcome = engine.ensure("web", state="stopped")
    assert [each["action"] for each in outcome.actions] == ["stop"]
    time.sleep(0.3)
    assert (engine.state("web")["Status"], engine.find("web")["RestartCount"]) == ("exited", 0)
    assert not engine.ensure("web", state="stopped").changed
    assert engine.ensure("web", state="started").changed


def test_in_the_wait_it_is_restarting_and_can_be_stopped_started_and_removed(engine):
    engine.start(**FAILING)
    found = restarting(engine)
    assert found["State"]["Running"] and found["State"]["Restarting"] and found["State"]["ExitCode"] == 3
    assert not engine.start(**FAILING).changed
    begun = time.monotonic()
    assert engine.ensure("web", state="stopped").changed
    assert time.monotonic() - begun < 3 and engine.state("web")["Status"] == "exited" and engine.state("web")["ExitCode"] == 3
    engine.start(**FAILING)
    restarting(engine, 2)
    assert engine.ensure("web", restart=True).plan["action"] == "restart"
    assert engine.find("web")["RestartCount"] < 2
    restarting(engine, 1)
    engine.ensure("web", state="absent")
    assert engine.find("web") is None


def test_the_policy_and_limits_change_live_whatever_it_is_doing(engine):
    engine.start(**FAILING)
    restarting(engine)
    outcome = engine.start(**dict(FAILING, restart_policy="on-failure", restart_retries=1, pids_limit=50))
    assert outcome.plan["action"] == "update"
    until(lambda: engine.state("web")["Status"] == "exited")
    assert engine.state("web")["ExitCode"] == 3
    engine.ensure("web", state="absent")
    engine.start(network_mode="none")
    pid = engine.state("web")["Pid"]
    engine.ensure("web", restart_policy="always", memory=32 << 20)
    assert engine.state("web")["Pid"] == pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: engine.state("web")["Status"] == "running" and engine.find("web")["RestartCount"] == 1)
    assert engine.find("web")["HostConfig"]["Memory"] == 32 << 20
    groups = engine.find("web")["Cocker"]["Cgroups"]
    if "memory" in groups:
        with open(groups["memory"] + "/memory.limit_in_bytes") as file:
            assert file.read() == "%d\n" % (32 << 20)


def test_when_it_gives_up_everything_is_given_back(engine):
    engine.start(command=("/bin/false",), published_ports=["18080:8080"], restart_policy="on-failure", restart_retries=2)
    until(lambda: engine.state("web")["Status"] == "exited" and not any("containers/" in path for path in engine.files()["run"]))
    left = engine.snapshot()
    assert (left["pins"], left["cgroups"]) == ("", []) and "18080" not in left["rules"]
    assert (engine.find("web")["RestartCount"], engine.state("web")["ExitCode"]) == (2, 1)


def test_stopping_meets_a_restart_at_any_moment(engine):
    """Killed and stopped at the same time, in every order: it is stopped in the end, and nothing of a further run is left."""
    for pause in (0.0, 0.02, 0.05, 0.1, 0.12, 0.15, 0.2):
        engine.start(restart_policy="always", network_mode="none")
        os.kill(engine.state("web")["Pid"], signal.SIGKILL)
        time.sleep(pause)
        engine.ensure("web", state="stopped")
        time.sleep(0.15)
        assert engine.state("web")["Status"] == "exited"
        assert engine.cgroups() == []


def test_whoever_looks_never_sees_it_gone(engine):
    engine.start(command=("/bin/sh", "-c", "sleep 0.05; exit 1"), network_mode="none", restart_policy="always")
    seen = engine.run(lambda host: {observe.container(host, "web").status for _look in range(200)})
    assert seen <= {"running", "restarting"}


def test_a_supervisor_that_dies_in_the_wait_is_not_waited_for(engine):
    engine.start(**FAILING)
    restarting(engine, 4)
    found = engine.run(lambda host: observe.container(host, "web").running)
    os.kill(found.supervisor_pid, signal.SIGKILL)
    until(lambda: engine.state("web")["Status"] == "exited")
    assert engine.state("web")["ExitCode"] == 255
    assert engine.start(**FAILING).changed
    engine.ensure("web", state="absent")


def test_two_tasks_stop_it_at_once(engine):
    engine.start(restart_policy="always", network_mode="none")
    failures = []

    def stop():
        try:
            engine.ensure("web", state="stopped")
        except Exception as error:
            failures.append(error)
    threads = [threading.Thread(target=stop) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [] and engine.state("web")["Status"] == "exited"
    assert engine.run(lambda host: open_host(engine.home, dry_run=True).layout.container_names()) == ["web"]
