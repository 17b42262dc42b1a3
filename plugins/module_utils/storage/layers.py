# SPDX-License-Identifier: BSD-2-Clause
"""Layers: unpacked trees, made aside and renamed into place whole. Not here: what fills one, and which are still used (gc.py).

Whoever makes a layer holds flock(2) on its directory until the record that refers to it is written, so that the garbage
collection can tell a layer in the making from what a killed task left.
"""
from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, NotFound, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.storage import records, treecheck
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

STAGING = ".tmp-"
PLAIN_FORM = "tar:1"      # the form that layertar.py writes; another form of it is another number
UNMEASURED = -1         # the size of a layer that nobody has added up
_ID_BYTES = 16
_ATTEMPTS = 16


@dataclasses.dataclass(frozen=True)
class Blob:
    """Some bytes by their digest (`sha256:...`) and length."""

    digest: str
    size: int


@dataclasses.dataclass(frozen=True)
class Layer:
    """layers/<id>/layer.json. `size` is the sum of its files' sizes; `source` and `digest` tell what it was made from.

    `diff_id` is the digest of the uncompressed archive that it came from, `blob` that archive as it travelled; a layer that was not made
    from a layer's archive has neither. `written` remembers what layerblob.py made of it, by the form it was written in.
    """

    id: str
    created: str
    size: int
    entries: int
    source: str = ""
    digest: str = ""
    diff_id: str = ""
    blob: t.Optional[Blob] = None
    written: t.Mapping[str, Blob] = dataclasses.field(default_factory=dict)


def _from_json(value: records.Json) -> Layer:
    return Layer(
        id=str(value["id"]), created=str(value["created"]), size=int(value["size"]), entries=int(value["entries"]),
        source=str(value["source"]), digest=str(value["digest"]), diff_id=str(value.get("diff_id", "")),
        blob=_blob(value["blob"]) if value.get("blob") else None,
        written={str(form): _blob(found) for form, found in value.get("written", {}).items()},
    )


def _blob(value: t.Mapping[str, t.Any]) -> Blob:
    return Blob(str(value["digest"]), int(value["size"]))


class Staging:
    """A layer in the making: fill `diff`, then commit()."""

    def __init__(self, layout: Layout, path: str) -> None:
        self._layout = layout
        self.path = path
        self.diff = os.path.join(path, "diff")

    def commit(
        self, *, created: str, size: int, entries: int, source: str, digest: str = "", diff_id: str = "", blob: t.Optional[Blob] = None,
    ) -> Layer:
        """The layer is whole on the disk, data included, before it has a name."""
        layer = Layer(os.urandom(_ID_BYTES).hex(), created, size, entries, source, digest, diff_id, blob)
        records.write(os.path.join(self.path, "layer.json"), dataclasses.asdict(layer), durable=False)
        treecheck.record(self.path)
        fs.sync_filesystem(self._layout.layers)
        target = self._layout.layer(layer.id)
        os.rename(self.path, target)
        self.path, self.diff = target, self._layout.diff(layer.id)
        fs.fsync_dir(self._layout.layers)
        return layer


class Batch:
    """The layers of one image, new ones and such as are there. Until its end no collection takes any of them away."""

    def __init__(self, layout: Layout, stack: contextlib.ExitStack, reuse: bool) -> None:
        self.layout = layout
        self._reuses = reuse
        self._stack = stack
        self._reused: t.Set[str] = set()
        self._known: t.Optional[t.Dict[str, t.List[Layer]]] = None

    def stage(self) -> Staging:
        """One more, to be filled and committed; layers may be filled at the same time."""
        staging = self._stack.enter_context(_staged(self.layout))
        os.mkdir(staging.diff, 0o755)
        os.chmod(staging.diff, 0o755)
        return staging

    def reuse(self, diff_id: str) -> t.Optional[Layer]:
        """A layer of the store that was made from this archive, or from which just this archive is written; None if there is none.

        Each is given once: overlayfs takes no directory twice, and an image may have the same content at two places.
        """
        if not self._reuses:
            return None
        if self._known is None:
            self._known = by_diff_id(self.layout)
        for layer in self._known.get(diff_id, ()):
            if layer.id not in self._reused and self._hold(layer.id):
                self._reused.add(layer.id)
                return layer
        return None

    def _hold(self, layer_id: str) -> bool:
        """False while its own maker holds it, who may still fail, or a collection, which is about to remove it."""
        path = self.layout.layer(layer_id)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        self._stack.callback(os.close, fd)
        return fs.flock_now(fd, fcntl.LOCK_SH) and fs.is_at(fd, path)


def by_diff_id(layout: Layout) -> t.Dict[str, t.List[Layer]]:
    found: t.Dict[str, t.List[Layer]] = {}
    for layer in all_layers(layout).values:
        ours = layer.written.get(PLAIN_FORM)
        for diff_id in {layer.diff_id, ours.digest if ours else ""} - {""}:
            found.setdefault(diff_id, []).append(layer)
    return found


@contextlib.contextmanager
def batch(layout: Layout, *, reuse: bool = True) -> t.Iterator[Batch]:
    """Write the image's record inside the `with`. Whatever fails in it, nothing is left, committed layers included.

    Without `reuse` every layer is made anew: one of the store may be what is to be repaired.
    """
    with contextlib.ExitStack() as stack:
        yield Batch(layout, stack, reuse)


@contextlib.contextmanager
def new(layout: Layout) -> t.Iterator[Staging]:
    """A batch of one."""
    with batch(layout) as found:
        yield found.stage()


@contextlib.contextmanager
def _staged(layout: Layout) -> t.Iterator[Staging]:
    with aside(layout.layers) as path:
        staging = Staging(layout, path)
        try:
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


def all_layers(layout: Layout) -> records.Listing[Layer]:
    listing: records.Listing[Layer] = records.Listing()
    for layer_id in layout.layer_ids():
        listing.add(layout.layer_record(layer_id), _from_json)
    return listing


def remember(layout: Layout, layer_id: str, found: t.Mapping[str, Blob]) -> None:
    """What the layer gives when it is written, by form. A layer that is gone by now is no error."""
    layer = find(layout, layer_id)
    if layer is not None and not found.items() <= layer.written.items():
        with tolerate(errno.ENOENT):
            record = dataclasses.replace(layer, written={**layer.written, **found})
            records.write(layout.layer_record(layer_id), dataclasses.asdict(record), durable=False)


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
