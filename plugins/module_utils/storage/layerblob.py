# SPDX-License-Identifier: BSD-2-Clause
"""A layer of the store as the blob that archives and registries carry, and its digests, which are computed once and remembered.

Not here: the tar (layertar.py), compression (compress.py).
"""
from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged
from ansible_collections.cocker.engine.plugins.module_utils.storage import compress, layers, layertar
from ansible_collections.cocker.engine.plugins.module_utils.storage.decompress import PLAIN
from ansible_collections.cocker.engine.plugins.module_utils.storage.layers import Blob, Layer
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout


class Written(t.NamedTuple):
    """`diff_id` is the digest of the tar, `blob` what was written: the same where it is not compressed."""

    diff_id: str
    blob: Blob


def write(layout: Layout, layer: Layer, out: compress.Write, *, kind: str, remember: bool = True) -> Written:
    """Calls `out` with the blob in pieces, each valid during the call only; `kind` is one of compress.KINDS.

    The same layer gives the same bytes. Remembers the digests in the layer's record, unless nothing may change.
    Raises Damaged, Unsupported, CockerError.
    """
    blob = Counted(out)
    with compress.into(kind, blob.write) as compressed:
        tar = Counted(compressed) if kind != PLAIN else blob
        layertar.write(layout.diff(layer.id), tar.write)
    if remember:
        layers.remember(layout, layer.id, {_form(PLAIN): tar.blob(), _form(kind): blob.blob()})
    return Written(tar.blob().digest, blob.blob())


def find(layer: Layer, *, kind: str) -> t.Optional[Written]:
    """What write() would give, if it is known without doing so."""
    tar, blob = layer.written.get(_form(PLAIN)), layer.written.get(_form(kind))
    return Written(tar.digest, blob) if tar and blob else None


def describe(layout: Layout, layer: Layer, *, kind: str) -> Written:
    """The same, computed where it is not known: reads the whole layer then."""
    return find(layer, kind=kind) or write(layout, layer, len, kind=kind)


def check(written: Written, known: Written, layer: Layer) -> None:
    """Raises Damaged where the layer is not what it was when its digests were computed."""
    if written != known:
        raise Damaged("write", "layer %s" % layer.id, "it is not what it was when its digest %s was computed" % known.blob.digest)


def _form(kind: str) -> str:
    return layers.PLAIN_FORM if kind == PLAIN else "%s:%s" % (layers.PLAIN_FORM, compress.form(kind))


class Counted:
    """Passes on, and knows afterwards what it was."""

    def __init__(self, out: compress.Write) -> None:
        self._out = out
        self._found = hashlib.sha256()
        self._size = 0

    def write(self, data: compress.Data) -> None:
        self._found.update(data)
        self._size += len(data)
        self._out(data)

    def blob(self) -> Blob:
        return Blob("sha256:" + self._found.hexdigest(), self._size)
