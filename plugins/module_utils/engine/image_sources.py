# SPDX-License-Identifier: BSD-2-Clause
"""Where an image's content comes from: whether a source is there, whether it would bring anything new, and bringing it.

Not here: archives (image_archive.py), copying trees, finding libraries (storage/).
"""
from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import image_archive
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.image_made import Made
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.image import Provenance
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ImageWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import hostfiles, hostimage, importdir
from ansible_collections.cocker.engine.plugins.module_utils.storage.layers import Batch

DIRECTORY, HOST, REGISTRY, REPOSITORY = "directory", "host", "registry", "repository"


def observe(host: Host, wish: ImageWish, former: t.Optional[Provenance]) -> Provenance:
    """Reads only, and no content where the stamp says that it is the former one. Raises Invalid, NotFound."""
    return _SOURCES[wish.source or ""][0](host, wish, former)


def fill(host: Host, batch: Batch, wish: ImageWish, created: str) -> Made:
    """Layers come from `batch`: new ones are staged in it, those of the store reused. Raises Damaged, Invalid, NotFound, Unsupported."""
    return _SOURCES[wish.source or ""][1](host, batch, wish, created)


def _observe_directory(_host: Host, wish: ImageWish, _former: t.Optional[Provenance]) -> Provenance:
    """What lstat(2) says of every file stands for the content: no file is read."""
    path = wish.path or ""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise Invalid("path", "%s: %s" % (path, error.strerror)) from error
    if not stat.S_ISDIR(mode):
        raise Invalid("path", "%s is not a directory" % path)
    return Provenance(DIRECTORY, importdir.digest(path), path)


def _fill_directory(_host: Host, batch: Batch, wish: ImageWish, created: str) -> Made:
    layer = importdir.import_directory(batch.stage(), wish.path or "", created=created)
    return Made((layer,), digest=layer.digest)


def _observe_host(_host: Host, wish: ImageWish, _former: t.Optional[Provenance]) -> Provenance:
    return Provenance(HOST, hostimage.digest(hostfiles.gather(wish.programs)))


def _fill_host(_host: Host, batch: Batch, wish: ImageWish, created: str) -> Made:
    layer = hostimage.build(batch.stage(), hostfiles.gather(wish.programs), created=created)
    return Made((layer,), hostimage.CONFIG, digest=layer.digest)


def _observe_registry(host: Host, wish: ImageWish, former: t.Optional[Provenance]) -> Provenance:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import image_registry  # HTTP and TLS: for this source only

    return image_registry.observe(host, wish, former)


def _fill_registry(host: Host, batch: Batch, wish: ImageWish, created: str) -> Made:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import image_registry

    return image_registry.fill(host, batch, wish, created)


def _observe_repository(host: Host, wish: ImageWish, former: t.Optional[Provenance]) -> Provenance:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import image_repository  # ssh: for this source only

    return image_repository.observe(host, wish, former)


def _fill_repository(host: Host, batch: Batch, wish: ImageWish, created: str) -> Made:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import image_repository

    return image_repository.fill(host, batch, wish, created)


_Observe = t.Callable[[Host, ImageWish, t.Optional[Provenance]], Provenance]
_Fill = t.Callable[[Host, Batch, ImageWish, str], Made]
# One row a source; what brings it into the store has a file of its own.
_SOURCES: t.Dict[str, t.Tuple[_Observe, _Fill]] = {
    image_archive.SOURCE: (image_archive.observe, image_archive.fill),
    DIRECTORY: (_observe_directory, _fill_directory),
    HOST: (_observe_host, _fill_host),
    REGISTRY: (_observe_registry, _fill_registry),
    REPOSITORY: (_observe_repository, _fill_repository),
}
