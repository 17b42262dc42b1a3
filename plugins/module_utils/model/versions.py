# SPDX-License-Identifier: BSD-2-Clause
"""Which version of an image is the largest. Not here: which versions there are (storage/images.py)."""
from __future__ import annotations

import typing as t

NONE = "_"  # an image without a version

Component = t.Tuple[bool, int, str]
Key = t.Tuple[int, t.Tuple[int, ...], t.Tuple[Component, ...], str]

_HEX = frozenset("0123456789abcdef")
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
    """None of none. An image that was fetched by its digest is meant only by that."""
    return max((version for version in versions if not digest_of(version)), key=key, default=None)


def of_digest(digest: str) -> str:
    """What an image is called that is wanted by its digest, which has a character that no version has."""
    return digest.replace(":", "-")


def digest_of(version: str) -> str:
    """The digest that of_digest() has made this version of; empty for every other."""
    kind, dash, digits = version.partition("-")
    return "%s:%s" % (kind, digits) if kind == "sha256" and dash and len(digits) == 64 and _HEX.issuperset(digits) else ""
