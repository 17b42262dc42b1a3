# SPDX-License-Identifier: BSD-2-Clause
"""Image records: which layers a name and version stand for.

Not here: the layers (layers.py), and whether an image is in use (the engine knows the containers).
"""
from __future__ import annotations

import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model import versions
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import NotFound, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageRecord, record_from_json
from ansible_collections.cocker.engine.plugins.module_utils.model.names import ImageRef
from ansible_collections.cocker.engine.plugins.module_utils.storage import records
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout


def find(layout: Layout, name: str, version: t.Optional[str]) -> t.Optional[ImageRecord]:
    """`version` None is the image without a version."""
    return records.load(layout.image(name, version), record_from_json)


def resolve(layout: Layout, ref: ImageRef) -> ImageRecord:
    """Without a version the largest. Raises NotFound."""
    version = ref.version if ref.version is not None else versions.largest(layout.image_versions(ref.name))
    found = find(layout, ref.name, version) if version is not None else None
    if found is None:
        raise NotFound("image", str(ref), "it is not in the store", hint="make it with cocker_image")
    return found


def listed(layout: Layout) -> records.Listing[ImageRecord]:
    """By name, and the versions of one name from the smallest."""
    found: records.Listing[ImageRecord] = records.Listing()
    for name in layout.image_names():
        for version in layout.image_versions(name):
            found.add(layout.image(name, version), record_from_json)
    return found


def save(layout: Layout, record: ImageRecord) -> None:
    """Its layers are on the disk already."""
    path = layout.image(record.name, record.version)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    records.write(path, record.to_json())
    fs.fsync_dir(layout.image_directory(record.name))


def remove(layout: Layout, name: str, version: t.Optional[str]) -> None:
    """The record only. Idempotent."""
    path = layout.image(name, version)
    records.remove(path)
    for directory in (os.path.dirname(path), layout.image_directory(name)):
        with tolerate(errno.ENOENT, errno.ENOTEMPTY):
            os.rmdir(directory)
