# SPDX-License-Identifier: BSD-2-Clause
"""cocker_container: observe, plan, execute.

Not here: the decision (container_plan.py), starting and stopping (lifecycle.py), what is shown (info.py).
"""
from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import container_plan, images, info, observe, volumes
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host, now
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Outcome, Plan, Step, execute, outcome
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerRecord, ContainerSpec, ContainerState, Pin
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageRecord
from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import VOLUME
from ansible_collections.cocker.engine.plugins.module_utils.model.volume import VolumeSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT, ContainerWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import intents, records, volumes as volume_store

_ID_BYTES = 32
CONTAINER = "container"
CREATE_VOLUME = "create_volume"


def ensure(host: Host, wish: ContainerWish) -> Outcome:
    """Raises NotFound, Conflict, Invalid before the first effect; StartFailed when everything is undone again."""
    with _locks(host, wish.spec):
        have = _observed(host, wish)
        plan = container_plan.plan_container(wish, have)
        change = _Change(host, have, wish, plan)
        with _declared(host, have, plan):
            execute(change.full_plan(), change.step, dry_run=host.dry_run)
            change.finish()
        if host.dry_run or not plan.actions:
            shown = info.container(host, have) if have.record else None
        else:
            shown = info.container(host, observe.container(host, have.name)) if wish.state != ABSENT else None
        return outcome(change.full_plan(), {"container": shown})


@contextlib.contextmanager
def _declared(host: Host, have: ContainerState, plan: Plan) -> t.Iterator[None]:
    """The intent is on the disk before the first effect, and goes when the plan is done or undone. Only a crash leaves it."""
    if host.dry_run or not plan.actions:
        yield
        return
    facts = {"action": plan.action, "existed": have.record is not None}
    intents.declare(host.layout, CONTAINER, have.name, facts)
    try:
        yield
    finally:
        intents.settle(host.layout, CONTAINER, have.name)


def _observed(host: Host, wish: ContainerWish) -> ContainerState:
    """A damaged record can still be removed."""
    try:
        return observe.container(host, wish.spec.name)
    except Damaged:
        if wish.state == ABSENT:
            return ContainerState(wish.spec.name, status="dead")
        raise


@contextlib.contextmanager
def _locks(host: Host, spec: ContainerSpec) -> t.Iterator[None]:
    """What the container uses is not removed meanwhile: shared locks on images, volumes and networks, in that order."""
    with contextlib.ExitStack() as stack:
        for name in sorted({images.reference(text).name for text in spec.images or ()}):
            stack.enter_context(host.locked("image", name, shared=True))
        for name in sorted({mount.source for mount in spec.mounts or () if mount.kind == VOLUME}):
            stack.enter_context(host.locked("volume", name, shared=True))
        for name in sorted({attachment.name for attachment in spec.attachments()}):
            stack.enter_context(host.locked("network", name, shared=True))
        stack.enter_context(host.locked("container", spec.name))
        yield


class _Change:
    """One task on one container: the plan's actions bound to what was observed and what is wanted."""

    def __init__(self, host: Host, have: ContainerState, wish: ContainerWish, plan: Plan) -> None:
        self._host, self._have, self._plan = host, have, plan
        self._kinds = [action.kind for action in plan.actions]
        self._spec = wish.spec if wish.state == ABSENT else container_plan.wanted_spec(wish, have)
        self._record = have.record
        self._missing: t.List[str] = []
        if plan.actions and container_plan.REMOVE not in self._kinds:
            self._prepare()

    def _prepare(self) -> None:
        """Everything that can be wrong is found here, before the first effect."""
        from ansible_collections.cocker.engine.plugins.module_utils.engine import checks  # not on the path that finds nothing to do

        found: t.List[ImageRecord] = []
        if container_plan.CREATE in self._kinds or container_plan.RESET_LAYER in self._kinds:
            found = images.stack(self._host, self._spec.images or ())
            self._record = _record(self._spec, found, self._have.record)
        elif self._have.record is not None:
            self._record = dataclasses.replace(self._have.record, spec=self._spec)
        if self._record is not None:
            starts = container_plan.START in self._kinds or (self._have.is_running and container_plan.UPDATE in self._kinds)
            checks.container(self._host, self._record, starts=starts)
        self._missing = [name for name in _volumes(self._spec) if volume_store.find(self._host.layout, name) is None]

    def full_plan(self) -> Plan:
        """With the volumes that are made on the way."""
        made = tuple(Action(CREATE_VOLUME, name) for name in self._missing)
        return dataclasses.replace(self._plan, actions=(*made, *self._plan.actions)) if made else self._plan

    def step(self, action: Action) -> Step:
        from ansible_collections.cocker.engine.plugins.module_utils.engine import lifecycle, teardown  # as above

        host, name, have = self._host, self._have.name, self._have
        record = self._record

        def start() -> None:
            if record is not None:
                lifecycle.start(host, record)

        def stop_new() -> None:
            lifecycle.stop(host, observe.container(host, name))

        def start_former() -> None:
            if have.record is not None:
                lifecycle.start(host, have.record)

        table: t.Dict[str, t.Callable[[], Step]] = {
            CREATE_VOLUME: lambda: volumes.make(host, VolumeSpec(action.subject)),
            container_plan.CREATE: lambda: Step(lambda: self._create(), lambda: teardown.remove(host, name)),
            container_plan.CONFIGURE: lambda: self._replacing(layer=False),
            container_plan.RESET_LAYER: lambda: self._replacing(layer=True),
            container_plan.UPDATE: lambda: self._updating(action),
            container_plan.START: lambda: Step(start, stop_new),
            container_plan.STOP: lambda: Step(lambda: lifecycle.stop(host, have), start_former),
            container_plan.REMOVE: lambda: Step(lambda: self._remove()),
        }
        return table[action.kind]()

    def _create(self) -> None:
        from ansible_collections.cocker.engine.plugins.module_utils.engine import teardown

        try:
            teardown.make_layer(self._host, self._have.name)
            self._write()
        except BaseException:
            teardown.remove(self._host, self._have.name)
            raise

    def _write(self) -> None:
        if self._record is not None:
            records.write(self._host.layout.spec(self._have.name), self._record.to_json())

    def _replacing(self, *, layer: bool) -> Step:
        """The former state is kept until the whole plan has succeeded."""
        from ansible_collections.cocker.engine.plugins.module_utils.engine import teardown

        def do() -> None:
            teardown.keep_previous(self._host, self._have.name, layer=layer)
            self._write()

        return Step(do, lambda: teardown.restore_previous(self._host, self._have.name))

    def _updating(self, action: Action) -> Step:
        from ansible_collections.cocker.engine.plugins.module_utils.engine import lifecycle

        host, have, record = self._host, self._have, self._record
        former, options = have.record, action.details["options"]

        def put(new: t.Optional[ContainerRecord]) -> None:
            if new is not None:
                lifecycle.update(host, have, new, options)
                records.write(host.layout.spec(have.name), new.to_json())

        return Step(lambda: put(record), lambda: put(former))

    def _remove(self) -> None:
        from ansible_collections.cocker.engine.plugins.module_utils.engine import teardown

        teardown.clear(self._host, self._have.name)
        teardown.remove(self._host, self._have.name)

    def finish(self) -> None:
        """The replacement is in force: what was kept of the former state goes."""
        if not self._host.dry_run and {container_plan.CONFIGURE, container_plan.RESET_LAYER} & set(self._kinds):
            from ansible_collections.cocker.engine.plugins.module_utils.engine import teardown

            teardown.drop_previous(self._host, self._have.name)


def _volumes(spec: ContainerSpec) -> t.List[str]:
    return sorted({mount.source for mount in spec.mounts or () if mount.kind == VOLUME})


def _record(spec: ContainerSpec, found: t.Sequence[ImageRecord], former: t.Optional[ContainerRecord]) -> ContainerRecord:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import compile

    pins = tuple(Pin(image.name, image.version, tuple(image.layers)) for image in found)
    config = compile.merged([image.config for image in found])
    if former is not None:
        return dataclasses.replace(former, spec=spec, pins=pins, config=config)
    return ContainerRecord(os.urandom(_ID_BYTES).hex(), now(), spec, pins, config)
