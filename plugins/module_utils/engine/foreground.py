# SPDX-License-Identifier: BSD-2-Clause
"""A container that a task starts and stays with until it has ended: its exit code, what it wrote, and whether it goes afterwards.

Not here: starting it (containers.py), and one that goes by itself (reap.py).
"""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import ended, info, logs, observe, waiting
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Outcome
from ansible_collections.cocker.engine.plugins.module_utils.model.container_states import REMOVE, START
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT, ContainerWish
from ansible_collections.cocker.engine.plugins.module_utils.runtime import state

Ensure = t.Callable[[Host, ContainerWish], Outcome]


def run(host: Host, wish: ContainerWish, ensure: Ensure) -> Outcome:
    """Where the container is started: what `ensure` says, with `rc`, `status`, `stdout` and `stderr`. A code that is not 0 is a failure."""
    name = wish.spec.name
    with host.locked(waiting.LOCK, name, shared=True):
        since = state.now()
        done = ensure(host, wish)
        if START not in [action["action"] for action in done.actions]:
            return done
        result = dict(done.result) if host.dry_run else _heard(host, name, since)
    if not host.dry_run and result["container"]["HostConfig"]["AutoRemove"]:
        ended.settle(host, name)        # whose supervisor does so, too, but when the next task may have looked
    if not wish.cleanup:
        return dataclasses.replace(done, result=result)
    if not host.dry_run:
        ensure(host, dataclasses.replace(wish, state=ABSENT))
    return dataclasses.replace(done, actions=[*done.actions, Action(REMOVE, name).shown()], result=result)


def _heard(host: Host, name: str, since: str) -> t.Dict[str, t.Any]:
    code = waiting.wait(host, name)
    try:
        lines = logs.read(host, name, since=since)
        streams = {stream: b"".join(line.content for line in lines if line.stream == stream) for stream in logs.STREAMS}
        output = b"".join(line.content for line in lines)
    except Unsupported as error:
        streams, output = dict.fromkeys(logs.STREAMS, b""), str(error).encode()
    shown = {**info.container(host, observe.container(host, name)), "Output": output}
    failure = {"failed": True, "msg": output.strip() or "container %s ended with exit code %d" % (name, code)} if code else {}
    return {"container": shown, "rc": code, "status": code, **streams, **failure}
