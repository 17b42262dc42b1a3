# SPDX-License-Identifier: BSD-2-Clause
"""Where an image's content comes from: whether a source is there, whether it would bring anything new, and bringing it.

Not here: reading archives, copying trees, finding libraries (storage/).
"""
from __future__ import annotations

import dataclasses
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.image import HistoryStep, ImageConfig, Platform, Provenance
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ImageWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import hostfiles, hostimage, importdir, importtar
from ansible_collections.cocker.engine.plugins.module_utils.storage.layers import Batch, Layer

ARCHIVE, DIRECTORY, HOST = "archive", "directory", "host"


@dataclasses.dataclass(frozen=True)
class Made:
    """`layers` bottom first; `config` and what follows is what the source says. `digest` where fill() knows it better than observe()."""

    layers: t.Tuple[Layer, ...]
    config: ImageConfig = ImageConfig()
    digest: str = ""
    created: str = ""
    platform: Platform = Platform()
    author: str = ""
    history: t.Tuple[HistoryStep, ...] = ()


def observe(host: Host, wish: ImageWish, former: t.Optional[Provenance]) -> Provenance:
    """Reads only, and no content where the stamp says that it is the former one. Raises Invalid, NotFound."""
    return _SOURCES[wish.source or ""][0](host, wish, former)


def fill(host: Host, batch: Batch, wish: ImageWish, *, created: str) -> Made:
    """Layers come from `batch`: new ones are staged in it, those of the store reused. Raises Damaged, Invalid, NotFound, Unsupported."""
    return _SOURCES[wish.source or ""][1](host, batch, wish, created)


def _observe_archive(_host: Host, wish: ImageWish, former: t.Optional[Provenance]) -> Provenance:
    """An archive that was sent from the controller lies in a temporary file, of which nothing is kept."""
    path = _existing(wish, stat.S_ISREG, "a file")
    if wish.digest is not None:
        return _received(path, "sha256:" + wish.digest)
    facts = os.stat(path)
    stamp = "%d %d %d" % (facts.st_size, facts.st_mtime_ns, facts.st_ino)
    if former is not None and (former.source, former.path, former.stamp) == (ARCHIVE, path, stamp):
        return former
    return Provenance(ARCHIVE, importtar.digest(path), path, stamp)


def _received(path: str, digest: str) -> Provenance:
    found = importtar.digest(path)
    if found != digest:
        raise Damaged("receive archive", path, "its digest is %s, the controller's is %s" % (found, digest))
    return Provenance(ARCHIVE, digest)


def _fill_archive(_host: Host, batch: Batch, wish: ImageWish, created: str) -> Made:
    """What is damaged is the file that the task names."""
    try:
        layer = importtar.import_archive(batch.stage(), wish.path or "", created=created)
        return Made((layer,), digest=layer.digest)
    except Damaged as error:
        raise Damaged("option", "path", "%s: %s" % (wish.path, error)) from error


def _observe_directory(_host: Host, wish: ImageWish, _former: t.Optional[Provenance]) -> Provenance:
    """What lstat(2) says of every file stands for the content: no file is read."""
    path = _existing(wish, stat.S_ISDIR, "a directory")
    return Provenance(DIRECTORY, importdir.digest(path), path)


def _fill_directory(_host: Host, batch: Batch, wish: ImageWish, created: str) -> Made:
    layer = importdir.import_directory(batch.stage(), wish.path or "", created=created)
    return Made((layer,), digest=layer.digest)


def _observe_host(_host: Host, wish: ImageWish, _former: t.Optional[Provenance]) -> Provenance:
    return Provenance(HOST, hostimage.digest(hostfiles.gather(wish.programs)))


def _fill_host(_host: Host, batch: Batch, wish: ImageWish, created: str) -> Made:
    layer = hostimage.build(batch.stage(), hostfiles.gather(wish.programs), created=created)
    return Made((layer,), hostimage.CONFIG, digest=layer.digest)


def _existing(wish: ImageWish, is_kind: t.Callable[[int], bool], kind: str) -> str:
    path = wish.path or ""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise Invalid("path", "%s: %s" % (path, error.strerror)) from error
    if not is_kind(mode):
        raise Invalid("path", "%s is not %s" % (path, kind))
    return path


_Observe = t.Callable[[Host, ImageWish, t.Optional[Provenance]], Provenance]
_Fill = t.Callable[[Host, Batch, ImageWish, str], Made]
# One row a source; what brings it into the store has a file of its own.
_SOURCES: t.Dict[str, t.Tuple[_Observe, _Fill]] = {
    ARCHIVE: (_observe_archive, _fill_archive),
    DIRECTORY: (_observe_directory, _fill_directory),
    HOST: (_observe_host, _fill_host),
}
