# SPDX-License-Identifier: BSD-2-Clause
"""PURE: what must be done to a container, from what is wanted and what was found.

Not here: what leads from one state to another (model/container_states.py), looking (observe.py) and doing (containers.py, lifecycle.py).
"""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import processes
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Plan
from ansible_collections.cocker.engine.plugins.module_utils.model import changes, mounts, units
from ansible_collections.cocker.engine.plugins.module_utils.model.container import (
    CREATED,
    ContainerRecord,
    ContainerSpec,
    ContainerState,
    Pin,
)
from ansible_collections.cocker.engine.plugins.module_utils.model.container_fields import FIELDS, completed
from ansible_collections.cocker.engine.plugins.module_utils.model.container_states import (
    CREATE,
    MOVES,
    REMOVE,
    START,
    STOP,
    Verbs,
    after,
)
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageConfig
from ansible_collections.cocker.engine.plugins.module_utils.model.names import ImageRef
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT, STOPPED, ContainerWish

CONFIGURE, UPDATE, RESET_LAYER = "configure", "update", "reset_layer"

IMAGES, MOUNTS = "images", "mounts"
_STARTED = ("args", "init", "systemd")
_PROCESS = {    # options that an image has a say in, or the container's name -> what they come to
    "command": _STARTED, "entrypoint": _STARTED, "init": _STARTED, "env": ("env",), "user": ("user",), "working_dir": ("cwd",),
    "hostname": ("hostname",),
}
IGNORE_NAME, RECREATE_NAME = "ignore", "recreate"   # values of image_name_mismatch

Stack = t.Tuple[t.Tuple[Pin, ...], ImageConfig]


def wanted_spec(wish: ContainerWish, have: ContainerState) -> ContainerSpec:
    """Raises NotFound where a task that names no image meets no container."""
    if have.record is None:
        if wish.spec.is_partial():
            raise NotFound("container", wish.spec.name, "it does not exist and the task names no image to make it from")
        return wish.spec
    want = wish.spec
    if wish.spec.is_partial():
        _refuse_half(wish.spec, have.record.spec)
        want = completed(wish.spec, have.record.spec)
    if wish.comparisons:
        want = changes.relaxed(FIELDS, want, have.record.spec, wish.comparisons)
    return want


def _refuse_half(said: ContainerSpec, have: ContainerSpec) -> None:
    """Which address of the host a port gets is decided where the ports are said. Raises Invalid."""
    ports, usual = said.published_ports or (), have.default_host_ip
    if said.default_host_ip is None and usual and any(port.host_ip is None for port in ports):
        raise Invalid("published_ports", "the container's default_host_ip is %s; say default_host_ip, too" % usual)
    if said.published_ports is None and have.published_ports and said.default_host_ip not in (None, usual):
        raise Invalid("default_host_ip", "it is for ports that are said with it; say published_ports, too")


def plan_container(
    wish: ContainerWish, have: ContainerState, stack: t.Optional[Stack] = None, lost: t.Optional[t.Mapping[str, str]] = None,
    called: t.Callable[[str], str] = str,
) -> Plan:
    """`stack` is what the wanted images mean now, where that may differ from what the container was made of.

    `lost`: options by which it has what is no more, unless it is started again, and what happened. `called`: how a layer is told.
    """
    if wish.state == ABSENT or _goes_with_its_end(wish, have):
        return _plan_gone(wish, have)
    want = wanted_spec(wish, have)
    if have.record is None:
        return _plan_new(want, wish)
    compared = tuple(_of_files(change) for change in changes.compare(FIELDS, want, have.record.spec))
    found = _of_content(_of_process(compared, want, have.record, stack), have.record, stack, wish.image_name_mismatch, called)
    cost = changes.RECREATE if wish.recreate else changes.dearest(found)
    names = [change.name for change in found]
    more = tuple(reason for option, reason in (lost or {}).items() if option not in names)
    if more and cost != changes.RECREATE:
        cost = changes.RESTART
    _refuse_forbidden(wish, have, [*names, *more], cost)
    plan = _plan_existing(wish, have, found, cost)
    return dataclasses.replace(plan, reasons=(*plan.reasons, *more))


def _of_files(change: changes.Change) -> changes.Change:
    """Another content of a file need not cost a restart."""
    if change.name != MOUNTS:
        return change
    return dataclasses.replace(change, cost=mounts.cost(change.before or (), change.after or ()))


def _of_process(
    found: t.Tuple[changes.Change, ...], want: ContainerSpec, record: ContainerRecord, stack: t.Optional[Stack]
) -> t.Tuple[changes.Change, ...]:
    """What holds in any case, since the image says so, is noted where the task says it, too, or no longer does."""
    if _PROCESS.keys().isdisjoint(change.name for change in found):
        return found
    old, new = processes.process(record.spec, record.config), processes.process(want, stack[1] if stack else record.config)
    same = {option for option, parts in _PROCESS.items() if all(getattr(old, part) == getattr(new, part) for part in parts)}
    return tuple(dataclasses.replace(change, cost=changes.LIVE) if change.name in same else change for change in found)


def _of_content(
    found: t.Tuple[changes.Change, ...], record: ContainerRecord, stack: t.Optional[Stack], other_name: t.Optional[str],
    called: t.Callable[[str], str],
) -> t.Tuple[changes.Change, ...]:
    """Images cost what their content costs: the same layers under another name are no reason to drop what was written upon them, unless
    the task says so with `other_name`.
    """
    if stack is None:
        return found
    pins, config = stack
    same_layers = [pin.layers for pin in pins] == [pin.layers for pin in record.pins]
    cost = changes.RECREATE if not same_layers else changes.RESTART if config != record.config else changes.LIVE
    named = any(change.name == IMAGES for change in found)
    if named and cost == changes.LIVE and other_name == IGNORE_NAME:
        return tuple(change for change in found if change.name != IMAGES)
    if named and other_name == RECREATE_NAME:
        cost = changes.RECREATE
    if not named and cost != changes.LIVE:
        was, now = _told_apart((record.pins, record.config), stack, called)
        return (changes.Change(IMAGES, was, now, cost), *found)
    return tuple(dataclasses.replace(change, cost=cost) if change.name == IMAGES else change for change in found)


def _told_apart(before: Stack, after: Stack, called: t.Callable[[str], str]) -> t.Tuple[t.List[str], t.List[str]]:
    """Their names; where these are the same, what is in them: the topmost layer of each, and what differs of the merged config."""
    was, now = ([str(ImageRef(pin.name, pin.version)) for pin in pins] for pins, _config in (before, after))
    if was != now:
        return was, now
    tops = ([called(pin.layers[-1]).rpartition(":")[2][:12] if pin.layers else "none" for pin in pins] for pins, _config in (before, after))
    was, now = (["%s (layer %s)" % pair for pair in zip(was, each)] for each in tops)
    old, new = (config.to_json() for _pins, config in (before, after))
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            was.append("%s: %s" % (key, old.get(key)))
            now.append("%s: %s" % (key, new.get(key)))
    return was, now


def _goes_with_its_end(wish: ContainerWish, have: ContainerState) -> bool:
    """With auto_remove there is no container that has ended, however it did: to stop it is to remove it, and none is made to be stopped."""
    if wish.state != STOPPED or have.status == CREATED:
        return False
    return bool((wish.spec if have.record is None else wanted_spec(wish, have)).auto_remove)


def _plan_gone(wish: ContainerWish, have: ContainerState) -> Plan:
    verbs = MOVES[have.status, ABSENT].usual
    if not verbs:
        return Plan()
    reason = "state %s is wanted, the container is %s" % (wish.state, have.status)
    return Plan(
        action=REMOVE,
        reasons=(reason,) if wish.state == ABSENT else (reason, "auto_remove is set"),
        actions=tuple(Action(verb, have.name) for verb in verbs),
        before={"exists": True, "status": have.status},
        after={"exists": False},
    )


def _plan_new(want: ContainerSpec, wish: ContainerWish) -> Plan:
    create, *rest = MOVES[None, wish.state].usual
    said = {key: value for key, value in changes.plain(want).items() if key != "name"}
    return Plan(
        action=CREATE,
        reasons=("the container does not exist",),
        actions=(Action(create, want.name, {"images": list(want.images or ())}), *(Action(verb, want.name) for verb in rest)),
        before={"exists": False},
        after={"exists": True, "status": after(CREATED, tuple(rest)), **said},
    )


def _plan_existing(wish: ContainerWish, have: ContainerState, found: t.Sequence[changes.Change], cost: str) -> Plan:
    verbs = _verbs(wish, have, cost)
    stops = 1 if verbs[:1] == (STOP,) else 0  # what needs a container that stands still comes after the stop
    configured = _configured(have, found, cost)
    moved = [Action(verb, have.name) for verb in verbs]
    actions = [*moved[:stops], *configured, *moved[stops:]] if cost != changes.LIVE else [*configured, *moved]
    before = {change.name: changes.plain(change.before) for change in found}
    wanted = {change.name: changes.plain(change.after) for change in found}
    status = after(have.status, verbs)
    if status != have.status:
        before["status"], wanted["status"] = have.status, status
    return Plan(
        action=_summary(cost, verbs),
        reasons=_reasons(wish, have, found, verbs) if actions else (),
        actions=tuple(actions),
        before=before,
        after=wanted,
    )


def _verbs(wish: ContainerWish, have: ContainerState, cost: str) -> Verbs:
    moves = MOVES[have.status, wish.state]
    verbs = moves.anew if cost in (changes.RESTART, changes.RECREATE) or wish.restart else moves.usual
    return (STOP, *verbs) if have.remains and (verbs or wish.state == STOPPED or cost == changes.RECREATE) else verbs


def _configured(have: ContainerState, found: t.Sequence[changes.Change], cost: str) -> t.List[Action]:
    options: t.Dict[str, t.Any] = {"options": sorted(change.name for change in found)}
    if cost == changes.LIVE:
        return [Action(UPDATE, have.name, {**options, **_told(have, found)})]
    actions = [Action(CONFIGURE, have.name, options)] if found else []
    return [*actions, Action(RESET_LAYER, have.name)] if cost == changes.RECREATE else actions


def _told(have: ContainerState, found: t.Sequence[changes.Change]) -> t.Dict[str, t.List[str]]:
    """The signals that say to a container which runs that its files have changed."""
    numbers = [number for change in found if change.name == MOUNTS for number in mounts.signals(change.before or (), change.after or ())]
    return {"signals": [units.signal_name(number) for number in numbers]} if numbers and have.is_running else {}


def _summary(cost: str, verbs: Verbs) -> str:
    """In one word; a change that needs no restart here (nothing runs) is an update."""
    if cost == changes.RECREATE:
        return changes.RECREATE
    if verbs[:2] == (STOP, START):
        return changes.RESTART
    if verbs[:1] == (STOP,):
        return STOP
    if cost != changes.NOTHING:
        return changes.LIVE
    return verbs[0] if verbs else changes.NOTHING


def _reasons(wish: ContainerWish, have: ContainerState, found: t.Sequence[changes.Change], verbs: Verbs) -> t.Tuple[str, ...]:
    reasons = ["%s changed (%s)" % (change.name, change.cost) for change in found]
    if wish.recreate:
        reasons.append("recreate was asked for")
    if wish.restart and START in verbs:
        reasons.append("restart was asked for")
    if after(have.status, verbs) != have.status:
        reasons.append("state %s is wanted, the container is %s" % (wish.state, have.status))
    if have.remains and STOP in verbs:
        reasons.append("its record below /run is gone, and processes of it are left")
    return tuple(reasons)


def _refuse_forbidden(wish: ContainerWish, have: ContainerState, found: t.Sequence[str], cost: str) -> None:
    costly = cost == changes.RECREATE or (cost == changes.RESTART and have.is_running)
    if (wish.on_change == "fail" and cost != changes.NOTHING) or (wish.on_change == "live_only" and costly):
        options = ", ".join(found) or "recreate"
        raise Conflict("container", have.name, "on_change: %s forbids to %s it for %s" % (wish.on_change, cost, options))
