# SPDX-License-Identifier: BSD-2-Clause
"""cocker_containers: several containers in one task. Each is observed, planned and changed by itself; a failure of one is its own.

Those that are to stop or to go come first, what needs others before these; then the rest, what is needed first.
Not here: one container (containers.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import containers, observe
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Outcome
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Conflict
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import (
    ABSENT,
    HEALTHY,
    PAUSED,
    STARTED,
    STOPPED,
    ContainersWish,
    ContainerWish,
    Member,
)

Answer = t.Union[Outcome, CockerError, OSError]
_ENDS = (ABSENT, STOPPED)
_RUNS = (STARTED, HEALTHY, PAUSED)


def ensure(host: Host, wish: ContainersWish) -> t.List[t.Tuple[str, Answer]]:
    """What became of each, in the order of the task."""
    members = {member.wish.spec.name: member for member in wish.members}
    ending = [name for name in reversed(wish.order) if members[name].wish.state in _ENDS]
    found: t.Dict[str, Answer] = {}
    for name in (*ending, *[name for name in wish.order if name not in ending]):
        found[name] = _one(host, members, name, found)
    return [(name, found[name]) for name in members]


def _one(host: Host, members: t.Mapping[str, Member], name: str, found: t.Mapping[str, Answer]) -> Answer:
    member = members[name]
    try:
        if member.wish.state in _RUNS:
            for need in member.needs:
                _require(host, name, need, members, found)
            for need in member.needs_healthy:
                _require_healthy(host, member.wish, need, found)
        return containers.ensure(host, member.wish)
    except (CockerError, OSError) as error:
        return error


def _require(host: Host, name: str, need: str, members: t.Mapping[str, Member], found: t.Mapping[str, Answer]) -> None:
    """What is needed runs, or would in the real run. Raises Conflict."""
    if isinstance(found.get(need), Exception):
        raise Conflict("start container", name, "it depends on %s, which failed" % need)
    runs = need in members and members[need].wish.state in _RUNS
    if not runs and not observe.container(host, need).is_running:
        raise Conflict("start container", name, "it depends on %s, which does not run" % need)


def _require_healthy(host: Host, wish: ContainerWish, need: str, found: t.Mapping[str, Answer]) -> None:
    """Waits, but for one that would only be started or changed in the real run. Raises Conflict."""
    from ansible_collections.cocker.engine.plugins.module_utils.engine import healthy  # few ask for it

    foreseen = found.get(need)
    if host.dry_run and isinstance(foreseen, Outcome) and foreseen.changed:
        return
    state = observe.container(host, need)
    try:
        healthy.require_check(state.record)
        if host.dry_run:
            healthy.require_healthy(host, state)
        else:
            healthy.wait(host, need, wish.healthy_within)
    except CockerError as error:
        reason = "it depends on %s, which is not healthy: %s" % (need, error.reason)
        raise Conflict("start container", wish.spec.name, reason, hint=error.hint) from error
