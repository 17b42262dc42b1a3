# SPDX-License-Identifier: BSD-2-Clause
"""`source: archive`: a root file system in an archive, a .cockerimage, or images in a docker-archive or an OCI layout.

Not here: reading any of them (storage/).
"""
from __future__ import annotations

import contextlib
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.image_made import Made
from ansible_collections.cocker.engine.plugins.module_utils.model import distribution
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.image import Provenance
from ansible_collections.cocker.engine.plugins.module_utils.model.image_wishes import COCKERIMAGE, OCI, ROOTFS
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ImageWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import (
    archive,
    imagefile,
    importlayer,
    importtar,
    layers,
    layertree,
    members,
)

SOURCE = "archive"
AUTO = "auto"

_SUFFIX = ".cockerimage"
_INDEX = "index.json"


def observe(_host: Host, wish: ImageWish, former: t.Optional[Provenance]) -> Provenance:
    """Reads no content where the stamp says that it is the former one. Raises Invalid, Damaged, NotFound, Unsupported."""
    path = _existing(wish)
    stamp = "" if wish.digest is not None else _stamp(path)
    if former is not None and stamp:
        if (former.source, former.path, former.stamp, former.selection) == (SOURCE, path, stamp, wish.selection):
            return former
    with _named(wish):
        digest = _digest(path)
        if wish.digest is not None and digest != "sha256:" + wish.digest:
            raise Damaged("receive archive", path, "its digest is %s, the controller's is sha256:%s" % (digest, wish.digest))
        known = former is not None and (former.digest, former.selection) == (digest, wish.selection)
        content = former.content if former is not None and known else _content(wish, path)
    # One that was sent from the controller lies in a temporary file, of which nothing is kept.
    return Provenance(SOURCE, digest, "" if wish.digest is not None else path, stamp, wish.selection, content)


def fill(host: Host, batch: layers.Batch, wish: ImageWish, created: str) -> Made:
    """What is damaged is the file that the task names."""
    path = wish.path or ""
    limits = archive.Limits() if wish.unpacked_limit is None else archive.Limits(bytes=wish.unpacked_limit)
    with _named(wish):
        form = _form(wish, path)
        if form in _TREES:
            layer = importtar.import_archive(batch.stage(), path, created=created, limits=limits, tree=_TREES[form])
            return Made((layer,), digest=layer.digest)
        with layers.aside(host.layout.layers) as spool, members.opened(path, spool=spool) as found:
            image = imagefile.find(found, form, _choice(wish))
            made = _layers(batch, found, image, created, limits)
    document = image.document
    return Made(
        made, document.config, content=image.digest, created=document.created, platform=document.platform, author=document.author,
        history=document.history)


def _layers(
    batch: layers.Batch, found: members.Members, image: imagefile.Found, created: str, limits: archive.Limits,
) -> t.Tuple[layers.Layer, ...]:
    """Those of the store are not unpacked again."""
    made = []
    for source in image.layers:
        layer = batch.reuse(source.expected.diff_id)
        if layer is None:
            layer = importlayer.import_layer(
                batch.stage(), found.pieces(source.name), created=created, source=SOURCE, expected=source.expected, limits=limits)
        limits = archive.Limits(limits.entries, limits.bytes - layer.size)
        made.append(layer)
    return tuple(made)


def _content(wish: ImageWish, path: str) -> str:
    """What is in the archive, whatever the archive's own bytes are; empty for a plain tree."""
    form = _form(wish, path)
    if form in _TREES:
        return ""
    with members.opened(path) as found:
        return imagefile.find(found, form, _choice(wish)).digest


def _form(wish: ImageWish, path: str) -> str:
    """By content where it is not said: the first name in an archive of images is none that a root file system has."""
    if wish.format != AUTO:
        return wish.format
    if path.endswith(_SUFFIX):
        return COCKERIMAGE
    if not os.path.isdir(path) and not imagefile.looks_like_images(members.first_name(path)):
        return ROOTFS
    with members.opened(path) as found:
        return imagefile.format_of(found) or ROOTFS


def _choice(wish: ImageWish) -> imagefile.Choice:
    wanted = distribution.parse_platform(wish.platform) if wish.platform else distribution.platform_of(os.uname().machine)
    return imagefile.Choice(wanted, wish.archive_image)


@contextlib.contextmanager
def _named(wish: ImageWish) -> t.Iterator[None]:
    try:
        yield
    except Damaged as error:
        raise Damaged("option", "path", "%s: %s" % (wish.path, error)) from error


def _digest(path: str) -> str:
    """A layout in a directory is its index: all else in it is named there by digest."""
    return importtar.digest(os.path.join(path, _INDEX) if os.path.isdir(path) else path)


def _stamp(path: str) -> str:
    facts = os.stat(os.path.join(path, _INDEX) if os.path.isdir(path) else path)
    return "%d %d %d" % (facts.st_size, facts.st_mtime_ns, facts.st_ino)


def _existing(wish: ImageWish) -> str:
    path = wish.path or ""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise Invalid("path", "%s: %s" % (path, error.strerror)) from error
    if stat.S_ISDIR(mode) and wish.format in (AUTO, OCI) and os.path.isfile(os.path.join(path, _INDEX)):
        return path
    if not stat.S_ISREG(mode):
        raise Invalid("path", "%s is not a file" % path)
    return path


_TREES: t.Dict[str, t.Type[layertree.DeviceTree]] = {ROOTFS: layertree.DeviceTree, COCKERIMAGE: layertree.CockerTree}
