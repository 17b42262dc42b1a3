# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody changes by hand under a container that runs is found by the next task, and put right while it runs."""
from __future__ import annotations

import os

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, poll
from ansible_collections.cocker.engine.plugins.module_utils.model.container import Attachment
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import factory

pytestmark = pytest.mark.root
M = 1 << 20


def control(engine, controller, v1, v2):
    """The control file of the container `web`."""
    def find():
        group = factory.open_cgroup(open_host(engine.home, dry_run=True).kernel_name("web"))
        directory, version = group.directory(controller)
        return os.path.join(directory, v1 if version == 1 else v2)
    return engine.lab.run(find)


def write(path, value):
    cgroupfs.write(*os.path.split(path), value)


def read(path):
    return cgroupfs.read(*os.path.split(path))


LIMITS = [
    # option, its value, controller, file of v1, of v2, what somebody writes to it
    ("memory", 64 * M, "memory", "memory.limit_in_bytes", "memory.max", str(32 * M)),
    ("memory_reservation", 16 * M, "memory", "memory.soft_limit_in_bytes", "memory.low", str(8 * M)),
    ("pids_limit", 50, "pids", "pids.max", "pids.max", "max"),
    ("cpu_shares", 512, "cpu", "cpu.shares", "cpu.weight", "77"),
    ("nano_cpus", 5 * 10**8, "cpu", "cpu.cfs_quota_us", "cpu.max", "20000"),
    ("cpuset_cpus", "0", "cpuset", "cpuset.cpus", "cpuset.cpus", "1"),
]


@pytest.mark.parametrize("option,value,controller,v1,v2,other", LIMITS, ids=[row[0] for row in LIMITS])
def test_a_limit(engine, option, value, controller, v1, v2, other):
    if option == "cpuset_cpus" and (os.cpu_count() or 1) < 2:
        pytest.skip("this host has one CPU")
    said = {"network_mode": "none", option: value}
    engine.start(**said)
    pid, path = engine.state("web")["Pid"], control(engine, controller, v1, v2)
    wanted = read(path)
    assert not engine.start(**said).changed
    write(path, other)
    by_hand = read(path)
    foreseen = engine.start(**said, check=True)
    assert read(path) == by_hand != wanted
    done = engine.start(**said)
    assert (done.plan, done.actions, done.diff) == (foreseen.plan, foreseen.actions, foreseen.diff) and done.changed
    name = os.path.basename(path)
    assert done.plan == {"action": "update", "reasons": ["%s was changed by hand: %s is %s, and was %s" % (option, name, by_hand, wanted)]}
    assert done.diff == {"before": {name: by_hand}, "after": {name: wanted}}
    assert read(path) == wanted and engine.state("web")["Pid"] == pid
    assert not engine.start(**said).changed


def test_limits_that_are_no_longer_wanted_or_change_are_not_taken_for_somebody_s(engine):
    engine.start(network_mode="none", memory=64 * M, pids_limit=50)
    engine.start(network_mode="none", memory=32 * M)
    assert not engine.start(network_mode="none", memory=32 * M).changed
    write(control(engine, "pids", "pids.max", "pids.max"), "7")
    assert not engine.start(network_mode="none", memory=32 * M).changed     # nobody asked for one
    engine.start(network_mode="none")
    assert not engine.start(network_mode="none").changed


def test_it_is_found_beside_another_change_and_not_before_a_restart(engine):
    said = {"network_mode": "none", "pids_limit": 50}
    engine.start(**said)
    path = control(engine, "pids", "pids.max", "pids.max")
    write(path, "7")
    done = engine.start(**said, labels={"a": "1"})
    assert [action["action"] for action in done.actions] == ["repair_limits", "update"] and read(path) == "50"
    assert done.diff["before"] == {"labels": None, "pids.max": "7"}
    write(path, "7")
    done = engine.start(**said, labels={"a": "1"}, env={"A": "1"})
    assert [action["action"] for action in done.actions] == ["stop", "configure", "start"] and read(path) == "50"


def test_a_container_that_is_paused_or_has_started_again_by_itself(engine):
    said = {"network_mode": "none", "pids_limit": 50, "restart_policy": "always"}
    engine.start(**said)
    first = engine.state("web")["Pid"]
    os.kill(first, 9)
    assert poll.until(lambda: engine.state("web")["Running"] and engine.state("web")["Pid"] not in (0, first), timeout=30)
    assert not engine.start(**said).changed
    engine.ensure("web", state="paused")
    write(control(engine, "pids", "pids.max", "pids.max"), "7")
    assert engine.ensure("web", state="paused").plan["action"] == "update"
    assert read(control(engine, "pids", "pids.max", "pids.max")) == "50" and engine.state("web")["Paused"]


HAND = {
    "another address": "sed 's/^10[.].*web/10.6.6.6 web/' /etc/hosts > /tmp.hosts; cat /tmp.hosts > /etc/hosts",
    "without what the task says": "sed '/10.9.9.9/d' /etc/hosts > /tmp.hosts; cat /tmp.hosts > /etc/hosts",
    "emptied": ": > /etc/hosts",
}


@pytest.mark.parametrize("script", HAND.values(), ids=HAND)
def test_its_own_lines_in_the_hosts_file(engine, script):
    engine.network("front", subnet="10.66.1.0/24")
    said = {"networks": (Attachment("front"),), "etc_hosts": {"db": "10.9.9.9"}}
    engine.start("other", networks=(Attachment("front"),))
    engine.start(**said)
    before = engine.read("web", "cat /etc/hosts")
    engine.read("web", script)
    foreseen, done = engine.start(**said, check=True), engine.start(**said)
    assert (done.plan, done.actions, done.diff) == (foreseen.plan, foreseen.actions, foreseen.diff)
    assert done.plan["action"] == "update" and all("its /etc/hosts was changed by hand: it lacks " in each for each in done.plan["reasons"])
    assert sorted(engine.read("web", "cat /etc/hosts").splitlines()) == sorted(before.splitlines())
    assert not engine.start(**said).changed and not engine.start("other", networks=(Attachment("front"),)).changed


def test_what_a_container_adds_to_its_hosts_file_is_its_own_business(engine):
    engine.start()
    engine.read("web", "echo 10.1.1.1 mine >> /etc/hosts; sed '/ip6-/d' /etc/hosts > /tmp.hosts; cat /tmp.hosts > /etc/hosts")
    assert not engine.start().changed and "mine" in engine.read("web", "cat /etc/hosts")
