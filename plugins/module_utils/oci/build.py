# SPDX-License-Identifier: BSD-2-Clause
"""A bundle's file system, made by the container's own first process in its own namespaces, up to the pivot.

As runtime/child.py, with what only bundles of others have: a terminal, hooks in between, the root held from outside.
Not here: the single steps (runtime/rootfs.py, devices.py, masks.py).
"""
from __future__ import annotations

import _socket
import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, libc, mounts, sysctl
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError
from ansible_collections.cocker.engine.plugins.module_utils.oci import console
from ansible_collections.cocker.engine.plugins.module_utils.oci.config import Config
from ansible_collections.cocker.engine.plugins.module_utils.runtime import (
    cgroup_mount,
    child,
    devices,
    loopback,
    masks,
    mount_options,
    rootfs,
)


class Tree(t.NamedTuple):
    """What is held of the host's file systems before the container has its own: `root` -1 where the kernel cannot (Linux 5.2)."""

    root: int
    mounts: t.Sequence[rootfs.Placed]
    view: cgroup_mount.View

    def held(self) -> t.List[int]:
        return [fd for fd in (self.root, *[item.tree for item in self.mounts]) if fd >= 0]


def hold(config: Config, view: cgroup_mount.View) -> Tree:
    """Raises Invalid, Unsupported, NotFound for what is wrong with the mounts."""
    placed = rootfs.hold_sources(rootfs.prepare(config.bundle))
    root = -1
    if not libc.is_missing("open_tree") and not libc.is_missing("move_mount"):
        root = mounts.open_tree(config.bundle.root, clone=True, recursive=True)
    return Tree(root, placed, view)


def fill(tree: Tree, config: Config, *, new_network: bool) -> t.Tuple[int, int, int]:
    """(root, master, slave): all is mounted below the root, which is not the process's own yet; -1 without a terminal."""
    os.umask(0)
    if new_network:
        loopback.bring_up()
    root, bundle = _attach(tree, config), config.bundle
    child.place_all(root, tree.mounts, tree.view)
    devices.create(root, bundle.devices)
    rootfs.ensure_working_directory(root, bundle.process.cwd)
    for name, value in sorted(bundle.sysctl.items()):
        sysctl.write(name, value)
    if bundle.hostname:
        _socket.sethostname(bundle.hostname)
    if bundle.domainname:
        sysctl.write("kernel.domainname", bundle.domainname)
    if not config.process.terminal:
        return root, -1, -1
    master, slave = console.make(root, rows=config.process.rows, columns=config.process.columns)
    console.bind_console(root, slave)
    return root, master, slave


def _attach(tree: Tree, config: Config) -> int:
    """The root where the bundle has it, so that hooks find it there; on / where a user namespace cannot reach it."""
    if tree.root < 0:
        return rootfs.mount_root(config.bundle, "/")
    wanted = mount_options.PROPAGATION[config.propagation or "rslave"]
    mounts.set_propagation("/", consts.MS_SLAVE if wanted & consts.MS_SLAVE else consts.MS_PRIVATE, recursive=True)
    try:
        mounts.move_mount(tree.root, config.bundle.root)
    except KernelError as error:
        if error.errno != errno.EACCES:
            raise
        mounts.move_mount(tree.root, "/")
    mounts.set_propagation(tree.root, consts.MS_PRIVATE)
    return tree.root


def finish(root: int, config: Config) -> None:
    """What is hidden and protected, and the pivot."""
    bundle = config.bundle
    null = devices.open_null(root)
    masks.hide(root, bundle.masked, null=null)
    masks.protect(root, bundle.readonly_paths)
    os.close(null)
    if bundle.read_only:
        rootfs.set_read_only(root)
    rootfs.pivot(root)
    os.close(root)
    flag = mount_options.PROPAGATION[config.propagation or "private"]
    if flag & (consts.MS_SHARED | consts.MS_UNBINDABLE):        # the others hold already, and volumes have their own
        mounts.set_propagation("/", flag & ~consts.MS_REC, recursive=bool(flag & consts.MS_REC))
