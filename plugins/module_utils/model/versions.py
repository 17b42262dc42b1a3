# SPDX-License-Identifier: BSD-2-Clause
"""Which version of an image is the largest. Not here: which versions there are (storage/images.py)."""
from __future__ import annotations

import typing as t

NONE = "_"  # an image without a version

Component = t.Tuple[bool, int, str]
Key = t.Tuple[int, t.Tuple[int, ...], t.Tuple[Component, ...], str]

_LOWEST, _MIXED, _NUMERIC = range(3)


def key(version: str) -> Key:
    """Sorts by numeric components: 1.10.0 after 1.9.2. A version that is not numeric is below all that are, none is lowest.

    What is missing counts as 0, so 1.0 and 1.0.0 are the same number; then the longer text is the larger, so that the order is total.
    """
    if version == NONE:
        return _LOWEST, (), (), version
    components = tuple(_component(part) for part in version.split("."))
    if not all(is_number for is_number, _number, _text in components):
        return _MIXED, (), components, version
    numbers = [number for _is_number, number, _text in components]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return _NUMERIC, tuple(numbers), (), version


def _component(text: str) -> Component:
    if text.isascii() and text.isdigit():
        return True, int(text), ""
    return False, 0, text


def largest(versions: t.Iterable[str]) -> t.Optional[str]:
    """None of none."""
    return max(versions, key=key, default=None)
