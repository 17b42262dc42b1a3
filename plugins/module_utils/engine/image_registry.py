# SPDX-License-Identifier: BSD-2-Clause
"""An image from a registry: whether it has another one than the store, and fetching the layers that the store lacks, side by side.

Not here: how a registry is spoken to (registry/), and how a layer is unpacked (storage/importlayer.py).
"""
from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import registries, workers
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.image_made import Made
from ansible_collections.cocker.engine.plugins.module_utils.model import distribution, oci_image, versions
from ansible_collections.cocker.engine.plugins.module_utils.model.distribution import Descriptor, Index, Manifest
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import (
    Damaged,
    Invalid,
    NotFound,
    Unreachable,
    Unsupported,
)
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageRecord, Platform, Provenance
from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import MISSING, NEVER, NEWER, Pull
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ImageWish
from ansible_collections.cocker.engine.plugins.module_utils.registry import blobs
from ansible_collections.cocker.engine.plugins.module_utils.registry.client import Client
from ansible_collections.cocker.engine.plugins.module_utils.storage import archive, importlayer, layers
from ansible_collections.cocker.engine.plugins.module_utils.storage.layers import Batch, Layer, Staging

REGISTRY = "registry"
AT_ONCE = 3
_LARGEST_CONFIG = 4 << 20


def observe(host: Host, wish: ImageWish, former: t.Optional[Provenance]) -> Provenance:
    """`digest` is that of the image's manifest, `stamp` what the tag named and for which platform. Reads only.

    Raises NotFound, Denied, Unreachable, Damaged, Unsupported.
    """
    pull = _pull(wish)
    if pull.policy == NEVER and former is None:
        raise NotFound("image", str(pull.remote), "it is not in the store, and pull is never")
    if former is not None and (pull.policy == NEVER or pull.policy == MISSING and not wish.force):
        return former
    try:
        return _ask(host, pull, former)
    except Unreachable:
        if pull.policy == NEWER and former is not None and not wish.force:
            return former
        raise


def _ask(host: Host, pull: Pull, former: t.Optional[Provenance]) -> Provenance:
    platform = wanted_platform(pull)
    with registries.opened(host, pull.remote, pull.access) as client:
        if former is not None and former.source == REGISTRY:
            top = client.find_digest(pull.remote.reference)
            if top is None:
                raise NotFound("image", str(pull.remote), "the registry does not have it")
            if former.stamp == stamp(top, platform):
                return former
        top, digest, _manifest, _size = _resolve(client, pull)
        return Provenance(REGISTRY, digest, str(pull.remote), stamp(top, platform))


def stamp(top: str, platform: Platform) -> str:
    return "%s %s" % (top, "/".join(part for part in platform if part))


def wanted_platform(pull: Pull) -> Platform:
    return pull.platform or distribution.platform_of(os.uname().machine)


def _resolve(client: Client, pull: Pull) -> t.Tuple[str, str, Manifest, int]:
    """Digest of what the tag names, digest of the image's manifest, that manifest, and how many bytes that took."""
    subject = str(pull.remote)
    top = client.manifest(pull.remote.reference)
    found, digest, size = distribution.parse_manifest(top.raw, top.media_type, subject), top.digest, len(top.raw)
    if isinstance(found, Index):
        chosen = found.choose(wanted_platform(pull), subject)
        inner = client.manifest(chosen.digest)
        if len(inner.raw) != chosen.size:
            raise Damaged("fetch", subject, "the manifest for the platform has %d bytes, %d were announced" % (len(inner.raw), chosen.size))
        found, digest, size = distribution.parse_manifest(inner.raw, inner.media_type, subject), chosen.digest, size + len(inner.raw)
    if not isinstance(found, Manifest):
        raise Damaged("read", subject, "its list of images holds another list")
    return top.digest, digest, found, size


def fill(host: Host, batch: Batch, wish: ImageWish, created: str) -> Made:
    """Layers that the store has are not fetched. Raises as observe() does, and as unpacking does."""
    pull = _pull(wish)
    limits = archive.Limits() if wish.unpacked_limit is None else archive.Limits(bytes=wish.unpacked_limit)
    with registries.opened(host, pull.remote, pull.access) as client:
        _top, digest, manifest, size = _resolve(client, pull)
        document = oci_image.parse(blobs.document(client, manifest.config, _LARGEST_CONFIG), str(pull.remote))
        _check(document, manifest, pull)
        there = [batch.reuse(diff_id) for diff_id in document.diff_ids]
        missing = [_Missing(batch.stage(), blob, diff_id)
                   for blob, diff_id, layer in zip(manifest.layers, document.diff_ids, there) if layer is None]
        made = iter(_fetch_layers(client, missing, created, limits))
        found = tuple(layer or next(made) for layer in there)
    total = size + manifest.config.size + sum(each.blob.size for each in missing)
    return Made(
        found, document.config, digest=digest, created=document.created, platform=document.platform, author=document.author,
        history=document.history, told={"layers_fetched": len(missing), "bytes_fetched": total},
    )


def foreseen(host: Host, wish: ImageWish, origin: Provenance) -> ImageRecord:
    """What `fill` would make of it: the layers that the store lacks have their digests for names. Nothing is kept."""
    pull = _pull(wish)
    with registries.opened(host, pull.remote, pull.access) as client:
        _top, _digest, manifest, _size = _resolve(client, pull)
        document = oci_image.parse(blobs.document(client, manifest.config, _LARGEST_CONFIG), str(pull.remote))
        _check(document, manifest, pull)
    known = layers.by_diff_id(host.layout)
    found = tuple(known[diff_id][0].id if diff_id in known else diff_id for diff_id in document.diff_ids)
    version = wish.version or versions.NONE
    return ImageRecord(wish.name, version, found, document.config, document.created, origin, platform=document.platform)


def _pull(wish: ImageWish) -> Pull:
    if wish.pull is None:
        raise Invalid("reference", "it is needed to fetch an image from a registry")
    return wish.pull


def _check(document: oci_image.Document, manifest: Manifest, pull: Pull) -> None:
    subject = str(pull.remote)
    if len(document.diff_ids) != len(manifest.layers):
        raise Damaged("read", subject, "its config tells of %d layers, its manifest of %d" % (len(document.diff_ids), len(manifest.layers)))
    if not manifest.layers:
        raise Unsupported("read", subject, "it has no layers")
    wanted = pull.platform
    if wanted and document.platform.architecture and document.platform[:2] != wanted[:2]:
        raise NotFound("image", subject, "it is for %s, not for %s" % ("/".join(document.platform[:2]), "/".join(wanted[:2])))


class _Missing(t.NamedTuple):
    staging: Staging
    blob: Descriptor
    diff_id: str


def _fetch_layers(client: Client, missing: t.Sequence[_Missing], created: str, limits: archive.Limits) -> t.List[Layer]:
    """Fetched and unpacked by several processes, named by this one when all are whole."""
    found = workers.run([_work(client, each, limits) for each in missing], most=AT_ONCE)
    if sum(size for size, _entries, _diff_id, _blob in found) > limits.bytes:
        raise Damaged("import", str(client.remote), "its layers have more than the %d bytes of unpacked_limit" % limits.bytes)
    made = []
    for each, (size, entries, diff_id, (digest, length)) in zip(missing, found):
        blob = layers.Blob(digest, length)
        made.append(each.staging.commit(created=created, source=REGISTRY, size=size, entries=entries, diff_id=diff_id, blob=blob))
    return made


def _work(client: Client, missing: _Missing, limits: archive.Limits) -> workers.Work:
    expected = importlayer.Expected(diff_id=missing.diff_id, size=missing.blob.size)        # the blob's digest is the registry's business

    def work() -> t.Any:
        client.transport.close()        # the connections are this process's parent's
        contents = importlayer.unpack_layer(missing.staging, blobs.pieces(client, missing.blob), expected=expected, limits=limits)
        return [contents.size, contents.entries, contents.diff_id, dataclasses.astuple(contents.blob)]

    return work
