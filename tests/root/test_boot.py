# SPDX-License-Identifier: GPL-3.0-or-later
"""The host goes down and comes up: who comes back, with what address and which ports. A reboot here is all processes killed, and the
run directory empty.
"""
from __future__ import annotations

import os
import shutil
import signal

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import boot
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll
from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import Mount
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root


def call(engine, verb):
    def run():
        told = []
        failures = verb(open_host(engine.home, dry_run=False), told.append)
        return sorted(told), sorted(failures)
    return engine.lab.run(run)


def cut_power(engine, *names):
    """Supervisors and containers die at once."""
    for name in names:
        pid = engine.find(name)["State"]["Pid"]
        with open("/proc/%d/stat" % pid) as stat:
            supervisor = int(stat.read().rpartition(")")[2].split()[1])
        os.kill(supervisor, signal.SIGKILL)
        assert poll.until(lambda pid=pid: not os.path.exists("/proc/%d" % pid), timeout=10)


def test_what_ran_comes_back_and_what_was_stopped_does_not(engine):
    for name, policy in (("a", "always"), ("b", "unless-stopped"), ("c", "no"), ("d", "unless-stopped"), ("e", "on-failure")):
        engine.start(name, network_mode="none", restart_policy=policy, stop_timeout=1)
    engine.ensure("d", state="stopped")
    assert call(engine, boot.stop) == (["a", "b", "c", "e"], [])
    assert [engine.state(name)["Status"] for name in "abcde"] == ["exited"] * 5
    assert call(engine, boot.start) == (["a", "b", "e"], [])
    assert [engine.state(name)["Status"] for name in "abcde"] == ["running", "running", "exited", "exited", "running"]
    assert call(engine, boot.start) == ([], [])


def test_who_was_to_go_at_its_end_is_gone(engine):
    for name in "abc":
        engine.start(name, network_mode="none", auto_remove=True, stop_timeout=1)
    with pytest.raises(Exception):      # noqa: B017 (however the laboratory tells of it)
        engine.ensure("b", state="stopped", before=enginelab.dying("engine.ended.remove"))
    cut_power(engine, "a")
    assert call(engine, boot.stop) == (["c"], [])
    assert poll.until(lambda: engine.find("c") is None, timeout=15)
    assert engine.layout.container_names() == ["a", "b"]
    assert call(engine, boot.start) == ([], [])
    assert engine.layout.container_names() == []


def test_an_address_and_its_ports_are_the_same_afterwards(engine):
    engine.start("web", command=enginelab.SERVER, restart_policy="always", published_ports=["18080:8080"], stop_timeout=1)
    before = engine.find("web")["NetworkSettings"]
    cut_power(engine, "web")
    assert engine.state("web")["ExitCode"] == 255
    assert call(engine, boot.start) == (["web"], [])
    after = engine.find("web")["NetworkSettings"]
    assert (after["IPAddress"], after["Ports"]) == (before["IPAddress"], before["Ports"])


def test_one_that_cannot_start_hides_no_other(engine, tmp_path):
    source = tmp_path / "data"
    source.mkdir()
    engine.start("a", network_mode="none", restart_policy="always", stop_timeout=1, mounts=(Mount("bind", str(source), "/data"),))
    engine.start("b", network_mode="none", restart_policy="always", stop_timeout=1)
    call(engine, boot.stop)
    shutil.rmtree(source)
    assert call(engine, boot.start) == (["b"], ["a"])


def test_who_uses_what_is_another_ones_comes_after_it(engine):
    """However they are called, and whatever that one uses itself."""
    said = {"restart_policy": "always", "stop_timeout": 1}
    engine.start("c", ipc_mode="shareable", network_mode="none", **said)
    engine.start("b", ipc_mode="container:c", **said)
    engine.start("a", network_mode="container:b", **said)
    call(engine, boot.stop)
    assert call(engine, boot.start) == (["a", "b", "c"], [])
    assert engine.read("a", "readlink /proc/1/ns/net") == engine.read("b", "readlink /proc/1/ns/net")
    assert engine.read("b", "readlink /proc/1/ns/ipc") == engine.read("c", "readlink /proc/1/ns/ipc")
