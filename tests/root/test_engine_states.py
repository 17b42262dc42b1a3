# SPDX-License-Identifier: GPL-3.0-or-later
"""From each state to each: paused stands still and goes on, any signal ends, what ended by itself is on record."""
from __future__ import annotations

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll
from ansible_collections.cocker.engine.plugins.module_utils.model.container_states import MOVES
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root

TICKING = ("/bin/sh", "-c", "while true; do echo x >> /ticks; sleep 0.01; done")


def ticks(engine):
    def size():
        with open(engine.layout.container("web") + "/upper/ticks") as file:
            return len(file.read())
    return engine.lab.run(size)


def grows(engine):
    before = ticks(engine)
    return poll.until(lambda: ticks(engine) > before, timeout=0.5)


REACH = {
    None: [],
    "created": [{"state": "present"}],
    "running": [{}],
    "paused": [{"state": "paused"}],
    "exited": [{}, {"state": "stopped"}],
}


@pytest.mark.parametrize("found,wanted", [pair for pair in MOVES if pair[0] in REACH and pair[1] != "healthy"], ids=str)
def test_every_state_is_reached_from_every_state(engine, found, wanted):
    said = {"network_mode": "none"}
    for step in REACH[found]:
        engine.start(**said, **step)
    foreseen = engine.start(**said, state=wanted, check=True)
    done = engine.start(**said, state=wanted)
    assert (foreseen.plan, foreseen.actions, foreseen.diff) == (done.plan, done.actions, done.diff)
    assert [action["action"] for action in done.actions] == list(MOVES[found, wanted].usual)
    assert not engine.start(**said, state=wanted).changed
    state = engine.state("web")
    expected = {"absent": None, "present": found or "created", "started": "running", "paused": "paused",
                "stopped": "exited" if found in ("running", "paused", "exited") else "created"}[wanted]
    assert (state and state["Status"]) == expected
    if state:
        assert (state["Running"], state["Paused"]) == (expected in ("running", "paused"), expected == "paused")


def test_paused_stands_still_and_goes_on(engine):
    engine.start(command=TICKING)
    assert poll.until(lambda: "web" in engine.layout.container_names() and grows(engine), timeout=5)
    pid = engine.state("web")["Pid"]
    assert engine.start(command=TICKING, state="paused").plan["action"] == "pause"
    assert not grows(engine)
    with pytest.raises(Exception, match="it is paused"):
        engine.exec("web", "/bin/true")
    assert engine.ensure("web", memory=64 << 20, state="present").plan["action"] == "update"
    assert engine.state("web")["Status"] == "paused"
    assert engine.start(command=TICKING, memory=64 << 20).plan["action"] == "unpause"
    assert grows(engine)
    assert engine.state("web")["Pid"] == pid


def test_a_paused_container_gets_its_stop_signal(engine):
    command = ("/bin/sh", "-c", "trap 'exit 3' USR1; echo set > /trap; while true; do sleep 0.01; done")
    engine.start(command=command, stop_signal=10)
    assert poll.until(lambda: engine.read("web", "cat /trap 2>/dev/null || true") == "set", timeout=10)     # before it is, PID 1 hears nothing
    engine.start(command=command, stop_signal=10, state="paused")
    engine.ensure("web", state="stopped")
    state = engine.state("web")
    assert (state["Status"], state["ExitCode"], state["OOMKilled"], state["Paused"]) == ("exited", 3, False, False)


def test_a_change_of_a_paused_container_leaves_it_paused(engine):
    engine.start(state="paused")
    assert engine.ensure("web", env={"A": "1"}, state="present").plan["action"] == "restart"
    assert engine.state("web")["Status"] == "paused"


@pytest.mark.parametrize("signal,code", [(9, 137), (1, 129), (12, 140)])
def test_any_signal_can_kill(engine, signal, code):
    engine.start(stop_signal=15, init=True)
    engine.ensure("web", state="stopped", kill_signal=signal, stop_timeout=2)
    assert engine.state("web")["ExitCode"] == code


def test_a_failure_after_the_stop_of_a_paused_container_brings_it_back_paused(engine):
    engine.start(state="paused")
    with pytest.raises(OSError, match="made to fail"):
        engine.start(env={"A": "1"}, state="paused", before=enginelab.failing("engine.lifecycle._launch"))
    assert engine.state("web")["Status"] == "paused"
    assert not engine.start(state="paused").changed


def test_a_container_that_ended_by_itself_says_how_and_when(engine):
    engine.start(command=("/bin/sh", "-c", "exit 7"))
    assert poll.until(lambda: not engine.state("web")["Running"], timeout=5)
    state = engine.state("web")
    assert (state["Status"], state["ExitCode"], state["OOMKilled"], state["Pid"]) == ("exited", 7, False, 0)
    assert "2000-" < state["StartedAt"] <= state["FinishedAt"]


def test_restart_with_nothing_else_compares_nothing_and_hides_nothing(engine):
    engine.start(env={"A": "1"})
    pid = engine.state("web")["Pid"]
    done = engine.ensure("web", restart=True)
    assert (done.plan["action"], done.plan["reasons"]) == ("restart", ["restart was asked for"])
    assert engine.state("web")["Pid"] != pid
    assert engine.read("web", "echo $A") == "1"
    done = engine.start(env={"A": "2"}, restart=True)
    assert done.plan["reasons"] == ["env changed (restart)", "restart was asked for"]
    assert engine.read("web", "echo $A") == "2"
