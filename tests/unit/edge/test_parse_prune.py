# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_prune, parse_prune
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.queries import Filters, PruneWish

Filled = t.Callable[..., t.Dict[str, t.Any]]
TIME = "2026-01-12T08:30:00Z"


@pytest.mark.parametrize(("given", "wish"), [
    ({}, PruneWish()),
    ({"containers": True, "litter": True}, PruneWish(containers=True, litter=True)),
    ({"images": True, "images_filters": {"dangling": False}}, PruneWish(images=True, images_filters=Filters(dangling=False))),
    ({"images": True, "images_filters": {"dangling": "false"}}, PruneWish(images=True, images_filters=Filters(dangling=False))),
    ({"volumes": True, "volumes_filters": {"label": "a", "label!": ["b=c", "d"]}},
     PruneWish(volumes=True, volumes_filters=Filters(labels=("a",), not_labels=("b=c", "d")))),
    ({"containers": True, "containers_filters": {"until": TIME}},
     PruneWish(containers=True, containers_filters=Filters(until="2026-01-12T08:30:00.000000000Z"))),
])
def test_options_are_read(filled: Filled, given: t.Dict[str, t.Any], wish: PruneWish) -> None:
    assert parse_prune.wish(filled(args_prune.SPEC.options, given)) == wish


@pytest.mark.parametrize(("given", "text"), [
    ({"containers_filters": {"label": "a"}}, "option containers_filters: it needs containers: true"),
    ({"networks": True, "networks_filters": {"until": "24h"}}, "networks_filters: until is no filter for networks"),
    ({"images": True, "images_filters": {"until": "soon"}}, "images_filters: until: 'soon' is no time"),
    ({"images": True, "images_filters": {"dangling": "maybe"}}, "dangling: 'maybe' is neither true nor false"),
    ({"volumes": True, "volumes_filters": {"label": {"a": "b"}}}, "is no label"),
])
def test_a_bad_filter_is_refused(filled: Filled, given: t.Dict[str, t.Any], text: str) -> None:
    with pytest.raises(Invalid, match=text):
        parse_prune.wish(filled(args_prune.SPEC.options, given))
