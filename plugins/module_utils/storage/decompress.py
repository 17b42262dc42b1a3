# SPDX-License-Identifier: BSD-2-Clause
"""Compressed streams by their first bytes: gzip, xz, bzip2, zstd; whole or Damaged, in constant memory.

Not here: what is in the stream (archive.py), and the process that this runs in (confine.py).
"""
from __future__ import annotations

import bz2
import contextlib
import fcntl
import lzma
import os
import signal
import typing as t
import zlib

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, Unsupported

try:
    from compression import zstd  # Python 3.14
except ImportError:
    zstd = None

try:
    import zstandard
except ImportError:
    zstandard = None

PLAIN, GZIP, BZIP2, XZ, ZSTD = "plain", "gzip", "bzip2", "xz", "zstd"

_MAGIC = ((GZIP, b"\x1f\x8b"), (BZIP2, b"BZh"), (XZ, b"\xfd7zXZ\0"), (ZSTD, b"\x28\xb5\x2f\xfd"))
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"       # bytes 1 to 3; byte 0 is 0x50 to 0x5f
_IN, _OUT = 256 << 10, 1 << 20
_SMALL_IN = 2 << 10                     # zstandard's objects take no bound for what comes out: 32,000 times as much at worst
_XZ_MEMORY = 256 << 20
_F_SETPIPE_SZ = 1031                    # fcntl.F_SETPIPE_SZ from Python 3.10 on
_ZSTD_WINDOW_LOG = 27
# Absolute, so that no PATH, and nothing that an image brought, decides what runs as root.
_ZSTD_PROGRAMS = ("/usr/bin/zstd", "/bin/zstd", "/usr/local/bin/zstd")


class Decoder(t.Protocol):
    """One member of a stream, as the standard library's own objects are."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ...) -> bytes: ...


class _Gzip:
    """zlib's object behind the interface of the others; 31: with gzip's header and trailer, both checked."""

    def __init__(self) -> None:
        self._object = zlib.decompressobj(31)
        self._full = False

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def needs_input(self) -> bool:
        return not self._full and not self._object.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._object.unused_data

    def decompress(self, data: bytes, max_length: int = _OUT) -> bytes:
        out = self._object.decompress(self._object.unconsumed_tail + data, max_length)
        self._full = len(out) == max_length
        return out


class _Zstandard:
    """The `zstandard` package."""

    def __init__(self) -> None:
        self._object = zstandard.ZstdDecompressor(max_window_size=1 << _ZSTD_WINDOW_LOG).decompressobj()
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return bool(self._object.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._object.unused_data)

    def decompress(self, data: bytes, max_length: int = _OUT) -> bytes:
        return bytes(self._object.decompress(data))


def _new_zstd() -> Decoder:
    if zstd is None:
        return _Zstandard()
    options = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
    return zstd.ZstdDecompressor(options=options)  # type: ignore[no-any-return]


# What the libraries raise for data that is not theirs.
_BROKEN: t.Tuple[t.Type[Exception], ...] = (
    zlib.error, lzma.LZMAError, EOFError, ValueError, *(library.ZstdError for library in (zstd, zstandard) if library is not None),
)
_NEW: t.Dict[str, t.Callable[[], Decoder]] = {
    GZIP: _Gzip,
    BZIP2: bz2.BZ2Decompressor,
    XZ: lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY),
    ZSTD: _new_zstd,
}


def kind_of(head: bytes) -> str:
    """By magic number; `head` is the first bytes of the file."""
    for kind, magic in _MAGIC:
        if head.startswith(magic):
            return kind
    return ZSTD if head[1:4] == _ZSTD_SKIPPABLE and head[0] & 0xF0 == 0x50 else PLAIN


def has_own(kind: str) -> bool:
    """Whether this interpreter decompresses it."""
    has_eof = zstandard is not None and hasattr(zstandard.ZstdDecompressor().decompressobj(), "eof")
    return kind != ZSTD or zstd is not None or has_eof


def decompress(kind: str, source: int, target: int) -> int:
    """Everything from one descriptor to the other; bytes written. Stops in silence when nobody reads any more. Raises Damaged."""
    read = _SMALL_IN if kind == ZSTD and zstd is None else _IN
    total = 0
    try:
        for piece in pieces(kind, lambda: os.read(source, read)):
            fs.write_all(target, piece)
            total += len(piece)
    except BrokenPipeError:
        pass
    return total


def pieces(kind: str, read: t.Callable[[], bytes]) -> t.Iterator[bytes]:
    """Member after member; zeros may fill up the end, nothing else. Raises Damaged."""
    try:
        decoder: t.Optional[Decoder] = _NEW[kind]()
        data = read()
        while decoder is not None:
            piece = decoder.decompress(data, _OUT)
            data = b""
            if piece:
                yield piece
            if decoder.eof:
                data = _next_member(decoder.unused_data, read)
                decoder = _NEW[kind]() if data else None
            elif decoder.needs_input:
                data = read()
                if not data:
                    raise Damaged("decompress", "archive", "the %s data is truncated" % kind)
    except _BROKEN as error:
        raise Damaged("decompress", "archive", "the %s data is damaged: %s" % (kind, error)) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise Damaged("decompress", "archive", "the %s data is damaged: %s" % (kind, error)) from error     # bz2 says OSError


def _next_member(data: bytes, read: t.Callable[[], bytes]) -> bytes:
    """Where the next member begins, perhaps after padding; empty at the end."""
    while True:
        data = data.lstrip(b"\0")
        if data:
            return data
        data = read()
        if not data:
            return b""


def zstd_library() -> str:
    """What this interpreter has, with its version; empty without."""
    if zstd is not None:
        return "zstd-%s" % zstd.zstd_version
    return "zstandard-%s-%s" % (zstandard.__version__, ".".join(map(str, zstandard.ZSTD_VERSION))) if zstandard is not None else ""


def zstd_encoder(level: int) -> t.Any:
    """The library's object with compress() and flush(); None without one."""
    if zstd is not None:
        return zstd.ZstdCompressor(level)
    return zstandard.ZstdCompressor(level=level, write_checksum=True).compressobj() if zstandard is not None else None


def zstd_program() -> t.Optional[str]:
    return next((each for each in _ZSTD_PROGRAMS if os.access(each, os.X_OK)), None)


@contextlib.contextmanager
def program(source: int) -> t.Iterator[int]:
    """The host's zstd reads `source`; yields what it writes. Raises Damaged if it is not content, Unsupported if there is none."""
    path = zstd_program()
    if path is None:
        raise Unsupported("decompress", "archive", "zstd data needs Python 3.14, the zstandard package or the zstd program",
                          hint="install the package zstd on the host")
    reader, writer = os.pipe()
    try:
        widen(reader)
        silent = (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)
        actions = [(os.POSIX_SPAWN_DUP2, source, 0), (os.POSIX_SPAWN_DUP2, writer, 1), silent]
        arguments = [path, "-dcq", "--memory=%dMB" % (1 << _ZSTD_WINDOW_LOG >> 20)]
        pid = os.posix_spawn(path, arguments, {}, file_actions=actions, setsigdef=[signal.SIGPIPE])
    finally:
        os.close(writer)
    try:
        yield reader
    finally:
        os.close(reader)
        status = os.waitpid(pid, 0)[1]
    if status and not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPIPE):
        raise Damaged("decompress", "archive", "the zstd data is damaged or truncated")


def widen(pipe: int) -> None:
    """Fewer switches between the two ends; the limit for what one user may have does not matter here."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(pipe, _F_SETPIPE_SZ, _OUT)
