# SPDX-License-Identifier: BSD-2-Clause
"""A volume that nobody has used yet gets what the image has at the place where it is mounted for the first time.

Not here: which volumes a container has (mounting.py).
"""
from __future__ import annotations

import dataclasses
import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import rootview
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, mounts, rootpath
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerRecord
from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import VOLUME, Mount
from ansible_collections.cocker.engine.plugins.module_utils.storage import owners, quotas, treecopy, volumes

_STAGING = "_filling"


def fill(host: Host, record: ContainerRecord) -> None:
    """Idempotent: what has been used once is left alone, also where it is empty by now. A copy that fails leaves an empty volume."""
    fresh = [mount for mount in record.spec.mounts or () if mount.kind == VOLUME and mount.copy and _is_fresh(host, mount.source)]
    if not fresh:
        return
    bare = dataclasses.replace(record, spec=dataclasses.replace(record.spec, mounts=()))
    root = rootview.mounted(host, bare)
    try:
        for mount in fresh:
            _fill(host, mount, root)
    finally:
        os.close(root.fd)
        os.close(root.space)


def _is_fresh(host: Host, name: str) -> bool:
    found = volumes.find(host.layout, name)
    return found is not None and found.fresh


def _fill(host: Host, mount: Mount, root: rootview.Root) -> None:
    source, data = _directory(root.fd, mount.target), host.layout.volume_data(mount.source)
    if source is not None:
        staging = os.path.join(host.layout.volume(mount.source), _STAGING)
        try:
            fs.remove_tree(staging)     # of a task that was killed
            wanted = volumes.get(host.layout, mount.source)
            quotas.make(staging, wanted.size)
            if not os.listdir(data):
                treecopy.copy_tree(mounts.path_of(source) + "/.", staging, shift=owners.Shift(root.maps, None))
                quotas.refuse_fuller(staging, wanted.size, "volume %s" % wanted.name)
                volumes.describe(staging, wanted)
                fs.exchange(staging, data)
        finally:
            os.close(source)
            forget = quotas.forgetter(staging)
            fs.remove_tree(staging)
            forget()
    volumes.save(host.layout, dataclasses.replace(volumes.get(host.layout, mount.source), fresh=False))


def _directory(root: int, path: str) -> t.Optional[int]:
    """Below the root, wherever links of the image point. None where the image has no directory there."""
    try:
        return rootpath.open_in(root, path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise
