# SPDX-License-Identifier: BSD-2-Clause
"""A mount whose owners are seen through id maps (mount_setattr(2), MOUNT_ATTR_IDMAP, Linux 5.12).

The kernel takes the maps as a user namespace, which one short-lived process makes. Not here: the container's own (spaces.py).
"""
from __future__ import annotations

import errno
import os
import signal
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, libc, mounts, namespaces
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError, Unsupported, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.oci import spaces
from ansible_collections.cocker.engine.plugins.module_utils.oci.config import Range

Maps = t.Tuple[t.Tuple[Range, ...], t.Tuple[Range, ...]]


def apply(tree: int, maps: Maps, *, recursive: bool) -> None:
    """To a mount that is in no tree yet. Raises Unsupported where the kernel or the file system has none."""
    if tree < 0 or libc.is_missing("mount_setattr"):
        raise Unsupported("config.json", "mounts", "this kernel has no mounts with id maps (Linux 5.12)")
    space = _make_space(maps)
    try:
        mounts.mount_setattr(tree, set_=consts.MOUNT_ATTR_IDMAP, userns_fd=space, recursive=recursive)
    except KernelError as error:
        raise Unsupported("map ids of a mount", "", "the kernel refuses it: %s" % error.reason) from error
    finally:
        os.close(space)


def _make_space(maps: Maps) -> int:
    """Descriptor of a new user namespace with these maps, in which nobody is."""
    told, report = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            namespaces.unshare(consts.CLONE_NEWUSER)
            os.write(report, b"1")
            signal.pause()
        finally:
            os._exit(1)
    os.close(report)
    try:
        if not os.read(told, 1):
            raise Unsupported("make user namespace", "", "the kernel refuses it")
        spaces.write_ranges(pid, *maps)
        return namespaces.open_of(pid, "user")
    finally:
        os.close(told)
        with tolerate(errno.ESRCH):
            os.kill(pid, signal.SIGKILL)        # our child, not waited for: the number is still its
        os.waitpid(pid, 0)
