# SPDX-License-Identifier: BSD-2-Clause
"""Files of a container whose content the task says: in the container's directory, mounted over the place where they are wanted.

A file is mounted as it is, not as its name, so another content is written into it: whoever has the mount reads it at once.
Not here: what a change costs (model/mounts.py).
"""
from __future__ import annotations

import hashlib
import os

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.storage import owners
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

_FOLDER = "files"


def path(layout: Layout, container: str, target: str) -> str:
    digest = hashlib.sha256(target.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return os.path.join(layout.container(container), _FOLDER, digest)


def write(layout: Layout, spec: ContainerSpec, maps: owners.OptionalMaps = None) -> None:
    """All of them, and no others. What is right already is not touched. On the disk they belong to the users of `maps`."""
    shift = owners.Shift(None, maps)
    wanted = {path(layout, spec.name, mount.target): mount.content for mount in spec.mounts or () if mount.content is not None}
    folder = os.path.join(layout.container(spec.name), _FOLDER)
    if not wanted and not os.path.isdir(folder):
        return
    os.makedirs(folder, mode=0o700, exist_ok=True)
    for name in os.listdir(folder):
        if os.path.join(folder, name) not in wanted:
            os.unlink(os.path.join(folder, name))
    for place, content in wanted.items():
        fs.rewrite(place, content.text.encode("utf-8", "surrogateescape"), mode=content.mode,
                   owner=(shift.uid(content.uid), shift.gid(content.gid)))
