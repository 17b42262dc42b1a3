# SPDX-License-Identifier: BSD-2-Clause
"""An image from an ssh repository: whether it has another one than the store, and fetching the layers that the store lacks.

Not here: how a repository is spoken to (registry/repository.py), and how a layer is unpacked (storage/importlayer.py).
"""
from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import repositories
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.image_made import Made
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model import oci_image, versions
from ansible_collections.cocker.engine.plugins.module_utils.model.distribution import Manifest
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, Invalid, NotFound, Unreachable, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.model.image import Provenance
from ansible_collections.cocker.engine.plugins.module_utils.model.names import ImageRef
from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import MISSING, NEVER, NEWER
from ansible_collections.cocker.engine.plugins.module_utils.model.repository import Single, Stored
from ansible_collections.cocker.engine.plugins.module_utils.model.repository_wishes import Fetch
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ImageWish
from ansible_collections.cocker.engine.plugins.module_utils.registry.repository import Repository
from ansible_collections.cocker.engine.plugins.module_utils.storage import archive, importlayer, importtar, layers, layertree
from ansible_collections.cocker.engine.plugins.module_utils.storage.layers import Batch, Layer

SOURCE = "repository"


def observe(host: Host, wish: ImageWish, former: t.Optional[Provenance]) -> Provenance:
    """Reads only. Raises NotFound, Denied, Unreachable, Damaged, Unsupported, Invalid."""
    fetch = _fetch(wish)
    if fetch.policy == NEVER and former is None:
        raise NotFound("image", str(fetch.ref), "it is not in the store, and pull is never")
    if former is not None and (fetch.policy == NEVER or fetch.policy == MISSING and not wish.force):
        return former
    try:
        with repositories.opened(host, fetch.reach) as repository:
            stored = _find(repository, fetch)
            return Provenance(SOURCE, stored.mark, "%s %s" % (repository.called, stored.ref), content=stored.content)
    except Unreachable:
        if fetch.policy == NEWER and former is not None and not wish.force:
            return former
        raise


def _fetch(wish: ImageWish) -> Fetch:
    if wish.fetch is None:
        raise Invalid("repository", "it is needed to fetch an image")
    return wish.fetch


def _find(repository: Repository, fetch: Fetch) -> Stored:
    ref = fetch.ref
    if fetch.is_open and ref.version is None:
        largest = versions.largest(repository.versions(ref.name))
        ref = ref._replace(version=largest)
    stored = repository.find(ref)
    if stored is None:
        there = repository.versions(ref.name)
        hint = "versions there: %s" % ", ".join(reversed(there[-10:])) if there else ""
        raise NotFound("image", "%s in %s" % (fetch.ref, repository.called), "the repository does not have it", hint=hint)
    if stored.damage:
        raise Damaged("fetch", str(ref), stored.damage)
    return stored


def fill(host: Host, batch: Batch, wish: ImageWish, created: str) -> Made:
    """Layers that the store has are not fetched. Raises as observe() does, and as unpacking does."""
    fetch = _fetch(wish)
    limits = archive.Limits() if wish.unpacked_limit is None else archive.Limits(bytes=wish.unpacked_limit)
    with repositories.opened(host, fetch.reach) as repository:
        stored = _find(repository, fetch)
        with _named(repository, stored.ref):
            if stored.manifest is None:
                return _fill_single(host, batch, repository, stored, created, limits)
            return _fill_layers(batch, repository, stored, stored.manifest, created, limits)


def _fill_layers(
    batch: Batch, repository: Repository, stored: Stored, manifest: Manifest, created: str, limits: archive.Limits,
) -> Made:
    subject = str(stored.ref)
    raw = repository.document(manifest.config, subject)
    document = oci_image.parse(raw, subject)
    if len(document.diff_ids) != len(manifest.layers):
        raise Damaged("read", subject, "its config tells of %d layers, its manifest of %d" % (len(document.diff_ids), len(manifest.layers)))
    if not manifest.layers:
        raise Unsupported("read", subject, "it has no layers")
    made: t.List[Layer] = []
    fetched = []
    for blob, diff_id in zip(manifest.layers, document.diff_ids):
        layer = batch.reuse(diff_id)
        if layer is None:
            expected = importlayer.Expected(diff_id, blob.digest, blob.size)
            layer = importlayer.import_layer(
                batch.stage(), repository.pieces(blob), created=created, source=SOURCE, expected=expected, limits=limits)
            fetched.append(blob.size)
        limits = archive.Limits(limits.entries, limits.bytes - layer.size)
        made.append(layer)
    return Made(
        tuple(made), document.config, digest=stored.digest, content=stored.content, created=document.created, platform=document.platform,
        author=document.author, history=document.history,
        told={"layers_fetched": len(fetched), "bytes_fetched": len(raw) + sum(fetched)},
    )


def _fill_single(
    host: Host, batch: Batch, repository: Repository, stored: Stored, created: str, limits: archive.Limits,
) -> Made:
    single = t.cast(Single, stored.single)
    with layers.aside(host.layout.layers) as folder:
        path = os.path.join(folder, "image")
        with open(path, "xb", buffering=0) as file:
            for piece in repository.single_pieces(single):
                fs.write_all(file.fileno(), piece)
        layer = importtar.import_archive(batch.stage(), path, created=created, limits=limits, tree=layertree.CockerTree)
    return Made((layer,), digest=single.mark, told={"layers_fetched": 1, "bytes_fetched": single.size})


@contextlib.contextmanager
def _named(repository: Repository, ref: ImageRef) -> t.Iterator[None]:
    """What is damaged is the image that the task names."""
    try:
        yield
    except Damaged as error:
        hint = "remove the image from the repository, and push it again"
        raise Damaged("fetch", "%s from %s" % (ref, repository.called), str(error), hint=error.hint or hint) from error
