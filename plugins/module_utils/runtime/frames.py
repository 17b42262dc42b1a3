# SPDX-License-Identifier: BSD-2-Clause
"""PURE: what somebody who sits at a command says to it, as frames in one stream: a letter, the length, the content.

Not here: who sends them (dialogue.py) and what they do (live.py).
"""
from __future__ import annotations

import struct
import typing as t

INPUT, SIZE, DETACH = b"I", b"W", b"D"      # INPUT without content is its end
_HEAD = struct.Struct(">cI")
_SIZE = struct.Struct(">HH")
LARGEST = 1 << 16

Frame = t.Tuple[bytes, bytes]


def packed(kind: bytes, content: bytes = b"") -> bytes:
    return _HEAD.pack(kind, len(content)) + content


def packed_size(rows: int, columns: int) -> bytes:
    return packed(SIZE, _SIZE.pack(rows, columns))


def size(content: bytes) -> t.Tuple[int, int]:
    """Rows and columns."""
    return t.cast("t.Tuple[int, int]", _SIZE.unpack(content))


class Reader:
    """Whole frames of what has come so far; the beginning of the next one is kept."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> t.List[Frame]:
        found: t.List[Frame] = []
        self._rest += piece
        while len(self._rest) >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._rest)
            end = _HEAD.size + length
            if len(self._rest) < end:
                break
            found.append((kind, self._rest[_HEAD.size:end]))
            self._rest = self._rest[end:]
        return found
