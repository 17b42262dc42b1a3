# SPDX-License-Identifier: BSD-2-Clause
"""Maps of a user namespace: which users and groups of the host a container's are (user_namespaces(7)).

Not here: which range a container gets (storage/idranges.py), and what is done with a map (kernel/userns.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

AUTO, HOST = "auto", "host"
MOST = 340                  # extents that the kernel takes
HIGHEST = 2**32 - 2
_NOBODY = 65534
SIZE = 1 << 16              # of a range that is chosen: what Linux distributions give their users and services


class Extent(t.NamedTuple):
    """`size` ids that begin with `inside` in the container and with `outside` on the host."""

    inside: int = 0
    outside: int = 0
    size: int = 1


Extents = t.Tuple[Extent, ...]


class Maps(t.NamedTuple):
    """Of users and of groups; both have the container's 0."""

    uids: Extents
    gids: Extents

    @property
    def root(self) -> t.Tuple[int, int]:
        """The host's ids of the container's root."""
        return t.cast(int, outside(self.uids, 0)), t.cast(int, outside(self.gids, 0))


def whole(first: int) -> Maps:
    """One range of SIZE, which begins with `first` on the host, for both."""
    extents = (Extent(0, first, SIZE),)
    return Maps(extents, extents)


def outside(extents: Extents, number: int) -> t.Optional[int]:
    """The host's id; None for one that the container does not have."""
    for extent in extents:
        if extent.inside <= number < extent.inside + extent.size:
            return extent.outside + number - extent.inside
    return None


def inside(extents: Extents, number: int) -> t.Optional[int]:
    """The container's id; None for one that it does not have."""
    for extent in extents:
        if extent.outside <= number < extent.outside + extent.size:
            return extent.inside + number - extent.outside
    return None


def told(extents: Extents, number: int) -> int:
    """The host's id for whatever id a file can have: one that the container does not have stays, where it is not another one's by that."""
    found = outside(extents, number)
    if found is not None:
        return found
    return number if inside(extents, number) is None else _NOBODY


def turned(extents: Extents) -> Extents:
    """The map from the host's ids to the container's."""
    return tuple(Extent(extent.outside, extent.inside, extent.size) for extent in extents)


def text(extents: Extents) -> str:
    """As /proc/PID/uid_map takes it."""
    return "".join("%d %d %d\n" % extent for extent in extents)


def parse(given: t.Sequence[str], option: str) -> Extents:
    """`CONTAINER:HOST:SIZE` each, sorted. Raises Invalid."""
    found = sorted(_extent(value, option) for value in given)
    if not 0 < len(found) <= MOST:
        raise Invalid(option, "%d ranges; at least one and at most %d are accepted" % (len(found), MOST))
    for first, second in zip(found, found[1:]):
        if first.inside + first.size > second.inside:
            raise Invalid(option, "%s and %s overlap in the container" % (_shown(first), _shown(second)))
    by_host = sorted(found, key=lambda extent: extent.outside)
    for first, second in zip(by_host, by_host[1:]):
        if first.outside + first.size > second.outside:
            raise Invalid(option, "%s and %s overlap on the host" % (_shown(first), _shown(second)))
    if outside(tuple(found), 0) is None:
        raise Invalid(option, "none of the ranges has the container's 0, its root")
    return tuple(found)


def _extent(value: str, option: str) -> Extent:
    words = value.split(":")
    if len(words) != 3 or not all(word.isascii() and word.isdigit() and len(word) <= 10 for word in words):
        raise Invalid(option, "%r is not CONTAINER:HOST:SIZE, three numbers" % value)
    extent = Extent(*map(int, words))
    if extent.size < 1 or max(extent.inside, extent.outside) + extent.size - 1 > HIGHEST:
        raise Invalid(option, "%s has no ids, or some above the highest, %d" % (value, HIGHEST))
    return extent


def _shown(extent: Extent) -> str:
    return "%d:%d:%d" % extent
