# SPDX-License-Identifier: BSD-2-Clause
"""An archive of a root file system becomes a layer: one process decompresses, a confined one unpacks, this one takes the digest.

Not here: the record of the image (images.py), and archives that travel (plugins/action, registry).
"""
from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.storage import archive, confine, decompress, unpack
from ansible_collections.cocker.engine.plugins.module_utils.storage.layers import Layer, Staging

SOURCE = "archive"

_CHUNK = 1 << 20
_HEAD = 512
_SYNC_INTERVAL = 0.1
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC      # a FIFO in its place must not stop us


def digest(path: str) -> str:
    """`sha256:...` of the file as it lies there: whether it would bring anything new. Raises NotFound, Damaged."""
    with _opened(path) as fd:
        return _digest(fd)


def import_archive(staging: Staging, path: str, *, created: str, limits: archive.Limits = archive.Limits()) -> Layer:  # noqa: B008 (frozen)
    """Raises NotFound, Damaged, Unsupported, CockerError; whoever made `staging` removes it then."""
    with _opened(path) as fd:
        before = os.fstat(fd)
        kind = decompress.kind_of(os.pread(fd, _HEAD, 0))
        with contextlib.ExitStack() as stack:
            tree, finish = _start(stack, staging, _opened(path), kind, limits)
            found = _digest(fd)
            while not tree.is_ready(_SYNC_INTERVAL):
                fs.sync_filesystem(staging.path)        # the disk works while the archive is read, so little is left at the end
            entries, size = finish()
        after = os.fstat(fd)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise Damaged("import", path, "it was changed while it was read")
    return staging.commit(created=created, size=size, entries=entries, source=SOURCE, digest=found)


def _start(
    stack: contextlib.ExitStack, staging: Staging, source: t.ContextManager[int], kind: str, limits: archive.Limits,
) -> t.Tuple[confine.Child, t.Callable[[], t.Tuple[int, int]]]:
    """Lets the processes run: the one that unpacks, and what waits for all.

    The first cause is the error: the decompression's before the tar's.
    """
    stream = stack.enter_context(source)
    feeder = None
    with contextlib.ExitStack() as ours:        # the unpacking process must be the only one that holds the end of the pipe
        if kind != decompress.PLAIN and decompress.has_own(kind):
            feeder, stream = _feed(stack, ours, staging, stream, kind)
        elif kind != decompress.PLAIN:
            stream = stack.enter_context(decompress.program(stream))
        tree = stack.enter_context(confine.Child(lambda: _unpack(stream, staging.diff, limits), staging.diff, op="unpack"))

    def finish() -> t.Tuple[int, int]:
        try:
            entries, size = tree.result()
        except Damaged:
            if feeder is not None:
                feeder.result()     # damage further up the stream says more than what it led to
            raise
        if feeder is not None:
            feeder.result()
        return entries, size

    return tree, finish


def _feed(
    stack: contextlib.ExitStack, ours: contextlib.ExitStack, staging: Staging, source: int, kind: str,
) -> t.Tuple[confine.Child, int]:
    reader, writer = os.pipe()
    ours.callback(os.close, reader)

    def work() -> None:
        os.close(reader)            # else nobody's end of reading would be noticed
        decompress.decompress(kind, source, writer)

    try:
        decompress.widen(reader)
        return stack.enter_context(confine.Child(work, staging.diff, op="decompress")), reader
    finally:
        os.close(writer)


def _unpack(stream: int, root: str, limits: archive.Limits) -> t.Tuple[int, int]:
    reader = archive.Reader(stream, limits)
    unpack.unpack(reader, "/" if os.geteuid() == 0 else root)
    return reader.entries, reader.bytes


@contextlib.contextmanager
def _opened(path: str) -> t.Iterator[int]:
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
