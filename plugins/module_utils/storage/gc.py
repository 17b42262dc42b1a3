# SPDX-License-Identifier: BSD-2-Clause
"""Frees what nobody refers to: layers, and what killed tasks left half made. May be killed at any point and run beside anything.

Not here: what a container refers to; the caller says (`pins`), asked again after the locks are held.
"""
from __future__ import annotations

import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Damaged, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.storage import images, layers
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

Pins = t.Callable[[], t.Iterable[str]]


class Collected(t.NamedTuple):
    """`bytes` on the disk; with `dry_run` what would be freed. `litter` are paths of what killed tasks left."""

    layers: t.Tuple[str, ...]
    litter: t.Tuple[str, ...]
    bytes: int


def collect(layout: Layout, pins: Pins, *, dry_run: bool = False) -> Collected:
    """Raises Damaged, with nothing removed, when an image's record cannot be read: what it refers to is not known."""
    freed = 0
    litter = []
    for folder in (layout.layers, layout.volumes, layout.images, layout.containers):
        for path in _staged(folder):
            size = _remove(path, dry_run)
            if size is not None:
                litter.append(path)
                freed += size
    unused = []
    for layer_id, fd in _claimed(layout, pins):
        try:
            # Asked again under the layer's lock: an image's record is written before its maker lets go of the layer.
            if layer_id not in referred(layout, pins):
                unused.append(layer_id)
                freed += fs.disk_usage(layout.layer(layer_id))
                if not dry_run:
                    layers.remove(layout, layer_id)
        finally:
            os.close(fd)
    if not dry_run:
        _drop_empty_names(layout)
    return Collected(tuple(unused), tuple(litter), freed)


def referred(layout: Layout, pins: Pins) -> t.Set[str]:
    """The layers of every image and of every container."""
    listing = images.all_images(layout)
    if listing.damaged:
        raise Damaged("collect", layout.layers, "an image is unreadable, so what it needs is not known: %s" % listing.damaged[0])
    found = {layer for image in listing.values for layer in image.layers}
    found.update(pins())
    return found


def drop(layout: Layout, layer_id: str, pins: Pins) -> bool:
    """One layer; false where it is needed, or somebody is making it."""
    fd = _claim(layout.layer(layer_id))
    if fd is None:
        return False
    try:
        if layer_id in referred(layout, pins):
            return False
        layers.remove(layout, layer_id)
        return True
    finally:
        os.close(fd)


def drop_copy(layout: Layout, layer_id: str, name: str, is_needed: t.Callable[[], bool]) -> bool:
    """A copy of a layer for other users; false where it is needed, or somebody holds the layer."""
    fd = _claim(layout.layer(layer_id))
    if fd is None:
        return False
    try:
        if is_needed():
            return False
        with layers.aside(layout.layers) as away, tolerate(errno.ENOENT):
            os.rename(os.path.join(layout.layer(layer_id), name), os.path.join(away, name))
        return True
    finally:
        os.close(fd)


def is_free(path: str) -> bool:
    """Whether it is there, and nobody works on it."""
    fd = _claim(path)
    if fd is None:
        return False
    os.close(fd)
    return True


def litter(layout: Layout) -> t.List[str]:
    """Paths of what killed tasks left half made, and of temporary files of theirs."""
    tops = (layout.layers, layout.volumes, layout.images, layout.containers)
    staged = [path for folder in tops for path in _staged(folder) if is_free(path)]
    folders = [layout.home, layout.intents, layout.networks, layout.lease_files, layout.engine]
    folders += [layout.container(name) for name in layout.container_names()] + [layout.volume(name) for name in layout.volume_names()]
    folders += [os.path.dirname(layout.image(name, version)) for name in layout.image_names() for version in layout.image_versions(name)]
    return sorted(staged + [path for folder in folders for path in fs.abandoned(folder)])


def remove_litter(path: str) -> bool:
    """Of litter(), if it still is."""
    if os.path.isdir(path) and not os.path.islink(path):
        return _remove(path, False) is not None
    if path not in fs.abandoned(os.path.dirname(path)):
        return False
    os.unlink(path)
    return True


def _claimed(layout: Layout, pins: Pins) -> t.Iterator[t.Tuple[str, int]]:
    candidates = set(layout.layer_ids())
    if not candidates:
        return
    for layer_id in sorted(candidates - referred(layout, pins)):
        fd = _claim(layout.layer(layer_id))
        if fd is not None:
            yield layer_id, fd


def _claim(path: str) -> t.Optional[int]:
    """The directory's lock; None while its maker holds it, or when it is gone."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if fs.flock_now(fd) and fs.is_at(fd, path):
        return fd
    os.close(fd)
    return None


def _staged(folder: str) -> t.List[str]:
    try:
        return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.startswith(layers.STAGING))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _remove(path: str, dry_run: bool) -> t.Optional[int]:
    fd = _claim(path)
    if fd is None:
        return None
    try:
        size = fs.disk_usage(path)
        if not dry_run:
            fs.remove_tree(path)
        return size
    except Conflict:
        return None         # something is mounted there: whoever did that still wants it
    finally:
        os.close(fd)


def _drop_empty_names(layout: Layout) -> None:
    """Directories of images whose making or removal was killed."""
    for name in layout.image_names():
        folder = layout.image_directory(name)
        with tolerate(errno.ENOENT, errno.ENOTDIR):
            for version in os.listdir(folder):
                with tolerate(errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    os.rmdir(os.path.join(folder, version))
        with tolerate(errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            os.rmdir(folder)
