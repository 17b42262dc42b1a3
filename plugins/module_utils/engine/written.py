# SPDX-License-Identifier: BSD-2-Clause
"""What a container has written: how much, and what differs from its images. Reads directories, and no file."""
from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import observe
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerRecord, ContainerState
from ansible_collections.cocker.engine.plugins.module_utils.storage import owners, snapshots, treecheck, treediff
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

Shown = t.Dict[str, t.Any]


def diff(host: Host, found: ContainerState) -> Shown:
    """`Kind` is A, C or D, as `docker diff` has it; without what was made to mount something on."""
    if found.record is None:
        return {}
    own, below = _layers(host.layout, found.record)
    return {"Diff": [{"Path": path, "Kind": kind} for path, kind in treediff.changes(own, below, _mount_points(host.layout, found.name))]}


def _mount_points(layout: Layout, name: str) -> t.List[str]:
    """None for a container that never ran."""
    try:
        with open(os.path.join(layout.container(name), observe.CONFIG), encoding="utf-8") as stream:
            return [str(mount["destination"]) for mount in json.load(stream).get("mounts", ())]
    except FileNotFoundError:
        return []


def size(host: Host, found: ContainerState) -> Shown:
    if found.record is None:
        return {}
    own, below = (sum(treecheck.size(path) for path in paths) for paths in _layers(host.layout, found.record))
    return {"SizeRw": own, "SizeRootFs": own + below}


def _layers(layout: Layout, record: ContainerRecord) -> t.Tuple[t.List[str], t.List[str]]:
    """The container's own and those of its images, each topmost first. Raises Damaged when one of them is not in the store."""
    images = [pin.layers for pin in record.pins]
    taken = set(snapshots.layer_order(images))
    mine = [layer for layer in record.layers if layer not in taken]
    upper = os.path.join(layout.container(record.spec.name), snapshots.UPPER)
    maps = owners.find(upper)
    own, below = ([owners.shown(diff, maps) for diff in snapshots.lower_dirs(layout, stack)] for stack in ([mine], images))
    return [upper, *own], below
