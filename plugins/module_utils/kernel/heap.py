# SPDX-License-Identifier: BSD-2-Clause
"""The interpreter's memory before forks that share it: what is free between other things is taken, so that what comes next lies together.

A fork copies each page that it writes to. What it makes, it makes in gaps, of which there are some hundred, each on another page.
Not here: who forks what.
"""
from __future__ import annotations

import ctypes
import sys
import typing as t

_POOL = 1 << 14 if sys.version_info >= (3, 10) else 1 << 12     # of the interpreter's own allocator (Objects/obmalloc.c)
_POOL_HEADER, _STEP, _LARGEST = 48, 16, 512     # what is larger is the C library's
_BYTES = bytes.__basicsize__                    # of an empty one
_MOST = 1 << 17                                 # bytes of each size, in case that the allocator is another one
_C_SMALLEST, _C_LARGEST, _C_STEP, _C_MOST = 24, 1040, 16, 256


def close_gaps() -> t.List[t.Any]:
    """What fills them now, to be kept."""
    kept: t.List[t.Any] = []
    for size in range(_STEP, _LARGEST + 1, _STEP):
        last = 0
        for _number in range(_MOST // size):
            found = _sized(size, len(kept))
            kept.append(found)
            if id(found) - last == size and (last - _POOL_HEADER) % _POOL == 0:     # the first two of a new pool
                break
            last = id(found)
    _close_c_gaps()
    return kept


def _sized(size: int, number: int) -> t.Any:
    """A new object of this size that nobody has in a list for later."""
    if size == _STEP:
        return object()
    return bytes(size - _BYTES) if size > _BYTES else (1 << 32) + number


def _close_c_gaps() -> None:
    """Of each size until two follow each other; they stay taken."""
    take = ctypes.CDLL(None).malloc
    take.restype, take.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
    for size in range(_C_SMALLEST, _C_LARGEST, _C_STEP):
        last = 0
        for _number in range(_C_MOST):
            found = take(size) or 0
            if found - last == size + 8:        # with the word before it, a multiple of 16
                break
            last = found
