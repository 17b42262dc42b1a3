# SPDX-License-Identifier: BSD-2-Clause
"""cocker_image: images in the host's store.

Not here: how a source becomes a layer (image_sources.py, storage/) and records (storage/images.py).
"""
from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import inspect, observe
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host, now
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Outcome, Plan, Step, execute, outcome
from ansible_collections.cocker.engine.plugins.module_utils.model import names, versions
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Damaged, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageRecord, Provenance
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT, ImageWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import images

IMPORT, REPLACE, REMOVE = "import", "replace", "remove"


def ensure(host: Host, wish: ImageWish) -> Outcome:
    """Raises NotFound and Invalid for a source that is not there, Damaged for one that is not what it claims to be."""
    with host.locked("image", wish.name):
        have = images.find(host.layout, wish.name, wish.version)
        if wish.state == ABSENT:
            plan = _plan_absent(wish, have, users(host, have))
            execute(plan, lambda action: Step(lambda: _remove(host, wish)), dry_run=host.dry_run)
            return outcome(plan, {"image": None})
        return _ensure_present(host, wish, have)


def _ensure_present(host: Host, wish: ImageWish, have: t.Optional[ImageRecord]) -> Outcome:
    if wish.source is None:
        if have is None:
            raise NotFound("image", str(_ref(wish)), "it is not in the store and no source is given to make it from")
        return outcome(Plan(), {"image": inspect.image(have)})
    if wish.path is None and wish.digest is not None:
        return _ask(wish, have)
    from ansible_collections.cocker.engine.plugins.module_utils.engine import image_sources  # not for a task that only removes

    origin = image_sources.observe(host, wish, have.provenance if have else None)
    plan = _plan_present(wish, have, origin)
    execute(plan, lambda action: Step(lambda: _import(host, wish, origin)), dry_run=host.dry_run)
    if not plan.actions and have is not None and not host.dry_run and have.provenance != origin:
        images.save(host.layout, dataclasses.replace(have, provenance=origin))  # the same content at another place or time
    shown = have if host.dry_run else images.find(host.layout, wish.name, wish.version)
    return outcome(plan, {"image": inspect.image(shown) if shown else None})


def _ask(wish: ImageWish, have: t.Optional[ImageRecord]) -> Outcome:
    """The archive is still on the controller: is it needed at all?"""
    origin = Provenance(wish.source or "", "sha256:%s" % wish.digest)
    plan = _plan_present(wish, have, origin)
    return outcome(plan, {"image": inspect.image(have) if have else None, "needed": bool(plan.actions)})


def _plan_present(wish: ImageWish, have: t.Optional[ImageRecord], origin: Provenance) -> Plan:
    """Pure. The content decides, not the place that it came from."""
    details = {"source": origin.source, **({"path": origin.path} if origin.path else {})}
    after = {"exists": True, "source": origin.source, "digest": origin.digest}
    if have is None:
        action = Action(IMPORT, str(_ref(wish)), details)
        return Plan(IMPORT, ("the image is not in the store",), (action,), {"exists": False}, after)
    same = (have.provenance.source, have.provenance.digest) == (origin.source, origin.digest)
    if same and not wish.force:
        return Plan()
    reason = "force was asked for" if same else "the content of the source is another one"
    before = {"exists": True, "source": have.provenance.source, "digest": have.provenance.digest}
    return Plan(REPLACE, (reason,), (Action(REPLACE, str(_ref(wish)), details),), before, after)


def _plan_absent(wish: ImageWish, have: t.Optional[ImageRecord], used_by: t.Sequence[str]) -> Plan:
    if have is None:
        return Plan()
    if used_by:
        raise Conflict("remove image", str(_ref(wish)), "containers are made of it: %s" % ", ".join(used_by), hint="remove them first")
    return Plan(REMOVE, ("state absent is wanted",), (Action(REMOVE, str(_ref(wish))),), {"exists": True}, {"exists": False})


def _ref(wish: ImageWish) -> names.ImageRef:
    return names.ImageRef(wish.name, wish.version)


def users(host: Host, image: t.Optional[ImageRecord]) -> t.List[str]:
    """Containers whose stack it is in."""
    if image is None:
        return []
    wanted = (image.name, image.version)
    known = [found.record for found in observe.containers(host) if found.record]
    return [record.spec.name for record in known if wanted in [(pin.name, pin.version) for pin in record.pins]]


def _import(host: Host, wish: ImageWish, origin: Provenance) -> None:
    """All or nothing. The layer of a former content goes when no container has it any more."""
    from ansible_collections.cocker.engine.plugins.module_utils.engine import image_sources
    from ansible_collections.cocker.engine.plugins.module_utils.storage import layers

    created = now()
    with layers.batch(host.layout) as batch:
        made = image_sources.fill(host, batch, wish, created=created)
        record = ImageRecord(
            name=wish.name, version=wish.version or versions.NONE, layers=tuple(layer.id for layer in made.layers), config=made.config,
            created=made.created or created, provenance=dataclasses.replace(origin, digest=made.digest or origin.digest),
            size=sum(layer.size for layer in made.layers), platform=made.platform, author=made.author, history=made.history,
        )
        images.save(host.layout, record)
    _collect(host)


def _remove(host: Host, wish: ImageWish) -> None:
    images.remove(host.layout, wish.name, wish.version)
    _collect(host)


def _collect(host: Host) -> None:
    """Layers that nothing refers to any more go, and what killed imports left. Where a record is unreadable, nothing goes."""
    from ansible_collections.cocker.engine.plugins.module_utils.storage import gc

    def pins() -> t.Iterator[str]:
        for found in observe.containers(host):
            if found.record is None:
                raise Damaged("collect", found.name, "the container's record is unreadable, so what it needs is not known")
            yield from (layer for pin in found.record.pins for layer in pin.layers)

    with contextlib.suppress(Damaged):  # the task itself is done; the next one tries again
        gc.collect(host.layout, pins)
