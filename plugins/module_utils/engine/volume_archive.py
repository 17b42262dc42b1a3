# SPDX-License-Identifier: BSD-2-Clause
"""cocker_volume_archive: a volume's data into a file of the host, and back.

Nothing but `force: true` replaces data, and then only where it is not the archive's. Not here: the archive (storage/volumedata.py).
"""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import inspect, newfile, observe, volumes
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Outcome, Plan, Step, execute, outcome
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.volume import VolumeSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import BACKUP, VolumeArchiveWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import importdir, importtar, volumedata, volumes as volume_store
from ansible_collections.cocker.engine.plugins.module_utils.storage.layers import Blob

WRITE, REPLACE, RESTORE = "backup", "replace", "restore"
NOTHING_THERE, SAME, OTHER = "nothing", "same", "other"     # what a volume holds, compared with an archive


def ensure(host: Host, wish: VolumeArchiveWish) -> Outcome:
    """Raises NotFound, Invalid (a path that no file can have), Conflict (other data, a container that runs), Damaged, Unsupported."""
    with host.locked("volume", wish.name, shared=wish.operation == BACKUP):
        return _backup(host, wish) if wish.operation == BACKUP else _restore(host, wish)


def _backup(host: Host, wish: VolumeArchiveWish) -> Outcome:
    volume = volume_store.get(host.layout, wish.name)
    data, path = host.layout.volume_data(wish.name), newfile.place(wish.path)
    if os.path.realpath(path).startswith(data + "/"):
        raise Invalid("path", "%s is in the volume itself" % path)
    with newfile.NewFile(path, lambda out: volumedata.write(data, out, kind=wish.compression), dry_run=host.dry_run) as new:
        have = newfile.found(path)
        known = new.make() if have is not None else None
        plan = _plan_backup(wish, have, known)
        execute(plan, lambda action: Step(new.place), dry_run=host.dry_run)
        return outcome(plan, _result(host, volume, path, new.made or known))


def _plan_backup(wish: VolumeArchiveWish, have: t.Optional[Blob], known: t.Optional[Blob]) -> Plan:
    """Pure. `known` None: there is no file, so that it does not matter what it will be."""
    if have is not None and have == known:
        return Plan()
    action, after = Action(REPLACE if have else WRITE, wish.name, {"path": wish.path}), {"exists": True, "volume": wish.name}
    if have is None:
        return Plan(WRITE, ("the file does not exist",), (action,), {"exists": False}, after)
    before = {"exists": True, "digest": have.digest, "size": have.size}
    return Plan(REPLACE, ("the file is not what the volume holds",), (action,), before, after)


def _restore(host: Host, wish: VolumeArchiveWish) -> Outcome:
    have = volume_store.find(host.layout, wish.name)
    digest = importtar.digest(wish.path)
    plan = _plan_restore(wish, digest, have, NOTHING_THERE if have is None else _held(host, have, wish.path, digest))
    if plan.actions:
        _refuse_running(host, wish.name)
    execute(plan, lambda action: _step(host, action, wish, digest), dry_run=host.dry_run)
    made = volume_store.find(host.layout, wish.name) or volume_store.Volume(wish.name, "")
    return outcome(plan, _result(host, made, wish.path, Blob(digest, os.stat(wish.path).st_size)))


def _held(host: Host, have: volume_store.Volume, path: str, digest: str) -> str:
    """The cheap questions first: whether it is as it was when it was restored from this very file, whether there is anything at all."""
    data = host.layout.volume_data(have.name)
    if have.archive == digest and have.tree == importdir.digest(data):
        return SAME
    if not os.listdir(data):
        return NOTHING_THERE
    return SAME if volumedata.is_in_archive(data, path) else OTHER


def _plan_restore(wish: VolumeArchiveWish, digest: str, have: t.Optional[volume_store.Volume], held: str) -> Plan:
    """Pure. Raises Conflict over data that is not the archive's."""
    if held == SAME or (held == OTHER and wish.force is False):
        return Plan()
    if held == OTHER and not wish.force:
        raise Conflict("restore volume", wish.name, "it holds data that is not the archive's",
                       hint="force: true replaces it, force: false leaves it as it is")
    new = (Action(volumes.CREATE_VOLUME, wish.name),) if have is None else ()
    reasons = {NOTHING_THERE: "the volume holds nothing" if have else "the volume does not exist", OTHER: "force was asked for"}
    return Plan(RESTORE, (reasons[held],), (*new, Action(RESTORE, wish.name, {"path": wish.path})),
                {"exists": have is not None, "archive": have.archive or None if have else None}, {"exists": True, "archive": digest})


def _refuse_running(host: Host, name: str) -> None:
    """What runs keeps the data that it has mounted, whatever is at its place."""
    using = [found.name for found in observe.containers(host) if found.is_running and name in _mounted(found)]
    if using:
        raise Conflict("restore volume", name, "containers that run mount it: %s" % ", ".join(sorted(using)), hint="stop them first")


def _mounted(found: t.Any) -> t.Sequence[str]:
    return volumes.named(found.record.spec.mounts or ()) if found.record else ()


def _step(host: Host, action: Action, wish: VolumeArchiveWish, digest: str) -> Step:
    if action.kind == volumes.CREATE_VOLUME:
        return volumes.make(host, VolumeSpec(wish.name))
    return Step(lambda: volumedata.replace(host.layout, volume_store.get(host.layout, wish.name), wish.path, digest=digest))


def _result(host: Host, volume: volume_store.Volume, path: str, known: t.Optional[Blob]) -> t.Dict[str, t.Any]:
    facts = {"digest": known.digest, "size": known.size} if known else {"digest": None, "size": None}
    return {"path": path, "volume": inspect.volume(volume, host.layout.volume_data(volume.name)), **facts}
