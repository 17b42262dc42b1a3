# SPDX-License-Identifier: BSD-2-Clause
"""Programs of the host lent to one command in a container: seen by it alone, read-only, in a mount namespace of its own.

Not here: what they are (storage/toolset.py, which they are made for this place by).
"""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, libc, mounts, namespaces, rootpath
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.model.lent import PATH, POINT

_SHELL = "/bin/sh"
_PYTHONS = ("/usr/bin/python3", "/usr/local/bin/python3", "/bin/python3")
_ATTRIBUTES = consts.MOUNT_ATTR_RDONLY | consts.MOUNT_ATTR_NOSUID | consts.MOUNT_ATTR_NODEV


def decided(root: int, args: t.Sequence[str], wish: str) -> t.Tuple[t.List[str], bool]:
    """The words to run below a root, and whether they need tools: `wish` is always, never, or auto, where it has no shell or no Python."""
    has_shell = _leads(root, _SHELL)
    lacks = not has_shell or not any(_leads(root, path) for path in _PYTHONS)
    if wish == "never" or (wish == "auto" and not lacks):
        return list(args), False
    return [PATH + "/sh" if args[0] == _SHELL and not has_shell else args[0], *args[1:]], True


def _leads(root: int, path: str) -> bool:
    try:
        os.close(rootpath.open_in(root, path, os.O_PATH))
    except OSError:
        return False
    return True


def hold(folder: str) -> int:
    """In the host's tree, before the namespaces are entered: a mount that is in no tree yet."""
    if libc.is_missing("open_tree") or libc.is_missing("mount_setattr"):
        raise Unsupported("lend tools", folder, "the kernel is older than 5.12")
    fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        tree = mounts.open_tree(fd, clone=True)
    finally:
        os.close(fd)
    mounts.mount_setattr(tree, set_=_ATTRIBUTES, propagation=consts.MS_PRIVATE)
    return tree


def show(tree: int) -> None:
    """In the container's namespaces, with all privileges left.

    What is mounted in the container from now on is seen here, too, but not the other way round. The place is in a file system that goes
    with the container, so that nothing is made in its layers.
    """
    namespaces.unshare(namespaces.CLONE_NEWNS)
    mounts.set_propagation("/", consts.MS_SLAVE, recursive=True)
    root = rootpath.open_root("/")
    try:
        dev = rootpath.open_in(root, "/dev", os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if libc.filesystem_type(dev) != consts.TMPFS_MAGIC:
                raise Unsupported("lend tools", POINT, "/dev of this container is not the engine's own")
            rootpath.make_directory(dev, os.path.basename(POINT), 0o755)
            target = rootpath.open_in(dev, os.path.basename(POINT), os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                mounts.move_mount(tree, target)
            finally:
                os.close(target)
        finally:
            os.close(dev)
    finally:
        os.close(root)
        os.close(tree)
