# SPDX-License-Identifier: BSD-2-Clause
"""Undoes what a task that was killed left half done, from its intent record. Runs before the next task looks at the host."""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import container_plan, observe, teardown
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.storage import intents


def roll_back(host: Host) -> None:
    """Two tasks at once are no harm: each takes the lock of the object, and finds the intent settled or settles it."""
    for intent in intents.dead(host.layout):
        with host.locked(intent.kind, intent.name):
            still = intents.find(host.layout, intent.kind, intent.name)
            if still is not None and still.is_dead():
                _ROLL_BACK[intent.kind](host, still)
                intents.settle(host.layout, intent.kind, intent.name)


def _container(host: Host, intent: intents.Intent) -> None:
    """A removal is finished; a container that runs was the aim, and stays; all else is as before, or gone if it was not there."""
    if intent.facts["action"] == container_plan.REMOVE:
        teardown.clear(host, intent.name)
        teardown.remove(host, intent.name)
    elif observe.container(host, intent.name).is_running:
        teardown.drop_previous(host, intent.name)
    else:
        teardown.clear(host, intent.name)
        teardown.restore_previous(host, intent.name)
        if not intent.facts["existed"]:
            teardown.remove(host, intent.name)


_ROLL_BACK: t.Dict[str, t.Callable[[Host, intents.Intent], None]] = {"container": _container}
