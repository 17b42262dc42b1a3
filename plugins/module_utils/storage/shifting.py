# SPDX-License-Identifier: BSD-2-Clause
"""Trees whose files belong to the users of a container on the disk: copies of layers, beside them, and trees that become such.

Not here: whose a file is then (owners.py), and which trees are to be so (engine/owning.py).
"""
from __future__ import annotations

import errno
import fcntl
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model import idmap
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.storage import layers, owners, quotas, treecopy
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

_STAGING = ".shifting"


def ensure(path: str, maps: owners.OptionalMaps, *, overlay: bool = False, size: t.Optional[int] = None) -> None:
    """The tree belongs to the users of `maps` in the end, for None to the ids inside: another one is in its place.

    Nobody uses it. `overlay`: it is a writable layer; `size` is that of a volume that has one. After a failure it is what it was.
    """
    have = owners.find(path)
    if have == maps:
        return
    fs.refuse_mounts(path)
    staging = os.path.join(os.path.dirname(path), _STAGING)
    fs.remove_tree(staging)         # of a task that was killed
    quotas.make(staging, size)
    try:
        _copy(path, staging, owners.Shift(have, maps), overlay=overlay)
        owners.mark(staging, maps)
        fs.sync_filesystem(staging)
        quotas.refuse_fuller(staging, size, path)
        fs.exchange(path, staging)
    finally:
        forget = quotas.forgetter(staging)
        fs.remove_tree(staging)
        forget()


def _copy(source: str, target: str, shift: owners.Shift, *, overlay: bool) -> None:
    try:
        treecopy.copy_tree(source, target, overlay=overlay, shift=shift)
    except OSError as error:
        raise CockerError("copy", source, "%s: %s" % (error.filename, error.strerror)) from error


def ensure_copy(layout: Layout, diff: str, maps: idmap.Maps) -> None:
    """Whole on the disk when it has its name. The collection holds a layer alone while it asks who has its copies, and removes them."""
    target, folder = owners.shown(diff, maps), os.path.dirname(diff)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)
        if os.path.isdir(target):
            return
        with layers.aside(layout.layers) as staged:
            tree = os.path.join(staged, "tree")
            os.mkdir(tree, 0o700)
            _copy(diff, tree, owners.Shift(None, maps), overlay=True)
            fs.sync_filesystem(tree)
            with tolerate(errno.ENOTEMPTY, errno.EEXIST):       # somebody else has made the same one meanwhile
                os.rename(tree, target)
        os.fsync(fd)
    finally:
        os.close(fd)
