# SPDX-License-Identifier: BSD-2-Clause
"""Named volumes: a record and a directory of data.

Not here: who uses a volume, and whether it may go (engine/volumes.py).
"""
from __future__ import annotations

import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import tolerate
from ansible_collections.cocker.engine.plugins.module_utils.model.volume import VolumeSpec
from ansible_collections.cocker.engine.plugins.module_utils.storage import records
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout


def find(layout: Layout, name: str) -> t.Optional[VolumeSpec]:
    return records.load(layout.volume_record(name), lambda value: VolumeSpec(value["name"], dict(value["labels"])))


def create(layout: Layout, spec: VolumeSpec) -> None:
    """Data that is there without a record, as after a crash in the middle, becomes the volume's."""
    for directory, mode in ((layout.volume(spec.name), 0o700), (layout.volume_data(spec.name), 0o755)):
        with tolerate(errno.EEXIST):
            os.mkdir(directory, mode)
            os.chmod(directory, mode)
    relabel(layout, spec)
    fs.fsync_dir(layout.volumes)


def relabel(layout: Layout, spec: VolumeSpec) -> None:
    """The data is not touched."""
    records.write(layout.volume_record(spec.name), {"name": spec.name, "labels": dict(spec.labels or {})})


def remove(layout: Layout, name: str) -> None:
    """With its data. Idempotent. Raises Conflict where something is mounted below it."""
    records.remove(layout.volume_record(name))
    fs.remove_tree(layout.volume(name))
