# SPDX-License-Identifier: GPL-3.0-or-later
"""OCI device rules, and the same meaning in the v1 controller's words."""
from __future__ import annotations

import itertools
import typing as t

import pytest
from hypothesis import given, settings, strategies as st

from ansible_collections.cocker.engine.plugins.module_utils.kernel.bpf import DeviceRule
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import devices

DENY_ALL = {"allow": False, "access": "rwm"}
ALLOW_ALL = {"allow": True, "access": "rwm"}
NULL = {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"}


def from_scratch(*entries: t.Mapping[str, t.Any]) -> t.List[t.Tuple[str, str]]:
    return devices.v1_writes(devices.v1_allowance(devices.rules(entries)), devices.EVERYTHING)


def test_entries_become_rules() -> None:
    assert devices.rules([DENY_ALL, {"allow": True, "type": "u", "major": 10, "minor": -1, "access": "mr"}]) == [
        DeviceRule(allow=False),
        DeviceRule(allow=True, kind="c", major=10, minor=None, access="rm"),
    ]


@pytest.mark.parametrize(
    "entry", [{"type": "x", "allow": True}, {"allow": "yes"}, {"allow": True, "access": "rx"}, {"allow": True, "major": "1"}, {}]
)
def test_bad_entries_are_refused(entry: t.Mapping[str, t.Any]) -> None:
    with pytest.raises(Invalid, match=r"devices\[0\]"):
        devices.rules([entry])


def test_a_short_list_is_written_after_denying_all() -> None:
    assert from_scratch(DENY_ALL, NULL) == [("devices.deny", "a"), ("devices.allow", "c 1:3 rwm")]


def test_without_a_first_rule_all_is_denied() -> None:
    assert from_scratch(NULL) == from_scratch(DENY_ALL, NULL)


def test_all_but_one() -> None:
    one = {"allow": False, "type": "b", "major": 8, "minor": 0, "access": "w"}
    assert from_scratch(ALLOW_ALL, one) == [("devices.allow", "a"), ("devices.deny", "b 8:0 w")]


def test_a_later_rule_takes_back_an_earlier_one() -> None:
    assert from_scratch(NULL, dict(NULL, allow=False, access="w")) == [("devices.deny", "a"), ("devices.allow", "c 1:3 rm")]


def test_a_later_rule_that_is_wider_takes_it_back_too() -> None:
    assert from_scratch(NULL, {"allow": False, "type": "c", "access": "rwm"}) == [("devices.deny", "a")]


def test_a_hole_in_a_wider_rule_has_no_words_on_v1() -> None:
    with pytest.raises(Unsupported, match=r"c 10:200 rwm out of c \*:\* rwm"):
        from_scratch(dict(ALLOW_ALL, type="c"), dict(DENY_ALL, type="c", major=10, minor=200))


def test_any_type_with_numbers_is_spelled_as_both() -> None:
    assert from_scratch({"allow": True, "type": "a", "major": 7, "access": "r"})[1:] == [
        ("devices.allow", "b 7:* r"),
        ("devices.allow", "c 7:* r"),
    ]


def test_an_update_writes_only_the_differences() -> None:
    listed = "c 1:3 rwm\nc 1:5 rwm\nb 7:0 rmw\n"
    wanted = devices.rules([NULL, dict(NULL, minor=8), {"allow": True, "type": "b", "major": 7, "minor": 0, "access": "r"}])
    assert devices.v1_writes(devices.v1_allowance(wanted), listed) == [
        ("devices.allow", "c 1:8 rwm"),
        ("devices.allow", "b 7:0 r"),
        ("devices.deny", "c 1:5 rwm"),
        ("devices.deny", "b 7:0 wm"),
    ]


def test_the_second_update_writes_nothing() -> None:
    assert devices.v1_writes(devices.v1_allowance(devices.rules([NULL])), "c 1:3 rwm\n") == []


places = st.sampled_from([None, 1, 2])
a_rule = st.builds(
    DeviceRule, allow=st.booleans(), kind=st.sampled_from("abc"), major=places, minor=places,
    access=st.sampled_from(["r", "rw", "m", "rwm"]),
)


@settings(max_examples=150, deadline=None, database=None)
@given(st.lists(a_rule, max_size=6))
def test_what_v1_can_hold_means_the_same(rules: t.List[DeviceRule]) -> None:
    try:
        held = devices.v1_allowance(rules)
    except Unsupported:
        return
    for kind, major, minor, letter in itertools.product("bc", (1, 2, 3), (1, 2, 3), "rwm"):

        def names(rule: DeviceRule, place: t.Tuple[str, int, int, str] = (kind, major, minor, letter)) -> bool:
            matches = zip((rule.kind, rule.major, rule.minor), place)
            return all(own in (None, "a", wanted) for own, wanted in matches) and place[3] in rule.access

        verdicts = [rule.allow for rule in rules if names(rule)]
        assert (any(map(names, held.exceptions)) != held.everything) is bool(verdicts and verdicts[-1])
