# SPDX-License-Identifier: BSD-2-Clause
"""What each action of a container's plan does, and how it is undone.

Not here: which actions there are (container_plan.py). Imported only where there is something to do.
"""
from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import (
    checks,
    compile,
    container_origin,
    container_plan,
    drift,
    endpoints,
    healthy,
    image_use,
    leased,
    lifecycle,
    mounting,
    observe,
    processes,
    repair,
    sharing,
    stacks,
    teardown,
    volumes,
    waiting,
)
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host, now
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Plan, Step, whole
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model import container_states
from ansible_collections.cocker.engine.plugins.module_utils.model.container import PAUSED, ContainerRecord, ContainerSpec, ContainerState
from ansible_collections.cocker.engine.plugins.module_utils.model.container_fields import completed
from ansible_collections.cocker.engine.plugins.module_utils.model.volume import VolumeSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT, HEALTHY, STOPPED, ContainerWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import records, snapshots

_ID_BYTES = 32
_NEED_CHECKS = {
    container_states.CREATE, container_plan.CONFIGURE, container_plan.RESET_LAYER, container_plan.UPDATE, container_states.START,
}


def prepared(host: Host, have: ContainerState, wish: ContainerWish, plan: Plan) -> Change:
    """Everything that can be known to go wrong is found here, before the first effect, in check mode too."""
    kinds = {action.kind for action in plan.actions}
    if container_states.REMOVE in kinds:
        record = have.record and dataclasses.replace(have.record, spec=completed(wish.spec, have.record.spec))
        gone = [] if wish.keep_volumes and wish.state == ABSENT else mounting.anonymous(host, have.name)
        plan = dataclasses.replace(plan, actions=(*plan.actions, *(Action(volumes.REMOVE_VOLUME, name) for name in gone)))
        return Change(host, have, plan, record, wish=wish)  # how it is stopped is the task's to say
    spec = container_plan.wanted_spec(wish, have)
    resets = bool({container_states.CREATE, container_plan.RESET_LAYER} & kinds)
    record = _record(host, spec, have.record, anew=resets or wish.repin, resets=resets)
    origin = container_origin.find(host, wish) if have.record is None else container_origin.Origin()
    record = container_origin.born(record, origin)
    if wish.state == HEALTHY:
        healthy.require_check(record)
    if container_states.START in kinds:
        sharing.require_running(host, spec)
    if container_states.START in kinds and have.record is not None and not resets:
        checks.written(host, have.name)
    if kinds & _NEED_CHECKS:
        checks.container(host, record, ports=container_states.START in kinds or _republishes(have, plan))
    if container_states.START in kinds and (host.dry_run or container_states.STOP in kinds) and origin.container is None:
        from ansible_collections.cocker.engine.plugins.module_utils.engine import inside  # a first start finds it out by itself

        inside.check(host, record, resets=resets)
    made = tuple(volumes.preparations(host, spec.mounts or ()))
    plan = dataclasses.replace(plan, actions=(*made, *plan.actions, *origin.actions()))
    return Change(host, have, plan, record, wish=wish, origin=origin)


def _republishes(have: ContainerState, plan: Plan) -> bool:
    updated = [option for action in plan.actions if action.kind == container_plan.UPDATE for option in action.details["options"]]
    return have.is_running and bool(endpoints.PORTS & set(updated))


def _record(
    host: Host, spec: ContainerSpec, former: t.Optional[ContainerRecord], *, anew: bool, resets: bool
) -> ContainerRecord:
    """`anew`: the images are resolved; else they are what they were, unless they are named otherwise. `resets`: what was written goes."""
    if former is not None and not anew and spec.images == former.spec.images:
        return dataclasses.replace(former, spec=spec)
    pins, config = stacks.pinned(host, spec.images or ())
    if former is not None:
        config = processes.merged([config, former.own])
        layers = former.layers[:former.born] if resets else former.layers
        return dataclasses.replace(former, spec=spec, pins=pins, config=config, layers=layers)
    return ContainerRecord(os.urandom(_ID_BYTES).hex(), now(), spec, pins, config)


class Change:
    """The actions of one plan, bound to what was observed (`have`) and what is to be recorded."""

    def __init__(
        self, host: Host, have: ContainerState, plan: Plan, record: t.Optional[ContainerRecord], *, wish: ContainerWish,
        origin: container_origin.Origin = container_origin.Origin(),  # noqa: B008 (frozen)
    ) -> None:
        self._host, self._have, self._record = host, have, record
        self.plan, self._wish, self._origin = plan, wish, origin
        self.facts = origin.facts()
        self._kinds = [action.kind for action in plan.actions]
        keeps = {container_plan.CONFIGURE, container_plan.UPDATE} & set(self._kinds)
        self._leases = leased.of(host, have.name) if keeps else []

    def step(self, action: Action) -> Step:
        table: t.Dict[str, t.Callable[[Action], Step]] = {
            volumes.CREATE_VOLUME: lambda action: volumes.make(self._host, VolumeSpec(action.subject, action.details.get("labels"))),
            volumes.REMOVE_VOLUME: lambda action: volumes.remove_unused(self._host, action.subject),
            volumes.CREATE_DIRECTORY: lambda action: Step(lambda: os.mkdir(action.subject, 0o755), lambda: os.rmdir(action.subject)),
            container_states.CREATE: self._create,
            container_plan.CONFIGURE: self._configure,
            container_plan.RESET_LAYER: self._reset_layer,
            container_plan.UPDATE: self._update,
            container_states.START: self._start,
            container_states.STOP: self._stop,
            container_states.PAUSE: self._pause,
            container_states.UNPAUSE: self._unpause,
            container_states.REMOVE: self._remove,
            container_origin.CONSUME: lambda _action: container_origin.consume(self._host, self._origin),
            repair.REPAIR: self._repair,
            drift.LIMITS: self._repair_limits,
            drift.HOSTS: self._repair_hosts,
        }
        return table[action.kind](action)

    @property
    def at_once(self) -> Plan:
        """What is done now. What goes because it was stopped goes when everybody has heard of its end (ended.py)."""
        goes = (container_states.REMOVE, volumes.REMOVE_VOLUME) if self._wish.state == STOPPED else ()
        return dataclasses.replace(self.plan, actions=tuple(action for action in self.plan.actions if action.kind not in goes))

    def finish(self) -> None:
        """The replacement is in force: what was kept of the former state goes."""
        name = self._have.name
        if {container_plan.CONFIGURE, container_plan.UPDATE} & set(self._kinds) and self._record is not None:
            endpoints.forget(self._host, name, except_on=[each.name for each in self._record.spec.attachments()])
            lifecycle.forget_logs(self._host, self._record)
        if {container_plan.CONFIGURE, container_plan.RESET_LAYER} & set(self._kinds):
            snapshots.drop_previous(self._host.layout.container(name))
        gone = {container_states.REMOVE, container_plan.RESET_LAYER} & set(self._kinds)
        if gone and self._have.record is not None and self._have.record.layers:
            image_use.collect(self._host)  # layers that were its own

    def _write(self, record: t.Optional[ContainerRecord], *, sync: t.Optional[fs.Sync] = None) -> None:
        if record is not None:
            records.write(self._host.layout.spec(self._have.name), record.to_json(), sync=sync)

    def _top(self) -> str:
        lower = compile.lower(self._host.layout, self._record) if self._record is not None else ()
        return lower[0] if lower else ""

    def _create(self, _action: Action) -> Step:
        host, name = self._host, self._have.name

        def make() -> None:
            if self._record is not None:
                with container_origin.complete(host, self._record, self._origin) as self._record:
                    snapshots.create(host.layout.container(name), top=self._top())
                    self._write(self._record, sync=host.kept.unsynced.add if container_states.START in self._kinds else None)

        return whole(make, lambda: teardown.remove(host, name))

    def _configure(self, _action: Action) -> Step:
        """The former state is kept until the whole plan has succeeded."""
        host, name = self._host, self._have.name

        def change() -> None:
            snapshots.keep_record(host.layout.container(name))
            self._write(self._record)

        def restore() -> None:
            snapshots.restore_previous(host.layout.container(name))
            endpoints.put_back(host, name, self._leases)

        return whole(change, restore)

    def _reset_layer(self, _action: Action) -> Step:
        host, name = self._host, self._have.name

        def change() -> None:
            if container_plan.CONFIGURE not in self._kinds:
                snapshots.keep_record(host.layout.container(name))
            snapshots.keep_layer(host.layout.container(name), top=self._top())
            self._write(self._record)

        return whole(change, lambda: snapshots.restore_previous(host.layout.container(name)))

    def _update(self, action: Action) -> Step:
        host, have, options = self._host, self._have, action.details["options"]
        specs = [record.spec for record in (have.record, self._record) if record is not None]

        def put(new: t.Optional[ContainerRecord], former: leased.Pairs = ()) -> None:
            if new is not None:
                lifecycle.update(host, have, new, options, former, specs=specs)
                self._write(new)

        return whole(lambda: put(self._record), lambda: put(have.record, self._leases))

    def _start(self, _action: Action) -> Step:
        host, name = self._host, self._have.name

        def start() -> None:
            if self._record is not None:  # as it is by then: what a clone begins with is known when it is made
                lifecycle.start(host, self._record)

        def end() -> None:
            lifecycle.stop(host, observe.container(host, name))
            teardown.clear(host, name)  # also of one that has ended by itself: whoever cleans up after it waits for us

        return Step(start, end)

    def _stop(self, _action: Action) -> Step:
        host, have = self._host, self._have

        def stop() -> None:
            lifecycle.stop(host, have, self._record, kill_signal=self._wish.kill_signal, within=self._wish.stop_within)

        def start_former() -> None:
            if have.record is not None and not observe.container(host, have.name).is_running:
                lifecycle.start(host, have.record)
                if have.status == PAUSED:
                    lifecycle.pause(host, have.name)

        return Step(stop) if container_states.REMOVE in self._kinds else whole(stop, start_former)  # a removal is finished, not undone

    def _pause(self, _action: Action) -> Step:
        return Step(lambda: lifecycle.pause(self._host, self._have.name), lambda: lifecycle.unpause(self._host, self._have.name))

    def _unpause(self, _action: Action) -> Step:
        return Step(lambda: lifecycle.unpause(self._host, self._have.name), lambda: lifecycle.pause(self._host, self._have.name))

    def _repair(self, _action: Action) -> Step:
        host, record = self._host, self._have.record

        def repaired() -> None:
            if record is not None:
                endpoints.rewire(host, record, ())

        return Step(repaired)

    def _repair_limits(self, action: Action) -> Step:
        record = self._record
        return Step(lambda: lifecycle.repair_limits(self._host, self._have, record, action.details["options"]) if record else None)

    def _repair_hosts(self, _action: Action) -> Step:
        record = self._have.record
        return Step(lambda: lifecycle.repair_hosts(self._host, record) if record else None)

    def _remove(self, _action: Action) -> Step:
        host, name = self._host, self._have.name

        def remove() -> None:
            teardown.clear(host, name)
            waiting.let_hear(host, name)
            teardown.remove(host, name)

        return Step(remove)
