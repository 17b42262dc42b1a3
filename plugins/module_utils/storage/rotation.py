# SPDX-License-Identifier: BSD-2-Clause
"""A container's writable layer becomes a layer of the store, and an empty one takes its place: two renames, whatever its size.

The caller keeps the container from running, and the collection of garbage from the layer: by the container's intent, later by its
record. Not here: either of them.
"""
from __future__ import annotations

import dataclasses
import os

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.storage import layers, records, snapshots
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

SOURCE = "container"


def new_id() -> str:
    return os.urandom(16).hex()


def rotate(layout: Layout, container: str, layer_id: str, *, created: str) -> None:
    """Its data is as durable as the container's was: it is not written to the disk for this."""
    layer = layers.Layer(layer_id, created, layers.UNMEASURED, layers.UNMEASURED, SOURCE)
    with layers.aside(layout.layers) as staged:
        records.write(os.path.join(staged, "layer.json"), dataclasses.asdict(layer), durable=False)
        os.rename(staged, layout.layer(layer_id))
    folder = layout.container(container)
    os.rename(os.path.join(folder, snapshots.UPPER), layout.diff(layer_id))
    snapshots.make_upper(folder, top=layout.diff(layer_id))
    for path in (layout.layer(layer_id), layout.layers, folder):
        fs.fsync_dir(path)


def undo(layout: Layout, container: str, layer_id: str) -> None:
    """Idempotent, and right after a rotation that was killed anywhere. The container's record must not name the layer any more."""
    upper = os.path.join(layout.container(container), snapshots.UPPER)
    if os.path.isdir(layout.diff(layer_id)):
        if os.path.isdir(upper):
            os.rmdir(upper)         # nothing has run since; if something is in it all the same, it is not ours to remove
        os.rename(layout.diff(layer_id), upper)
        fs.fsync_dir(layout.container(container))
    layers.remove(layout, layer_id)


def is_empty(layout: Layout, container: str) -> bool:
    """Whether nothing was written since the last rotation."""
    with os.scandir(os.path.join(layout.container(container), snapshots.UPPER)) as entries:
        return next(entries, None) is None
