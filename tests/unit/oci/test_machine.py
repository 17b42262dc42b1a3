# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.oci import machine


@pytest.mark.parametrize(("text", "found"), [("", ()), (None, ()), ("0", (0,)), ("0-3,7", (0, 1, 2, 3, 7)), (" 1 , 3-3", (1, 3))])
def test_lists_of_numbers(text: t.Any, found: t.Tuple[int, ...]) -> None:
    assert machine.numbers(text, "x") == set(found)


@pytest.mark.parametrize("text", ["3-1", "a", "1,", "-1", "1-", "99999", "1-99999999999", "\u0663", 7, ["1"]])
def test_what_is_no_list_is_named(text: t.Any) -> None:
    with pytest.raises(Invalid, match="x.y"):
        machine.numbers(text, "x.y")


def test_a_policy_with_its_flags() -> None:
    given = {"mode": "MPOL_INTERLEAVE", "nodes": "0-1", "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_STATIC_NODES"]}
    assert machine.memory_policy(given, "p") == (3 | 1 << 15, {0, 1}) and machine.memory_policy({}, "p") is None
    for wrong in ({"mode": "MPOL_X"}, {"nodes": "0"}, {"mode": "MPOL_BIND", "flags": ["x"]}, {"mode": "MPOL_BIND", "flags": "x"}):
        with pytest.raises(Invalid, match="^option p"):
            machine.memory_policy(wrong, "p")


def test_devices_and_their_names() -> None:
    assert machine.devices({"eth1": {}, "eth0": {"name": "net%d"}}, "d") == (("eth0", "net%d"), ("eth1", "eth1"))
    names: t.List[t.Any] = ["a/b", "a b", "a:b", "..", "x" * 16, "%d%d", "a%sb", "x" * 15 + "%d", 7]
    for wrong in [{"e": {"name": name}} for name in names] + [{name: {}} for name in ("", "a%d", "x" * 16)] + [{"e": "x"}]:
        with pytest.raises(Invalid, match="^option d"):
            machine.devices(wrong, "d")
    with pytest.raises(Unsupported, match="d.e.mtu"):
        machine.devices({"e": {"mtu": 1}}, "d")


def test_affinity() -> None:
    assert machine.affinity({"initial": "0", "final": "0-1"}, "a") == ({0}, {0, 1}) and machine.affinity({}, "a") == machine.Affinity()
