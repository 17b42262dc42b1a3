# SPDX-License-Identifier: BSD-2-Clause
"""The data of a volume as a tar archive, and back: the same data gives the same bytes, and what comes back is a new tree or the old one.

Not here: the volume's record (volumes.py), and whether its data may be replaced (engine/volume_archive.py).
"""
from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.storage import (
    archive,
    compress,
    decompress,
    importdir,
    importtar,
    layerblob,
    layertar,
    layertree,
    owners,
    pipeline,
    quotas,
    volumes,
)
from ansible_collections.cocker.engine.plugins.module_utils.storage.layers import Blob
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout
from ansible_collections.cocker.engine.plugins.module_utils.storage.volumes import Volume

_STAGING = "_restoring"
_HEAD = 512
_CHUNK = 1 << 20
_LIMITS = archive.Limits(entries=100_000_000, bytes=1 << 60)       # it is the user's own data: the disk is the limit


def write(directory: str, out: compress.Write, *, kind: str) -> Blob:
    """`kind` is one of compress.KINDS. Raises Damaged for data that changes meanwhile, Unsupported, CockerError."""
    blob = layerblob.Counted(out)
    with compress.into(kind, blob.write) as inner:
        layertar.write(directory, inner, hidden=layertar.EXACT, shift=owners.Shift(owners.find(directory), None))
    return blob.blob()


def is_in_archive(directory: str, path: str) -> bool:
    """Whether the archive, decompressed, is byte for byte what write() makes of the directory. Reads both. Raises Damaged."""
    return write(directory, len, kind=decompress.PLAIN).digest == _content(path)


def _content(path: str) -> str:
    with contextlib.ExitStack() as stack:
        fd = stack.enter_context(importtar.opened(path))
        kind = decompress.kind_of(os.pread(fd, _HEAD, 0))
        source, finish = (fd, lambda: None) if kind == decompress.PLAIN else pipeline.decompressed(stack, fd, kind)
        found = hashlib.sha256()
        for piece in iter(lambda: os.read(source, _CHUNK), b""):
            found.update(piece)
        finish()
    return "sha256:" + found.hexdigest()


def replace(layout: Layout, volume: Volume, path: str, *, digest: str) -> Volume:
    """The archive's content in place of the data, in one step, once it is whole on the disk; the record that says so.

    `digest` is the archive's. After a failure the data is what it was. Raises NotFound, Damaged, Unsupported, Conflict, CockerError.
    """
    data, staging = layout.volume_data(volume.name), os.path.join(layout.volume(volume.name), _STAGING)
    fs.refuse_mounts(data)
    fs.remove_tree(staging)         # of a task that was killed
    quotas.make(staging, volume.size)
    try:
        os.chmod(staging, 0o755)    # what a tree without an entry for its top has
        _unpack(path, staging)
        volumes.describe(staging, volume)
        fs.sync_filesystem(staging)
        quotas.refuse_fuller(staging, volume.size, "volume %s" % volume.name)
        new = dataclasses.replace(volume, fresh=False, archive=digest, tree=importdir.digest(staging))
        fs.exchange(data, staging)
        try:
            volumes.save(layout, new)
        except BaseException:
            fs.exchange(data, staging)
            raise
        return new
    finally:
        forget = quotas.forgetter(staging)
        fs.remove_tree(staging)
        forget()


def _unpack(path: str, directory: str) -> None:
    with importtar.opened(path) as fd, contextlib.ExitStack() as stack:
        kind = decompress.kind_of(os.pread(fd, _HEAD, 0))
        _child, finish = pipeline.start(stack, pipeline.Job(fd, kind, directory, _LIMITS, layertree.CockerTree))
        finish()
