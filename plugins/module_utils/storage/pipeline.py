# SPDX-License-Identifier: BSD-2-Clause
"""From a compressed stream to a tree: one process decompresses, a confined one unpacks.

Not here: what the tree is for (importtar.py, importlayer.py).
"""
from __future__ import annotations

import contextlib
import hashlib
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged
from ansible_collections.cocker.engine.plugins.module_utils.storage import archive, confine, decompress, unpack


class Unpacked(t.NamedTuple):
    """`digest` is that of the decompressed archive, empty where it was not asked for."""

    entries: int
    size: int
    digest: str


class Job(t.NamedTuple):
    """`stream` is read to its end; `closing` are descriptors that must be open in no process but the caller's."""

    stream: int
    kind: str
    directory: str
    limits: archive.Limits
    tree: t.Callable[[str], unpack.Tree] = unpack.Tree
    with_digest: bool = False
    closing: t.Tuple[int, ...] = ()


def start(stack: contextlib.ExitStack, job: Job) -> t.Tuple[confine.Child, t.Callable[[], Unpacked]]:
    """Lets the processes run until the stack is closed: the one that unpacks, and what waits for all.

    The first cause is the error: the decompression's before the tar's.
    """
    feeder, stream = None, job.stream
    with contextlib.ExitStack() as ours:        # the unpacking process must be the only one that holds the end of the pipe
        if job.kind != decompress.PLAIN and decompress.has_own(job.kind):
            feeder, stream = _feed(stack, ours, job)
        elif job.kind != decompress.PLAIN:
            stream = stack.enter_context(decompress.program(stream))
        tree = stack.enter_context(confine.Child(lambda: _unpack(stream, job), job.directory, op="unpack", closing=job.closing))

    def finish() -> Unpacked:
        try:
            answer = tree.result()
        except Damaged:
            if feeder is not None:
                feeder.result()     # damage further up the stream says more than what it led to
            raise
        if feeder is not None:
            feeder.result()
        return Unpacked(*answer)

    return tree, finish


def _feed(stack: contextlib.ExitStack, ours: contextlib.ExitStack, job: Job) -> t.Tuple[confine.Child, int]:
    reader, writer = os.pipe()
    ours.callback(os.close, reader)
    closing = (*job.closing, reader)            # else nobody's end of reading would be noticed

    def work() -> None:
        decompress.decompress(job.kind, job.stream, writer)

    try:
        decompress.widen(reader)
        return stack.enter_context(confine.Child(work, job.directory, op="decompress", closing=closing)), reader
    finally:
        os.close(writer)


def decompressed(stack: contextlib.ExitStack, source: int, kind: str) -> t.Tuple[int, t.Callable[[], object]]:
    """For this process to read: a descriptor, and what raises Damaged at the end if it was not whole."""
    if not decompress.has_own(kind):
        inner = stack.enter_context(contextlib.ExitStack())
        return inner.enter_context(decompress.program(source)), inner.close
    reader, writer = os.pipe()
    stack.callback(os.close, reader)
    try:
        decompress.widen(reader)
        child = confine.Child(lambda: decompress.decompress(kind, source, writer), "/", op="decompress", closing=(reader,))
        return reader, stack.enter_context(child).result
    finally:
        os.close(writer)


def _unpack(stream: int, job: Job) -> t.Tuple[int, int, str]:
    found = hashlib.sha256()
    reader = archive.Reader(stream, job.limits, found.update if job.with_digest else len)
    unpack.unpack(reader, job.tree("/" if os.geteuid() == 0 else job.directory))
    return reader.entries, reader.bytes, "sha256:" + found.hexdigest() if job.with_digest else ""
