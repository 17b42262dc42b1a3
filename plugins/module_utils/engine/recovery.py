# SPDX-License-Identifier: BSD-2-Clause
"""Undoes what a task that was killed left half done, from its intent record. Runs before the next task looks at the host."""
from __future__ import annotations

import dataclasses
import errno
import functools
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import (
    container_layers,
    endpoints,
    hostnames,
    networks,
    observe,
    renaming,
    teardown,
)
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import finish
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.container import CREATED, EXITED, ContainerState
from ansible_collections.cocker.engine.plugins.module_utils.model.container_fields import record_from_json
from ansible_collections.cocker.engine.plugins.module_utils.model.container_states import REMOVE
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime import state
from ansible_collections.cocker.engine.plugins.module_utils.storage import images, intents, records, snapshots
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout


def roll_back(host: Host) -> None:
    """What fails here stays for the task that is about the object: it says why. Other tasks are not held up by it."""
    for intent in intents.dead(host.layout):
        if intent.kind in _ROLL_BACK:
            finish([functools.partial(_locked, host, intent)])
    finish([functools.partial(_sweep, host.layout)])


def _sweep(layout: Layout) -> None:
    """Temporary files of records whose writer was killed."""
    folders = [layout.run_root, layout.run, layout.intents, layout.networks, layout.lease_files]
    for parent in (layout.containers, layout.volumes, layout.containers_run):
        folders += [os.path.join(parent, name) for name in (os.listdir(parent) if os.path.isdir(parent) else ())]
    for folder in folders:
        for path in fs.abandoned(folder):
            with tolerate(errno.ENOENT):
                os.unlink(path)


def _locked(host: Host, intent: intents.Intent) -> None:
    """Two tasks at once are no harm: each takes the lock of the object, and finds the intent settled or settles it."""
    with host.locked(intent.kind, intent.name):
        still = intents.find(host.layout, intent.kind, intent.name)
        if still is not None and still.is_dead():
            _ROLL_BACK[intent.kind](host, still)
            intents.settle(host.layout, intent.kind, intent.name)


def settled(host: Host, intent: intents.Intent) -> ContainerState:
    """For a task that has the container's lock: rolled back, and what is there then. Raises what stands in the way."""
    _container(host, intent)
    intents.settle(host.layout, intent.kind, intent.name)
    return observe.container(host, intent.name)


def foreseen(host: Host, intent: intents.Intent) -> ContainerState:
    """What `settled` would find, for a dry run."""
    found = observe.container(host, intent.name)
    if found.is_running and intent.facts.get("action") != REMOVE:
        return found
    if found.record is None or intent.facts.get("action") == REMOVE or not intent.facts.get("existed", True):
        return ContainerState(intent.name)
    former = records.load(os.path.join(host.layout.container(intent.name), snapshots.PREVIOUS, snapshots.RECORD), record_from_json)
    return dataclasses.replace(found, record=former or found.record, status=EXITED if found.exit else CREATED)


def _container(host: Host, intent: intents.Intent) -> None:
    """A removal is finished; a container that runs was the aim, and stays; all else is as before, or gone if it was not there."""
    name, found = intent.name, teardown.running(host, intent.name)
    if intent.facts.get("action") == renaming.RENAME:
        renaming.roll_on(host, name, intent.facts)
        return
    if intent.facts.get("action") in container_layers.ROLL_BACK:
        container_layers.ROLL_BACK[intent.facts["action"]](host, name, intent.facts)
        return
    if intent.facts.get("action") == REMOVE:
        teardown.clear(host, name)
        teardown.remove(host, name)
    elif found is not None and found.lives():
        with tolerate(errno.ENOENT):  # a stop that was not carried through: its supervisor is to call for us again
            os.unlink(os.path.join(host.layout.container_run(name), state.STOPPING))
        _keep_only_current(host, name)
        hostnames.follow(host, endpoints.names(host, name))     # it may have been killed before it could tell the others
        if intent.facts.get("consumes"):
            images.remove(host.layout, str(intent.facts["consumes"][0]), intent.facts["consumes"][1])
        snapshots.drop_previous(host.layout.container(name))
    else:
        teardown.clear(host, name)
        if _existed(host, intent):
            snapshots.restore_previous(host.layout.container(name))
        else:
            teardown.remove(host, name)


def _existed(host: Host, intent: intents.Intent) -> bool:
    """An image that became this container and is gone would be lost with it."""
    consumed = intent.facts.get("consumes")
    if consumed and not os.path.lexists(host.layout.image(str(consumed[0]), consumed[1])):
        return True
    return bool(intent.facts.get("existed", os.path.lexists(host.layout.spec(intent.name))))


def _keep_only_current(host: Host, name: str) -> None:
    record = records.load(host.layout.spec(name), record_from_json)
    if record is not None:
        endpoints.forget(host, name, except_on=[each.name for each in record.spec.attachments()])


_ROLL_BACK: t.Dict[str, t.Callable[[Host, intents.Intent], None]] = {
    "container": _container,
    "network": lambda host, intent: networks.roll_back(host, intent.name, intent.facts),
}
