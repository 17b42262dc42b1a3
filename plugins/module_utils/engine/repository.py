# SPDX-License-Identifier: BSD-2-Clause
"""cocker_repository: images of the store in an ssh repository, and which repository the host remembers.

Not here: which blobs a push takes (image_upload.py), and images from there (image_repository.py).
"""
from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import inspect, repositories
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.image_upload import Uploaded
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Outcome, Plan, Step, execute, outcome
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageRecord
from ansible_collections.cocker.engine.plugins.module_utils.model.names import ImageRef
from ansible_collections.cocker.engine.plugins.module_utils.model.repository import Stored, known_as
from ansible_collections.cocker.engine.plugins.module_utils.model.repository_wishes import ABSENT, Reach, RepositoryWish
from ansible_collections.cocker.engine.plugins.module_utils.registry.repository import Repository
from ansible_collections.cocker.engine.plugins.module_utils.storage import images

PUSH, REPLACE, REMOVE, REMEMBER = "push", "replace", "remove", "remember"

Told = t.Dict[str, t.Any]


def ensure(host: Host, wish: RepositoryWish) -> Outcome:
    """Raises NotFound, Conflict for an image that is there and is another one, Denied, Unreachable, Damaged, Unsupported."""
    reach = repositories.reach(host, wish.reach)
    former = repositories.remembered(host) if wish.remember else None
    memory = _plan_memory(former, reach) if wish.remember else Plan()
    result: Told = {"repository": str(reach.address)}
    with contextlib.ExitStack() as stack:
        if wish.image is None and not memory.actions:
            return outcome(memory, result)
        job = _Job(host, wish, reach, stack)
        plan = _joined(job.plan(), memory)
        execute(plan, job.step, dry_run=host.dry_run)
        return outcome(plan, {**result, **job.told})


class _Job:
    """One task's connection, and what it does over it."""

    def __init__(self, host: Host, wish: RepositoryWish, reach: Reach, stack: contextlib.ExitStack) -> None:
        self._host, self._wish, self._reach, self._stack = host, wish, reach, stack
        self._repository: Repository = stack.enter_context(repositories.opened(host, reach))
        self._have: t.Optional[Stored] = None
        self._image: t.Optional[Uploaded] = None
        self._ref = ImageRef("")
        self.told: Told = {}

    def plan(self) -> Plan:
        if self._wish.image is None:
            return Plan()
        if self._wish.state == ABSENT:
            self._ref = self._wish.target or self._wish.image
            self._have = self._repository.find(self._ref)
            self.told = {"reference": str(self._ref)}
            return _plan_absent(str(self._ref), self._have)
        return self._plan_push(self._wish.image)

    def _plan_push(self, image: ImageRef) -> Plan:
        self._stack.enter_context(self._host.locked("image", image.name, shared=True))      # its layers stay meanwhile
        record = images.resolve(self._host.layout, image)
        self._ref = self._wish.target or known_as(record.name, record.version)
        self._have = self._repository.find(self._ref)
        self._image = Uploaded(self._host, self._repository, record, self._stack)
        if self._have is not None or not self._host.dry_run:
            self._image.describe()
        self.told = self._facts(record)
        content = self._image.config.digest if self._image.raw_config else ""
        return _plan_push(self._repository.called, str(record.ref), self._ref, self._have, content, force=self._wish.force)

    def _facts(self, record: ImageRecord) -> Told:
        have, image = self._have, self._image
        is_same = have is not None and image is not None and have.content == image.config.digest
        digest = have.digest if have is not None and is_same else image.digest if image is not None else None
        return {"image": inspect.image(record), "reference": str(self._ref), "digest": digest}

    def step(self, action: Action) -> Step:
        if action.kind == REMEMBER:
            return Step(lambda: repositories.remember(self._host, self._reach))
        return Step(self._remove if action.kind == REMOVE else self._push)

    def _push(self) -> None:
        if self._image is not None:
            have = self._have
            self.told.update(self._image.push(self._ref, new=have is None or have.single is not None))
            if have is not None and have.single is not None:
                self._repository.remove_single(have.single)
            elif have is not None:
                self._repository.collect(have.blobs)

    def _remove(self) -> None:
        if self._have is not None:
            self._repository.remove(self._have)


def _plan_push(called: str, image: str, ref: ImageRef, have: t.Optional[Stored], content: str, *, force: bool) -> Plan:
    """Pure. Where nothing is there, it does not matter what it will be, so a prediction does not have to know."""
    details = {"repository": called, "reference": str(ref)}
    if have is None:
        return Plan(PUSH, ("the repository does not have it",), (Action(PUSH, image, details),), {"exists": False}, {"exists": True})
    if have.content and have.content == content:
        return Plan()
    if not force:
        form = have.damage or ("it is there, as a .cockerimage" if have.single else "another image is there by this name")
        raise Conflict("push", "%s to %s" % (ref, called), form, hint="force: true replaces it")
    reason = "the repository has another image there, and force was asked for"
    before, after = {"content": have.content or have.mark}, {"content": content}
    return Plan(REPLACE, (reason,), (Action(REPLACE, image, details),), before, after)


def _plan_absent(ref: str, have: t.Optional[Stored]) -> Plan:
    if have is None:
        return Plan()
    return Plan(REMOVE, ("state absent is wanted",), (Action(REMOVE, ref),), {"exists": True}, {"exists": False})


def _plan_memory(former: t.Optional[Reach], reach: Reach) -> Plan:
    before = {} if former is None else repositories.shown(former)
    after = repositories.shown(reach)
    if before == after:
        return Plan()
    reason = "the host remembers no repository" if former is None else "the host remembers another repository, or other keys"
    return Plan(REMEMBER, (reason,), (Action(REMEMBER, str(reach.address)),), {"remembered": before or None}, {"remembered": after})


def _joined(first: Plan, second: Plan) -> Plan:
    """The word is that of the first one that does something."""
    return dataclasses.replace(
        first if first.actions else second, reasons=first.reasons + second.reasons, actions=first.actions + second.actions,
        before={**first.before, **second.before}, after={**first.after, **second.after})
