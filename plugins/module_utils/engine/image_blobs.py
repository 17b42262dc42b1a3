# SPDX-License-Identifier: BSD-2-Clause
"""An image as a registry holds it: manifest, config and layers, and which of them have to travel.

A layer that came from a registry is named by the blob it came as, where the target has that blob or can take it over from another of its
repositories; any other by the archive that we write of it, always the same one. Not here: what is asked for (image_push.py).
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
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Damaged, Denied
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageRecord, Platform
from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import DOCKER, OCI
from ansible_collections.cocker.engine.plugins.module_utils.registry import blobs
from ansible_collections.cocker.engine.plugins.module_utils.registry.client import Client, digest_of
from ansible_collections.cocker.engine.plugins.module_utils.storage import compress, decompress, importlayer, layerblob, layers
from ansible_collections.cocker.engine.plugins.module_utils.storage.decompress import GZIP, PLAIN, ZSTD
from ansible_collections.cocker.engine.plugins.module_utils.storage.layers import Blob, Layer

AT_ONCE = 3
_MAGIC = 8
_WAS_THERE, _MOUNTED, _UPLOADED = "was there", "mounted", "uploaded"


class _Format(t.NamedTuple):
    manifest: str
    config: str
    layers: t.Mapping[str, str]


_FORMATS = {
    OCI: _Format(d.OCI_MANIFEST, d.OCI_CONFIG, {PLAIN: d.LAYERS[0], GZIP: d.OCI_LAYER_GZIP, ZSTD: d.LAYERS[2]}),
    DOCKER: _Format(d.DOCKER_MANIFEST, d.DOCKER_CONFIG, {PLAIN: d.LAYERS[3], GZIP: d.DOCKER_LAYER_GZIP}),
}


@dataclasses.dataclass(frozen=True)
class _Part:
    """One layer. `origin` is the repository of the same registry that has the blob; `spool` a file that holds it already."""

    layer: Layer
    blob: Descriptor
    diff_id: str
    origin: str = ""
    spool: t.Optional[int] = None


class Pushed:
    """describe(), then push(). What is spooled has no name on the disk, and is gone when `stack` is closed, or with the process."""

    def __init__(self, host: Host, client: Client, record: ImageRecord, form: str, stack: contextlib.ExitStack) -> None:
        self._host = host
        self._client = client
        self._record = record
        self._format = _FORMATS[form]
        self._stack = stack
        self._parts: t.List[_Part] = []
        self._config = b""
        self._manifest = b""
        self.digest: t.Optional[str] = None

    def describe(self) -> None:
        """Only asks the registry, and reads layers whose digest nobody knows yet."""
        found = [layers.get(self._host.layout, layer_id) for layer_id in self._record.layers]
        parts = [self._original(layer) or self._known(layer) for layer in found]
        unknown = [layer for layer, part in zip(found, parts) if part is None]
        written = iter(self._written(unknown))
        self._parts = [part or next(written) for part in parts]
        record = self._record
        platform = record.platform if record.platform.architecture else d.platform_of(os.uname().machine)
        diff_ids = tuple(part.diff_id for part in self._parts)
        document = oci_image.Document(diff_ids, record.config, Platform(*platform), record.created, record.author, record.history)
        self._config = document.to_bytes()
        config = Descriptor(self._format.config, digest_of(self._config), len(self._config))
        manifest = Manifest(self._format.manifest, config, tuple(part.blob for part in self._parts))
        self._manifest = oci_image.canonical(manifest.to_json())
        self.digest = digest_of(self._manifest)

    def _original(self, layer: Layer) -> t.Optional[_Part]:
        """As it came, if the registry has that, here or in the repository that the image came from."""
        if layer.blob is None or not layer.diff_id or not d.is_digest(layer.blob.digest):
            return None
        here, there = self._client, self._origin()
        if blobs.is_there(here, layer.blob.digest):
            holder = here
        elif there is not None and _holds(there, layer.blob.digest):
            holder = there
        else:
            return None
        kind = decompress.kind_of(blobs.first_bytes(holder, layer.blob.digest, _MAGIC))
        if kind not in self._format.layers or kind == PLAIN and layer.blob.digest != layer.diff_id:
            return None
        blob = Descriptor(self._format.layers[kind], layer.blob.digest, layer.blob.size)
        return _Part(layer, blob, layer.diff_id, "" if holder is here else holder.remote.repository)

    def _origin(self) -> t.Optional[Client]:
        origin = self._record.provenance
        if not origin.registry_digest:
            return None
        remote = d.parse_remote(origin.path, "reference")
        ours = self._client.remote
        return self._client.beside(remote.repository) if remote.host == ours.host and remote.repository != ours.repository else None

    def _known(self, layer: Layer) -> t.Optional[_Part]:
        written = layerblob.find(layer, kind=GZIP)
        return self._part(layer, written.diff_id, written.blob) if written else None

    def _part(self, layer: Layer, diff_id: str, blob: Blob, spool: t.Optional[int] = None) -> _Part:
        return _Part(layer, Descriptor(self._format.layers[GZIP], blob.digest, blob.size), diff_id, spool=spool)

    def _written(self, unknown: t.Sequence[Layer]) -> t.List[_Part]:
        """Compressed side by side, once: what is pushed afterwards lies in the spool then."""
        spools = [None if self._host.dry_run else self._spool() for _layer in unknown]
        found = workers.run([self._write(layer, spool) for layer, spool in zip(unknown, spools)], most=AT_ONCE)
        return [self._part(layer, diff_id, Blob(digest, size), spool)
                for layer, spool, (diff_id, (digest, size)) in zip(unknown, spools, found)]

    def _spool(self) -> int:
        return self._stack.enter_context(tempfile.TemporaryFile(dir=self._host.layout.home)).fileno()

    def _write(self, layer: Layer, spool: t.Optional[int]) -> workers.Work:
        def work() -> t.Any:
            written = layerblob.write(self._host.layout, layer, _into(spool), kind=GZIP, remember=not self._host.dry_run)
            return [written.diff_id, dataclasses.astuple(written.blob)]

        return work

    def push(self, tag: str) -> t.Dict[str, t.Any]:
        """Layers first, then what names them. Returns what is told of it."""
        parts = list({part.blob.digest: part for part in self._parts}.values())
        spools = [self._spool() if part.spool is None and not part.origin else part.spool for part in parts]
        done = workers.run([self._send(part, spool) for part, spool in zip(parts, spools)], most=AT_ONCE)
        config = Descriptor(self._format.config, digest_of(self._config), len(self._config))
        size = len(self._manifest) + sum(part.blob.size for part, how in zip(parts, done) if how == _UPLOADED)
        if not blobs.is_there(self._client, config.digest):
            blobs.upload(self._client, config, lambda: [self._config])
            size += config.size
        self._client.put_manifest(tag, self._manifest, self._format.manifest)
        return {"layers_uploaded": done.count(_UPLOADED), "layers_mounted": done.count(_MOUNTED), "bytes_uploaded": size}

    def _send(self, part: _Part, spool: t.Optional[int]) -> workers.Work:
        client, blob = self._client, part.blob

        def work() -> str:
            client.transport.close()        # the connections are this process's parent's
            if blobs.is_there(client, blob.digest):
                return _WAS_THERE
            if part.origin:
                if blobs.mount(client, blob.digest, part.origin):
                    return _MOUNTED
                blobs.upload(client, blob, lambda: blobs.pieces(client.beside(part.origin), blob))
                return _UPLOADED
            if spool is None:
                raise CockerError("push", blob.digest, "there is no file for it")
            if part.spool is None:
                self._fill(part, spool)
            blobs.upload(client, blob, lambda: importlayer.file_pieces(spool, size=blob.size))
            return _UPLOADED

        return work

    def _fill(self, part: _Part, spool: int) -> None:
        """The digest was known, the registry lacks the blob: only now it is written."""
        written = layerblob.write(self._host.layout, part.layer, _into(spool), kind=GZIP)
        if written.blob.digest != part.blob.digest:
            raise Damaged("push", "layer %s" % part.layer.id, "it is not what it was when its digest was computed")


def _into(spool: t.Optional[int]) -> compress.Write:
    if spool is None:
        return len
    fd = spool
    return lambda data: fs.write_all(fd, data)


def _holds(client: Client, digest: str) -> bool:
    """A repository that we may not look into is as good as none."""
    try:
        return blobs.is_there(client, digest, to_push=False)
    except Denied:
        return False
