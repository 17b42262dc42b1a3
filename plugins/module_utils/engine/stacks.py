# SPDX-License-Identifier: BSD-2-Clause
"""Images as containers and queries see them: looked up by reference, alone or as a stack.

Not here: how an image comes and goes (images.py), whose code a task on a container does not carry.
"""
from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import processes
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model import names, versions
from ansible_collections.cocker.engine.plugins.module_utils.model.container import Pin
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageConfig, ImageRecord
from ansible_collections.cocker.engine.plugins.module_utils.storage import images


def reference(text: str) -> names.ImageRef:
    return names.parse_image(text, "images")


def resolved(host: Host, wanted: t.Iterable[str]) -> t.List[ImageRecord]:
    """Bottom first; without a version the largest. Raises NotFound, which names the option."""
    return [_resolved(host, reference(text)) for text in wanted]


def _resolved(host: Host, ref: names.ImageRef) -> ImageRecord:
    foreseen = {version: image for (name, version), image in host.kept.foreseen.items() if name == ref.name}
    if not foreseen:
        return images.resolve(host.layout, ref)
    version = ref.version or versions.largest([*host.layout.image_versions(ref.name), *foreseen])
    return foreseen[version] if version in foreseen else images.resolve(host.layout, ref)


def pinned(host: Host, wanted: t.Iterable[str]) -> t.Tuple[t.Tuple[Pin, ...], ImageConfig]:
    """What a container that is made of them keeps. Raises NotFound."""
    found = resolved(host, wanted)
    pins = tuple(Pin(image.name, image.version, tuple(image.layers)) for image in found)
    return pins, processes.merged([image.config for image in found])


def listed(host: Host, name: t.Optional[str]) -> t.List[ImageRecord]:
    """`NAME` is every version of it, `NAME:VERSION` one; None is all. What is damaged is left out."""
    ref = names.parse_image(name, "name") if name is not None else None
    found = images.all_images(host.layout).values
    return [record for record in found if ref is None or (record.name == ref.name and ref.version in (None, record.version))]


def called(host: Host, layer_id: str) -> str:
    """By what a layer is told: the digest that it was fetched by, which is known before it is, or what this store calls it."""
    from ansible_collections.cocker.engine.plugins.module_utils.storage import layers  # hardly ever

    with contextlib.suppress(CockerError):
        found = layers.find(host.layout, layer_id)
        return found.diff_id or layer_id if found is not None else layer_id
    return layer_id
