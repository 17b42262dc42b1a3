# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers through the engine on the real kernel: each state against each wish, what is changed and what it costs."""
from __future__ import annotations

import json
import urllib.request

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, NotFound
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root


def actions(outcome):
    return [action["action"] for action in outcome.actions]


def fetch(address, port):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open("http://%s:%d/" % (address, port), timeout=5) as answer:
        return answer.read().decode()


def test_first_light(engine):
    first = engine.start(command=enginelab.SERVER, published_ports=["18080:8080"])
    assert actions(first) == ["create", "start"]
    assert first.result["container"]["State"]["Running"]
    assert engine.lab.run(fetch, "127.0.0.1", 18080) == "hello\n"
    second = engine.start(command=enginelab.SERVER, published_ports=["18080:8080"])
    assert not second.changed, second
    gone = engine.ensure("web", state="absent")
    assert actions(gone) == ["stop", "remove"]
    assert engine.find("web") is None
    assert not engine.ensure("web", state="absent").changed


@pytest.mark.parametrize("state", ["stopped", "absent"])
def test_the_task_that_stops_says_how_long_it_waits(engine, state):
    """A first process that minds no SIGTERM, with a patience that the test would not outlive."""
    engine.start(command=enginelab.SLEEP, stop_signal=15, stop_timeout=3600)
    assert engine.ensure("web", state=state, stop_timeout=0).changed


def bring(engine, state):
    """The container in the state that a test starts from."""
    if state != "absent":
        engine.start(state="present" if state == "created" else "started")
    if state == "exited":
        engine.start(state="stopped")


TRANSITIONS = [
    (have, wish, expected, status)
    for have, wishes in {
        "absent": {"absent": [], "present": ["create"], "started": ["create", "start"], "stopped": ["create"]},
        "created": {"absent": ["remove"], "present": [], "started": ["start"], "stopped": []},
        "exited": {"absent": ["remove"], "present": [], "started": ["start"], "stopped": []},
        "running": {"absent": ["stop", "remove"], "present": [], "started": [], "stopped": ["stop"]},
    }.items()
    for wish, expected in wishes.items()
    for status in [{"absent": None, "started": "running"}.get(wish) or (
        None if wish == "absent" else "created" if have == "absent" else "exited" if (have, wish) == ("running", "stopped") else have)]
]


@pytest.mark.parametrize("have,wish,expected,status", TRANSITIONS)
def test_every_state_against_every_wish(engine, have, wish, expected, status):
    bring(engine, have)
    foreseen = engine.start(state=wish, check=True)
    done = engine.start(state=wish)
    assert actions(done) == expected
    assert (foreseen.actions, foreseen.plan, foreseen.diff) == (done.actions, done.plan, done.diff)
    again = engine.start(state=wish)
    assert (again.changed, again.actions) == (False, [])
    found = engine.state("web")
    assert (found and found["Status"]) == status


def test_restart_and_recreate_are_asked_for(engine):
    engine.start()
    engine.read("web", "echo mine > /kept")
    first = engine.state("web")["Pid"]
    assert actions(engine.start(restart=True)) == ["stop", "start"]
    assert engine.state("web")["Pid"] != first
    assert engine.read("web", "cat /kept") == "mine"
    assert actions(engine.start(recreate=True)) == ["stop", "reset_layer", "start"]
    assert engine.exec("web", "/bin/ls", "/kept")["rc"] == 1


def test_a_change_of_images_drops_the_layer_and_a_change_of_the_environment_keeps_it(engine):
    engine.start()
    engine.read("web", "echo mine > /kept")
    assert engine.start(env={"A": "1"}).plan["action"] == "restart"
    assert engine.read("web", "cat /kept; echo $A") == "mine\n1"
    stacked = engine.start(images=("box", "top"), env={"A": "1"})
    assert stacked.plan["action"] == "recreate"
    assert engine.read("web", "ls -d /kept /top 2>/dev/null; true") == "/top"
    assert not engine.start(images=("box", "top"), env={"A": "1"}).changed


def test_a_task_without_images_manages_only_what_it_says(engine):
    engine.start(env={"A": "1"}, memory=64 << 20)
    assert not engine.ensure("web").changed
    assert engine.ensure("web", memory=32 << 20).plan["action"] == "update"
    assert engine.read("web", "echo $A") == "1"
    with pytest.raises(NotFound, match="names no image"):
        engine.ensure("nobody")


def test_a_new_task_meets_what_is_forbidden_to_change(engine):
    engine.start()
    with pytest.raises(Conflict, match="live_only"):
        engine.start(env={"A": "1"}, on_change="live_only")
    assert engine.start(memory=32 << 20, on_change="live_only").changed


def test_inspect_has_the_shape_that_playbooks_know(engine):
    engine.network("web0", subnet="10.66.1.0/24")
    from ansible_collections.cocker.engine.plugins.module_utils.model.container import Attachment
    shown = engine.start(networks=(Attachment("web0", "10.66.1.10"),), published_ports=["18080:8080"], env={"A": "1"}, labels={"x": "y"},
                         memory=64 << 20).result["container"]
    json.dumps(shown)
    assert shown["NetworkSettings"]["IPAddress"] == "10.66.1.10"
    assert shown["NetworkSettings"]["Networks"]["web0"]["IPAddress"] == "10.66.1.10"
    assert shown["NetworkSettings"]["Networks"]["web0"]["IPAMConfig"] == {"IPv4Address": "10.66.1.10"}
    assert shown["NetworkSettings"]["Ports"] == {"8080/tcp": [{"HostIp": "0.0.0.0", "HostPort": "18080"}]}
    assert (shown["Name"], shown["State"]["Status"], shown["State"]["ExitCode"]) == ("/web", "running", 0)
    assert shown["HostConfig"]["Memory"] == 64 << 20
    assert "A=1" in shown["Config"]["Env"] and "FROM=image" in shown["Config"]["Env"]
    assert shown["Config"]["Labels"] == {"of": "image", "x": "y"}
    assert shown["State"]["Pid"] > 0
    assert (shown["Config"]["Cmd"], shown["Config"]["Entrypoint"], shown["Config"]["Hostname"]) == (list(enginelab.SLEEP), None, "web")
    assert (shown["HostConfig"]["Init"], shown["Config"]["StopSignal"], shown["HostConfig"]["Binds"]) == (False, "SIGKILL", [])
