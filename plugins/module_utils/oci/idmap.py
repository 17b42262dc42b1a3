# SPDX-License-Identifier: BSD-2-Clause
"""A mount whose owners are seen through id maps of its own (mount_setattr(2), MOUNT_ATTR_IDMAP, Linux 5.12).

The kernel takes the maps as a user namespace. Not here: the container's own (spaces.py).
"""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, libc, mounts, userns
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.oci import spaces
from ansible_collections.cocker.engine.plugins.module_utils.oci.config import Range

Maps = t.Tuple[t.Tuple[Range, ...], t.Tuple[Range, ...]]


def apply(tree: int, maps: Maps, *, recursive: bool) -> None:
    """To a mount that is in no tree yet. Raises Unsupported where the kernel or the file system has none."""
    if tree < 0 or libc.is_missing("mount_setattr"):
        raise Unsupported("config.json", "mounts", "this kernel has no mounts with id maps (Linux 5.12)")
    space, _network = userns.make(*map(spaces.lines, maps))
    try:
        mounts.mount_setattr(tree, set_=consts.MOUNT_ATTR_IDMAP, userns_fd=space, recursive=recursive)
    except KernelError as error:
        raise Unsupported("map ids of a mount", "", "the kernel refuses it: %s" % error.reason) from error
    finally:
        os.close(space)
