# SPDX-License-Identifier: BSD-2-Clause
"""cocker_image: images in the host's store.

Not here: how a source becomes a layer (image_sources.py, storage/) and records (storage/images.py).
"""
from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import image_bring, image_config, image_use, inspect, stacks
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Outcome, Plan, Step, execute, outcome
from ansible_collections.cocker.engine.plugins.module_utils.model import names, versions
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageRecord, Provenance
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT, ImageWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import images

REMOVE = "remove"


def ensure(host: Host, wish: ImageWish) -> Outcome:
    """Raises NotFound and Invalid for a source that is not there, Damaged for one that is not what it claims to be."""
    with _locks(host, wish):
        have = images.find(host.layout, wish.name, wish.version)
        if wish.state == ABSENT:
            plan = _plan_absent(wish, have, image_use.users(host, have))
            execute(plan, lambda action: Step(lambda: _remove(host, wish)), dry_run=host.dry_run)
            return outcome(plan, {"image": None})
        if wish.new_version is not None:
            return _ensure_version(host, wish, have)
        if wish.from_container is not None:
            from ansible_collections.cocker.engine.plugins.module_utils.engine import image_container

            return image_container.ensure(host, wish, have)
        if wish.from_image is not None:
            return _ensure_copy(host, wish, have)
        return _ensure_present(host, wish, have)


@contextlib.contextmanager
def _locks(host: Host, wish: ImageWish) -> t.Iterator[None]:
    """The image that is copied is not removed meanwhile."""
    source = stacks.reference(wish.from_image).name if wish.from_image is not None else wish.name
    with contextlib.ExitStack() as stack:
        for name in sorted({wish.name, source}):
            stack.enter_context(host.locked("image", name, shared=name != wish.name))
        yield


def _ensure_present(host: Host, wish: ImageWish, have: t.Optional[ImageRecord]) -> Outcome:
    origin, plan = _compared(host, wish, have)
    if plan.actions and wish.path is None and wish.digest is not None:   # the archive is on the controller, and is needed here
        return outcome(plan, {"image": inspect.image(have) if have else None, "needed": True})
    told: t.Dict[str, t.Any] = {"digest": origin.registry_digest} if origin.registry_digest else {}
    if plan.actions or have is None:
        execute(plan, lambda action: Step(lambda: told.update(_brought(host, wish, origin))), dry_run=host.dry_run)
    else:
        is_asked_for = wish.source is not None and not (origin == have.provenance and origin.source != wish.source)
        wanted = image_config.applied(have, wish.config) if wish.config or is_asked_for else have   # else another task's image is there
        plan = image_config.plan(have, wanted)
        execute(plan, lambda action: Step(lambda: images.save(host.layout, wanted)), dry_run=host.dry_run)
        is_elsewhere = (wish.path is not None or wish.pull is not None or wish.fetch is not None) and wanted.provenance != origin
        if is_elsewhere and not host.dry_run:    # the same content at another place or time
            images.save(host.layout, dataclasses.replace(wanted, provenance=origin))
    shown = have if host.dry_run else images.find(host.layout, wish.name, wish.version)
    asked = {"needed": False} if wish.path is None and wish.digest is not None else {}
    return outcome(plan, {"image": inspect.image(shown) if shown else None, **asked, **told})


def _compared(host: Host, wish: ImageWish, have: t.Optional[ImageRecord]) -> t.Tuple[Provenance, Plan]:
    """Where the content is to come from, and whether it has to come at all."""
    if wish.source is None:
        if have is None:
            raise NotFound("image", str(_ref(wish)), "it is not in the store and no source is given to make it from")
        return Provenance(""), Plan()
    if wish.path is None and wish.digest is not None:
        origin = Provenance(wish.source, "sha256:%s" % wish.digest, selection=wish.selection)
    else:
        from ansible_collections.cocker.engine.plugins.module_utils.engine import image_sources  # not for a task that only removes

        origin = image_sources.observe(host, wish, have.provenance if have else None)
    return origin, image_bring.plan(wish, have, origin)


def _brought(host: Host, wish: ImageWish, origin: Provenance) -> t.Mapping[str, t.Any]:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import image_sources

    return image_bring.bring(host, wish, origin, image_sources.fill)


def _ensure_version(host: Host, wish: ImageWish, have: t.Optional[ImageRecord]) -> Outcome:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import image_versions

    new = None if wish.new_version == versions.NONE else wish.new_version
    there = images.find(host.layout, wish.name, new)
    plan = image_versions.plan_rename(wish, have, there, image_use.users(host, there) if have else ())
    execute(plan, lambda action: Step(lambda: images.rename(host.layout, wish.name, wish.version, new)), dry_run=host.dry_run)
    if plan.actions and there is not None and not host.dry_run:
        image_use.collect(host)
    shown = have if host.dry_run and have else images.find(host.layout, wish.name, new)
    return outcome(plan, {"image": inspect.image(shown) if shown else None})


def _ensure_copy(host: Host, wish: ImageWish, have: t.Optional[ImageRecord]) -> Outcome:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import image_versions

    record = image_versions.copied(image_versions.origin(host, wish), wish)
    plan = image_versions.plan_copy(record, have)
    execute(plan, lambda action: Step(lambda: images.save(host.layout, record)), dry_run=host.dry_run)
    if plan.actions and have is not None and not host.dry_run:
        image_use.collect(host)
    shown = have if host.dry_run or not plan.actions else record
    return outcome(plan, {"image": inspect.image(shown) if shown else None})


def _plan_absent(wish: ImageWish, have: t.Optional[ImageRecord], used_by: t.Sequence[str]) -> Plan:
    if have is None:
        return Plan()
    image_use.refuse_used("remove image", str(_ref(wish)), used_by)
    return Plan(REMOVE, ("state absent is wanted",), (Action(REMOVE, str(_ref(wish))),), {"exists": True}, {"exists": False})


def _ref(wish: ImageWish) -> names.ImageRef:
    return names.ImageRef(wish.name, wish.version)


def _remove(host: Host, wish: ImageWish) -> None:
    images.remove(host.layout, wish.name, wish.version)
    image_use.collect(host)
