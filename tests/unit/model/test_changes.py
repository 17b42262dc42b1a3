# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs, and what the difference costs."""
from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model import changes
from ansible_collections.cocker.engine.plugins.module_utils.model.changes import LIVE, NOTHING, RECREATE, RESTART, Change, Field


@dataclasses.dataclass(frozen=True)
class Thing:
    label: t.Optional[str] = None
    command: t.Optional[t.Tuple[str, ...]] = None
    image: t.Optional[str] = None


FIELDS = (Field("label", LIVE, str), Field("command", RESTART, tuple), Field("image", RECREATE, str))


@pytest.mark.parametrize(("want", "have", "names", "cost"), [
    (Thing(), Thing(), [], NOTHING),
    (Thing("a", ("x",), "i"), Thing("a", ("x",), "i"), [], NOTHING),
    (Thing("a"), Thing("b"), ["label"], LIVE),
    (Thing("a"), Thing(), ["label"], LIVE),
    (Thing(), Thing("a"), ["label"], LIVE),
    (Thing(command=()), Thing(), ["command"], RESTART),
    (Thing("b", ("y",)), Thing("a", ("x",)), ["label", "command"], RESTART),
    (Thing("b", ("x",), "j"), Thing("a", ("x",), "i"), ["label", "image"], RECREATE),
])
def test_every_difference_is_found_and_the_dearest_decides(want: Thing, have: Thing, names: t.List[str], cost: str) -> None:
    found = changes.compare(FIELDS, want, have)
    assert ([change.name for change in found], changes.dearest(found)) == (names, cost)


def test_a_change_says_before_and_after() -> None:
    assert changes.compare(FIELDS, Thing("new"), Thing("old")) == (Change("label", "old", "new", LIVE),)


def test_unset_and_wanted_empty_are_not_the_same() -> None:
    assert changes.compare(FIELDS, Thing(command=()), Thing(command=None)) != ()


@pytest.mark.parametrize("one,two,same", [(None, (), True), ((), None, True), (None, ("x",), False), ((), ("x",), False)])
def test_the_usual_is_the_same_as_nothing_said(one: t.Any, two: t.Any, same: bool) -> None:
    fields = (Field("command", RESTART, tuple, ()),)
    assert (changes.compare(fields, Thing(command=one), Thing(command=two)) == ()) == same


def test_plain_leaves_out_what_is_unset_and_sorts_keys() -> None:
    shown = changes.plain({"b": Thing("x", ("y", "z")), "a": {"none": None}})
    assert json.dumps(shown) == '{"a": {"none": null}, "b": {"label": "x", "command": ["y", "z"]}}'
