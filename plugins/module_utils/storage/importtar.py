# SPDX-License-Identifier: BSD-2-Clause
"""An archive of a root file system becomes a layer, while this process takes the file's digest.

Not here: layers of OCI images (importlayer.py), the record of the image (images.py), and archives that travel (plugins/action, registry).
"""
from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, progress
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.storage import archive, decompress, pipeline, unpack
from ansible_collections.cocker.engine.plugins.module_utils.storage.layers import Layer, Staging

SOURCE = "archive"

_CHUNK = 1 << 20
_HEAD = 512
_SYNC_INTERVAL = 0.1
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC      # a FIFO in its place must not stop us


def digest(path: str) -> str:
    """`sha256:...` of the file as it lies there: whether it would bring anything new. Raises NotFound, Damaged."""
    with opened(path) as fd:
        return _digest(fd)


def import_archive(
    staging: Staging, path: str, *, created: str, limits: archive.Limits = archive.Limits(),  # noqa: B008 (frozen)
    tree: t.Type[unpack.Tree] = unpack.Tree,
) -> Layer:
    """Raises NotFound, Damaged, Unsupported, CockerError; whoever made `staging` removes it then."""
    with opened(path) as fd:
        before = os.fstat(fd)
        kind = decompress.kind_of(os.pread(fd, _HEAD, 0))
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(opened(path))
            progress.watch(os.path.basename(path), stream, before.st_size)
            child, finish = pipeline.start(stack, pipeline.Job(stream, kind, staging.diff, limits, tree))
            found = _digest(fd)
            while not child.is_ready(_SYNC_INTERVAL):
                fs.sync_filesystem(staging.path)        # the disk works while the archive is read, so little is left at the end
            unpacked = finish()
        after = os.fstat(fd)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise Damaged("import", path, "it was changed while it was read")
    return staging.commit(created=created, size=unpacked.size, entries=unpacked.entries, source=SOURCE, digest=found)


@contextlib.contextmanager
def opened(path: str) -> t.Iterator[int]:
    try:
        fd = os.open(path, _OPEN)
    except FileNotFoundError:
        raise NotFound("archive", path, "it does not exist on the host") from None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise Damaged("read", path, "it is no regular file")
        yield fd
    finally:
        os.close(fd)


def _digest(fd: int) -> str:
    """By position, so that whoever else reads through the same open file is not disturbed."""
    found, at = hashlib.sha256(), 0
    chunk = os.pread(fd, _CHUNK, at)
    while chunk:
        found.update(chunk)
        at += len(chunk)
        chunk = os.pread(fd, _CHUNK, at)
    return "sha256:" + found.hexdigest()
