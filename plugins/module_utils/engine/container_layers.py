# SPDX-License-Identifier: BSD-2-Clause
"""What a container has written, as a layer that images and other containers can have below them. The caller holds its lock.

One that does not run gives its writable layer away and gets an empty one: renames and records. Of one that runs it is copied, while
its processes stand still. Not here: what is made of the layer (image_container.py, container_origin.py).
"""
from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import teardown
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host, now
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import is_undone
from ansible_collections.cocker.engine.plugins.module_utils.model.container import PAUSED, ContainerRecord, ContainerState
from ansible_collections.cocker.engine.plugins.module_utils.model.container_fields import record_from_json
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import factory
from ansible_collections.cocker.engine.plugins.module_utils.storage import (
    images,
    importdir,
    intents,
    layers,
    owners,
    records,
    rotation,
    shifting,
    snapshots,
    treecopy,
)

CONTAINER = "container"
COMMIT, MOVE, FREEZE = "commit", "move", "freeze"


def is_empty(host: Host, name: str) -> bool:
    return rotation.is_empty(host.layout, name)


def digest(host: Host, record: ContainerRecord) -> str:
    """Of what is below the writable layer, and of all that lstat(2) says of that: no file is read."""
    below = hashlib.sha256("\n".join(snapshots.layer_order(record.stack())).encode("ascii"))
    below.update(importdir.digest(_upper(host, record.spec.name)).encode("ascii"))
    return "sha256:" + below.hexdigest()


def _upper(host: Host, name: str) -> str:
    return os.path.join(host.layout.container(name), snapshots.UPPER)


@contextlib.contextmanager
def declared(host: Host, name: str, **facts: t.Any) -> t.Iterator[None]:
    """On the disk before the first effect, so that whoever comes after a kill knows; it stays where the undoing failed."""
    intents.declare(host.layout, CONTAINER, name, {"existed": True, **facts})
    try:
        yield
    except BaseException as error:
        if is_undone(error):
            intents.settle(host.layout, CONTAINER, name)
        raise
    intents.settle(host.layout, CONTAINER, name)


def rotate(host: Host, record: ContainerRecord, layer_id: str) -> ContainerRecord:
    """The container's record from now on. Under an intent that names the layer."""
    after = dataclasses.replace(record, layers=(*record.layers, layer_id))
    shifting.ensure(_upper(host, record.spec.name), None, overlay=True)
    rotation.rotate(host.layout, record.spec.name, layer_id, created=now())
    records.write(host.layout.spec(record.spec.name), after.to_json())
    return after


def rotate_back(host: Host, record: ContainerRecord, layer_id: str) -> None:
    """`record` is the one from before. Idempotent."""
    name = record.spec.name
    if _has(host, name, layer_id):
        records.write(host.layout.spec(name), record.to_json())
    rotation.undo(host.layout, name, layer_id)


def _has(host: Host, name: str, layer_id: str) -> bool:
    record = records.load(host.layout.spec(name), record_from_json)
    return record is not None and layer_id in record.layers


def copy(host: Host, state: ContainerState, record: ContainerRecord, batch: layers.Batch) -> layers.Layer:
    """Of a container that runs; its digest is that of what was copied."""
    staging = batch.stage()
    with frozen(host, state):
        source = digest(host, record)
        upper = _upper(host, state.name)
        totals = treecopy.copy_tree(upper, staging.diff, overlay=True, shift=owners.Shift(owners.find(upper), None))
    return staging.commit(created=now(), size=totals.size, entries=totals.entries, source=rotation.SOURCE, digest=source)


@contextlib.contextmanager
def frozen(host: Host, state: ContainerState) -> t.Iterator[None]:
    """Its processes stand still; one that is paused stays so."""
    if state.running is None or state.status == PAUSED:
        yield
        return
    group = factory.from_paths(state.running.cgroups)
    with declared(host, state.name, action=FREEZE):
        try:
            group.freeze()
            yield
        finally:
            group.thaw()


@contextlib.contextmanager
def shared(host: Host, state: ContainerState, record: ContainerRecord) -> t.Iterator[t.Tuple[str, ...]]:
    """The container's own layers with all that it has written. Write the record of who needs them inside the `with`."""
    if is_empty(host, state.name):
        yield record.layers
    elif state.is_running:
        with layers.batch(host.layout) as batch:
            yield (*record.layers, copy(host, state, record, batch).id)
    else:
        layer_id = rotation.new_id()
        with declared(host, state.name, action=COMMIT, layer=layer_id):
            rotated = rotate(host, record, layer_id)
        yield rotated.layers


def _roll_back_commit(host: Host, name: str, facts: t.Mapping[str, t.Any]) -> None:
    """Before the container's record names the layer nothing has happened; afterwards the container is whole, with or without an image."""
    layer_id = facts.get("layer")
    if layer_id is not None and not _has(host, name, str(layer_id)):
        rotation.undo(host.layout, name, str(layer_id))


def _roll_on_move(host: Host, name: str, facts: t.Mapping[str, t.Any]) -> None:
    """Once the image is there the container goes."""
    image = images.find(host.layout, str(facts["image"][0]), facts["image"][1])
    if image is not None and list(image.layers) == list(facts["layers"]):
        teardown.clear(host, name)
        teardown.remove(host, name)
    else:
        _roll_back_commit(host, name, facts)


def _thaw(host: Host, name: str, _facts: t.Mapping[str, t.Any]) -> None:
    running = teardown.running(host, name)
    if running is not None and running.is_running():
        factory.from_paths(running.cgroups).thaw()


ROLL_BACK: t.Dict[str, t.Callable[[Host, str, t.Mapping[str, t.Any]], None]] = {
    COMMIT: _roll_back_commit, MOVE: _roll_on_move, FREEZE: _thaw,
}
