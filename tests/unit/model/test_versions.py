# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools
import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.cocker.engine.plugins.module_utils.model import versions


@pytest.mark.parametrize("ordered", [
    ["1.9.2", "1.10.0"],
    ["1.9.0", "2.0.0"],
    ["0.9.0", "0.10.0", "1"],
    ["_", "latest", "0", "0.0.1"],
    ["_", "1.0.0"],
    ["1", "1.0", "1.0.0", "1.0.0.1"],
    ["2.0.0-rc1", "1.0.0", "1.0.1"],
    ["v2.0", "1.0"],
    ["12-slim", "latest", "11", "12"],
    ["1.rc9", "1.2.x", "1.10.x", "0"],
    ["007", "7.1", "08"],
    ["1." + 100 * "9", "2"],
])
def test_smallest_to_largest_in_whatever_order_they_are_found(ordered: t.List[str]) -> None:
    for found in itertools.permutations(ordered):
        assert sorted(found, key=versions.key) == ordered
        assert versions.largest(found) == ordered[-1]


def test_no_version_has_no_largest() -> None:
    assert versions.largest([]) is None


@given(st.lists(st.text(alphabet="0123456789._-abz", min_size=1, max_size=12), min_size=1, max_size=8))
def test_order_of_discovery_never_matters(found: t.List[str]) -> None:
    assert versions.largest(found) == versions.largest(list(reversed(found)))
