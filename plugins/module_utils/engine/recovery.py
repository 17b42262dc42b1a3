# SPDX-License-Identifier: BSD-2-Clause
"""Undoes what a task that was killed left half done, from its intent record. Runs before the next task looks at the host."""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import observe, teardown
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.storage import intents

CONTAINER = "container"
START, CREATE, REPLACE, REMOVE = "start", "create", "replace", "remove"


def roll_back(host: Host) -> None:
    """Two tasks at once are no harm: each takes the lock of the object, and finds the intent settled or does it."""
    for intent in intents.dead(host.layout):
        with host.locked(intent.kind, intent.name):
            still = intents.find(host.layout, intent.kind, intent.name)
            if still is not None and still.is_dead():
                _ROLL_BACK[intent.kind](host, intent.name, str(intent.facts.get("action", "")))
                intents.settle(host.layout, intent.kind, intent.name)


def _container(host: Host, name: str, action: str) -> None:
    if not observe.container(host, name).is_running:
        teardown.clear(host, name)
        teardown.restore_previous(host, name)
    else:
        teardown.drop_previous(host, name)  # it was started: the replacement has succeeded
    unfinished = action == CREATE and not os.path.exists(host.layout.spec(name))
    if unfinished or action == REMOVE:
        teardown.remove(host, name)


_ROLL_BACK: t.Dict[str, t.Callable[[Host, str, str], None]] = {CONTAINER: _container}
