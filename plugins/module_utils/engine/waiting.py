# SPDX-License-Identifier: BSD-2-Clause
"""Waiting for a container's end. Not here: what is done about it (foreground.py, reap.py)."""
from __future__ import annotations

import contextlib
import os

from ansible_collections.cocker.engine.plugins.module_utils.engine import observe
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, process
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, NotFound

LOCK = "waiting"        # of those who have still to hear how a container ended
_LOOK_AGAIN = 3600.0    # seconds; a pidfd is waited for, so this is no poll
_HEARING = 3.0          # seconds: whoever is stopped itself hears nothing


def wait(host: Host, name: str) -> int:
    """The exit code of its last run; at once of a container that has ended. Raises NotFound, Conflict."""
    while True:
        found = observe.container(host, name)
        if found.status is None:
            raise NotFound("wait for container", name, "it does not exist")
        if found.exit is not None:
            return found.exit.exit_code
        if found.running is None:
            raise Conflict("wait for container", name, "it is %s" % found.status)
        process.wait_gone(process.Identity(found.running.supervisor_pid, found.running.supervisor_start_time), _LOOK_AGAIN)


def let_hear(host: Host, name: str) -> None:
    """Called between a container's end and its removal: those who wait for it hear how it ended, if they listen."""
    path = host.layout.lock(LOCK, name)
    if os.path.exists(path):        # not as a lock in its order: it is taken after the container's, and given up in any case
        with contextlib.suppress(Conflict), fs.lock(path, timeout=_HEARING):
            pass
