# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import container_plan
from ansible_collections.cocker.engine.plugins.module_utils.model import changes, container_states
from ansible_collections.cocker.engine.plugins.module_utils.model.container import (
    ContainerRecord,
    ContainerSpec,
    ContainerState,
    Pin,
    Running,
    Ulimit,
)
from ansible_collections.cocker.engine.plugins.module_utils.model.container_fields import FIELDS
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageConfig
from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import Mount
from ansible_collections.cocker.engine.plugins.module_utils.model.ports import PortMapping
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainerWish

SPEC = ContainerSpec(name="web", images=("debian",), memory=64, env={"A": "1"})
RECORD = ContainerRecord(id="0" * 64, created="2026-01-01T00:00:00Z", spec=SPEC, pins=(Pin("debian", "12", ("l1",)),))
ABSENT = ContainerState(name="web")
CREATED = ContainerState(name="web", status="created", record=RECORD)
EXITED = dataclasses.replace(CREATED, status="exited")
DEAD = ContainerState(name="web", status="dead")
RUNNING = dataclasses.replace(CREATED, status="running", running=Running(7, 70, 6, 60, "2026-01-01T00:00:00Z", {}))
PAUSED = dataclasses.replace(RUNNING, status="paused")
RESTARTING = dataclasses.replace(RUNNING, status="restarting")


def spec(**said):
    return dataclasses.replace(SPEC, **said)


def kinds(plan):
    return [action.kind for action in plan.actions]


FOUND = {found.status: found for found in (ABSENT, CREATED, RUNNING, PAUSED, RESTARTING, EXITED, DEAD)}
WANTED = ("absent", "present", "started", "healthy", "paused", "stopped")
# what was found; for each state of WANTED: what is done; `|` what is done where another first process is needed
TRANSITIONS = """
None     -             create        create+start               create+start               create+start+pause                    create
created  remove        -             start                      start                      start+pause                           -
running  stop+remove   -|stop+start  -|stop+start               -|stop+start               pause|stop+start+pause                stop
paused   stop+remove   -|stop+start+pause  unpause|stop+start   unpause|stop+start         -|stop+start+pause                    stop
restarting  stop+remove  -|stop+start  -|stop+start             -|stop+start               stop+start+pause                      stop
exited   remove        -             start                      start                      start+pause                           -
dead     remove
"""


def transitions():
    for line in TRANSITIONS.strip().splitlines():
        found, *cells = line.split()
        for wanted, cell in zip(WANTED, cells):
            usual, _bar, anew = cell.partition("|")
            for restart, verbs in ((False, usual), (True, anew or usual)):
                yield pytest.param(None if found == "None" else found, wanted, restart, [] if verbs == "-" else verbs.split("+"),
                                   id="%s-%s-%s" % (found, wanted, "anew" if restart else "usual"))


@pytest.mark.parametrize("found,wanted,restart,actions", list(transitions()))
def test_every_state_against_every_wish(found, wanted, restart, actions):
    plan = container_plan.plan_container(ContainerWish(SPEC, wanted, restart=restart), FOUND[found])
    assert kinds(plan) == actions
    assert bool(plan.reasons) == bool(actions)
    if plan.after.get("exists", True) and "status" in plan.after:
        assert plan.after["status"] == {"create": "created", "start": "running", "unpause": "running", "pause": "paused",
                                        "stop": "exited"}[actions[-1]]


def test_the_table_has_every_pair():
    pairs = {(found, wanted) for found in FOUND for wanted in WANTED if found != "dead" or wanted == "absent"}
    assert set(container_states.MOVES) == pairs == {(p.values[0], p.values[1]) for p in transitions()}


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
    (PAUSED, {"memory": 128}, {}, "update", ["update", "unpause"]),
    (PAUSED, {"memory": 128}, {"state": "present"}, "update", ["update"]),
    (PAUSED, {"env": {}}, {"state": "present"}, "restart", ["stop", "configure", "start", "pause"]),
    (RUNNING, {"memory": 128}, {"state": "paused"}, "update", ["update", "pause"]),
    (RUNNING, {"images": ("x",)}, {"state": "paused"}, "recreate", ["stop", "configure", "reset_layer", "start", "pause"]),
    (RUNNING, {}, {"recreate": True}, "recreate", ["stop", "reset_layer", "start"]),
    (EXITED, {"env": {}}, {}, "update", ["configure", "start"]),
    (EXITED, {"images": ("x",)}, {"state": "present"}, "recreate", ["configure", "reset_layer"]),
]


@pytest.mark.parametrize("have,said,options,summary,actions", CHANGES)
def test_a_change_costs_what_its_row_says(have, said, options, summary, actions):
    plan = container_plan.plan_container(ContainerWish(spec(**said), **options), have)
    assert (plan.action, kinds(plan)) == (summary, actions)


GOING = {
    None: [], "created": [], "running": ["stop", "remove"], "paused": ["stop", "remove"], "restarting": ["stop", "remove"], "exited": ["remove"],
}


@pytest.mark.parametrize("status,actions", GOING.items())
@pytest.mark.parametrize("of_the_record", [True, False])
def test_what_goes_with_its_end_is_removed_where_it_is_to_be_stopped(status, actions, of_the_record):
    have, partial = FOUND[status], ContainerSpec("web")
    if have.record is not None and of_the_record:
        have = dataclasses.replace(have, record=dataclasses.replace(RECORD, spec=spec(auto_remove=True)))
    else:
        partial = dataclasses.replace(partial, auto_remove=True)
    plan = container_plan.plan_container(ContainerWish(partial, "stopped"), have)
    assert [kind for kind in kinds(plan) if kind != "update"] == actions
    assert not actions or (plan.action == "remove" and plan.after == {"exists": False})


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


LOST = {"network_mode": "container db has been started again since"}


@pytest.mark.parametrize("have,said,options,actions,reasons", [
    (RUNNING, {}, {}, ["stop", "start"], [LOST["network_mode"]]),
    (RUNNING, {"memory": 1}, {}, ["stop", "configure", "start"], ["memory changed (update)", LOST["network_mode"]]),
    (RUNNING, {"network_mode": "none"}, {}, ["stop", "configure", "start"], ["network_mode changed (restart)"]),
    (RUNNING, {}, {"recreate": True}, ["stop", "reset_layer", "start"], ["recreate was asked for", LOST["network_mode"]]),
    (PAUSED, {}, {"state": "paused"}, ["stop", "start", "pause"], [LOST["network_mode"]]),
])
def test_what_is_lost_comes_back_with_a_restart(have, said, options, actions, reasons):
    plan = container_plan.plan_container(ContainerWish(spec(**said), **options), have, None, LOST)
    assert (kinds(plan), list(plan.reasons)) == (actions, reasons)
    with pytest.raises(Conflict, match="on_change"):
        container_plan.plan_container(ContainerWish(spec(**said), **{**options, "on_change": "live_only"}), have, None, LOST)


def test_live_only_lets_a_live_change_pass():
    plan = container_plan.plan_container(ContainerWish(spec(memory=1), on_change="live_only"), RUNNING)
    assert kinds(plan) == ["update"]


COMPARED = [
    # what the task says now, comparisons, what changes
    ({"env": {"B": "2"}}, {}, {"env": {"B": "2"}}),
    ({"env": {"B": "2"}}, {"env": "allow_more_present"}, {"env": {"A": "1", "B": "2"}}),
    ({"env": {}}, {"env": "allow_more_present"}, {}),
    ({"env": None}, {"env": "allow_more_present"}, {}),
    ({"env": {"A": "2"}}, {"env": "allow_more_present"}, {"env": {"A": "2"}}),
    ({"env": {"A": "2"}, "memory": 1}, {"*": "ignore"}, {}),
    ({"env": {"A": "2"}, "memory": 1}, {"*": "ignore", "memory": "strict"}, {"memory": 1}),
    ({"env": {"A": "2"}, "memory": 1}, {"env": "ignore"}, {"memory": 1}),
    ({"env": {"B": "2"}, "memory": 1}, {"*": "allow_more_present"}, {"env": {"A": "1", "B": "2"}, "memory": 1}),
    ({"images": ("other",)}, {"images": "ignore"}, {}),
    ({"ulimits": (Ulimit("core", 0, 0),)}, {"ulimits": "allow_more_present"}, {"ulimits": (Ulimit("core", 0, 0),)}),
]


@pytest.mark.parametrize("said,comparisons,changed", COMPARED)
def test_a_comparison_can_be_relaxed(said, comparisons, changed):
    wish = ContainerWish(spec(**said), comparisons=comparisons)
    assert container_plan.wanted_spec(wish, RUNNING) == spec(**changed)
    assert bool(container_plan.plan_container(wish, RUNNING).actions) == bool(changed)


@pytest.mark.parametrize("want,have,joined", [
    ((Ulimit("core", 0, 0),), (Ulimit("core", 1, 1), Ulimit("nofile", 1, 1)), (Ulimit("core", 0, 0), Ulimit("nofile", 1, 1))),
    ((Mount("tmpfs", "", "/b"),), (Mount("tmpfs", "", "/a"),), (Mount("tmpfs", "", "/a"), Mount("tmpfs", "", "/b"))),
    (("CAP_CHOWN",), ("CAP_CHOWN", "CAP_KILL"), ("CAP_CHOWN", "CAP_KILL")),
])
def test_more_of_a_list_may_be_there(want, have, joined):
    fields = [field for field in FIELDS if field.name in ("ulimits", "mounts", "capabilities")]
    name = {Ulimit: "ulimits", Mount: "mounts"}.get(type(want[0]), "capabilities")
    found = changes.relaxed(fields, spec(**{name: want}), spec(**{name: have}), {name: "allow_more_present"})
    assert getattr(found, name) == joined


def test_what_is_made_is_made_as_it_is_said():
    assert container_plan.wanted_spec(ContainerWish(SPEC, comparisons={"*": "ignore"}), ABSENT) == SPEC


@pytest.mark.parametrize(("said", "option"), [
    ({"published_ports": (PortMapping(None, 81, 81),)}, "published_ports"),
    ({"default_host_ip": ""}, "default_host_ip"),
    ({"published_ports": (PortMapping("127.0.0.1", 81, 81),)}, None),
    ({"published_ports": (PortMapping(None, 81, 81),), "default_host_ip": ""}, None),
    ({"published_ports": ()}, None),
    ({"default_host_ip": "127.0.0.1"}, None),
    ({"labels": {"a": "b"}}, None),
])
def test_a_partial_task_does_not_open_a_port_to_more_than_the_container_was_made_for(said, option):
    """What is said of one alone would be understood without the other."""
    have = dataclasses.replace(RECORD, spec=spec(published_ports=(PortMapping("127.0.0.1", 80, 80),), default_host_ip="127.0.0.1"))
    wish = ContainerWish(ContainerSpec("web", **said))
    if option is None:
        container_plan.wanted_spec(wish, dataclasses.replace(RUNNING, record=have))
        return
    with pytest.raises(Invalid, match="option %s: .* too" % option):
        container_plan.wanted_spec(wish, dataclasses.replace(RUNNING, record=have))


@pytest.mark.parametrize(("pins", "config", "was", "now"), [
    ((Pin("debian", "12", ("l1", "l2")),), ImageConfig(), ["debian:12 (layer l1)"], ["debian:12 (layer l2)"]),
    ((Pin("debian", "12", ("l1",)),), ImageConfig(env=("A=1",), user="www"), ["debian:12 (layer l1)", "Env: None", "User: None"],
     ["debian:12 (layer l1)", "Env: ['A=1']", "User: www"]),
    ((Pin("debian", "13", ("l2",)),), ImageConfig(user="www"), ["debian:12"], ["debian:13"]),
])
def test_what_a_repin_shows_is_never_the_same_twice(pins, config, was, now):
    plan = container_plan.plan_container(ContainerWish(SPEC, repin=True), RUNNING, (pins, config))
    assert (plan.before["images"], plan.after["images"]) == (was, now)
