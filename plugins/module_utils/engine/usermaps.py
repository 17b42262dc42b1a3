# SPDX-License-Identifier: BSD-2-Clause
"""userns_mode, uidmap and gidmap: which users of the host a container's are, what a host must have for it, and whose its files are.

Not here: how a map is used (kernel/userns.py, runtime/child.py), and how files become those of others (owning.py).
"""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model import idmap, mounts as wanted
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid, KernelError, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.storage import idranges, owners

OPTION = "userns_mode"
OLDEST = (5, 19)        # overlayfs on layers whose owners are mapped
# File systems with FS_ALLOW_IDMAP, and the Linux since which they have it: in it, or older than OLDEST.
MAPPABLE: t.Mapping[str, t.Tuple[int, int]] = {
    **dict.fromkeys(("btrfs", "erofs", "ext4", "f2fs", "ntfs3", "vfat", "xfs", "zfs"), OLDEST),
    "squashfs": (6, 2), "tmpfs": (6, 3), "ceph": (6, 7),
}
_NEVER = (1 << 16, 0)


def of(host: Host, spec: ContainerSpec) -> t.Optional[idmap.Maps]:
    """None: the host's own users. A range that is still to be chosen is the first one. Changes nothing."""
    if spec.uidmap is not None and spec.gidmap is not None:
        return idmap.Maps(spec.uidmap, spec.gidmap)
    if spec.userns_mode != idmap.AUTO:
        return None
    first = idranges.find(host.layout, spec.name)
    return idmap.whole(first if first is not None else idranges.FIRST)


def is_wanted(spec: ContainerSpec) -> bool:
    return spec.uidmap is not None or spec.userns_mode == idmap.AUTO


def take(host: Host, spec: ContainerSpec) -> None:
    """Before a start: the container has a range from now on, if it is to have one. Raises Conflict."""
    if spec.userns_mode == idmap.AUTO:
        with host.locked("firewall", "ids"):
            idranges.take(host.layout, spec.name)


def check(host: Host, spec: ContainerSpec) -> None:
    """Before the first effect. Raises Invalid, Conflict, Unsupported."""
    maps = of(host, spec)
    if maps is None:
        mapped = [mount.target for mount in spec.mounts or () if wanted.MAPPED in (mount.flags or ())]
        if mapped:
            raise Invalid("volumes", "%s: idmap is for a container with a user namespace" % mapped[0], hint="userns_mode: auto")
        return
    if spec.privileged:
        raise Conflict("option", "privileged", "it means the host's own root, and the container has other users (userns_mode)")
    if not is_possible():
        raise Unsupported("option", OPTION, "this kernel has no user namespaces")
    mapped_places = [*([host.layout.home] if shows_owners(host) else []), *_sources(spec)]
    there = list(filter(os.path.exists, mapped_places))      # what is missing is said elsewhere, or made later
    if host.dry_run:
        _foresee(there)
    else:
        _try_all(there, maps)


def is_possible() -> bool:
    """Whether this kernel has what a container with users of its own needs."""
    return os.path.exists("/proc/self/ns/user")


def shows_owners(host: Host) -> bool:
    """Whether the store can be mounted so that its files are those of other users. Else a container's files are theirs on the disk."""
    if host.kept.shows_owners is None:
        host.kept.shows_owners = _kernel() >= OLDEST and _can_map(host)
    return host.kept.shows_owners


def _can_map(host: Host) -> bool:
    """A file system that is not known is asked, but in check mode, where nothing is mounted, be it in no tree."""
    from ansible_collections.cocker.engine.plugins.module_utils.kernel import mountinfo

    home = host.layout.home
    fstype = mountinfo.holding(home).fstype
    if fstype in MAPPABLE or host.dry_run or not os.path.exists(home):
        return _kernel() >= MAPPABLE.get(fstype, _NEVER)
    try:
        _try_all([home], idmap.whole(idranges.FIRST))
    except Unsupported:
        return False
    return True


def on_disk(host: Host, spec: ContainerSpec) -> owners.OptionalMaps:
    """Whose the container's files are on the disk when it starts: None where they are shown, and belong to the ids that it has itself."""
    return of(host, spec) if is_wanted(spec) and not shows_owners(host) else None


def turns(host: Host, spec: ContainerSpec, volume: str) -> bool:
    """Whether the files of a volume become those of other users when the container starts. Without a range yet, it is taken to be so."""
    maps = on_disk(host, spec)
    is_open = maps is not None and spec.userns_mode == idmap.AUTO and idranges.find(host.layout, spec.name) is None
    return is_open or owners.find(host.layout.volume_data(volume)) != maps


def _kernel() -> t.Tuple[int, ...]:
    return tuple(int("".join(filter(str.isdigit, part)) or 0) for part in os.uname().release.split("-")[0].split(".")[:2])


def _sources(spec: ContainerSpec) -> t.List[str]:
    return [mount.source for mount in spec.mounts or () if mount.kind == wanted.BIND and wanted.MAPPED in (mount.flags or ())]


def _foresee(paths: t.Sequence[str]) -> None:
    """In check mode nothing is forked and no mount is made, be it in no tree: the kind of a file system says what it can."""
    from ansible_collections.cocker.engine.plugins.module_utils.kernel import mountinfo

    for path in paths:
        if _kernel() < MAPPABLE.get(mountinfo.holding(path).fstype, _NEVER):
            raise _unmappable(path)


def _unmappable(path: str) -> Unsupported:
    reason = "the file system of %s cannot show other owners" % path
    return Unsupported("option", "volumes", reason, hint="without idmap among its options its files are nobody's")


def _try_all(paths: t.Sequence[str], maps: idmap.Maps) -> None:
    """In no tree, and by a process that ends at once."""
    from ansible_collections.cocker.engine.plugins.module_utils.kernel import userns

    user, _network = userns.make(idmap.text(maps.uids), idmap.text(maps.gids))
    try:
        for path in paths:
            _try(path, user)
    finally:
        os.close(user)


def _try(path: str, user: int) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.kernel import mounts, userns

    tree = mounts.open_tree(path, clone=True)
    try:
        userns.show_mapped(tree, user)
    except KernelError as error:
        raise _unmappable(path) from error
    finally:
        os.close(tree)
