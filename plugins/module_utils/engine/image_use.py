# SPDX-License-Identifier: BSD-2-Clause
"""Who needs an image, and what nobody needs any more.

Not here: what is done about it (images.py, prune.py), and the removal itself (storage/gc.py).
"""
from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import observe
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerRecord, ContainerState, Pin
from ansible_collections.cocker.engine.plugins.module_utils.model.container_fields import record_from_json
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Damaged
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageRecord
from ansible_collections.cocker.engine.plugins.module_utils.storage import intents, records, snapshots

CONTAINER = "container"


def users(host: Host, image: t.Optional[ImageRecord]) -> t.List[str]:
    """Containers whose stack it is in: made of it under this name, or under a version that it had before."""
    if image is None:
        return []
    known = [found.record for found in observe.containers(host) if found.record]
    return [record.spec.name for record in known if any(_is_of(host, pin, image) for pin in record.pins)]


def all_users(
    host: Host, states: t.Optional[t.Iterable[ContainerState]] = None
) -> t.Callable[[ImageRecord], t.List[str]]:
    """The same for many images: the containers, all of them if none are given, are looked at once."""
    by_name: t.Dict[str, t.List[t.Tuple[str, Pin]]] = {}
    for found in observe.containers(host) if states is None else states:
        for pin in found.record.pins if found.record else ():
            by_name.setdefault(pin.name, []).append((found.name, pin))
    return lambda image: sorted({name for name, pin in by_name.get(image.name, ()) if _is_of(host, pin, image)})


def _is_of(host: Host, pin: Pin, image: ImageRecord) -> bool:
    """A container keeps the name that its image had; where nothing has it any more, the same layers are the same image."""
    if pin.name != image.name:
        return False
    if pin.version == image.version:
        return True
    return pin.layers == image.layers and not os.path.lexists(host.layout.image(pin.name, pin.version))


def refuse_used(op: str, subject: str, used_by: t.Sequence[str]) -> None:
    if used_by:
        raise Conflict(op, subject, "containers are made of it: %s" % ", ".join(used_by), hint="remove them first")


def collect(host: Host) -> None:
    """Layers that nothing refers to any more go, and what killed imports left. Where a record is unreadable, nothing goes."""
    from ansible_collections.cocker.engine.plugins.module_utils.storage import gc

    with contextlib.suppress(Damaged):  # the task itself is done; the next one tries again
        gc.collect(host.layout, lambda: pinned(host))


def pinned(host: Host, *, without: t.Collection[str] = ()) -> t.Iterator[str]:
    """Layers that containers (`without` some) need, also those that they go back to if a replacement fails, or that become theirs.

    Raises Damaged.
    """
    for name in (name for name in host.layout.container_names() if name not in without):
        folder = host.layout.container(name)
        for path in (host.layout.spec(name), os.path.join(folder, snapshots.PREVIOUS, snapshots.RECORD)):
            record = records.load(path, record_from_json)
            if record is not None:
                yield from _layers(record)
    yield from (str(intent.facts["layer"]) for intent in intents.all_of(host.layout, CONTAINER) if "layer" in intent.facts)


def _layers(record: ContainerRecord) -> t.Iterator[str]:
    for layers in record.stack():
        yield from layers
