# SPDX-License-Identifier: BSD-2-Clause
"""An image as a registry holds it, and which of its parts have to travel.

A layer that came from a registry is named by the blob it came as, where the target has that blob or can take it over from another of its
repositories; any other by the archive that we write of it, always the same one. Not here: what is asked for (image_push.py).
"""
from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import workers
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.image_parts import AT_ONCE, Part, Parts
from ansible_collections.cocker.engine.plugins.module_utils.model import distribution as d
from ansible_collections.cocker.engine.plugins.module_utils.model.distribution import Descriptor
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Denied
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageRecord
from ansible_collections.cocker.engine.plugins.module_utils.registry import blobs
from ansible_collections.cocker.engine.plugins.module_utils.registry.client import Client
from ansible_collections.cocker.engine.plugins.module_utils.storage import decompress, importlayer
from ansible_collections.cocker.engine.plugins.module_utils.storage.decompress import PLAIN
from ansible_collections.cocker.engine.plugins.module_utils.storage.layers import Layer

_MAGIC = 8
_WAS_THERE, _MOUNTED, _UPLOADED = "was there", "mounted", "uploaded"


class Pushed(Parts):
    """describe(), which only asks the registry, then push()."""

    def __init__(self, host: Host, client: Client, record: ImageRecord, form: str, stack: contextlib.ExitStack) -> None:
        super().__init__(host, record, form, stack)
        self._client = client

    def original(self, layer: Layer) -> t.Optional[Part]:
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
        if kind not in self.format.layers or kind == PLAIN and layer.blob.digest != layer.diff_id:
            return None
        blob = Descriptor(self.format.layers[kind], layer.blob.digest, layer.blob.size)
        return Part(layer, blob, layer.diff_id, "" if holder is here else holder.remote.repository)

    def _origin(self) -> t.Optional[Client]:
        origin = self.record.provenance
        if not origin.registry_digest:
            return None
        remote = d.parse_remote(origin.path, "reference")
        ours = self._client.remote
        return self._client.beside(remote.repository) if remote.host == ours.host and remote.repository != ours.repository else None

    def push(self, tag: str) -> t.Dict[str, t.Any]:
        """Layers first, then what names them. Returns what is told of it."""
        parts = self.distinct()
        spools = [self.spool() if part.spool is None and not part.origin else part.spool for part in parts]
        done = workers.run([self._send(part, spool) for part, spool in zip(parts, spools)], most=AT_ONCE)
        size = len(self.raw_manifest) + sum(part.blob.size for part, how in zip(parts, done) if how == _UPLOADED)
        config = self.config
        if not blobs.is_there(self._client, config.digest):
            blobs.upload(self._client, config, lambda: [self.raw_config])
            size += config.size
        self._client.put_manifest(tag, self.raw_manifest, self.format.manifest)
        return {"layers_uploaded": done.count(_UPLOADED), "layers_mounted": done.count(_MOUNTED), "bytes_uploaded": size}

    def _send(self, part: Part, spool: t.Optional[int]) -> workers.Work:
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
                self.fill(part, spool)
            blobs.upload(client, blob, lambda: importlayer.file_pieces(spool, size=blob.size))
            return _UPLOADED

        return work


def _holds(client: Client, digest: str) -> bool:
    """A repository that we may not look into is as good as none."""
    try:
        return blobs.is_there(client, digest, to_push=False)
    except Denied:
        return False
