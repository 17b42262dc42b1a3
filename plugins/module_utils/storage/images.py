# SPDX-License-Identifier: BSD-2-Clause
"""The images of the store: records only, so finding, naming and removing one costs the same whatever its size.

Not here: its layers' content (layers.py), who uses it (the engine knows), and what is garbage then (gc.py).
"""
from __future__ import annotations

import dataclasses
import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model import image, versions
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import NotFound, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageRecord
from ansible_collections.cocker.engine.plugins.module_utils.model.names import ImageRef
from ansible_collections.cocker.engine.plugins.module_utils.storage import records
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

_ATTEMPTS = 16


def find(layout: Layout, name: str, version: t.Optional[str]) -> t.Optional[ImageRecord]:
    """Exactly this one; `version` None is the image without a version. Raises Damaged."""
    return records.load(layout.image(name, version), _called(name, version or versions.NONE))


def _called(name: str, version: str) -> t.Callable[[records.Json], ImageRecord]:
    """What an image is called is where its record lies: a new version is a rename(2), and what the record says of it may be old."""
    return lambda value: dataclasses.replace(image.record_from_json(value), name=name, version=version)


def get(layout: Layout, name: str, version: t.Optional[str]) -> ImageRecord:
    found = find(layout, name, version)
    if found is None:
        raise _missing(layout, ImageRef(name, version or versions.NONE))
    return found


def resolve(layout: Layout, ref: ImageRef) -> ImageRecord:
    """The image that is meant: without a version the largest there is. Raises NotFound, Damaged."""
    version = ref.version if ref.version is not None else versions.largest(layout.image_versions(ref.name))
    found = find(layout, ref.name, version) if version is not None else None
    digest = versions.digest_of(version) if version is not None and found is None else ""
    found = _by_digest(layout, ref.name, digest) if digest else found
    if found is None:
        raise _missing(layout, ref)
    return found


def _by_digest(layout: Layout, name: str, digest: str) -> t.Optional[ImageRecord]:
    """Of those that came from a registry under another version: what its manifest, or the list that it was in, has for a digest."""
    known = [find(layout, name, version) for version in layout.image_versions(name)]
    fetched = [image for image in known if image is not None and image.provenance.source == "registry"]
    return next((image for image in fetched if digest in (image.provenance.digest, image.provenance.stamp.partition(" ")[0])), None)


def _missing(layout: Layout, ref: ImageRef) -> NotFound:
    there = layout.image_versions(ref.name)
    if there:
        return NotFound("image", str(ref), "it is not in the store", hint="versions there: %s" % ", ".join(reversed(there[-10:])))
    return NotFound("image", str(ref), "it is not in the store")


def all_images(layout: Layout) -> records.Listing[ImageRecord]:
    """By name, then from the smallest version to the largest."""
    listing: records.Listing[ImageRecord] = records.Listing()
    for name in layout.image_names():
        for version in layout.image_versions(name):
            listing.add(layout.image(name, version), _called(name, version))
    return listing


def save(layout: Layout, record: ImageRecord) -> None:
    """On the disk when it returns; one with the same name and version is replaced."""
    path = layout.image(record.name, record.version)
    folder = os.path.dirname(path)
    for attempt in range(_ATTEMPTS):
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            fs.fsync_dir(layout.images)
            fs.fsync_dir(os.path.dirname(folder))
            records.write(path, record.to_json())
            return
        except FileNotFoundError:
            if attempt == _ATTEMPTS - 1:        # somebody removes another version, and the name's empty directory with it
                raise


def rename(layout: Layout, name: str, version: t.Optional[str], new: t.Optional[str]) -> None:
    """At once, whatever its size; one that has the new version is replaced. Raises NotFound."""
    path, target = layout.image(name, version), layout.image(name, new)
    os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
    try:
        os.rename(path, target)
    except FileNotFoundError:
        raise _missing(layout, ImageRef(name, version or versions.NONE)) from None
    for folder in (os.path.dirname(target), os.path.dirname(path), layout.image_directory(name)):
        fs.fsync_dir(folder)
    with tolerate(errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST):
        os.rmdir(os.path.dirname(path))


def remove(layout: Layout, name: str, version: t.Optional[str]) -> None:
    """Idempotent. The layers stay until the next collection."""
    path = layout.image(name, version)
    records.remove(path)
    for folder in (os.path.dirname(path), layout.image_directory(name)):
        with tolerate(errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST):
            os.rmdir(folder)
