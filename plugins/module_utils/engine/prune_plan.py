# SPDX-License-Identifier: BSD-2-Clause
"""PURE: what is to go, from all that is there and who needs what."""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.queries import Filters, PruneWish

CONTAINER, IMAGE, NETWORK, VOLUME = "container", "image", "network", "volume"
BUILD = "cocker.build.name"     # label of a container that an image is built in (role image_build)
LAYER, COPY, ENGINE, LITTER = "layer", "layer_copy", "engine", "litter"
_SECONDS = len("2026-01-01T00:00:00")

Need = t.Tuple[str, str]


@dataclasses.dataclass(frozen=True)
class Item:
    """`created` is RFC 3339, or empty where nobody noted it. `size` are bytes on the disk."""

    kind: str
    name: str
    created: str = ""
    labels: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    is_free: bool = True
    size: int = 0


@dataclasses.dataclass(frozen=True)
class Stock:
    """`needs` has for each container what it is made of and uses, as (kind, name)."""

    containers: t.Tuple[Item, ...] = ()
    images: t.Tuple[Item, ...] = ()
    networks: t.Tuple[Item, ...] = ()
    volumes: t.Tuple[Item, ...] = ()
    needs: t.Mapping[str, t.FrozenSet[Need]] = dataclasses.field(default_factory=dict)


def chosen(stock: Stock, wish: PruneWish) -> t.List[Item]:
    """Containers first: what only they need goes with them."""
    gone = [item for item in stock.containers if wish.containers and item.is_free and fits(item, wish.containers_filters)
            and not _is_built_in(item, wish.containers_filters)]
    names = {item.name for item in gone}
    needed = {need for container, needs in stock.needs.items() if container not in names for need in needs}
    rest = (
        (stock.images, wish.images and not wish.images_filters.dangling, wish.images_filters),
        (stock.networks, wish.networks, wish.networks_filters),
        (stock.volumes, wish.volumes, wish.volumes_filters),
    )
    return gone + [
        item for items, is_wanted, filters in rest for item in items
        if is_wanted and (item.kind, item.name) not in needed and fits(item, filters)
    ]


def _is_built_in(item: Item, filters: Filters) -> bool:
    """A build stands still between its steps, so only who asks for this label is taken to know that it does not go on."""
    return BUILD in item.labels and not any(label.partition("=")[0] == BUILD for label in filters.labels)


def fits(item: Item, filters: Filters) -> bool:
    """What has no time is kept where a time is asked for."""
    if filters.until and not (item.created and item.created[:_SECONDS] < filters.until[:_SECONDS]):
        return False
    has_all = all(_has(item, label) for label in filters.labels)
    return has_all and not any(_has(item, label) for label in filters.not_labels)


def _has(item: Item, label: str) -> bool:
    key, equals, value = label.partition("=")
    return key in item.labels and (not equals or item.labels[key] == value)
