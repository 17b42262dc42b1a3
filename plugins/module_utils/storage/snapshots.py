# SPDX-License-Identifier: BSD-2-Clause
"""A container's root file system: the layers below, in order, and its own writable layer. Not here: mounting (runtime)."""
from __future__ import annotations

import errno
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

UPPER, WORK, MERGED, PREVIOUS = "upper", "work", "merged", "previous"


def layer_order(stack: t.Iterable[t.Sequence[str]]) -> t.List[str]:
    """Layer ids, bottom first, of images stacked bottom to top. A layer that several share is there once, where it is lowest."""
    found: t.Dict[str, None] = {}
    for layers in stack:
        found.update(dict.fromkeys(layers))
    return list(found)


def lower_dirs(layout: Layout, stack: t.Iterable[t.Sequence[str]]) -> t.List[str]:
    """As overlayfs wants them: topmost first. Raises Damaged when a layer is not in the store."""
    paths = [layout.diff(layer) for layer in reversed(layer_order(stack))]
    for path in paths:
        if not os.path.isdir(path):
            raise Damaged("use", path, "the layer is not in the store")
    return paths


def prepare(directory: str, *, lower: t.Sequence[str] = ()) -> None:
    """An empty writable layer in the container's directory. Its top is the root's: it looks like that of the topmost layer."""
    for name in (UPPER, WORK, MERGED):
        os.mkdir(os.path.join(directory, name), 0o755)
    fd = os.open(os.path.join(directory, UPPER), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchmod(fd, 0o755)
        if lower:
            facts = os.stat(lower[0])
            os.fchown(fd, facts.st_uid, facts.st_gid)
            os.fchmod(fd, stat.S_IMODE(facts.st_mode))
            os.utime(fd, ns=(facts.st_mtime_ns, facts.st_mtime_ns))
    finally:
        os.close(fd)


def set_aside(directory: str) -> None:
    """The writable layer steps back for a new one. The container must not run.

    Idempotent: what is aside already stays the one to restore.
    """
    aside = os.path.join(directory, PREVIOUS)
    with tolerate(errno.EEXIST):
        os.mkdir(aside, 0o700)
    for name in (UPPER, WORK):
        if os.path.lexists(os.path.join(aside, name)):
            fs.remove_tree(os.path.join(directory, name))
        else:
            with tolerate(errno.ENOENT):
                os.rename(os.path.join(directory, name), os.path.join(aside, name))
    with tolerate(errno.ENOENT):
        os.rmdir(os.path.join(directory, MERGED))
    fs.fsync_dir(directory)


def restore(directory: str) -> None:
    """Undoes set_aside(), dropping what was made since. Idempotent, also after having been killed."""
    aside = os.path.join(directory, PREVIOUS)
    if not os.path.isdir(aside):
        return
    for name in (UPPER, WORK):
        if os.path.lexists(os.path.join(aside, name)):
            fs.remove_tree(os.path.join(directory, name))
            os.rename(os.path.join(aside, name), os.path.join(directory, name))
    with tolerate(errno.EEXIST):
        os.mkdir(os.path.join(directory, MERGED), 0o755)
    os.rmdir(aside)
    fs.fsync_dir(directory)


def forget(directory: str) -> None:
    """The new writable layer is the one from now on. Idempotent."""
    fs.remove_tree(os.path.join(directory, PREVIOUS))


def usage(directory: str) -> int:
    """Bytes on the disk of what the container has written."""
    return fs.disk_usage(os.path.join(directory, UPPER))
