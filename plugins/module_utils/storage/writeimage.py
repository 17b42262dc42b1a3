# SPDX-License-Identifier: BSD-2-Clause
"""Images as one archive: docker-archive, OCI layout, .cockerimage, root file system. The same images, the same bytes.

Not here: the tar of a layer (layertar.py), where the archive is written to (the engine says), reading such archives (imagefile.py).
"""
from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model import distribution, image_wishes, oci_image
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageRecord
from ansible_collections.cocker.engine.plugins.module_utils.storage import (
    archive,
    compress,
    imagefile,
    importlayer,
    layerblob,
    layers,
    layertar,
    snapshots,
    tarheader,
)
from ansible_collections.cocker.engine.plugins.module_utils.storage.decompress import GZIP, PLAIN, ZSTD
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

_FORM = 1                       # of what is written here: another number where the same image gives other bytes
_MODE = 0o644
_MEDIA = {
    PLAIN: "application/vnd.oci.image.layer.v1.tar", GZIP: distribution.OCI_LAYER_GZIP, ZSTD: "application/vnd.oci.image.layer.v1.tar+zstd",
}


@dataclasses.dataclass(frozen=True)
class Wanted:
    """`compression` of the layers in an OCI layout, else of the whole file."""

    images: t.Tuple[ImageRecord, ...]
    format: str
    compression: str

    def key(self) -> str:
        """The same for what gives the same bytes on this host."""
        said = [[record.layers, record.to_json()["config"], record.created, record.author, record.platform, str(record.ref),
                 [step.to_json() for step in record.history]] for record in self.images]
        how = [_FORM, layers.PLAIN_FORM, self.format, compress.form(self.compression), os.uname().machine]
        text = json.dumps([how, said], sort_keys=True)
        return hashlib.sha256(text.encode("ascii")).hexdigest()


def write(layout: Layout, wanted: Wanted, out: compress.Write, *, spool: str = "") -> layers.Blob:
    """`out` gets the archive in pieces, each valid during the call only. In `spool`, a directory, what must be known before it is written
    is kept meanwhile; without it, it is made twice. Raises Damaged, Unsupported, CockerError.
    """
    counted = layerblob.Counted(out)
    whole = wanted.compression if wanted.format != image_wishes.OCI else PLAIN
    with compress.into(whole, counted.write) as inner:
        _FORMATS[wanted.format](layout, wanted, inner, spool)
    return counted.blob()


def _tree(layout: Layout, wanted: Wanted, out: compress.Write, _spool: str) -> None:
    (record,) = wanted.images
    hidden = layertar.NOTHING if wanted.format == image_wishes.ROOTFS else layertar.DEVICES
    layertar.write_stack(snapshots.lower_dirs(layout, [record.layers]), out, hidden=hidden)


class _Tar:
    """The outer archive: members without owner and time, each content once."""

    def __init__(self, layout: Layout, out: compress.Write, spool: str) -> None:
        self._layout = layout
        self._out = out
        self._spool = spool
        self._there: t.Set[str] = set()

    def document(self, name: str, content: bytes) -> None:
        if name not in self._there:
            self._head(name, len(content))
            self._out(content + bytes(-len(content) % tarheader.BLOCK))

    def layer(self, layer: layers.Layer, kind: str, name: t.Callable[[layerblob.Written], str]) -> layerblob.Written:
        """`name` is asked with the digests, which come first in the archive and are known last."""
        known = layerblob.find(layer, kind=kind)
        if known is None and self._spool:
            return self._spooled(layer, kind, name)
        known = known or layerblob.describe(self._layout, layer, kind=kind)
        if name(known) not in self._there:
            self._head(name(known), known.blob.size)
            layerblob.check(layerblob.write(self._layout, layer, self._out, kind=kind), known, layer)
            self._out(bytes(-known.blob.size % tarheader.BLOCK))
        return known

    def _spooled(self, layer: layers.Layer, kind: str, name: t.Callable[[layerblob.Written], str]) -> layerblob.Written:
        path = os.path.join(self._spool, "layer")
        with open(path, "w+b", buffering=0) as stream:
            os.unlink(path)
            written = layerblob.write(self._layout, layer, lambda data: fs.write_all(stream.fileno(), data), kind=kind)
            if name(written) not in self._there:
                self._head(name(written), written.blob.size)
                for piece in importlayer.file_pieces(stream.fileno()):
                    self._out(piece)
                self._out(bytes(-written.blob.size % tarheader.BLOCK))
        return written

    def _head(self, name: str, size: int) -> None:
        self._there.add(name)
        self._out(tarheader.build(name.encode("ascii"), kind=archive.FILE, mode=_MODE, size=size))

    def end(self) -> None:
        self._out(bytes(2 * tarheader.BLOCK))


def document_of(record: ImageRecord, diff_ids: t.Sequence[str]) -> bytes:
    """The OCI image config of an image of the store, whose layers are written with these digests."""
    platform = record.platform if record.platform.architecture else distribution.platform_of(os.uname().machine)
    return oci_image.Document(
        tuple(diff_ids), record.config, platform, record.created, record.author, record.history).to_bytes()


def _docker(layout: Layout, wanted: Wanted, out: compress.Write, spool: str) -> None:
    tar = _Tar(layout, out, spool)
    entries = []
    for record in wanted.images:
        written = [tar.layer(layers.get(layout, layer), PLAIN, _docker_name) for layer in record.layers]
        raw = document_of(record, [each.diff_id for each in written])
        config = hashlib.sha256(raw).hexdigest() + ".json"
        tar.document(config, raw)
        entries.append({"Config": config, "RepoTags": [_tag(record)], "Layers": [_docker_name(each) for each in written]})
    tar.document("manifest.json", oci_image.canonical(entries))
    tar.end()


def _docker_name(written: layerblob.Written) -> str:
    return written.diff_id.partition(":")[2] + ".tar"


def _tag(record: ImageRecord) -> str:
    return "%s:%s" % (record.name, record.ref.version or distribution.DEFAULT_TAG)


def _oci(layout: Layout, wanted: Wanted, out: compress.Write, spool: str) -> None:
    tar = _Tar(layout, out, spool)
    tar.document("oci-layout", oci_image.canonical({"imageLayoutVersion": "1.0.0"}))
    entries = []
    for record in wanted.images:
        written = [tar.layer(layers.get(layout, layer), wanted.compression, _oci_name) for layer in record.layers]
        config = _document_blob(tar, document_of(record, [each.diff_id for each in written]), distribution.OCI_CONFIG)
        descriptors = tuple(distribution.Descriptor(_MEDIA[wanted.compression], each.blob.digest, each.blob.size) for each in written)
        manifest = distribution.Manifest(distribution.OCI_MANIFEST, config, descriptors)
        entry = _document_blob(tar, oci_image.canonical(manifest.to_json()), distribution.OCI_MANIFEST).to_json()
        entries.append({**entry, "annotations": dict.fromkeys(imagefile.NAME_ANNOTATIONS, _tag(record))})
    tar.document("index.json", oci_image.canonical({"schemaVersion": 2, "mediaType": distribution.OCI_INDEX, "manifests": entries}))
    tar.end()


def _oci_name(written: layerblob.Written) -> str:
    return _blob_name(written.blob.digest)


def _document_blob(tar: _Tar, raw: bytes, media_type: str) -> distribution.Descriptor:
    digest = "sha256:" + hashlib.sha256(raw).hexdigest()
    tar.document(_blob_name(digest), raw)
    return distribution.Descriptor(media_type, digest, len(raw))


def _blob_name(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


_FORMATS: t.Dict[str, t.Callable[[Layout, Wanted, compress.Write, str], None]] = {
    image_wishes.ROOTFS: _tree, image_wishes.COCKERIMAGE: _tree, image_wishes.DOCKER: _docker, image_wishes.OCI: _oci,
}
