# SPDX-License-Identifier: BSD-2-Clause
"""Files that belong to a container's users on the disk, where no mount can show them as theirs (before Linux 5.19, or file systems
that cannot): its layers as copies, its writable layer and its volumes themselves. Made so before a start, whoever had them before.

Not here: whether it is so (usermaps.py), and the copies (storage/shifting.py).
"""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import hostnames, observe, usermaps, volumes
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerRecord, ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.container_fields import record_from_json
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict
from ansible_collections.cocker.engine.plugins.module_utils.storage import (
    owners,
    records,
    snapshots,
    volumes as volume_store,
)

_GENERATED = (hostnames.HOSTS, hostnames.HOSTNAME, hostnames.RESOLV_CONF)


def check(host: Host, spec: ContainerSpec) -> None:
    """Before the first effect: whose volumes would become those of others while they are in use. Raises Conflict."""
    for name in volumes.named(spec.mounts or ()):
        if usermaps.turns(host, spec, name):
            _refuse_used(host, spec, name)


def prepare(host: Host, record: ContainerRecord) -> None:
    """Its root. Idempotent; the container does not run, and has its range. Raises CockerError."""
    maps, mine = usermaps.on_disk(host, record.spec), upper(host, record.spec.name)
    if maps is None and owners.find(mine) is None:
        return
    from ansible_collections.cocker.engine.plugins.module_utils.storage import shifting  # few kernels need it

    lower = snapshots.lower_dirs(host.layout, record.stack()) if maps is not None else []
    for _before_and_after in range(2):      # the layer says whose it is when the copies are there; before that somebody may collect them
        for diff in lower:
            shifting.ensure_copy(host.layout, diff, t.cast(t.Any, maps))
        shifting.ensure(mine, maps, overlay=True)


def prepare_volumes(host: Host, spec: ContainerSpec) -> None:
    """The caller has them for itself where they get other owners. Raises Conflict, CockerError."""
    for name in volumes.named(spec.mounts or ()):
        if usermaps.turns(host, spec, name):
            from ansible_collections.cocker.engine.plugins.module_utils.storage import shifting

            _refuse_used(host, spec, name)
            size = volume_store.get(host.layout, name).size
            shifting.ensure(host.layout.volume_data(name), usermaps.on_disk(host, spec), size=size)


def give_files(host: Host, spec: ContainerSpec) -> None:
    """What the engine mounts over files of its image."""
    maps = usermaps.on_disk(host, spec)
    owner = maps.root if maps is not None else (0, 0)
    for name in _GENERATED:
        path = os.path.join(host.layout.container(spec.name), name)
        facts = os.lstat(path)
        if (facts.st_uid, facts.st_gid) != owner:
            os.chown(path, *owner, follow_symlinks=False)


def upper(host: Host, name: str) -> str:
    return os.path.join(host.layout.container(name), snapshots.UPPER)


def needed(host: Host, *, without: t.Collection[str] = ()) -> t.Set[t.Tuple[str, str]]:
    """The copies that containers (`without` some) have, by layer and name; also those that one goes back to if a replacement fails."""
    found: t.Set[t.Tuple[str, str]] = set()
    for name in (name for name in host.layout.container_names() if name not in without):
        folder = host.layout.container(name)
        places = (folder, os.path.join(folder, snapshots.PREVIOUS))
        maps = [each for each in (owners.find(os.path.join(place, snapshots.UPPER)) for place in places) if each is not None]
        known = [records.load(os.path.join(place, snapshots.RECORD), record_from_json) for place in places] if maps else []
        layers = {layer for record in known if record is not None for part in record.stack() for layer in part}
        found |= {(layer, owners.copy_name(each)) for layer in layers for each in maps}
    return found


def _refuse_used(host: Host, spec: ContainerSpec, volume: str) -> None:
    using = [found.name for found in observe.containers(host)
             if found.name != spec.name and found.is_running and found.record and volume in volumes.named(found.record.spec.mounts or ())]
    if using:
        raise Conflict("use volume", volume, "its files belong to the users of containers that run, and the file system of %s cannot show "
                       "them as those of others: %s" % (host.layout.home, ", ".join(sorted(using))),
                       hint="give all of them the same uidmap and gidmap, or stop them first")
