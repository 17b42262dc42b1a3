# SPDX-License-Identifier: BSD-2-Clause
"""cocker_prune: what nobody needs any more goes. The plan names everything, and what it names is all that goes.

What is about to go is looked at once more under its lock, and stays if somebody began to use it. Not here: the removal of each
(images.py, networks.py, volumes.py, teardown.py, storage/gc.py).
"""
from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import image_use, leased, observe, owning, volumes
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Outcome, Plan, Step, execute, outcome
from ansible_collections.cocker.engine.plugins.module_utils.engine.prune_plan import (
    CONTAINER,
    COPY,
    ENGINE,
    IMAGE,
    LAYER,
    LITTER,
    NETWORK,
    VOLUME,
    Item,
    Stock,
    chosen,
)
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model import names
from ansible_collections.cocker.engine.plugins.module_utils.model.container import CREATED, EXITED, ContainerSpec, ContainerState
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Damaged
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageRecord
from ansible_collections.cocker.engine.plugins.module_utils.model.network import DEFAULT_NETWORK, NetworkSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.queries import PruneWish
from ansible_collections.cocker.engine.plugins.module_utils.model.volume import VolumeSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT, NetworkWish, VolumeWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import gc, images, owners, volumes as volume_store

REMOVE = "remove"


def ensure(host: Host, wish: PruneWish) -> Outcome:
    """Raises Damaged, with nothing removed, where a record that cannot be read hides what is needed."""
    stock = _stock(host)
    going = chosen(stock, wish)
    free = _unused_layers(host, stock, going) if wish.images or wish.containers else []
    free += _unused_copies(host, going, free) if wish.images or wish.containers else []
    sized = [dataclasses.replace(item, size=_size(host, item)) for item in (*going, *free, *_rest(host, wish))]
    actions = tuple(Action("%s_%s" % (REMOVE, item.kind), item.name, {"bytes": item.size}) for item in sized)
    plan = Plan(REMOVE, ("it is not needed any more",), actions, _shown(sized), {kind: [] for kind in _shown(sized)}) if actions else Plan()
    done: t.Set[t.Tuple[str, str]] = set()
    execute(plan, lambda action: Step(lambda: _carry_out(host, action, done)), dry_run=host.dry_run)
    gone = sized if host.dry_run else [item for item in sized if (item.kind, item.name) in done]
    return outcome(plan, _result(gone))


def _stock(host: Host) -> Stock:
    """Everything that may be in the way of something else, with who needs it."""
    states = list(observe.containers(host))
    unreadable = [state.name for state in states if state.record is None]
    if unreadable:
        raise Damaged("prune", ", ".join(unreadable), "its record is unreadable, so what it needs is not known")
    listing = images.all_images(host.layout)
    if listing.damaged:
        raise listing.damaged[0]
    lived = {state.name: state for state in states}
    return Stock(
        containers=tuple(_container(state) for state in states),
        images=tuple(Item(IMAGE, _reference(each), each.created, each.config.labels) for each in listing.values),
        networks=tuple(Item(NETWORK, each.name, "", each.labels) for each in leased.listed(host) if each.name != DEFAULT_NETWORK),
        volumes=tuple(Item(VOLUME, each.name, each.created, each.labels) for each in volume_store.all_volumes(host.layout).values),
        needs={name: _needs(host, state) for name, state in lived.items()},
    )


def _reference(image: ImageRecord) -> str:
    return str(names.ImageRef(image.name, image.version))


def _container(state: ContainerState) -> Item:
    record = state.record
    created, spec, config = (record.created, record.spec, record.config) if record else ("", ContainerSpec(state.name), None)
    labels = {**(config.labels if config else {}), **(spec.labels or {})}
    return Item(CONTAINER, state.name, created, labels, is_free=state.status in (CREATED, EXITED) and not state.remains)


def _needs(host: Host, state: ContainerState) -> t.FrozenSet[t.Tuple[str, str]]:
    record = state.record
    if record is None:
        return frozenset()
    wanted = {(VOLUME, name) for name in volumes.named(record.spec.mounts or ())}
    wanted |= {(NETWORK, each.name) for each in record.spec.attachments()}
    wanted |= {(NETWORK, network.name) for _lease, network in leased.of(host, state.name)}
    used = image_use.all_users(host, [state])
    wanted |= {(IMAGE, _reference(each)) for each in images.all_images(host.layout).values if used(each)}
    return frozenset(wanted)


def _unused_layers(host: Host, stock: Stock, going: t.Sequence[Item]) -> t.List[Item]:
    """Layers that nothing refers to once all that is gone, unless somebody is making them."""
    gone = {(item.kind, item.name) for item in going}
    kept = {layer for image in images.all_images(host.layout).values if (IMAGE, _reference(image)) not in gone
            for layer in image.layers}
    kept |= set(image_use.pinned(host, without={item.name for item in going if item.kind == CONTAINER}))
    return [Item(LAYER, layer) for layer in host.layout.layer_ids() if layer not in kept and gc.is_free(host.layout.layer(layer))]


def _unused_copies(host: Host, going: t.Sequence[Item], free: t.Sequence[Item]) -> t.List[Item]:
    """Of the layers that stay."""
    kept = owning.needed(host, without={item.name for item in going if item.kind == CONTAINER})
    gone = {item.name for item in free}
    return [Item(COPY, os.path.join(layer, name)) for layer in host.layout.layer_ids() if layer not in gone
            for name in owners.copies(host.layout, layer) if (layer, name) not in kept]


def _rest(host: Host, wish: PruneWish) -> t.List[Item]:
    found: t.List[Item] = []
    if wish.engines:
        from ansible_collections.cocker.engine.plugins.module_utils.engine import prune_engines

        found += [Item(ENGINE, path) for path in prune_engines.unused(host.layout)]
    if wish.litter:
        found += [Item(LITTER, path) for path in gc.litter(host.layout)]
    return found


def _size(host: Host, item: Item) -> int:
    places: t.Dict[str, t.Callable[[str], str]] = {
        CONTAINER: host.layout.container, LAYER: host.layout.layer, COPY: lambda name: os.path.join(host.layout.layers, name),
        VOLUME: host.layout.volume, ENGINE: str, LITTER: str,
    }
    return fs.disk_usage(places[item.kind](item.name)) if item.kind in places else 0


def _shown(items: t.Iterable[Item]) -> t.Dict[str, t.Any]:
    found: t.Dict[str, t.Any] = {}
    for item in items:
        found.setdefault(_PLURALS[item.kind], []).append(item.name)
    return found


_PLURALS = {CONTAINER: "containers", IMAGE: "images", NETWORK: "networks", VOLUME: "volumes", LAYER: "layers", COPY: "layer_copies",
            ENGINE: "engines", LITTER: "litter"}


def _result(gone: t.Sequence[Item]) -> t.Dict[str, t.Any]:
    """In the words of docker_prune; the space of layers and of their copies is that of images."""
    shown: t.Dict[str, t.Any] = {plural: [item.name for item in gone if item.kind == kind] for kind, plural in _PLURALS.items()}
    space = {plural: sum(item.size for item in gone if item.kind == kind) for kind, plural in _PLURALS.items()}
    return {
        **shown, "containers_space_reclaimed": space["containers"], "images_space_reclaimed": space["layers"] + space["layer_copies"],
        "volumes_space_reclaimed": space["volumes"], "engines_space_reclaimed": space["engines"],
        "litter_space_reclaimed": space["litter"], "space_reclaimed": sum(space.values()),
    }


def _carry_out(host: Host, action: Action, done: t.Set[t.Tuple[str, str]]) -> None:
    """What somebody began to use in the meantime stays."""
    kind = action.kind.partition("_")[2]
    with contextlib.suppress(Conflict):
        if _REMOVE[kind](host, action.subject):
            done.add((kind, action.subject))


def _remove_container(host: Host, name: str) -> bool:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import container_layers, settled, teardown

    with host.locked(CONTAINER, name):
        if settled.find(host, name).status not in (CREATED, EXITED):
            return False
        with container_layers.declared(host, name, action=REMOVE):
            teardown.clear(host, name)
            teardown.remove(host, name)
    return True


def _remove_image(host: Host, name: str) -> bool:
    ref = names.parse_image(name)
    with host.locked(IMAGE, ref.name):
        image = images.find(host.layout, ref.name, ref.version)
        if image is None or image_use.users(host, image):
            return False
        images.remove(host.layout, ref.name, ref.version)
    return True


def _remove_network(host: Host, name: str) -> bool:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import networks

    return networks.ensure(host, NetworkWish(NetworkSpec(name), state=ABSENT)).changed


def _remove_volume(host: Host, name: str) -> bool:
    return volumes.ensure(host, VolumeWish(VolumeSpec(name), state=ABSENT)).changed


def _remove_layer(host: Host, name: str) -> bool:
    return gc.drop(host.layout, name, lambda: image_use.pinned(host))


def _remove_copy(host: Host, name: str) -> bool:
    layer, _slash, copy = name.partition("/")
    return gc.drop_copy(host.layout, layer, copy, lambda: (layer, copy) in owning.needed(host))


def _remove_engine(host: Host, path: str) -> bool:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import prune_engines

    return prune_engines.remove(host.layout, path)


def _remove_litter(_host: Host, path: str) -> bool:
    return gc.remove_litter(path)


_REMOVE: t.Dict[str, t.Callable[[Host, str], bool]] = {
    CONTAINER: _remove_container, IMAGE: _remove_image, NETWORK: _remove_network, VOLUME: _remove_volume, LAYER: _remove_layer,
    COPY: _remove_copy, ENGINE: _remove_engine, LITTER: _remove_litter,
}
