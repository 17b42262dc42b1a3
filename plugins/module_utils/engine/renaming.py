# SPDX-License-Identifier: BSD-2-Clause
"""Another name for a container that does not run: its directory, its record, its addresses and the volumes that it alone has.

Cgroup, namespace, links and files of a run follow from the name at the next start; so one that runs cannot be renamed. Whatever was
done of it when somebody was killed is finished by whoever comes next (recovery.py).
"""
from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import leased, mounting, observe, teardown
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Step, apply, is_undone
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, mountinfo
from ansible_collections.cocker.engine.plugins.module_utils.model import mounts
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerRecord, ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.container_fields import record_from_json
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Conflict, Damaged, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.lease import Lease
from ansible_collections.cocker.engine.plugins.module_utils.network import leases
from ansible_collections.cocker.engine.plugins.module_utils.storage import intents, records, volumes

CONTAINER, RENAME = "container", "rename"
_OP = "rename container"


def rename(host: Host, old: str, new: str) -> None:
    """Raises NotFound; Conflict when it runs, when the name is taken, or when other containers name it."""
    if old == new:
        raise Conflict(_OP, old, "that is its name")
    with contextlib.ExitStack() as stack:
        owned = mounting.anonymous(host, old)
        for name in sorted({*owned, *(_moved(each, old, new) for each in owned)}):
            stack.enter_context(host.locked("volume", name))
        for name in sorted((old, new)):
            stack.enter_context(host.locked(CONTAINER, name))
        _refuse(host, old, new, owned)
        if os.path.isdir(host.layout.container_run(old)):
            teardown.clear(host, old)       # its last run ended without anybody to clean up
        back = [_moved(each, old, new) for each in owned]
        with _declared(host, old, new, owned):
            apply([Step(lambda: None, lambda: carry(host, new, old, back)), Step(lambda: carry(host, old, new, owned))])


@contextlib.contextmanager
def _declared(host: Host, old: str, new: str, owned: t.Sequence[str]) -> t.Iterator[None]:
    """On the disk before the first effect; it stays where the undoing failed."""
    try:
        intents.declare(host.layout, CONTAINER, old, {"action": RENAME, "to": new, "volumes": list(owned)})
        yield
    except BaseException as error:
        if is_undone(error):
            intents.settle(host.layout, CONTAINER, old)
        raise
    intents.settle(host.layout, CONTAINER, old)


def _refuse(host: Host, old: str, new: str, owned: t.Sequence[str]) -> None:
    if intents.find(host.layout, CONTAINER, old) is not None:      # whoever opened the host has tried
        raise Conflict(_OP, old, "what a task has left of it half done could not be rolled back", hint="a task on it says why")
    found = observe.container(host, old)
    if found.status is None:
        raise NotFound(_OP, old, "it does not exist")
    if found.record is None:
        raise Damaged(_OP, old, "its record %s is missing" % host.layout.spec(old))
    if found.is_running or found.remains:
        raise Conflict(_OP, old, "it is running, and its cgroup, namespace and links have its name", hint="stop it, rename it, start it")
    if observe.container(host, new).status is not None:
        raise Conflict(_OP, old, "there is a container %s" % new)
    taken = next((name for name in (_moved(each, old, new) for each in owned) if os.path.lexists(host.layout.volume(name))), None)
    if taken is not None:
        raise Conflict(_OP, old, "there is a volume %s" % taken, hint="a former container %s has left it; remove it first" % new)
    mounted = mountinfo.below(host.layout.container(old))
    if mounted:
        raise Conflict(_OP, old, "%s is mounted" % mounted[0].mount_point, hint="unmount it first")
    for other in observe.containers(host):
        option = _named_by(other.record.spec, old, owned) if other.record is not None and other.name != old else ""
        if option:
            raise Conflict(_OP, old, "container %s names it in %s" % (other.name, option), hint="change that one first")


def _named_by(spec: ContainerSpec, name: str, owned: t.Collection[str]) -> str:
    """The option of another container by which it depends on the name; empty if none does."""
    found = [option for option, other in spec.shares().items() if other == name]
    found += ["links"] if name in [each for each, _alias in spec.links or ()] else []
    found += ["volumes_from"] if {mount.source for mount in spec.mounts or () if mount.kind == mounts.VOLUME}.intersection(owned) else []
    return found[0] if found else ""


def _moved(volume: str, old: str, new: str) -> str:
    """An anonymous volume's name begins with that of its container."""
    return new + volume[len(old):]


def carry(host: Host, old: str, new: str, owned: t.Sequence[str]) -> None:
    """All steps; those that were done before are passed over. `owned` are the volumes by their old names."""
    for name in owned:
        _carry_volume(host, name, _moved(name, old, new), new)
    directory, target = host.layout.container(old), host.layout.container(new)
    if os.path.isdir(directory) and not os.path.lexists(target):
        os.rename(directory, target)
        fs.fsync_dir(os.path.dirname(target))
    record = records.load(host.layout.spec(new), record_from_json)
    if record is not None and record.spec.name != new:
        records.write(host.layout.spec(new), _renamed(record, old, new, owned).to_json())
    with host.locked("firewall", leased.LEASES):
        for network in host.layout.network_names():
            leases.change(host.layout.leases(network), lambda all_: [_carried(lease, old, new) for lease in all_], network=network)


def _carry_volume(host: Host, name: str, target: str, owner: str) -> None:
    if os.path.isdir(host.layout.volume(name)) and not os.path.lexists(host.layout.volume(target)):
        os.rename(host.layout.volume(name), host.layout.volume(target))
        fs.fsync_dir(host.layout.volumes)
    volume = volumes.find(host.layout, target)
    if volume is not None and volume.name != target:
        volumes.save(host.layout, dataclasses.replace(volume, name=target, labels={**volume.labels, mounting.ANONYMOUS: owner}))


def _carried(lease: Lease, old: str, new: str) -> Lease:
    return dataclasses.replace(lease, container=new) if lease.container == old else lease


def _renamed(record: ContainerRecord, old: str, new: str, owned: t.Sequence[str]) -> ContainerRecord:
    def follow(mount: mounts.Mount) -> mounts.Mount:
        if mount.kind != mounts.VOLUME or mount.source not in owned:
            return mount
        return dataclasses.replace(mount, source=_moved(mount.source, old, new), labels={**(mount.labels or {}), mounting.ANONYMOUS: new})

    spec = record.spec
    found = None if spec.mounts is None else tuple(follow(mount) for mount in spec.mounts)
    return dataclasses.replace(record, spec=dataclasses.replace(spec, name=new, mounts=found))


def roll_on(host: Host, old: str, facts: t.Mapping[str, t.Any]) -> None:
    """Of one that was killed. Raises CockerError for facts that nobody can follow."""
    new, owned = facts.get("to"), facts.get("volumes")
    if not isinstance(new, str) or not new or not isinstance(owned, list):
        raise CockerError(_OP, old, "its intent does not say what name it was to have")
    carry(host, old, new, [str(name) for name in owned])
