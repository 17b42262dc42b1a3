# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import container_plan
from ansible_collections.cocker.engine.plugins.module_utils.model.container import (
    ContainerRecord,
    ContainerSpec,
    ContainerState,
    Pin,
    Running,
)
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainerWish

SPEC = ContainerSpec(name="web", images=("debian",), memory=64, env={"A": "1"})
RECORD = ContainerRecord(id="0" * 64, created="2026-01-01T00:00:00Z", spec=SPEC, pins=(Pin("debian", "12", ("l1",)),))
ABSENT = ContainerState(name="web")
CREATED = ContainerState(name="web", status="created", record=RECORD)
EXITED = dataclasses.replace(CREATED, status="exited")
RUNNING = dataclasses.replace(CREATED, status="running", running=Running(7, 70, 6, 60, "2026-01-01T00:00:00Z", {}))


def spec(**said):
    return dataclasses.replace(SPEC, **said)


def kinds(plan):
    return [action.kind for action in plan.actions]


TRANSITIONS = [
    # have, wanted state, summary, actions
    (ABSENT, "absent", "none", []),
    (ABSENT, "present", "create", ["create"]),
    (ABSENT, "started", "create", ["create", "start"]),
    (ABSENT, "stopped", "create", ["create"]),
    (CREATED, "absent", "remove", ["remove"]),
    (CREATED, "present", "none", []),
    (CREATED, "started", "start", ["start"]),
    (CREATED, "stopped", "none", []),
    (EXITED, "absent", "remove", ["remove"]),
    (EXITED, "present", "none", []),
    (EXITED, "started", "start", ["start"]),
    (EXITED, "stopped", "none", []),
    (RUNNING, "absent", "remove", ["stop", "remove"]),
    (RUNNING, "present", "none", []),
    (RUNNING, "started", "none", []),
    (RUNNING, "stopped", "stop", ["stop"]),
]


@pytest.mark.parametrize("have,state,summary,actions", TRANSITIONS)
def test_every_state_against_every_wish(have, state, summary, actions):
    plan = container_plan.plan_container(ContainerWish(SPEC, state), have)
    assert (plan.action, kinds(plan)) == (summary, actions)
    assert bool(plan.reasons) == bool(actions)


CHANGES = [
    # have, what the task says now, wish options, summary, actions
    (RUNNING, {"memory": 128}, {}, "update", ["update"]),
    (RUNNING, {"memory": None}, {}, "update", ["update"]),
    (RUNNING, {"env": {}}, {}, "restart", ["stop", "configure", "start"]),
    (RUNNING, {"env": {"A": "1"}}, {}, "none", []),
    (RUNNING, {"images": ("debian", "top")}, {}, "recreate", ["stop", "configure", "reset_layer", "start"]),
    (RUNNING, {"env": {}}, {"state": "present"}, "restart", ["stop", "configure", "start"]),
    (RUNNING, {"env": {}}, {"state": "stopped"}, "stop", ["stop", "configure"]),
    (RUNNING, {"memory": 128}, {"restart": True}, "restart", ["update", "stop", "start"]),
    (RUNNING, {}, {"restart": True}, "restart", ["stop", "start"]),
    (EXITED, {}, {"restart": True}, "start", ["start"]),
    (RUNNING, {}, {"recreate": True}, "recreate", ["stop", "reset_layer", "start"]),
    (EXITED, {"env": {}}, {}, "update", ["configure", "start"]),
    (EXITED, {"images": ("x",)}, {"state": "present"}, "recreate", ["configure", "reset_layer"]),
]


@pytest.mark.parametrize("have,said,options,summary,actions", CHANGES)
def test_a_change_costs_what_its_row_says(have, said, options, summary, actions):
    plan = container_plan.plan_container(ContainerWish(spec(**said), **options), have)
    assert (plan.action, kinds(plan)) == (summary, actions)


def test_the_diff_holds_only_what_changes():
    plan = container_plan.plan_container(ContainerWish(spec(memory=None)), RUNNING)
    assert (plan.before, plan.after) == ({"memory": 64}, {"memory": None})


def test_a_task_without_images_keeps_what_it_does_not_say():
    plan = container_plan.plan_container(ContainerWish(ContainerSpec(name="web"), "stopped"), RUNNING)
    assert kinds(plan) == ["stop"]
    changed = ContainerSpec(name="web", memory=128)
    assert container_plan.wanted_spec(ContainerWish(changed), RUNNING) == spec(memory=128)


def test_a_task_without_images_cannot_create():
    with pytest.raises(NotFound, match="names no image"):
        container_plan.plan_container(ContainerWish(ContainerSpec(name="web")), ABSENT)


@pytest.mark.parametrize("on_change,said", [("fail", {"memory": 1}), ("live_only", {"env": {}}), ("live_only", {"images": ("x",)})])
def test_on_change_forbids_the_cost(on_change, said):
    with pytest.raises(Conflict, match="on_change"):
        container_plan.plan_container(ContainerWish(spec(**said), on_change=on_change), RUNNING)


def test_live_only_lets_a_live_change_pass():
    plan = container_plan.plan_container(ContainerWish(spec(memory=1), on_change="live_only"), RUNNING)
    assert kinds(plan) == ["update"]
