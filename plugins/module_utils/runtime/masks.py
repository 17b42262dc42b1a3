# SPDX-License-Identifier: BSD-2-Clause
"""Paths that a container may not see or not write, on descriptors below its root. What does not exist is passed over."""
from __future__ import annotations

import errno
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, libc, mounts, rootpath

_HIDDEN = consts.MS_RDONLY | consts.MS_NOSUID | consts.MS_NODEV | consts.MS_NOEXEC


def hide(root_fd: int, paths: t.Sequence[str], *, null: int) -> None:
    """A directory becomes an empty read-only one, anything else the null device."""
    for path in paths:
        fd = _find(root_fd, path)
        if fd is None:
            continue
        try:
            if stat.S_ISDIR(os.fstat(fd).st_mode):
                mounts.mount("tmpfs", fd, fstype="tmpfs", flags=_HIDDEN, data="size=0k,nr_inodes=2,mode=755")
            else:
                mounts.bind(null, fd)
        finally:
            os.close(fd)


def protect(root_fd: int, paths: t.Sequence[str]) -> None:
    for path in paths:
        fd = _find(root_fd, path)
        if fd is None:
            continue
        try:
            _bind_read_only(root_fd, path, fd)
        finally:
            os.close(fd)


def _bind_read_only(root_fd: int, path: str, fd: int) -> None:
    if not libc.is_missing("open_tree") and not libc.is_missing("mount_setattr"):
        tree = mounts.open_tree(fd, clone=True, recursive=True)
        mounts.set_attributes(tree, set_=consts.MOUNT_ATTR_RDONLY, recursive=True)
        mounts.move_mount(tree, fd)
        os.close(tree)
        return
    mounts.bind(fd, fd, recursive=True)
    again = rootpath.open_in(root_fd, path, os.O_PATH)
    try:
        mounts.set_attributes(again, set_=consts.MOUNT_ATTR_RDONLY)
    finally:
        os.close(again)


def _find(root_fd: int, path: str) -> t.Optional[int]:
    try:
        return rootpath.open_in(root_fd, path, os.O_PATH)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES):
            return None
        raise
