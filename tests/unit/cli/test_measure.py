# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.cli import measure, prune
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid


def look(moment: float, used: t.Optional[int]) -> measure._Look:
    return measure._Look(moment, {"cpu_stats": {"cpu_usage": {"total_usage": used}}})


@pytest.mark.parametrize(("now", "before", "percent"), [
    (look(2.0, 3_000_000_000), look(1.0, 1_000_000_000), 200.0), (look(2.0, 5), None, None), (look(2.0, None), look(1.0, None), None),
    (look(1.0, 5), look(1.0, 5), None), (look(2.0, 5), look(1.0, 6), None),
])
def test_a_share_of_the_cpu_needs_two_looks(now: t.Any, before: t.Any, percent: t.Optional[float]) -> None:
    assert measure.share(now, before) == percent


SAID: t.Dict[str, t.Any] = {
    "containers": False, "images": False, "networks": False, "volumes": False, "engines": False, "litter": False, "all": False, "filter": [],
}


def test_volumes_never_go_unless_they_are_named() -> None:
    found = prune.params(SAID)
    assert found["containers"] and found["images"] and found["networks"] and not found["volumes"]
    assert prune.params({**SAID, "volumes": True})["volumes"] and not prune.params({**SAID, "volumes": True})["containers"]


def test_filters_reach_every_kind_that_has_them() -> None:
    found = prune.params({**SAID, "images": True, "all": True, "filter": ["until=24h", "label=a", "label=b=c", "label!=d"]})
    wanted = {"until": "24h", "label": ["a", "b=c"], "label!": ["d"]}
    assert found["images_filters"] == {**wanted, "dangling": False}


@pytest.mark.parametrize("said", [{"filter": ["colour=red"]}, {"filter": ["until"]}, {"containers": True, "all": True}], ids=str)
def test_what_prune_does_not_know_is_refused(said: t.Dict[str, t.Any]) -> None:
    with pytest.raises(Invalid):
        prune.params({**SAID, **said})
