# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody has emptied /run/cocker under a container that runs: its processes are found, and nobody else's."""
from __future__ import annotations

import os

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import images, prune, renaming
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll, process
from ansible_collections.cocker.engine.plugins.module_utils.model.container import Attachment
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict
from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import Mount
from ansible_collections.cocker.engine.plugins.module_utils.model.queries import PruneWish
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ImageWish
from ansible_collections.cocker.engine.tests.root.test_engine_network import fetch

pytestmark = pytest.mark.root

SERVES = {"published_ports": ["18080:8080"], "networks": (Attachment("front"),), "restart_policy": "always",
          "command": ("/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www")}


@pytest.fixture
def wiped(engine):
    """The container `web`, of which nobody knows any more that it runs, and its processes with their supervisor."""
    engine.network("front", subnet="10.66.1.0/24")
    engine.start(**SERVES)
    first = process.find(engine.state("web")["Pid"])
    found = (first, process.find(process.parent_of(first.pid)))
    assert process.name_of(found[1].pid).startswith("cocker:web")
    wipe(engine)
    return found


def wipe(engine):
    engine.lab.call("sh", "-c", "rm -rf /run/cocker/*")


def are_gone(found):
    return poll.until(lambda: not any(each.alive() for each in found), timeout=30)


def test_it_is_started_anew_and_serves(engine, wiped):
    foreseen = engine.start(**SERVES, check=True)
    assert all(each.alive() for each in wiped)
    done = engine.start(**SERVES)
    assert (done.plan, done.actions) == (foreseen.plan, foreseen.actions)
    assert done.plan["action"] == "restart" and "its record below /run is gone, and processes of it are left" in done.plan["reasons"]
    assert are_gone(wiped) and engine.state("web")["Running"]
    assert engine.lab.run(fetch, "192.0.2.1", 18080, where="outside") and not engine.start(**SERVES).changed


@pytest.mark.parametrize("said", [{"state": "stopped"}, {"state": "absent"}], ids=["stopped", "absent"])
def test_it_ends(engine, wiped, said):
    assert engine.ensure("web", **said).changed and are_gone(wiped)
    assert engine.cgroups() == [] and not engine.ensure("web", **said).changed


def test_what_does_not_touch_its_processes_leaves_them_alone(engine, wiped):
    assert not engine.ensure("web", state="present").changed
    assert engine.ensure("web", state="present", labels={"a": "1"}).plan["action"] == "update"
    assert engine.state("web")["Error"] == "its record below /run is gone, and it has processes" and all(each.alive() for each in wiped)
    assert engine.start(**SERVES, labels={"a": "1"}, recreate=True).plan["action"] == "recreate" and are_gone(wiped)


def test_nobody_takes_it_for_one_that_has_ended(engine, wiped):
    pruned = engine.run(lambda host: prune.ensure(host, PruneWish(containers=True)))
    assert not pruned.changed and all(each.alive() for each in wiped)
    for call in (lambda host: images.ensure(host, ImageWish("made", source="container", from_container="web")),
                 lambda host: renaming.rename(host, "web", "other")):
        with pytest.raises(Conflict):
            engine.run(call)
    assert all(each.alive() for each in wiped)


def test_it_was_paused(engine):
    engine.start(network_mode="none")
    pid = process.find(engine.state("web")["Pid"])
    engine.ensure("web", state="paused")
    wipe(engine)
    assert engine.start(network_mode="none").changed and are_gone([pid]) and engine.state("web")["Running"]


def test_a_neighbour_and_a_foreign_process_are_not_touched(engine):
    engine.start(network_mode="none")
    engine.start("web2", network_mode="none")
    stranger = engine.lab.spawn(["sh", "-c", "printf cocker:web > /proc/self/comm; sleep 1000"])
    others = [process.find(stranger.pid), process.find(engine.state("web2")["Pid"])]
    wipe(engine)
    engine.start(network_mode="none")
    assert all(each.alive() for each in others)
    engine.start("web2", network_mode="none")
    assert not others[1].alive() and others[0].alive()
    engine.lab.end(stranger)


def test_a_supervisor_that_was_about_to_start_it_again_leaves_the_new_one_alone(engine, tmp_path):
    said = {
        "command": ("/bin/sh", "-c", "test -e /flag/up && exec sleep 1000; exit 1"), "network_mode": "none", "restart_policy": "always",
        "mounts": (Mount("bind", str(tmp_path), "/flag"),),
    }
    engine.start(**said)
    before = supervisors(engine)
    assert before and poll.until(lambda: engine.find("web")["RestartCount"] >= 4, timeout=60)      # now it waits for a while
    wipe(engine)
    (tmp_path / "up").write_text("")
    engine.start(**said)
    pid = engine.state("web")["Pid"]
    assert pid and are_gone(before)
    assert engine.state("web")["Running"] and engine.state("web")["Pid"] == pid and not engine.start(**said).changed


def supervisors(engine):
    mark = ("cocker:" + engine.lab.run(lambda: open_host(engine.home, dry_run=True).kernel_name("web")))[:15]
    return [process.find(int(name)) for name in os.listdir("/proc") if name.isdigit() and process.name_of(int(name)) == mark]


def test_nothing_is_left_of_it_after_a_crash_either(engine):
    """The supervisor was killed, too: nobody watches over what is in the cgroup."""
    engine.start(network_mode="none", command=("/bin/sh", "-c", "trap '' TERM; sleep 1000 & sleep 1000"))
    first = process.find(engine.state("web")["Pid"])
    wipe(engine)
    os.kill(process.parent_of(first.pid), 9)
    assert are_gone([first])
    assert engine.start(network_mode="none").changed and engine.state("web")["Running"]
