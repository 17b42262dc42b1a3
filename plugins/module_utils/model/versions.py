# SPDX-License-Identifier: BSD-2-Clause
"""Which of several versions is the largest."""
from __future__ import annotations

import typing as t

NONE = "_"  # an image without a version

Key = t.Tuple[int, t.Tuple[int, ...], t.Tuple[t.Tuple[int, int, str], ...], str]


def key(version: str) -> Key:
    """Numeric components count as numbers, missing ones as 0; a version that is not numeric is below all that are, none is lowest."""
    if version == NONE:
        return (0, (), (), version)
    parts = version.split(".")
    if all(part.isascii() and part.isdigit() for part in parts):
        numbers = [int(part) for part in parts]
        while numbers and numbers[-1] == 0:
            numbers.pop()
        return (2, tuple(numbers), (), version)
    mixed = tuple((1, int(part), "") if part.isascii() and part.isdigit() else (0, 0, part) for part in parts)
    return (1, (), mixed, version)


def largest(versions: t.Iterable[str]) -> t.Optional[str]:
    return max(versions, key=key, default=None)
