# SPDX-License-Identifier: GPL-3.0-or-later
"""cocker_containers: each container is read as cocker_container reads one, with the defaults of all under it."""
from __future__ import annotations

import typing as t

import pytest

pytest.importorskip("ansible.module_utils.common.arg_spec")

from ansible_collections.cocker.engine.plugins.module_utils.edge import parse_containers, results_together
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Plan, outcome
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainersWish, ContainerWish


def read(*containers: t.Any, defaults: t.Any = None, state: t.Optional[str] = None) -> ContainersWish:
    return parse_containers.wish({"containers": list(containers), "defaults": defaults, "state": state})


def one(own: t.Dict[str, t.Any], defaults: t.Any) -> ContainerWish:
    return read({"name": "a", **own}, defaults=defaults).members[0].wish


def test_what_is_said_of_one_is_what_cocker_container_reads() -> None:
    assert one({"image": "x", "ports": ["80:80"], "state": "paused"}, None).state == "paused"
    assert one({}, None) == ContainerWish(ContainerSpec("a"))


@pytest.mark.parametrize("own,defaults,field,value", [
    ({}, {"image": "x"}, "images", ("x",)),
    ({"image": "y"}, {"image": "x"}, "images", ("y",)),
    ({"images": ["y", "z"]}, {"image": "x"}, "images", ("y", "z")),
    ({"env": {"B": "2"}}, {"env": {"A": "1"}}, "env", {"B": "2"}),
    ({"env": {}}, {"env": {"A": "1"}}, "env", {}),
    ({"label": {"b": "2"}}, {"labels": {"a": "1"}}, "labels", {"b": "2"}),
    ({"cpu_quota": 2000}, {"cpus": 1}, "nano_cpus", None),
    ({}, {"memory": "64M"}, "memory", 64 << 20),
])
def test_defaults_lie_under_what_each_says(own: t.Dict[str, t.Any], defaults: t.Dict[str, t.Any], field: str, value: t.Any) -> None:
    assert getattr(one(own, defaults).spec, field) == value


def test_a_state_for_all_wins() -> None:
    wished = read({"name": "a", "state": "paused"}, {"name": "b"}, defaults={"state": "present"}, state="absent")
    assert {member.wish.state for member in wished.members} == {"absent"}


def test_what_is_needed_comes_first() -> None:
    wished = read({"name": "web", "depends_on": ["db", "cache"]}, {"name": "cache"}, {"name": "db", "depends_on": ["disk"]}, {"name": "disk"})
    assert wished.order == ("cache", "disk", "db", "web")
    assert [member.wish.spec.name for member in wished.members] == ["web", "cache", "db", "disk"]


def test_what_is_needed_may_have_to_be_healthy() -> None:
    said = ["disk", {"name": "db", "condition": "healthy"}, {"name": "log", "condition": "service_started"}, {"name": "mq", "condition": "service_healthy"}]
    member = read({"name": "web", "depends_on": said, "healthy_wait_timeout": 9}).members[0]
    assert (member.needs, member.needs_healthy, member.wish.healthy_within) == (("db", "disk", "log", "mq"), ("db", "mq"), 9)


@pytest.mark.parametrize("given,message", [
    ({"name": "db", "condition": "ready"}, "the condition 'ready' is not one of healthy, service_healthy, service_started, started"),
    ({"container": "db"}, "is neither a name nor a dictionary"), (5, "5 is neither a name"), ({"condition": "healthy"}, "is neither a name"),
])
def test_what_is_no_need(given: t.Any, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        read({"name": "web", "depends_on": [given]})


def test_whose_namespaces_are_shared_is_needed() -> None:
    wished = read({"name": "a", "image": "x", "network_mode": "container:b", "ipc_mode": "container:c", "depends_on": "d"}, {"name": "b"})
    assert wished.members[0].needs == ("b", "c", "d")
    assert wished.order == ("b", "a")


@pytest.mark.parametrize("containers,defaults,subject", [
    ([{"name": "a"}, {"name": "a"}], None, "containers"),
    ([{"name": "a", "nothing": 1}], None, "containers[a]"),
    ([{"image": "x"}], None, "containers[0]"),
    ([{"name": "a", "memory": "lots"}], None, "containers[a].memory"),
    ([{"name": "a", "image": "x", "images": ["y"]}], None, "containers[a]"),
    ([{"name": "a", "env": {"A": True}}], None, "containers[a].env"),
    ([{"name": "a", "ports": [], "published_ports": []}], None, "containers[a].published_ports"),
    ([{"name": "a"}], {"memory": "lots"}, "containers[a].memory"),
    ([{"name": "a"}], {"name": "b"}, "defaults.name"),
    ([{"name": "a"}], {"depends_on": ["b"]}, "defaults.depends_on"),
    ([{"name": "a", "depends_on": ["b"]}, {"name": "b", "depends_on": ["a"]}], None, "depends_on"),
    ([{"name": "a", "depends_on": ["a"]}], None, "depends_on"),
])
def test_a_mistake_is_named_with_its_container(containers: t.Any, defaults: t.Any, subject: str) -> None:
    with pytest.raises(Invalid) as caught:
        read(*containers, defaults=defaults)
    assert caught.value.subject == subject


def test_results_say_what_became_of_each() -> None:
    made = outcome(Plan("create", ("it does not exist",), (Action("create", "a"),), {"exists": False}, {"exists": True}), {"container": {"Name": "/a"}})
    same = outcome(Plan(), {"container": {"Name": "/b"}})
    found = results_together.together([("a", made), ("b", same)], ContainersWish((), (), ("a warning",)))
    assert (found["changed"], found["plan"], found["warnings"]) == (True, {"action": "create", "reasons": ["a: it does not exist"]}, ["a warning"])
    assert [result["changed"] for result in found["results"]] == [True, False]
    assert [container["Name"] for container in found["containers"]] == ["/a", "/b"]
    assert [diff["before_header"] for diff in found["diff"]] == ["a"]
    assert "failed" not in found


def test_one_failure_fails_the_task_and_hides_nothing() -> None:
    same = outcome(Plan(), {"container": None})
    found = results_together.together([("a", Conflict("start container", "a", "no")), ("b", same)], ContainersWish((), ()))
    assert (found["failed"], found["changed"]) == (True, False)
    assert found["msg"] == "1 of 2 containers failed: a: start container a: no"
    assert [result.get("failed", False) for result in found["results"]] == [True, False]
