# SPDX-License-Identifier: BSD-2-Clause
"""PURE: what must be done to a container, from what is wanted and what was found.

Not here: looking (observe.py) and doing (containers.py, lifecycle.py).
"""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Plan
from ansible_collections.cocker.engine.plugins.module_utils.model import changes
from ansible_collections.cocker.engine.plugins.module_utils.model.container import CREATED, EXITED, RUNNING, ContainerSpec, ContainerState
from ansible_collections.cocker.engine.plugins.module_utils.model.container_fields import FIELDS, completed
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT, STARTED, STOPPED, ContainerWish

CREATE, CONFIGURE, UPDATE, RESET_LAYER, START, STOP, REMOVE = "create", "configure", "update", "reset_layer", "start", "stop", "remove"


def wanted_spec(wish: ContainerWish, have: ContainerState) -> ContainerSpec:
    """Raises NotFound where a task that names no image meets no container."""
    if not wish.spec.is_partial():
        return wish.spec
    if have.record is None:
        raise NotFound("container", wish.spec.name, "it does not exist and the task names no image to make it from")
    return completed(wish.spec, have.record.spec)


def plan_container(wish: ContainerWish, have: ContainerState) -> Plan:
    if wish.state == ABSENT:
        return _plan_absent(have)
    want = wanted_spec(wish, have)
    if have.record is None:
        return _plan_new(want, wish)
    found = changes.compare(FIELDS, want, have.record.spec)
    cost = changes.RECREATE if wish.recreate else changes.dearest(found)
    _refuse_forbidden(wish, have, found, cost)
    return _plan_existing(wish, have, found, cost)


def _plan_absent(have: ContainerState) -> Plan:
    if have.status is None:
        return Plan()
    stop = (Action(STOP, have.name),) if have.is_running else ()
    return Plan(
        action=REMOVE,
        reasons=("state absent is wanted, the container is %s" % have.status,),
        actions=(*stop, Action(REMOVE, have.name)),
        before={"exists": True, "status": have.status},
        after={"exists": False},
    )


def _plan_new(want: ContainerSpec, wish: ContainerWish) -> Plan:
    start = (Action(START, want.name),) if wish.state == STARTED else ()
    said = {key: value for key, value in changes.plain(want).items() if key != "name"}
    return Plan(
        action=CREATE,
        reasons=("the container does not exist",),
        actions=(Action(CREATE, want.name, {"images": list(want.images or ())}), *start),
        before={"exists": False},
        after={"exists": True, "status": RUNNING if start else CREATED, **said},
    )


@dataclasses.dataclass(frozen=True)
class _Moves:
    """Whether PID 1 goes, and whether there is one afterwards."""

    stop: bool
    start: bool


def _plan_existing(wish: ContainerWish, have: ContainerState, found: t.Sequence[changes.Change], cost: str) -> Plan:
    moves = _moves(wish, have, cost)
    options = sorted(change.name for change in found)
    actions: t.List[Action] = [Action(STOP, have.name)] if moves.stop else []
    if cost == changes.LIVE:
        actions.insert(0, Action(UPDATE, have.name, {"options": options}))
    elif options:
        actions.append(Action(CONFIGURE, have.name, {"options": options}))
    if cost == changes.RECREATE:
        actions.append(Action(RESET_LAYER, have.name))
    if moves.start:
        actions.append(Action(START, have.name))
    status = RUNNING if moves.start else EXITED if moves.stop else have.status
    before = {change.name: changes.plain(change.before) for change in found}
    after = {change.name: changes.plain(change.after) for change in found}
    if status != have.status:
        before["status"], after["status"] = have.status, status
    return Plan(
        action=_summary(cost, moves),
        reasons=_reasons(wish, have, found, moves) if actions else (),
        actions=tuple(actions),
        before=before,
        after=after,
    )


def _moves(wish: ContainerWish, have: ContainerState, cost: str) -> _Moves:
    wants_running = wish.state == STARTED or (wish.state != STOPPED and have.is_running)
    replaced = cost in (changes.RESTART, changes.RECREATE) or wish.restart
    stop = have.is_running and (replaced or not wants_running)
    return _Moves(stop=stop, start=wants_running and (stop or not have.is_running))


def _summary(cost: str, moves: _Moves) -> str:
    """In one word; a change that needs no restart here (nothing runs) is an update."""
    if cost == changes.RECREATE:
        return changes.RECREATE
    if moves.stop and moves.start:
        return changes.RESTART
    if moves.stop:
        return STOP
    if cost != changes.NOTHING:
        return changes.LIVE
    return START if moves.start else changes.NOTHING


def _reasons(wish: ContainerWish, have: ContainerState, found: t.Sequence[changes.Change], moves: _Moves) -> t.Tuple[str, ...]:
    reasons = ["%s changed (%s)" % (change.name, change.cost) for change in found]
    if wish.recreate:
        reasons.append("recreate was asked for")
    if wish.restart and moves.start:
        reasons.append("restart was asked for")
    if moves.start and not have.is_running:
        reasons.append("state started is wanted, the container is %s" % have.status)
    if moves.stop and not moves.start:
        reasons.append("state stopped is wanted, the container is running")
    return tuple(reasons)


def _refuse_forbidden(wish: ContainerWish, have: ContainerState, found: t.Sequence[changes.Change], cost: str) -> None:
    costly = cost == changes.RECREATE or (cost == changes.RESTART and have.is_running)
    if (wish.on_change == "fail" and cost != changes.NOTHING) or (wish.on_change == "live_only" and costly):
        options = ", ".join(change.name for change in found) or "recreate"
        raise Conflict("container", have.name, "on_change: %s forbids to %s it for %s" % (wish.on_change, cost, options))
