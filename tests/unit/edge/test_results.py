# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module returns."""
from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.edge import results
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Plan, outcome


def test_an_outcome_keeps_its_one_plan_in_four_views() -> None:
    plan = Plan("create", ("it does not exist",), (Action("create", "web", {"images": ["a"]}),), {"exists": False}, {"exists": True})
    assert results.ensured(outcome(plan, {"container": {"Name": "/web"}}), None) == {
        "changed": True,
        "actions": [{"action": "create", "name": "web", "images": ["a"]}],
        "plan": {"action": "create", "reasons": ["it does not exist"]},
        "diff": {"before": {"exists": False}, "after": {"exists": True}},
        "container": {"Name": "/web"},
    }


def test_a_result_cannot_replace_changed() -> None:
    assert results.ensured(outcome(Plan(), {"changed": True}), None)["changed"] is False


@pytest.mark.parametrize(("found", "name", "result"), [
    ([], None, {"exists": False, "image": None, "images": []}),
    ([], "a", {"exists": False, "image": None, "images": []}),
    ([{"Id": 1}], "a", {"exists": True, "image": {"Id": 1}, "images": [{"Id": 1}]}),
    ([{"Id": 1}], None, {"exists": True, "image": None, "images": [{"Id": 1}]}),
    ([{"Id": 1}, {"Id": 2}], "a", {"exists": True, "image": {"Id": 2}, "images": [{"Id": 1}, {"Id": 2}]}),
])
def test_a_list_has_its_one_thing_beside_it_where_one_was_asked_for(found: t.Any, name: t.Optional[str], result: t.Any) -> None:
    assert results.listed("image", "images")(found, name) == result


@pytest.mark.parametrize(("value", "safe"), [
    ("text \u00e9", "text \u00e9"),
    ("bad \udcff name", "bad \ufffd name"),
    ("\ud800", "\ufffd"),
    (b"raw \xff", "raw \ufffd"),
    ({"k\udcff": ["\udc80", {"x": ("y", b"z")}]}, {"k\ufffd": ["\ufffd", {"x": ["y", "z"]}]}),
    ({1: 2}, {"1": 2}),
    ({"b", "a"}, ["a", "b"]),
    (None, None), (True, True), (1.5, 1.5),
])
def test_every_result_can_be_sent(value: t.Any, safe: t.Any) -> None:
    made = results.json_safe(value)
    assert made == safe
    json.dumps(made, ensure_ascii=False).encode("utf-8")
