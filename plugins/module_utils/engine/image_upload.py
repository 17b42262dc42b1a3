# SPDX-License-Identifier: BSD-2-Clause
"""An image as an ssh repository holds it, and which of its parts have to travel. Not here: what is asked for (repository.py)."""
from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import workers
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.image_parts import AT_ONCE, Part, Parts
from ansible_collections.cocker.engine.plugins.module_utils.model.distribution import Descriptor
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageRecord
from ansible_collections.cocker.engine.plugins.module_utils.model.names import ImageRef
from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import OCI
from ansible_collections.cocker.engine.plugins.module_utils.registry.repository import Repository
from ansible_collections.cocker.engine.plugins.module_utils.storage import decompress, importlayer
from ansible_collections.cocker.engine.plugins.module_utils.storage.decompress import PLAIN
from ansible_collections.cocker.engine.plugins.module_utils.storage.layers import Layer

_MAGIC = 8
_ATTEMPTS = 3


class Uploaded(Parts):
    """describe(), which only asks the repository, then push()."""

    def __init__(self, host: Host, repository: Repository, record: ImageRecord, stack: contextlib.ExitStack) -> None:
        super().__init__(host, record, OCI, stack)
        self._repository = repository

    def original(self, layer: Layer) -> t.Optional[Part]:
        """As it came, if the repository has that."""
        if layer.blob is None or not layer.diff_id or not layer.blob.digest.startswith("sha256:"):
            return None
        blob = Descriptor("", layer.blob.digest, layer.blob.size)
        if self._repository.missing([blob]):
            return None
        head = b"".join(self._repository.pieces(Descriptor("", blob.digest, min(_MAGIC, blob.size))))
        kind = decompress.kind_of(head)
        if kind not in self.format.layers or kind == PLAIN and blob.digest != layer.diff_id:
            return None
        return Part(layer, Descriptor(self.format.layers[kind], blob.digest, blob.size), layer.diff_id)

    def push(self, ref: ImageRef, *, new: bool) -> t.Dict[str, t.Any]:
        """Layers first, then what names them. Returns what is told of it. Conflict where it is `new` and somebody was first."""
        self._repository.prepare()
        sent = self._send()
        digests = [part.blob.digest for part in self.layers] + [self.config.digest, self.manifest.digest]
        self._repository.commit(ref, self.manifest, digests, new=new)
        for _attempt in range(_ATTEMPTS):       # somebody may have removed another image, and with it what we found there
            more = self._send()
            sent += more
            if not more:
                return {"layers_uploaded": len({blob.digest for blob in sent} & {part.blob.digest for part in self.layers}),
                        "bytes_uploaded": sum(blob.size for blob in sent)}
        raise CockerError("push", str(ref), "what was sent to %s is removed there again and again" % self._repository.called)

    def _send(self) -> t.List[Descriptor]:
        """What was missing."""
        parts = {part.blob.digest: part for part in self.distinct()}
        documents = {self.config.digest: self.raw_config, self.manifest.digest: self.raw_manifest}
        missing = self._repository.missing([*[part.blob for part in parts.values()], self.config, self.manifest])
        spools = self._filled([parts[blob.digest] for blob in missing if blob.digest in parts])
        for blob in missing:
            raw = documents.get(blob.digest)
            self._repository.upload(blob, _pieces(spools[blob.digest], blob.size) if raw is None else _whole(raw))
        return missing

    def _filled(self, parts: t.Sequence[Part]) -> t.Dict[str, int]:
        """Those whose digest was known are compressed now, side by side."""
        spools = {part.blob.digest: part.spool if part.spool is not None else self.spool() for part in parts}
        workers.run([self._fill(part, spools[part.blob.digest]) for part in parts if part.spool is None], most=AT_ONCE)
        return spools

    def _fill(self, part: Part, spool: int) -> workers.Work:
        return lambda: self.fill(part, spool)


def _pieces(spool: int, size: int) -> t.Callable[[], t.Iterable[bytes]]:
    return lambda: importlayer.file_pieces(spool, size=size)


def _whole(raw: bytes) -> t.Callable[[], t.Iterable[bytes]]:
    return lambda: [raw]
