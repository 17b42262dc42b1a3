# SPDX-License-Identifier: BSD-2-Clause
"""What a container mounts beyond what its task says: volumes of the image, anonymous ones, those of another container.

They become part of what is wanted before anything is compared, under names that follow from the container's, so that a second run
finds the same. Not here: mounting (runtime/rootfs.py), filling a new volume (firstuse.py).
"""
from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import stacks
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model import mounts
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerRecord
from ansible_collections.cocker.engine.plugins.module_utils.model.container_fields import record_from_json
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Invalid, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainerWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import records, volumes

ANONYMOUS = "cocker.anonymous"      # label of a volume without a name of its own: the container that it was made for

_DIGITS = 12


def expanded(host: Host, wish: ContainerWish) -> ContainerWish:
    """With every mount in the spec. Raises NotFound (an image, a container of volumes_from)."""
    spec = wish.spec
    record = _record(host, spec.name)
    said = [*(spec.mounts or ()), *_of_others(host, wish.volumes_from)]
    if spec.mounts is None and (spec.is_partial() or not (said or _image_volumes(host, wish, record))):
        if not wish.volumes_from:
            return wish
    taken = {mount.target for mount in said}
    of_image = [mount for mount in _parsed(_image_volumes(host, wish, record)) if mount.target not in taken]
    named = [_named(spec.name, mount) for mount in (*said, *of_image)]
    return dataclasses.replace(wish, spec=dataclasses.replace(spec, mounts=mounts.merge(named, ())))


def _record(host: Host, name: str) -> t.Optional[ContainerRecord]:
    with contextlib.suppress(CockerError):      # whoever looks next says what is wrong with it
        return records.load(host.layout.spec(name), record_from_json)
    return None


def _image_volumes(host: Host, wish: ContainerWish, record: t.Optional[ContainerRecord]) -> t.Sequence[str]:
    if record is not None and not wish.repin and wish.spec.images in (None, record.spec.images):
        return record.config.volumes
    return stacks.pinned(host, wish.spec.images or ())[1].volumes


def _parsed(targets: t.Iterable[str]) -> t.Iterator[mounts.Mount]:
    """An image that names a place of the engine's, or one that leads out, gets nothing there."""
    for target in targets:
        with contextlib.suppress(Invalid):
            yield from mounts.parse_volumes([target])


def _named(container: str, mount: mounts.Mount) -> mounts.Mount:
    if mount.kind != mounts.VOLUME or mount.source:
        return mount
    digest = hashlib.sha256(mount.target.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
    labels = {**(mount.labels or {}), ANONYMOUS: container}
    return dataclasses.replace(mount, source="%s.%s" % (container, digest), labels=labels)


def _of_others(host: Host, wanted: t.Sequence[t.Tuple[str, bool]]) -> t.Iterator[mounts.Mount]:
    for name, read_only in wanted:
        record = records.load(host.layout.spec(name), record_from_json)
        if record is None:
            raise NotFound("container", name, "volumes_from names it, and it does not exist")
        for mount in record.spec.mounts or ():
            if mount.kind != mounts.TMPFS:
                yield dataclasses.replace(mount, read_only=mount.read_only or read_only)


def anonymous(host: Host, container: str) -> t.List[str]:
    """The volumes that were made for this container alone."""
    return sorted(volume.name for volume in volumes.all_volumes(host.layout).values if volume.labels.get(ANONYMOUS) == container)
