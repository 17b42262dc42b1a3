# SPDX-License-Identifier: BSD-2-Clause
"""A container becomes an image: committed, so that both are there, or moved, so that the image is what is left.

Not here: how its layers are had (container_layers.py), and the other way round (container_origin.py).
"""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import (
    container_layers,
    image_config,
    image_use,
    inspect,
    processes,
    settled,
)
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host, now
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Outcome, Plan, Step, execute, outcome, whole
from ansible_collections.cocker.engine.plugins.module_utils.model import names, versions
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerRecord, ContainerState
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.image import HistoryStep, ImageConfig, ImageRecord, Provenance
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ImageWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import images, layers, rotation, snapshots

SOURCE = "container"
COMMIT, MOVE = container_layers.COMMIT, container_layers.MOVE
CHAIN, TOP = "chain", "top"
REPLACE, REMOVE = "replace", "remove"


@dataclasses.dataclass(frozen=True)
class Content:
    """`below` are the layers that the image has anyway; `is_new` whether something was written since. `digest` of a copy, if it counts."""

    below: t.Tuple[str, ...]
    is_new: bool
    digest: str = ""


def ensure(host: Host, wish: ImageWish, have: t.Optional[ImageRecord]) -> Outcome:
    """Raises NotFound, Conflict. The caller holds the image's lock."""
    name = wish.from_container or ""
    with host.locked(container_layers.CONTAINER, name):
        state = settled.find(host, name)
        wish, have = _remembered(host, wish, have, state.record)
        if state.record is None:
            return _moved_before(host, wish, have)
        content = _content(host, wish, have, state.record)
        wanted = _wanted(host, wish, state.record, content)
        decide = _plan_move if wish.mode == MOVE else _plan_commit
        plan = decide(wish, have, wanted, content, state)
        execute(plan, lambda action: _step(_Work(host, wish, have, wanted, content, state), action), dry_run=host.dry_run)
    if plan.actions and not host.dry_run:
        image_use.collect(host)
    shown = have if host.dry_run else images.find(host.layout, wish.name, wish.version)
    return outcome(plan, {"image": inspect.image(shown) if shown else None})


def _remembered(
    host: Host, wish: ImageWish, have: t.Optional[ImageRecord], record: t.Optional[ContainerRecord]
) -> t.Tuple[ImageWish, t.Optional[ImageRecord]]:
    """An image that became a container goes back to the version that it had, unless another is said."""
    if wish.mode != MOVE or wish.version is not None or wish.says_version:
        return wish, have
    if record is not None:
        version = names.parse_image(record.source).version if record.source else None
    else:
        moved = [image for image in images.all_images(host.layout).values if image.name == wish.name and _is_from(image, wish)]
        version = moved[-1].version if moved else None
    version = None if version == versions.NONE else version
    return dataclasses.replace(wish, version=version), images.find(host.layout, wish.name, version)


def _is_from(image: ImageRecord, wish: ImageWish) -> bool:
    return (image.provenance.source, image.provenance.path) == (SOURCE, wish.from_container)


def _moved_before(host: Host, wish: ImageWish, have: t.Optional[ImageRecord]) -> Outcome:
    """The container is gone: into the image, or it never was."""
    if wish.mode != MOVE or have is None or not _is_from(have, wish):
        raise NotFound("container", wish.from_container or "", "it does not exist")
    wanted = image_config.applied(have, wish.config)
    plan = image_config.plan(have, wanted)
    execute(plan, lambda action: Step(lambda: images.save(host.layout, wanted)), dry_run=host.dry_run)
    return outcome(plan, {"image": inspect.image(have if host.dry_run else wanted)})


def _content(host: Host, wish: ImageWish, have: t.Optional[ImageRecord], record: ContainerRecord) -> Content:
    below = record.layers if wish.layers == TOP else tuple(snapshots.layer_order(record.stack()))
    if below and container_layers.is_empty(host, record.spec.name):
        return Content(below, is_new=False)
    was_copied = have is not None and have.provenance.source == SOURCE and have.provenance.digest
    return Content(below, is_new=True, digest=container_layers.digest(host, record) if was_copied else "")


def _wanted(host: Host, wish: ImageWish, record: ContainerRecord, content: Content) -> ImageRecord:
    """Without the layer that is still to be made."""
    image = ImageRecord(
        name=wish.name, version=wish.version or versions.NONE, layers=content.below, config=_config(record), created="",
        provenance=Provenance(SOURCE, content.digest, record.spec.name), history=_history(host, record, content.below),
    )
    return image_config.applied(image, wish.config)


def _config(record: ContainerRecord) -> ImageConfig:
    """What the container runs with, so that a container of the image runs alike."""
    said = processes.process(record.spec, record.config)
    return dataclasses.replace(
        record.config, cmd=said.command, entrypoint=said.entrypoint, env=said.env, user=said.user,
        working_dir="" if said.cwd == "/" else said.cwd, labels=dict(said.labels),
        stop_signal=said.stop_signal if record.spec.stop_signal is not None else record.config.stop_signal,
    )


def _history(host: Host, record: ContainerRecord, below: t.Sequence[str]) -> t.Tuple[HistoryStep, ...]:
    """A line for each layer, from the images where they have one."""
    known: t.Dict[str, HistoryStep] = {}
    for pin in record.pins:
        image = images.find(host.layout, pin.name, pin.version)
        lines = [line for line in image.history if not line.empty_layer] if image is not None else []
        if image is not None and len(lines) != len(image.layers):
            lines = [HistoryStep(created=image.created, created_by=str(image.ref))] * len(image.layers)
        known.update(zip(image.layers if image is not None else (), lines))
    return tuple(known.get(layer) or HistoryStep(created_by="container %s" % record.spec.name) for layer in below)


def _plan_commit(
    wish: ImageWish, have: t.Optional[ImageRecord], wanted: ImageRecord, content: Content, _state: ContainerState
) -> Plan:
    """Pure. What counts is what the container holds: a second commit without a change in it has nothing to do."""
    ref, details = str(wanted.ref), {"container": wish.from_container, "layers": wish.layers}
    after = {"exists": True, "container": wish.from_container}
    if have is None:
        return Plan(COMMIT, ("the image is not in the store",), (Action(COMMIT, ref, details),), {"exists": False}, after)
    if _is_same(have, wanted, content) and not wish.force:
        return image_config.plan(have, dataclasses.replace(wanted, author=wanted.author or have.author))
    reason = "force was asked for" if _is_same(have, wanted, content) else "the container holds something else"
    before = {"exists": True, "source": have.provenance.source, "digest": have.provenance.digest, "id": have.id}
    return Plan(REPLACE, (reason,), (Action(REPLACE, ref, details),), before, after)


def _is_same(have: ImageRecord, wanted: ImageRecord, content: Content) -> bool:
    if have.provenance.source == SOURCE and content.digest and have.provenance.digest == content.digest:
        return have.layers[:-1] == wanted.layers
    return not content.is_new and have.layers == wanted.layers


def _plan_move(wish: ImageWish, have: t.Optional[ImageRecord], wanted: ImageRecord, content: Content, state: ContainerState) -> Plan:
    """Pure. The container is what the image is made of, so nothing that exists is replaced unasked."""
    ref = str(wanted.ref)
    if state.is_running:
        raise Conflict("move container", state.name, "it runs", hint="stop it first, or use mode: commit")
    remove = Action(REMOVE, state.name)
    before: t.Dict[str, t.Any] = {"exists": have is not None, "container": {"exists": True}}
    after = {"exists": True, "container": {"exists": False}}
    if have is not None and _is_from(have, wish) and _is_same(have, wanted, content):
        return Plan(REMOVE, ("the container has become the image",), (remove,), before, after)
    if have is not None and not wish.force:
        raise Conflict("move container", state.name, "the image %s exists already" % ref, hint="force: true replaces it")
    reason = "the image is not in the store" if have is None else "force was asked for: the image is replaced"
    details = {"container": state.name, "layers": wish.layers}
    return Plan(MOVE, (reason,), (Action(MOVE, ref, details), remove), before, after)


@dataclasses.dataclass(frozen=True)
class _Work:
    host: Host
    wish: ImageWish
    have: t.Optional[ImageRecord]
    wanted: ImageRecord
    content: Content
    state: ContainerState


def _step(work: _Work, action: Action) -> Step:
    if action.kind == image_config.CONFIGURE and work.have is not None:
        have = work.have
        configured = dataclasses.replace(
            have, config=work.wanted.config, inherited=work.wanted.inherited, author=work.wanted.author or have.author)
        return Step(lambda: images.save(work.host.layout, configured))
    if action.kind == REMOVE:
        return Step(lambda: _remove(work))
    if action.kind == MOVE:
        return Step(lambda: None)           # with the removal, as one: see _remove
    return Step(lambda: _copy(work) if work.state.is_running else _rotate(work, COMMIT))


def _copy(work: _Work) -> None:
    record = work.state.record
    if record is None or not work.content.is_new:
        _save(work, ())
        return
    with layers.batch(work.host.layout) as batch:
        layer = container_layers.copy(work.host, work.state, record, batch)
        _save(work, (layer,), digest=layer.digest)


def _rotate(work: _Work, action: str, then: t.Callable[[], None] = lambda: None) -> None:
    """All of it or nothing; with `then` comes what cannot be undone, but is done by whoever comes next."""
    host, record = work.host, work.state.record
    if record is None:
        return
    layer_id = rotation.new_id() if work.content.is_new else None
    whole_stack = [*work.content.below, *([layer_id] if layer_id else [])]
    facts = {"image": [work.wish.name, work.wish.version], "layers": whole_stack, **({"layer": layer_id} if layer_id else {})}

    def commit() -> None:
        if layer_id is not None:
            container_layers.rotate(host, record, layer_id)
        _save(work, tuple(layers.get(host.layout, each) for each in ([layer_id] if layer_id else ())))

    def undo() -> None:
        if work.have is not None:
            images.save(host.layout, work.have)
        else:
            images.remove(host.layout, work.wish.name, work.wish.version)
        if layer_id is not None:
            container_layers.rotate_back(host, record, layer_id)

    with container_layers.declared(host, record.spec.name, action=action, **facts):
        whole(commit, undo).do()
        then()


def _remove(work: _Work) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import teardown

    def gone() -> None:
        teardown.clear(work.host, work.state.name)
        teardown.remove(work.host, work.state.name)

    _rotate(work, MOVE, gone)


def _save(work: _Work, new: t.Tuple[layers.Layer, ...], *, digest: str = "") -> None:
    """`new` on top."""
    wanted, created = work.wanted, now()
    known = [layers.find(work.host.layout, each) for each in wanted.layers]
    sizes = [layer.size if layer is not None else layers.UNMEASURED for layer in (*known, *new)]
    line = HistoryStep(created=created, created_by="container %s" % work.state.name, comment="committed", author=wanted.author)
    images.save(work.host.layout, dataclasses.replace(
        wanted, layers=(*wanted.layers, *(layer.id for layer in new)), created=created,
        size=layers.UNMEASURED if layers.UNMEASURED in sizes else sum(sizes),
        provenance=dataclasses.replace(wanted.provenance, digest=digest), history=(*wanted.history, *([line] if new else [])),
    ))
