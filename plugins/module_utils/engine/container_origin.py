# SPDX-License-Identifier: BSD-2-Clause
"""What a new container has from the beginning: an image that becomes it, or all that another container has written.

Not here: the layers of that other container (container_layers.py), and images that are only below (stacks.py).
"""
from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import container_layers, image_use, processes, settled, stacks
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Step
from ansible_collections.cocker.engine.plugins.module_utils.model import names
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerRecord, ContainerState
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageRecord
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainerWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import images

CONSUME = "consume_image"


@dataclasses.dataclass(frozen=True)
class Origin:
    """`image` is gone once the container is there; `container` stays as it is."""

    image: t.Optional[ImageRecord] = None
    container: t.Optional[ContainerState] = None

    def actions(self) -> t.Tuple[Action, ...]:
        """What is to be done in the end."""
        return (Action(CONSUME, str(self.image.ref)),) if self.image is not None else ()

    def facts(self) -> t.Dict[str, t.Any]:
        """For the intent."""
        return {} if self.image is None else {"consumes": [self.image.name, self.image.version]}


def find(host: Host, wish: ContainerWish) -> Origin:
    """Raises NotFound, and Conflict for an image that other containers need."""
    if wish.from_container is not None:
        state = settled.find(host, wish.from_container)
        if state.record is None:
            raise NotFound("container", wish.from_container, "it does not exist")
        return Origin(container=state)
    if wish.from_image is None:
        return Origin()
    image = images.resolve(host.layout, stacks.reference(wish.from_image))
    image_use.refuse_used("make a container of image", str(image.ref), image_use.users(host, image))
    return Origin(image=image)


def born(record: ContainerRecord, origin: Origin) -> ContainerRecord:
    """The record of the new container, as far as it is known before."""
    if origin.image is not None:
        image = origin.image
        source = str(names.ImageRef(image.name, image.version))
        merged = processes.merged([record.config, image.config])
        return dataclasses.replace(record, config=merged, layers=image.layers, born=len(image.layers), source=source, own=image.config)
    if origin.container is not None and origin.container.record is not None:
        other = origin.container.record
        return dataclasses.replace(
            record, pins=other.pins, config=other.config, layers=other.layers, born=len(other.layers), source=other.source, own=other.own)
    return record


@contextlib.contextmanager
def complete(host: Host, record: ContainerRecord, origin: Origin) -> t.Iterator[ContainerRecord]:
    """With what the other container has written; the record is to be on the disk before this ends."""
    if origin.container is None or origin.container.record is None:
        yield record
    else:
        with contextlib.ExitStack() as stack:
            layers = stack.enter_context(container_layers.shared(host, origin.container, origin.container.record))
            yield dataclasses.replace(record, layers=layers, born=len(layers))


def consume(host: Host, origin: Origin) -> Step:
    image = origin.image
    if image is None:
        return Step(lambda: None)
    return Step(lambda: images.remove(host.layout, image.name, image.version), lambda: images.save(host.layout, image))
