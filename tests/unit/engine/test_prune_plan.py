# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine.prune_plan import CONTAINER, IMAGE, NETWORK, VOLUME, Item, Stock, chosen
from ansible_collections.cocker.engine.plugins.module_utils.model.queries import Filters, PruneWish

STOCK = Stock(
    containers=(Item(CONTAINER, "ended", "2026-01-01T00:00:00.1Z", {"a": "1"}), Item(CONTAINER, "runs", is_free=False)),
    images=(Item(IMAGE, "app:1", "2026-01-01T00:00:00Z"), Item(IMAGE, "app:2", "2026-02-01T00:00:00Z"), Item(IMAGE, "idle", "")),
    networks=(Item(NETWORK, "n1"), Item(NETWORK, "n2", labels={"keep": ""})),
    volumes=(Item(VOLUME, "v1"), Item(VOLUME, "v2", labels={"keep": "yes"})),
    needs={"ended": frozenset({(IMAGE, "app:1"), (NETWORK, "n1"), (VOLUME, "v1")}), "runs": frozenset({(IMAGE, "app:2"), (NETWORK, "n2")})},
)
ALL = Filters(dangling=False)


@pytest.mark.parametrize(("wish", "gone"), [
    (PruneWish(), []),
    (PruneWish(containers=True), ["ended"]),
    (PruneWish(images=True), []),
    (PruneWish(images=True, images_filters=ALL), ["idle"]),
    (PruneWish(containers=True, images=True, images_filters=ALL), ["ended", "app:1", "idle"]),
    (PruneWish(images=True, images_filters=Filters(until="2026-01-15T00:00:00Z", dangling=False)), []),
    (PruneWish(containers=True, containers_filters=Filters(until="2026-01-01T00:00:00Z")), []),
    (PruneWish(containers=True, containers_filters=Filters(until="2026-01-01T00:00:01Z")), ["ended"]),
    (PruneWish(containers=True, containers_filters=Filters(labels=("a",))), ["ended"]),
    (PruneWish(containers=True, containers_filters=Filters(labels=("a=2",))), []),
    (PruneWish(containers=True, containers_filters=Filters(not_labels=("a=1",))), []),
    (PruneWish(networks=True), []),
    (PruneWish(networks=True, containers=True), ["ended", "n1"]),
    (PruneWish(volumes=True), ["v2"]),
    (PruneWish(volumes=True, volumes_filters=Filters(not_labels=("keep",))), []),
    (PruneWish(containers=True, images=True, networks=True, volumes=True, images_filters=ALL), ["ended", "app:1", "idle", "n1", "v1", "v2"]),
])
def test_what_nobody_needs_is_chosen(wish: PruneWish, gone: t.List[str]) -> None:
    assert [item.name for item in chosen(STOCK, wish)] == gone


@pytest.mark.parametrize(("labels", "gone"), [((), []), (("a",), []), (("cocker.build.name",), ["build"]), (("cocker.build.name=web",), ["build"]),
                                              (("cocker.build.name=other",), [])])
def test_a_build_that_stands_still_goes_only_by_its_label(labels: t.Tuple[str, ...], gone: t.List[str]) -> None:
    stock = Stock(containers=(Item(CONTAINER, "build", labels={"cocker.build.name": "web", "a": ""}),))
    assert [item.name for item in chosen(stock, PruneWish(containers=True, containers_filters=Filters(labels=labels)))] == gone
