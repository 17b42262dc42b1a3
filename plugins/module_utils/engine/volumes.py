# SPDX-License-Identifier: BSD-2-Clause
"""Named volumes. Nothing but `state: absent` with the volume's own name ever removes data."""
from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import inspect, observe
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host, now
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Outcome, Plan, Step, execute, outcome
from ansible_collections.cocker.engine.plugins.module_utils.model import mounts
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.volume import VolumeSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT, VolumeWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import owners, quotas, volumes

CREATE, UPDATE, REMOVE = "create", "update", "remove"
CREATE_VOLUME, REMOVE_VOLUME, CREATE_DIRECTORY = "create_volume", "remove_volume", "create_directory"    # for a container


def ensure(host: Host, wish: VolumeWish) -> Outcome:
    name = wish.spec.name
    with host.locked("volume", name):
        have = volumes.find(host.layout, name)
        if wish.state == ABSENT:
            plan = _plan_absent(name, have, users(host, name))
        else:
            plan = _plan_present(wish.spec, have, _found(host, wish.spec))
        execute(plan, lambda action: _step(host, action, wish.spec), dry_run=host.dry_run)
        shown = None
        if wish.state != ABSENT:
            shown = inspect.volume(volumes.find(host.layout, name) or _new(wish.spec), host.layout.volume_data(name))
        return outcome(plan, {"volume": shown})


def named(wanted: t.Iterable[mounts.Mount]) -> t.List[str]:
    """The named volumes among what a container mounts."""
    return sorted({mount.source for mount in wanted if mount.kind == mounts.VOLUME})


def preparations(host: Host, wanted: t.Sequence[mounts.Mount]) -> t.Iterator[Action]:
    """What has to be made before a container can mount it."""
    labels = {mount.source: dict(mount.labels) for mount in wanted if mount.kind == mounts.VOLUME and mount.labels}
    for name in named(wanted):
        if volumes.find(host.layout, name) is None:
            yield Action(CREATE_VOLUME, name, {"labels": labels[name]} if name in labels else {})
    sources = [mount.source for mount in wanted if mount.create]
    for path in dict.fromkeys(path for source in sources for path in _missing(source)):
        yield Action(CREATE_DIRECTORY, path)


def _missing(path: str) -> t.List[str]:
    """Outermost first, so that each is undone alone."""
    found: t.List[str] = []
    while not os.path.lexists(path):
        found.insert(0, path)
        path = os.path.dirname(path)
    return found


def remove_unused(host: Host, name: str) -> Step:
    """An anonymous volume goes with its container, unless another one mounts it."""
    return Step(lambda: None if users(host, name) else volumes.remove(host.layout, name))


def users(host: Host, name: str) -> t.List[str]:
    """Containers that mount it."""
    return [found.name for found in observe.containers(host) if found.record and name in named(found.record.spec.mounts or ())]


def _plan_absent(name: str, have: t.Optional[volumes.Volume], used_by: t.Sequence[str]) -> Plan:
    if have is None:
        return Plan()
    if used_by:
        raise Conflict("remove volume", name, "containers mount it: %s" % ", ".join(used_by), hint="remove them first")
    return Plan(REMOVE, ("state absent is wanted",), (Action(REMOVE, name),), {"exists": True}, {"exists": False})


def _found(host: Host, want: VolumeSpec) -> t.Dict[str, t.Any]:
    """What the top directory is, in the words of the options. Empty where there is none. Raises Unsupported, Conflict."""
    data = host.layout.volume_data(want.name)
    try:
        facts = os.stat(data, follow_symlinks=False)
    except FileNotFoundError:
        if want.size:
            quotas.check(host.layout.volumes)
        return {}
    owner, group = owners.Shift(owners.find(data), None).owner(facts)
    return {**_size(host, want, data), "owner": owner, "group": group, "mode": _mode(stat.S_IMODE(facts.st_mode))}


def _size(host: Host, want: VolumeSpec, data: str) -> t.Dict[str, t.Any]:
    """What is wanted, where it is what the kernel has: it counts in blocks."""
    if want.size is None:
        return {}
    have = quotas.find(data)
    if quotas.is_met(want.size, have.limit if have is not None else 0):
        return {"size": want.size}
    quotas.check(data)
    if have is None:
        raise Conflict("limit volume", want.name, "it was made without size, and cannot get one",
                       hint="make it anew with size, its data from an archive: cocker_volume_archive")
    if want.size:
        _refuse_less(want, quotas.used(data))
    return {"size": have.limit}


def _refuse_less(want: VolumeSpec, used: int) -> None:
    if want.size is not None and used > want.size:
        raise Invalid("size", "%d is less than the volume %s holds, %d bytes" % (want.size, want.name, used))


def _mode(mode: int) -> str:
    return "%04o" % mode


def _plan_present(want: VolumeSpec, have: t.Optional[volumes.Volume], top: t.Mapping[str, t.Any]) -> Plan:
    said = {"owner": want.owner, "group": want.group, "mode": None if want.mode is None else _mode(want.mode), "size": want.size}
    after = {"labels": dict(want.labels or {}), **{key: value for key, value in said.items() if value is not None}}
    if have is None:
        action = Action(CREATE, want.name)
        return Plan(CREATE, ("the volume does not exist",), (action,), {"exists": False}, {"exists": True, **after})
    before = {"labels": dict(have.labels), **top}
    changed = [key for key, value in after.items() if before.get(key) != value]
    if not changed:
        return Plan()
    return Plan(UPDATE, tuple("%s changed" % key for key in changed), (Action(UPDATE, want.name, {"options": sorted(changed)}),),
                {key: before.get(key) for key in changed}, {key: after[key] for key in changed})


def _step(host: Host, action: Action, want: VolumeSpec) -> Step:
    if action.kind == REMOVE:
        return Step(lambda: volumes.remove(host.layout, want.name))
    return make(host, want) if action.kind == CREATE else Step(lambda: _ensure(host, want))


def make(host: Host, want: VolumeSpec) -> Step:
    """A new volume, which is gone again if what it was made for fails."""
    return Step(lambda: _ensure(host, want), lambda: volumes.remove(host.layout, want.name))


def _ensure(host: Host, want: VolumeSpec) -> None:
    volumes.ensure(host.layout, _new(want))


def _new(want: VolumeSpec) -> volumes.Volume:
    return volumes.Volume(want.name, now(), dict(want.labels or {}), True, want.owner, want.group, want.mode, want.size)
