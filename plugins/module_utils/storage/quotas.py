# SPDX-License-Identifier: BSD-2-Clause
"""Directories that take a certain size and no more, where the file system can: projects of ext4 and XFS, subvolumes of btrfs.

Such a directory is made so; one that is there already cannot become one without its content being touched.
"""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, fs, libc, projects, subvolumes
from ansible_collections.cocker.engine.plugins.module_utils.kernel.subvolumes import Usage
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Unsupported

OPTION = "size"
SMALLEST = 1 << 20
_GRAIN = 1 << 16        # no file system counts in larger blocks


# The magic number of statfs(2) -> who can limit there, its name, and what brings quotas that are not there.
_PROJECTS = "mount it with the option prjquota"
_KINDS: t.Dict[int, t.Tuple[t.Any, str, str]] = {
    consts.BTRFS_SUPER_MAGIC: (subvolumes, "btrfs", "btrfs quota enable"),
    consts.EXT4_SUPER_MAGIC: (projects, "ext4", "tune2fs -O project -Q prjquota while it is not mounted, then " + _PROJECTS),
    consts.XFS_SUPER_MAGIC: (projects, "xfs", _PROJECTS),
}


def lacking(folder: str) -> t.Tuple[str, str]:
    """Why no directory in the nearest one that exists can have a size, and what would mend it. Empty where it can. Changes nothing."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    found = _kind(folder)
    if found is None:
        return "the file system of %s has no quotas of directories; btrfs, ext4 and xfs have" % folder, ""
    kind, name, mend = found
    reason = kind.lacking(folder)
    return ("%s is on %s, and %s" % (folder, name, reason), mend) if reason else ("", "")


def check(folder: str) -> None:
    """Raises Unsupported."""
    reason, hint = lacking(folder)
    if reason:
        raise Unsupported("option", OPTION, reason, hint=hint)


def make(path: str, size: t.Optional[int]) -> None:
    """A new directory, which takes no more than `size` bytes; without one it takes what there is. Raises Unsupported."""
    if not size:
        os.mkdir(path, 0o700)
        return
    check(os.path.dirname(path))
    kind = _kind(os.path.dirname(path))
    if kind is not None:
        kind[0].make(path)
        kind[0].limit(path, size)


def find(path: str) -> t.Optional[Usage]:
    """None for a directory that was made without a size. What was just written may not be counted yet."""
    kind = _kind(path)
    return t.cast(t.Optional[Usage], kind[0].find(path)) if kind is not None else None


def used(path: str) -> int:
    """Bytes, with all that was written until now. 0 for a directory that was made without a size."""
    fs.sync_filesystem(path)
    have = find(path)
    return have.used if have is not None else 0


def refuse_fuller(path: str, size: t.Optional[int], subject: str) -> None:
    """What the engine itself has put there, which ext4 does not limit: the capability SYS_RESOURCE is above its quotas. Raises Conflict."""
    held = used(path) if size else 0
    if size and held > size + _GRAIN:
        raise Conflict("fill", subject, "%d bytes do not fit into its size of %d" % (held, size))


def is_met(size: int, limit: int) -> bool:
    """The kernel counts in blocks."""
    return size <= limit < size + _GRAIN if size else not limit


def limit(path: str, size: int) -> None:
    """Another size for a directory that find() knows; 0 for none. What is in it stays, be it more."""
    kind = _kind(path)
    if kind is not None:
        kind[0].limit(path, size)


def forgetter(path: str) -> t.Callable[[], None]:
    """Called once the directory is gone, takes away what the kernel keeps of its size."""
    kind = _kind(path) if os.path.isdir(path) else None
    number = kind[0].number(path) if kind is not None else 0
    if kind is None or not number or kind[0].lacking(path):
        return _nothing
    forget, folder = kind[0].forget, os.path.dirname(os.path.dirname(path))
    return lambda: forget(folder, number)


def _nothing() -> None:
    pass


def _kind(path: str) -> t.Optional[t.Tuple[t.Any, str, str]]:
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        return _KINDS.get(libc.filesystem_type(fd))
    finally:
        os.close(fd)
