# SPDX-License-Identifier: BSD-2-Clause
"""A container that another one, or an image, is made of: what is there of it, after what a killed task left is rolled back.

Not here: the container that a task is about (containers.py).
"""
from __future__ import annotations

from ansible_collections.cocker.engine.plugins.module_utils.engine import observe
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerState
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict
from ansible_collections.cocker.engine.plugins.module_utils.storage import intents

CONTAINER = "container"


def find(host: Host, name: str) -> ContainerState:
    """The caller holds its lock. Raises Damaged, Conflict, and what stands in the way of the rolling back."""
    left = intents.find(host.layout, CONTAINER, name)
    if left is not None and left.is_dead():
        from ansible_collections.cocker.engine.plugins.module_utils.engine import recovery  # only after a crash

        return recovery.foreseen(host, left) if host.dry_run else recovery.settled(host, left)
    found = observe.container(host, name)
    if found.remains:
        raise Conflict("use container", name, "its record below /run is gone, and it has processes", hint="stop it first")
    return found
