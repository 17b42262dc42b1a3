# SPDX-License-Identifier: GPL-3.0-or-later
"""Maps of user namespaces: read, refused, and used in both directions."""
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model import idmap
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid


def test_ids_are_found_in_both_directions() -> None:
    extents = idmap.parse(["1000:700000:10", "0:500000:1000"], "uidmap")
    assert extents == ((0, 500000, 1000), (1000, 700000, 10))
    assert [idmap.outside(extents, number) for number in (0, 999, 1000, 1009, 1010)] == [500000, 500999, 700000, 700009, None]
    assert [idmap.inside(extents, number) for number in (500000, 500999, 700009, 700010, 0)] == [0, 999, 1009, None, None]
    assert idmap.text(extents) == "0 500000 1000\n1000 700000 10\n"
    assert idmap.Maps(extents, extents).root == (500000, 500000)


def test_what_a_container_does_not_have_stays_or_is_nobodys() -> None:
    extents = idmap.parse(["0:1000:1000"], "uidmap")
    assert [idmap.told(extents, number) for number in (0, 999, 200000, 1000, 1999, 2000)] == [1000, 1999, 200000, 65534, 65534, 2000]
    back = idmap.turned(extents)
    assert [idmap.told(back, number) for number in (1000, 1999, 200000, 0, 65534)] == [0, 999, 200000, 65534, 65534]


@pytest.mark.parametrize("given", [
    [], ["0:1"], ["0:1:0"], ["0:1:x"], ["-1:1:1"], ["1:100:5"], ["0:100:10", "5:500:10"], ["0:100:10", "10:105:10"],
    ["0:4294967295:1"], ["0:4294967290:10"], ["0:1:1"] * 2, ["%d:%d:1" % (number, number) for number in range(341)], ["0:1:99999999999"],
])
def test_what_is_no_map_is_refused(given: t.List[str]) -> None:
    with pytest.raises(Invalid) as caught:
        idmap.parse(given, "uidmap")
    assert caught.value.subject == "uidmap"
