# SPDX-License-Identifier: BSD-2-Clause
"""An image of the store as others hold it: manifest, config and layers, each a blob that is named by its digest.

Not here: where they go, and which of them have to travel (image_blobs.py, image_upload.py).
"""
from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import workers
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model import distribution as d, oci_image
from ansible_collections.cocker.engine.plugins.module_utils.model.distribution import Descriptor, Manifest
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageRecord, Platform
from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import DOCKER, OCI
from ansible_collections.cocker.engine.plugins.module_utils.storage import compress, layerblob, layers
from ansible_collections.cocker.engine.plugins.module_utils.storage.decompress import GZIP, PLAIN, ZSTD
from ansible_collections.cocker.engine.plugins.module_utils.storage.layers import Blob, Layer

AT_ONCE = 3


class Format(t.NamedTuple):
    manifest: str
    config: str
    layers: t.Mapping[str, str]


_FORMATS = {
    OCI: Format(d.OCI_MANIFEST, d.OCI_CONFIG, {PLAIN: d.LAYERS[0], GZIP: d.OCI_LAYER_GZIP, ZSTD: d.LAYERS[2]}),
    DOCKER: Format(d.DOCKER_MANIFEST, d.DOCKER_CONFIG, {PLAIN: d.LAYERS[3], GZIP: d.DOCKER_LAYER_GZIP}),
}


@dataclasses.dataclass(frozen=True)
class Part:
    """One layer. `origin` is the repository of the same registry that has the blob; `spool` a file that holds it already."""

    layer: Layer
    blob: Descriptor
    diff_id: str
    origin: str = ""
    spool: t.Optional[int] = None


class Parts:
    """describe() first. What is spooled has no name on the disk, and is gone when `stack` is closed, or with the process."""

    def __init__(self, host: Host, record: ImageRecord, form: str, stack: contextlib.ExitStack) -> None:
        self.host = host
        self.record = record
        self.format = _FORMATS[form]
        self.layers: t.List[Part] = []
        self.raw_config = b""
        self.raw_manifest = b""
        self._stack = stack

    def original(self, _layer: Layer) -> t.Optional[Part]:
        """As it once came, where that will do."""
        return None

    def describe(self) -> None:
        """Reads layers whose digest nobody knows yet."""
        found = [layers.get(self.host.layout, layer_id) for layer_id in self.record.layers]
        parts = [self.original(layer) or self._known(layer) for layer in found]
        unknown = [layer for layer, part in zip(found, parts) if part is None]
        written = iter(self._written(unknown))
        self.layers = [part or next(written) for part in parts]
        record = self.record
        platform = record.platform if record.platform.architecture else d.platform_of(os.uname().machine)
        diff_ids = tuple(part.diff_id for part in self.layers)
        document = oci_image.Document(diff_ids, record.config, Platform(*platform), record.created, record.author, record.history)
        self.raw_config = document.to_bytes()
        manifest = Manifest(self.format.manifest, self.config, tuple(part.blob for part in self.layers))
        self.raw_manifest = oci_image.canonical(manifest.to_json())

    @property
    def config(self) -> Descriptor:
        return Descriptor(self.format.config, oci_image.digest_of(self.raw_config), len(self.raw_config))

    @property
    def manifest(self) -> Descriptor:
        return Descriptor(self.format.manifest, oci_image.digest_of(self.raw_manifest), len(self.raw_manifest))

    @property
    def digest(self) -> t.Optional[str]:
        """Of the manifest; None before it is described."""
        return self.manifest.digest if self.raw_manifest else None

    def distinct(self) -> t.List[Part]:
        """Each blob once."""
        return list({part.blob.digest: part for part in self.layers}.values())

    def _known(self, layer: Layer) -> t.Optional[Part]:
        written = layerblob.find(layer, kind=GZIP)
        return self._part(layer, written.diff_id, written.blob) if written else None

    def _part(self, layer: Layer, diff_id: str, blob: Blob, spool: t.Optional[int] = None) -> Part:
        return Part(layer, Descriptor(self.format.layers[GZIP], blob.digest, blob.size), diff_id, spool=spool)

    def _written(self, unknown: t.Sequence[Layer]) -> t.List[Part]:
        """Compressed side by side, once: what is pushed afterwards lies in the spool then."""
        spools = [None if self.host.dry_run else self.spool() for _layer in unknown]
        found = workers.run([self._write(layer, spool) for layer, spool in zip(unknown, spools)], most=AT_ONCE)
        return [self._part(layer, diff_id, Blob(digest, size), spool)
                for layer, spool, (diff_id, (digest, size)) in zip(unknown, spools, found)]

    def spool(self) -> int:
        return self._stack.enter_context(tempfile.TemporaryFile(dir=self.host.layout.home)).fileno()

    def _write(self, layer: Layer, spool: t.Optional[int]) -> workers.Work:
        def work() -> t.Any:
            written = layerblob.write(self.host.layout, layer, _into(spool), kind=GZIP, remember=not self.host.dry_run)
            return [written.diff_id, dataclasses.astuple(written.blob)]

        return work

    def fill(self, part: Part, spool: int) -> None:
        """The digest was known, the other side lacks the blob: only now it is written."""
        written = layerblob.write(self.host.layout, part.layer, _into(spool), kind=GZIP)
        if written.blob.digest != part.blob.digest:
            raise Damaged("push", "layer %s" % part.layer.id, "it is not what it was when its digest was computed")


def _into(spool: t.Optional[int]) -> compress.Write:
    if spool is None:
        return len
    fd = spool
    return lambda data: fs.write_all(fd, data)
