# SPDX-License-Identifier: BSD-2-Clause
"""A signal to a container's first process: an action by nature, not a state. Not here: stopping (lifecycle.py)."""
from __future__ import annotations

from ansible_collections.cocker.engine.plugins.module_utils.engine import observe
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import process
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import STOPPED, ContainerWish


def send(host: Host, name: str, number: int) -> None:
    """SIGKILL is a stop, so that nothing starts it again. Raises NotFound, Conflict."""
    from ansible_collections.cocker.engine.plugins.module_utils.engine import containers
    from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerSpec

    found = observe.container(host, name)
    if found.status is None:
        raise NotFound("signal container", name, "it does not exist")
    if found.running is None:
        raise Conflict("signal container", name, "it is %s" % found.status)
    if number == process.SIGNALS["KILL"]:
        containers.ensure(host, ContainerWish(ContainerSpec(name), STOPPED, kill_signal=number, stop_within=0))
    else:
        process.signal(process.Identity(found.running.pid, found.running.start_time), number)
