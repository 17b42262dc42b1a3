# SPDX-License-Identifier: BSD-2-Clause
"""Nodes and links in a container's /dev. Not here: which devices it may open (runtime/cgroups/devices.py)."""
from __future__ import annotations

import errno
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import mounts, rootpath
from ansible_collections.cocker.engine.plugins.module_utils.model import idmap, oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Damaged, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime import defaults

_KINDS = {"c": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}


def populate(dev: int) -> None:
    """The standard nodes and links, in a /dev that is ours. Where mknod is forbidden, the host's nodes are bound."""
    for name, major, minor in defaults.DEVICES:
        try:
            rootpath.mknod(dev, name, mode=stat.S_IFCHR | 0o666, device=os.makedev(major, minor))
        except FileExistsError:
            _check_same(dev, name, stat.S_IFCHR, os.makedev(major, minor))
        except PermissionError:
            _bind_node(dev, "/dev/" + name, os.makedev(major, minor), inside=name)
    for name, target in defaults.DEVICE_LINKS:
        try:
            rootpath.symlink(dev, name, target=target)
        except FileExistsError:
            continue        # the image's own, where /dev is part of it


def _bind_node(root: int, path: str, number: int, *, inside: str = "") -> None:
    """The host's node of this path, as `inside` below the root where it has another name there."""
    source, name = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC), inside or path
    try:
        if os.fstat(source).st_rdev != number:
            raise Damaged("bind device", path, "the host's node is another device")
        rootpath.ensure_file(root, name)
        target = rootpath.open_in(root, name, os.O_PATH | os.O_NOFOLLOW)
        mounts.bind(source, target)
        os.close(target)
    finally:
        os.close(source)


def create(root_fd: int, wanted: t.Sequence[oci.Device], *, maps: t.Optional[idmap.Maps] = None) -> None:
    """The config's own devices, wherever they are to be. With maps their owners are those of the container."""
    for device in wanted:
        kind, number, others = _KINDS[device.kind], os.makedev(device.major, device.minor), ()  # type: int, int, t.Tuple[int, ...]
        try:
            rootpath.mknod(root_fd, device.path, mode=kind | device.mode, device=number)
        except FileExistsError:
            _check_same(root_fd, device.path, kind, number)
            others = (errno.EPERM,)     # a node of the host's, in a user namespace
        except PermissionError:     # in a user namespace: the host's node, with the owner that it has there
            _bind_node(root_fd, device.path, number)
            continue
        fd = rootpath.open_in(root_fd, device.path, os.O_PATH | os.O_NOFOLLOW)
        try:
            with tolerate(*others):
                os.chown(mounts.path_of(fd), *_owner(device, maps))
        finally:
            os.close(fd)


def _owner(device: oci.Device, maps: t.Optional[idmap.Maps]) -> t.Tuple[int, int]:
    if maps is None:
        return device.uid, device.gid
    uid, gid = idmap.outside(maps.uids, device.uid), idmap.outside(maps.gids, device.gid)
    return maps.root[0] if uid is None else uid, maps.root[1] if gid is None else gid


def _check_same(root_fd: int, path: str, kind: int, number: int) -> None:
    fd = rootpath.open_in(root_fd, path, os.O_PATH | os.O_NOFOLLOW)
    try:
        found = os.fstat(fd)
        if stat.S_IFMT(found.st_mode) != kind or (kind != stat.S_IFIFO and found.st_rdev != number):
            raise Conflict("create device", path, "something else is there in the image")
    finally:
        os.close(fd)


def open_null(root_fd: int) -> int:
    """Descriptor of /dev/null below the root, checked to be it: what covers masked files."""
    try:
        fd = rootpath.open_in(root_fd, "/dev/null", os.O_PATH | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
        fd = os.open("/dev/null", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    found = os.fstat(fd)
    if not stat.S_ISCHR(found.st_mode) or found.st_rdev != os.makedev(1, 3):
        os.close(fd)
        raise Damaged("open", "/dev/null", "it is not the null device")
    return fd
