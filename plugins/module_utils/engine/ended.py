# SPDX-License-Identifier: BSD-2-Clause
"""After a container that ended by itself: the network goes, as after a stop, and with auto_remove all of it. Called by reap.py, and by
containers.py where a task has stopped one with auto_remove.
"""
from __future__ import annotations

import contextlib

from ansible_collections.cocker.engine.plugins.module_utils.engine import observe, teardown
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model.container import EXITED


def settle(host: Host, name: str) -> None:
    """Whoever works on the container meanwhile is waited for; a container that runs again is left alone."""
    with host.locked("container", name):
        found = teardown.running(host, name)
        if found is None or not found.lives():
            teardown.clear(host, name)
        goes = _goes(host, name, asked=False)
    if goes:
        remove(host, name)


def _goes(host: Host, name: str, *, asked: bool) -> bool:
    found = observe.container(host, name)
    return found.status == EXITED and found.record is not None and bool(asked or found.record.spec.auto_remove)


def remove(host: Host, name: str, *, asked: bool = False) -> None:
    """When everybody has heard of its end, with its anonymous volumes. What somebody has started or changed meanwhile stays. `asked`: the
    task that stopped it says that it goes, whatever its record does. Idempotent.
    """
    from ansible_collections.cocker.engine.plugins.module_utils.engine import image_use, mounting, volumes, waiting

    with contextlib.ExitStack() as stack:
        stack.enter_context(host.locked(waiting.LOCK, name))
        anonymous = mounting.anonymous(host, name)
        for volume in anonymous:
            stack.enter_context(host.locked("volume", volume))
        stack.enter_context(host.locked("container", name))
        if _goes(host, name, asked=asked):
            teardown.remove(host, name)
            for volume in anonymous:
                volumes.remove_unused(host, volume).do()
            image_use.collect(host)  # layers that were its own
