# SPDX-License-Identifier: BSD-2-Clause
"""Layers: unpacked trees, made aside and renamed into place whole. Not here: what fills one, and which are still used (gc.py).

Whoever makes a layer holds flock(2) on its directory until the record that refers to it is written, so that the garbage
collection can tell a layer in the making from what a killed task left.
"""
from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.storage import records
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

STAGING = ".tmp-"
_ID_BYTES = 16
_ATTEMPTS = 16


@dataclasses.dataclass(frozen=True)
class Layer:
    """layers/<id>/layer.json. `size` is the sum of its files' sizes; `source` and `digest` tell what it was made from."""

    id: str
    created: str
    size: int
    entries: int
    source: str = ""
    digest: str = ""


def _from_json(value: records.Json) -> Layer:
    size, entries = int(value["size"]), int(value["entries"])
    return Layer(str(value["id"]), str(value["created"]), size, entries, str(value["source"]), str(value["digest"]))


class Staging:
    """A layer in the making: fill `diff`, then commit()."""

    def __init__(self, layout: Layout, path: str) -> None:
        self._layout = layout
        self.path = path
        self.diff = os.path.join(path, "diff")

    def commit(self, *, created: str, size: int, entries: int, source: str, digest: str = "") -> Layer:
        """The layer is whole on the disk, data included, before it has a name."""
        layer = Layer(os.urandom(_ID_BYTES).hex(), created, size, entries, source, digest)
        records.write(os.path.join(self.path, "layer.json"), dataclasses.asdict(layer), durable=False)
        fs.sync_filesystem(self._layout.layers)
        target = self._layout.layer(layer.id)
        os.rename(self.path, target)
        self.path, self.diff = target, self._layout.diff(layer.id)
        fs.fsync_dir(self._layout.layers)
        return layer


@contextlib.contextmanager
def new(layout: Layout) -> t.Iterator[Staging]:
    """Write the image's record inside the `with`. Whatever fails in it, nothing is left, a committed layer included."""
    with aside(layout.layers) as path:
        staging = Staging(layout, path)
        try:
            os.mkdir(staging.diff, 0o755)
            os.chmod(staging.diff, 0o755)
            yield staging
        except BaseException:
            remove_directory(staging.path)
            raise


@contextlib.contextmanager
def aside(folder: str) -> t.Iterator[str]:
    """A locked directory to make something in, and to rename from; what is still there at the end is removed."""
    fd, path = _make(folder)
    try:
        yield path
    finally:
        try:
            fs.remove_tree(path)
        finally:
            os.close(fd)


def _make(folder: str) -> t.Tuple[int, str]:
    """A directory of our own with the lock on it. Between mkdir and flock a collection may take it away: then another one."""
    for _attempt in range(_ATTEMPTS):
        path = os.path.join(folder, STAGING + os.urandom(8).hex())
        os.mkdir(path, 0o700)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        if fs.flock_now(fd) and fs.is_at(fd, path):
            os.chmod(path, 0o700)       # without the set-group-id bit that the parent may hand down
            return fd, path
        os.close(fd)
    raise CockerError("make", folder, "a collection of garbage takes every new directory away")


def find(layout: Layout, layer_id: str) -> t.Optional[Layer]:
    return records.load(layout.layer_record(layer_id), _from_json)


def get(layout: Layout, layer_id: str) -> Layer:
    found = find(layout, layer_id)
    if found is None:
        raise NotFound("layer", layer_id, "it is not in the store")
    return found


def remove(layout: Layout, layer_id: str) -> None:
    """Idempotent."""
    remove_directory(layout.layer(layer_id))


def remove_directory(path: str) -> None:
    """Gone under its name at once; what a killed removal leaves, the collection finishes. Conflict while something is mounted in it."""
    fs.refuse_mounts(path)
    away = os.path.join(os.path.dirname(path), STAGING + os.urandom(8).hex())
    try:
        os.rename(path, away)
    except FileNotFoundError:
        return
    fs.remove_tree(away)
