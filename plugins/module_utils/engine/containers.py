# SPDX-License-Identifier: BSD-2-Clause
"""cocker_container: observe, plan, execute.

Not here: the decision (container_plan.py), what each action does (container_change.py), what is shown (info.py).
"""
from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import (
    container_plan,
    drift,
    info,
    mounting,
    observe,
    processes,
    repair,
    stacks,
    usermaps,
    volumes,
)
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Outcome, Plan, execute, is_undone, outcome
from ansible_collections.cocker.engine.plugins.module_utils.model import changes
from ansible_collections.cocker.engine.plugins.module_utils.model.container import DEAD, Attachment, ContainerSpec, ContainerState
from ansible_collections.cocker.engine.plugins.module_utils.model.container_fields import FIELDS, completed, record_from_json
from ansible_collections.cocker.engine.plugins.module_utils.model.container_states import REMOVE, START
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Conflict, Damaged, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT, HEALTHY, STARTED, STOPPED, ContainerWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import intents, records, volumes as volume_store

CONTAINER, IMAGES = "container", "images"


def ensure(host: Host, wish: ContainerWish) -> Outcome:
    """Raises NotFound, Conflict, Invalid before the first effect; StartFailed when everything is undone again."""
    if wish.pull is not None and wish.state != ABSENT:
        from ansible_collections.cocker.engine.plugins.module_utils.engine import image_pull  # registries: few tasks ask them

        return image_pull.run(host, wish, wish.pull, ensure)
    if wish.detach or wish.state != STARTED:
        done = _ensured(host, wish)
        if wish.state == STOPPED and done.plan["action"] == REMOVE and not host.dry_run:
            from ansible_collections.cocker.engine.plugins.module_utils.engine import ended  # few go with their end

            ended.remove(host, wish.spec.name, asked=True)
        return done
    from ansible_collections.cocker.engine.plugins.module_utils.engine import foreground  # few stay with their container

    return foreground.run(host, wish, _ensured)


def settled(host: Host, wish: ContainerWish) -> t.Union[Outcome, Plan]:
    """What `ensure` returns where there is nothing to do and nothing to wait for, else what is to be done. Changes nothing.

    Raises as `ensure` does. The wish has no `pull`, or one that does not matter.
    """
    wish = _whole(host, wish)
    with _locks(host, wish):
        have, plan = _planned(host, wish)
        if plan.actions or (wish.state == HEALTHY and not observe.is_healthy(have)):
            return plan
        return outcome(plan, {"container": _left_as_it_is(host, have, wish)})


def _ensured(host: Host, wish: ContainerWish) -> Outcome:
    wish = _whole(host, wish)
    with _locks(host, wish):
        have, plan = _planned(host, wish)
        if not plan.actions:
            return outcome(plan, {"container": _left_as_it_is(host, have, wish)})
        return _changed(host, wish, have, plan)


def _whole(host: Host, wish: ContainerWish) -> ContainerWish:
    """With what it says by naming others."""
    if wish.state == ABSENT:
        return wish
    if wish.from_container is not None:
        wish = _like(host, wish, wish.from_container)
    if wish.comparisons and wish.spec.images is not None:
        wish = _with_its_images(host, wish)
    return mounting.expanded(host, wish)


def _with_its_images(host: Host, wish: ContainerWish) -> ContainerWish:
    """Images that are not compared are those that the container has: they have to be known before anything follows from others."""
    with contextlib.suppress(CockerError):  # it is said once the locks are held
        record = records.load(host.layout.spec(wish.spec.name), record_from_json)
        if record is not None:
            spec = changes.relaxed([field for field in FIELDS if field.name == IMAGES], wish.spec, record.spec, wish.comparisons)
            ignored = wish.comparisons.get(IMAGES, wish.comparisons.get(changes.EVERY)) == changes.IGNORE
            return dataclasses.replace(wish, spec=spec, repin=wish.repin and not ignored)
    return wish


def _planned(host: Host, wish: ContainerWish) -> t.Tuple[ContainerState, Plan]:
    have = _observed(host, wish)
    if wish.new and have.status is not None:
        raise Conflict("create container", have.name, "it exists already", hint="a playbook changes it, rm removes it")
    stack = _resolved(host, wish, have)
    plan = container_plan.plan_container(wish, have, stack, _lost(host, wish, have), lambda layer: stacks.called(host, layer))
    _refuse_image_labels(host, wish, have, stack)
    return have, drift.added(host, have, plan if plan.actions else repair.plan(host, have))


def _lost(host: Host, wish: ContainerWish, have: ContainerState) -> t.Mapping[str, str]:
    """For one that is to run on."""
    if not have.is_running or have.record is None or wish.state in (ABSENT, STOPPED) or not have.record.spec.shares():
        return {}
    from ansible_collections.cocker.engine.plugins.module_utils.engine import sharing  # few share anything

    return sharing.lost(host, have)


def _changed(host: Host, wish: ContainerWish, have: ContainerState, plan: Plan) -> Outcome:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import container_change, lifecycle  # not for a no-op

    if not host.dry_run and START in [action.kind for action in plan.actions]:
        lifecycle.get_ready(host)
    change = container_change.prepared(host, have, wish, plan)
    with _declared(host, have, plan, change.facts):
        execute(change.at_once, change.step, dry_run=host.dry_run, proof=_proof(host, wish))
        if not host.dry_run:
            change.finish()
    gone = plan.action == REMOVE and not host.dry_run
    return outcome(change.plan, {"container": None if gone else _shown(host, have)})


def _resolved(host: Host, wish: ContainerWish, have: ContainerState) -> t.Optional[container_plan.Stack]:
    """What the images that are wanted mean now, where that may be another content than the container was made of."""
    if have.record is None or wish.state == ABSENT:
        return None
    wanted = wish.spec.images if wish.spec.images is not None else have.record.spec.images
    if not wish.repin and wanted == have.record.spec.images:
        return None
    pins, config = stacks.pinned(host, wanted or ())
    return pins, processes.merged([config, have.record.own])


def _refuse_image_labels(host: Host, wish: ContainerWish, have: ContainerState, stack: t.Optional[container_plan.Stack]) -> None:
    """Labels of an image cannot be taken away, only replaced. Raises Conflict where the task wants none but its own."""
    if wish.image_labels != "fail" or wish.spec.labels is None or wish.state == ABSENT:
        return
    config = have.record.config if have.record is not None else stacks.pinned(host, wish.spec.images or ())[1]
    extra = sorted(set((stack[1] if stack else config).labels) - set(wish.spec.labels))
    if extra:
        raise Conflict("container", wish.spec.name, "its image has labels that the task does not say: %s" % ", ".join(extra),
                       hint="image_label_mismatch: ignore accepts them")


def _like(host: Host, wish: ContainerWish, other: str) -> ContainerWish:
    """A new container is as the other one where the task says nothing, but for what two can not have at once."""
    if os.path.lexists(host.layout.spec(wish.spec.name)):
        return wish
    record = records.load(host.layout.spec(other), record_from_json)
    if record is None:
        raise NotFound("container", other, "it does not exist")
    spec = record.spec
    networks = None if spec.networks is None else tuple(Attachment(each.name, aliases=each.aliases) for each in spec.networks)
    alike = dataclasses.replace(spec, name=wish.spec.name, networks=networks, published_ports=None, hostname=None)
    return dataclasses.replace(wish, spec=completed(wish.spec, alike))


def _left_as_it_is(host: Host, have: ContainerState, wish: ContainerWish) -> t.Optional[t.Dict[str, t.Any]]:
    if wish.state == HEALTHY:
        from ansible_collections.cocker.engine.plugins.module_utils.engine import healthy  # few ask for it

        healthy.require_check(have.record)
        if host.dry_run:
            healthy.require_healthy(host, have)
        else:
            healthy.wait(host, have.name, wish.healthy_within)
            have = observe.container(host, have.name)
    return info.container(host, have) if have.record else None


def _proof(host: Host, wish: ContainerWish) -> t.Optional[t.Callable[[], None]]:
    """What has to hold when everything is done, and else it is undone."""
    if wish.state != HEALTHY:
        return None
    from ansible_collections.cocker.engine.plugins.module_utils.engine import healthy

    return lambda: healthy.wait(host, wish.spec.name, wish.healthy_within)


def _shown(host: Host, have: ContainerState) -> t.Optional[t.Dict[str, t.Any]]:
    if host.dry_run:
        return info.container(host, have) if have.record else None
    return info.container(host, observe.container(host, have.name))


@contextlib.contextmanager
def _declared(host: Host, have: ContainerState, plan: Plan, more: t.Mapping[str, t.Any]) -> t.Iterator[None]:
    """The intent is on the disk before the first effect, and goes when the plan is done or undone.

    What a crash leaves, or an undo that failed, is tried again by whoever comes next.
    """
    if host.dry_run:
        yield
        return
    facts = {"action": plan.action, "existed": have.record is not None, **more}
    try:
        intents.declare(host.layout, CONTAINER, have.name, facts)
        yield
    except BaseException as error:
        if is_undone(error):
            intents.settle(host.layout, CONTAINER, have.name)
        raise
    intents.settle(host.layout, CONTAINER, have.name)


def _observed(host: Host, wish: ContainerWish) -> ContainerState:
    """After what a killed task left is rolled back. A damaged record can still be removed."""
    name = wish.spec.name
    try:
        left = intents.find(host.layout, CONTAINER, name)
        if left is not None and left.is_dead():
            from ansible_collections.cocker.engine.plugins.module_utils.engine import recovery  # only after a crash

            return recovery.foreseen(host, left) if host.dry_run else recovery.settled(host, left)
        found = observe.container(host, name)
    except Damaged:
        if wish.state == ABSENT:
            return ContainerState(name, status=DEAD)
        raise
    if found.status == DEAD and wish.state != ABSENT:
        reason = "its record %s is missing" % host.layout.spec(name)
        raise Damaged("container", name, reason, hint="state: absent removes what is left of it")
    return found


@contextlib.contextmanager
def _locks(host: Host, wish: ContainerWish) -> t.Iterator[None]:
    """What the container uses is not removed meanwhile: images, volumes and networks, in that order, shared with other containers.

    A volume that has to be made is ours alone, so that nobody uses what a failure takes away again; so is one whose files get other owners.
    """
    with contextlib.ExitStack() as stack:
        if wish.state != ABSENT:
            spec = _completed(host, wish.spec)
            consumed = {stacks.reference(wish.from_image).name} if wish.from_image is not None else set()
            for name in sorted({stacks.reference(text).name for text in spec.images or ()} | consumed):
                stack.enter_context(host.locked("image", name, shared=name not in consumed))
            for name in volumes.named(spec.mounts or ()):
                stack.enter_context(host.locked("volume", name, shared=_is_shared(host, spec, name)))
            for name in sorted({attachment.name for attachment in spec.attachments()}):
                stack.enter_context(host.locked("network", name, shared=True))
        elif not wish.keep_volumes:
            for name in mounting.anonymous(host, wish.spec.name):
                stack.enter_context(host.locked("volume", name))
        others = {wish.from_container} if wish.from_container is not None and wish.state != ABSENT else set()
        for name in sorted({wish.spec.name} | others):
            stack.enter_context(host.locked(CONTAINER, name))
        yield


def _is_shared(host: Host, spec: ContainerSpec, volume: str) -> bool:
    return volume_store.find(host.layout, volume) is not None and not usermaps.turns(host, spec, volume)


def _completed(host: Host, spec: ContainerSpec) -> ContainerSpec:
    """What a task without images is about, as the record says it now."""
    if not spec.is_partial():
        return spec
    with contextlib.suppress(CockerError):  # it is said once the locks are held
        record = records.load(host.layout.spec(spec.name), record_from_json)
        return completed(spec, record.spec) if record else spec
    return spec
