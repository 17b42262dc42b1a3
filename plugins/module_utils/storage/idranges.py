# SPDX-License-Identifier: BSD-2-Clause
"""Which range of the host's user and group ids a container has, where one is chosen for it: containers/<name>/ids.json.

A range is nobody else's, is taken at the first start, and goes with the container. Not here: the lock under which a range is chosen, and
whether anything on the disk belongs to these ids (owners.py).
"""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model import idmap, names
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict
from ansible_collections.cocker.engine.plugins.module_utils.storage import records
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import DEFAULT_HOME, Layout

FIRST, RANGES = 0x70000000, 4096        # what systemd and Linux distributions leave unused: UIDS-GIDS of systemd
_FILE = "ids.json"


def find(layout: Layout, container: str) -> t.Optional[int]:
    """The first id of the container's range. Raises Damaged."""
    return records.load(os.path.join(layout.container(container), _FILE), _first)


def _first(value: t.Mapping[str, t.Any]) -> int:
    first = int(value["first"])
    if not FIRST <= first < FIRST + RANGES * idmap.SIZE:
        raise ValueError("%d is outside of the ranges" % first)
    return first


def take(layout: Layout, container: str) -> int:
    """The container's directory is there. Idempotent. Raises Conflict when all ranges are taken."""
    mine = find(layout, container)
    if mine is not None:
        return mine
    taken = {find(layout, name) for name in layout.container_names()}
    free = next((first for first in candidates(layout.home) if first not in taken), None)
    if free is None:
        raise Conflict("userns_mode", container, "all %d ranges of ids are taken" % RANGES)
    records.write(os.path.join(layout.container(container), _FILE), {"first": free}, durable=False)
    return free


def candidates(home: str) -> t.Iterator[int]:
    """All of them. Other stores of the host begin elsewhere, so that two containers hardly ever have the same."""
    begin = 0 if home == DEFAULT_HOME else int(names.short_hash(home), 16) % RANGES
    return (FIRST + (begin + number) % RANGES * idmap.SIZE for number in range(RANGES))
