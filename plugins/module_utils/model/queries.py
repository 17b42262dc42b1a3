# SPDX-License-Identifier: BSD-2-Clause
"""What an info module is asked for, where that is more than a name; and what is to be pruned."""
from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True)
class ImageQuery:
    """`name` None is all. `stack`, bottom first: images whose conflicts are wanted. `verify` compares what is on the disk."""

    name: t.Optional[str] = None
    stack: t.Tuple[str, ...] = ()
    verify: bool = False


@dataclasses.dataclass(frozen=True)
class Filters:
    """`until` is RFC 3339: only what is older. Labels as KEY or KEY=VALUE. `dangling`: only images that nothing has a name for."""

    until: str = ""
    labels: t.Tuple[str, ...] = ()
    not_labels: t.Tuple[str, ...] = ()
    dangling: bool = True


@dataclasses.dataclass(frozen=True)
class PruneWish:
    containers: bool = False
    images: bool = False
    networks: bool = False
    volumes: bool = False
    engines: bool = False
    litter: bool = False
    containers_filters: Filters = Filters()
    images_filters: Filters = Filters()
    networks_filters: Filters = Filters()
    volumes_filters: Filters = Filters()
