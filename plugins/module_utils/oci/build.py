# SPDX-License-Identifier: BSD-2-Clause
"""A bundle's file system, made by the container's own first process in its own namespaces, up to the pivot.

As runtime/child.py, with what only bundles of others have: a terminal, hooks in between, the root held from outside.
Not here: the single steps (runtime/rootfs.py, devices.py, masks.py).
"""
from __future__ import annotations

import errno
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, libc, mounts, rootpath, sysctl
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError
from ansible_collections.cocker.engine.plugins.module_utils.oci import copyup
from ansible_collections.cocker.engine.plugins.module_utils.oci.config import Config, MountExtras
from ansible_collections.cocker.engine.plugins.module_utils.runtime import (
    cgroup_mount,
    devices,
    loopback,
    masks,
    mount_options,
    rootfs,
)

_PTMX = "/dev/ptmx"     # a link of ours; the host's would open the host's terminals


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
    for place, extra in config.extras.items():
        if extra.uids:
            from ansible_collections.cocker.engine.plugins.module_utils.oci import idmap
            idmap.apply(placed[place].tree, (extra.uids, extra.gids), recursive=extra.recursive)
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
    _place_all(root, tree, config)
    devices.create(root, [device for device in bundle.devices if os.path.normpath(device.path) != _PTMX])
    rootfs.ensure_working_directory(root, bundle.process.cwd)
    for name, value in sorted(bundle.sysctl.items()):
        sysctl.write(name, value)
    if bundle.hostname:
        host = os.fsencode(bundle.hostname)
        libc.call(libc.libc.sethostname, host, len(host), op="set hostname", subject=bundle.hostname)
    if bundle.domainname:
        domain = os.fsencode(bundle.domainname)
        libc.call(libc.libc.setdomainname, domain, len(domain), op="set domainname", subject=bundle.domainname)
    if not config.process.terminal:
        return root, -1, -1
    from ansible_collections.cocker.engine.plugins.module_utils.oci import console  # loaded before the fork (create.py)
    master, slave = console.make(root, rows=config.process.rows, columns=config.process.columns)
    console.bind_console(root, slave)
    return root, master, slave


def _place_all(root: int, tree: Tree, config: Config) -> None:
    """/dev gets its nodes as soon as it is mounted, unless it is somebody else's directory."""
    on_dev = [place for place, item in enumerate(tree.mounts) if os.path.normpath(item.mount.destination) == "/dev"]
    if not on_dev:
        dev = rootfs.open_own_dev(root)
        devices.populate(dev)
        os.close(dev)
    for place, item in enumerate(tree.mounts):
        covered = _open_covered(root, item) if item.mount.type == "tmpfs" else -1
        mounted = rootfs.place(root, item, cgroups=tree.view)
        if covered >= 0:
            _follow(covered, mounted, item, copy_up=config.extras.get(place, MountExtras()).copy_up)
        if place in on_dev[-1:] and not item.options.bind:
            devices.populate(mounted)
        os.close(mounted)


def _open_covered(root: int, item: rootfs.Placed) -> int:
    """The directory on which the mount goes; -1 where it has to be made."""
    try:
        return rootpath.open_in(root, item.mount.destination, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return -1


def _follow(covered: int, mounted: int, item: rootfs.Placed, *, copy_up: bool) -> None:
    """A tmpfs whose mode nobody gives has that of the directory that it covers."""
    if copy_up:
        fresh = os.open(mounts.path_of(mounted), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        copyup.copy(covered, fresh)
        os.close(fresh)
    elif not any(word.startswith("mode=") for word in item.options.data):
        os.chmod(mounts.path_of(mounted), stat.S_IMODE(os.fstat(covered).st_mode))
    os.close(covered)


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
