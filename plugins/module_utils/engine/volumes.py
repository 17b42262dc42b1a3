# SPDX-License-Identifier: BSD-2-Clause
"""Named volumes. Nothing but `state: absent` with the volume's own name ever removes data."""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import inspect, observe
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host, now
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Outcome, Plan, Step, execute, outcome
from ansible_collections.cocker.engine.plugins.module_utils.model import mounts
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict
from ansible_collections.cocker.engine.plugins.module_utils.model.volume import VolumeSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT, VolumeWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import volumes

CREATE, UPDATE, REMOVE = "create", "update", "remove"
CREATE_VOLUME, REMOVE_VOLUME, CREATE_DIRECTORY = "create_volume", "remove_volume", "create_directory"    # for a container


def ensure(host: Host, wish: VolumeWish) -> Outcome:
    name = wish.spec.name
    with host.locked("volume", name):
        have = volumes.find(host.layout, name)
        plan = _plan_absent(name, have, users(host, name)) if wish.state == ABSENT else _plan_present(wish.spec, have)
        execute(plan, lambda action: _step(host, action, wish.spec), dry_run=host.dry_run)
        shown = None
        if wish.state != ABSENT:
            made = volumes.find(host.layout, name) or volumes.Volume(name, now(), dict(wish.spec.labels or {}))
            shown = inspect.volume(made.name, made.created, made.labels, host.layout.volume_data(name))
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


def _plan_present(want: VolumeSpec, have: t.Optional[volumes.Volume]) -> Plan:
    labels = dict(want.labels or {})
    if have is None:
        after = {"exists": True, "labels": labels}
        return Plan(CREATE, ("the volume does not exist",), (Action(CREATE, want.name),), {"exists": False}, after)
    if dict(have.labels) == labels:
        return Plan()
    action = Action(UPDATE, want.name, {"options": ["labels"]})
    return Plan(UPDATE, ("labels changed",), (action,), {"labels": dict(have.labels)}, {"labels": labels})


def _step(host: Host, action: Action, want: VolumeSpec) -> Step:
    if action.kind == REMOVE:
        return Step(lambda: volumes.remove(host.layout, want.name))
    return make(host, want) if action.kind == CREATE else Step(lambda: _ensure(host, want))


def make(host: Host, want: VolumeSpec) -> Step:
    """A new volume, which is gone again if what it was made for fails."""
    return Step(lambda: _ensure(host, want), lambda: volumes.remove(host.layout, want.name))


def _ensure(host: Host, want: VolumeSpec) -> None:
    volumes.ensure(host.layout, volumes.Volume(want.name, now(), dict(want.labels or {}), fresh=True))
