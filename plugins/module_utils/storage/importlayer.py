# SPDX-License-Identifier: BSD-2-Clause
"""The archive of one OCI layer becomes a layer of the store, whatever stream it comes in, and only if it is what was announced.

Not here: where streams come from (archives, registries), and which layers an image has.
"""
from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged
from ansible_collections.cocker.engine.plugins.module_utils.storage import archive, decompress, pipeline
from ansible_collections.cocker.engine.plugins.module_utils.storage.layers import Blob, Layer, Staging
from ansible_collections.cocker.engine.plugins.module_utils.storage.layertree import LayerTree

_HEAD = 512
_CHUNK = 1 << 20
_SYNC_INTERVAL = 0.1


@dataclasses.dataclass(frozen=True)
class Expected:
    """What the manifest says of the layer; empty and None are not compared. `digest` and `size` are of the stream as it comes."""

    diff_id: str = ""
    digest: str = ""
    size: t.Optional[int] = None


def file_pieces(fd: int, *, offset: int = 0, size: t.Optional[int] = None) -> t.Iterator[bytes]:
    """A part of an open file, by position; without a size to its end."""
    while size is None or size > 0:
        piece = os.pread(fd, _CHUNK if size is None else min(_CHUNK, size), offset)
        if not piece:
            return
        yield piece
        offset += len(piece)
        size = size - len(piece) if size is not None else None


class Contents(t.NamedTuple):
    """What lies in a staging, ready to be committed."""

    size: int
    entries: int
    diff_id: str
    blob: Blob


def import_layer(
    staging: Staging, pieces: t.Iterable[bytes], *, created: str, source: str, expected: Expected = Expected(),
    limits: archive.Limits = archive.Limits(),  # noqa: B008
) -> Layer:
    """Unpacks and commits. Raises as unpack_layer() does."""
    found = unpack_layer(staging, pieces, expected=expected, limits=limits)
    return staging.commit(created=created, source=source, **found._asdict())


def unpack_layer(
    staging: Staging, pieces: t.Iterable[bytes], *, expected: Expected = Expected(), limits: archive.Limits = archive.Limits(),  # noqa: B008
) -> Contents:
    """`pieces` of the layer's tar, plain or compressed by gzip, zstd, xz or bzip2 (its first bytes tell), read once, in constant memory.

    Raises Damaged, Unsupported, CockerError, and what `pieces` raises; whoever made `staging` removes it then.
    """
    with contextlib.ExitStack() as stack:
        pump = _Pump(iter(pieces), expected)
        reader, writer = os.pipe()
        with contextlib.ExitStack() as ours:
            ours.callback(os.close, writer)
            try:
                decompress.widen(reader)
                kind = decompress.kind_of(pump.head)
                job = pipeline.Job(reader, kind, staging.diff, limits, LayerTree, with_digest=True, closing=(writer,))
                tree, finish = pipeline.start(stack, job)
            finally:
                os.close(reader)        # else it would never be known here that nobody reads any more
            pump.run(writer)
        while not tree.is_ready(_SYNC_INTERVAL):
            fs.sync_filesystem(staging.path)        # the disk works while the rest is unpacked
        if pump.is_whole:
            pump.check()            # damage on the way says more than what it led to
        unpacked = finish()
        if not pump.is_whole:
            raise Damaged("import", "layer", "its unpacking ended before its data")
    if expected.diff_id and unpacked.digest != expected.diff_id:
        raise Damaged("import", "layer", "its uncompressed digest is %s, %s was announced" % (unpacked.digest, expected.diff_id))
    return Contents(unpacked.size, unpacked.entries, unpacked.digest, pump.blob())


class _Pump:
    """From the source to a pipe, counted and digested."""

    def __init__(self, pieces: t.Iterator[bytes], expected: Expected) -> None:
        self._pieces = pieces
        self._expected = expected
        self._found = hashlib.sha256()
        self._size = 0
        self.is_whole = False
        self.head = b""
        while len(self.head) < _HEAD:
            piece = next(self._pieces, b"")
            if not piece:
                break
            self.head += piece

    def run(self, target: int) -> None:
        """Stops where nobody reads any more: then the reader's error is the one that counts."""
        with contextlib.suppress(BrokenPipeError):
            self._send(self.head, target)
            for piece in self._pieces:
                self._send(piece, target)
            self.is_whole = True

    def _send(self, piece: bytes, target: int) -> None:
        self._size += len(piece)
        self._found.update(piece)
        if self._expected.size is not None and self._size > self._expected.size:
            raise Damaged("import", "layer", "it has more than the %d bytes that were announced" % self._expected.size)
        fs.write_all(target, piece)

    def check(self) -> None:
        wanted, found = self._expected, self.blob()
        if wanted.size is not None and found.size != wanted.size:
            raise Damaged("import", "layer", "it has %d bytes, %d were announced" % (found.size, wanted.size))
        if wanted.digest and found.digest != wanted.digest:
            raise Damaged("import", "layer", "its digest is %s, %s was announced" % (found.digest, wanted.digest))

    def blob(self) -> Blob:
        return Blob("sha256:" + self._found.hexdigest(), self._size)
