# SPDX-License-Identifier: BSD-2-Clause
"""Compression on the way out: gzip and zstd, the same bytes for the same input. Not here: the way in (decompress.py)."""
from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import typing as t
import zlib

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.storage import decompress
from ansible_collections.cocker.engine.plugins.module_utils.storage.decompress import GZIP, PLAIN, ZSTD

KINDS = (PLAIN, GZIP, ZSTD)
_GZIP_LEVEL, _ZSTD_LEVEL = 6, 3
_CHUNK = 1 << 20

Data = t.Union[bytes, memoryview]
Write = t.Callable[[Data], object]


class _Encoder(t.Protocol):
    def compress(self, data: Data) -> bytes: ...
    def flush(self) -> bytes: ...


def form(kind: str) -> str:
    """Changes where the same input gives other bytes: another library, another level."""
    if kind == GZIP:
        return "gzip:zlib-%s:%d" % (zlib.ZLIB_RUNTIME_VERSION, _GZIP_LEVEL)
    return kind if kind == PLAIN else "zstd:%s:%d" % (_zstd_name(), _ZSTD_LEVEL)


@contextlib.contextmanager
def into(kind: str, out: Write) -> t.Iterator[Write]:
    """What is written to the yielded function reaches `out` compressed, whole when the `with` ends. Raises Unsupported."""
    if kind == PLAIN:
        yield out
        return
    with contextlib.ExitStack() as stack:
        encoder = _new(kind, stack)

        def write(data: Data) -> None:
            piece = encoder.compress(data)
            if piece:
                out(piece)

        yield write
        out(encoder.flush())


def _new(kind: str, stack: contextlib.ExitStack) -> _Encoder:
    if kind == GZIP:
        return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, 31)      # 31: with gzip's header, which has neither name nor time
    encoder = decompress.zstd_encoder(_ZSTD_LEVEL)
    if encoder is not None:
        return t.cast(_Encoder, encoder)
    return stack.enter_context(_program())


def _zstd_name() -> str:
    """Of the library or program that would be used."""
    path = decompress.zstd_program()
    facts = os.stat(path) if path else None
    return decompress.zstd_library() or ("program-%d-%d" % (facts.st_size, facts.st_mtime_ns) if facts else "none")


class _Program:
    """The host's zstd, fed and emptied in turns, so that neither pipe fills up."""

    def __init__(self, target: int, source: int) -> None:
        self.target, self.source = target, source
        os.set_blocking(target, False)

    def compress(self, data: Data) -> bytes:
        view, found = memoryview(data), []
        while view:
            readable, writable, _none = select.select([self.source], [self.target], [])
            if writable:
                try:
                    view = view[os.write(self.target, view):]
                except BrokenPipeError:
                    raise CockerError("compress", "archive", "the zstd program ended") from None
            if readable:
                found.append(os.read(self.source, _CHUNK))
        return b"".join(found)

    def flush(self) -> bytes:
        os.close(self.target)
        self.target = -1
        return b"".join(iter(lambda: os.read(self.source, _CHUNK), b""))


@contextlib.contextmanager
def _program() -> t.Iterator[_Program]:
    path = decompress.zstd_program()
    if path is None:
        raise Unsupported("compress", "archive", "zstd needs Python 3.14, the zstandard package or the zstd program",
                          hint="install the package zstd on the host")
    their_in, our_out = os.pipe()
    our_in, their_out = os.pipe()
    try:
        actions = [(os.POSIX_SPAWN_DUP2, their_in, 0), (os.POSIX_SPAWN_DUP2, their_out, 1)]
        arguments = [path, "-qc", "-%d" % _ZSTD_LEVEL, "-T1"]
        pid = os.posix_spawn(path, arguments, {}, file_actions=actions, setsigdef=[signal.SIGPIPE])
    finally:
        os.close(their_in)
        os.close(their_out)
    program = _Program(our_out, our_in)
    try:
        yield program
    finally:
        for fd in (program.target, our_in):
            if fd >= 0:
                os.close(fd)
        status = os.waitpid(pid, 0)[1]
    if status:
        raise CockerError("compress", "archive", "the zstd program failed", hint=os.strerror(errno.EIO))
