# SPDX-License-Identifier: BSD-2-Clause
"""What a container has changed of its images: added, changed and deleted paths, as `docker diff` tells them.

Not here: how layers are laid upon each other (overlaytree.py).
"""
from __future__ import annotations

import contextlib
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.storage import overlaytree
from ansible_collections.cocker.engine.plugins.module_utils.storage.overlaytree import Node, Tree

ADDED, CHANGED, DELETED = "A", "C", "D"
_DEEPEST = 200          # an open directory for each layer and level


class Change(t.NamedTuple):
    path: str
    kind: str


def changes(own: t.Sequence[str], below: t.Sequence[str], points: t.Collection[str] = ()) -> t.List[Change]:
    """By path. `own` are the container's layers and `below` those of its images, each topmost first.

    What was added at one of `points`, places where something is mounted, or to lead there, is left out as long as nothing is in it.
    """
    with contextlib.ExitStack() as stack:
        comparison = _Comparison(Tree([*own, *below], stack), Tree(below, stack), len(own), _leading(points))
        now, before = comparison.full.root(), comparison.base.root()
        if now is not None:
            comparison.inside(now, before, "", 0)
    return sorted(comparison.found)


def _leading(points: t.Collection[str]) -> t.FrozenSet[str]:
    """Pure. They, and all that is above them."""
    found: t.Set[str] = set()
    for point in points:
        words = [word for word in point.split("/") if word]
        found.update("/" + "/".join(words[:count]) for count in range(1, len(words) + 1))
    return frozenset(found)


class _Comparison:
    def __init__(self, full: Tree, base: Tree, own: int, made: t.FrozenSet[str]) -> None:
        self.full, self.base, self.own, self.made = full, base, own, made
        self.found: t.List[Change] = []

    def inside(self, now: Node, before: t.Optional[Node], path: str, depth: int) -> None:
        """Of two directories; only what the container's own layers speak of can differ, unless they hide what is below."""
        if depth > _DEEPEST:
            raise Unsupported("compare", path, "it is deeper than %d directories" % _DEEPEST)
        mine = [place for place in now.places if place.layer < self.own]
        moved = before is None or not self._is_plain(now, before)
        speaks = overlaytree.names(now.places if moved else mine)
        hidden = overlaytree.names(before.places) if before is not None and moved else []
        for name in sorted({*speaks, *hidden}):
            with contextlib.ExitStack() as stack:
                after = self.full.child(now, name, stack)
                former = self.base.child(before, name, stack) if before is not None and before.is_directory else None
                self._compare(after, former, "%s/%s" % (path, name), depth)

    def _is_plain(self, now: Node, before: Node) -> bool:
        """Whether just what was there is below what the container has: no opaque directory, none that came from elsewhere."""
        below = [(place.layer - self.own, os.fstat(place.fd).st_ino) for place in now.places if place.layer >= self.own]
        return below == [(place.layer, os.fstat(place.fd).st_ino) for place in before.places]

    def _compare(self, now: t.Optional[Node], before: t.Optional[Node], path: str, depth: int) -> None:
        if now is None:
            if before is not None:
                self.found.append(Change(path, DELETED))
            return
        told = len(self.found)
        if now.is_directory:
            self.inside(now, before if before is not None and before.is_directory else None, path, depth + 1)
        if before is None and not (path in self.made and len(self.found) == told and _is_bare(now)):
            self.found.append(Change(path, ADDED))
        if before is not None and (len(self.found) > told or now.layer < self.own and _differ(now, before)):
            self.found.append(Change(path, CHANGED))


def _is_bare(node: Node) -> bool:
    return node.is_directory or stat.S_ISREG(node.facts.st_mode) and not node.facts.st_size


def _differ(now: Node, before: Node) -> bool:
    """Not by the times of a directory: they change with what is in it, which is told by itself."""
    if _described(now) != _described(before):
        return True
    return now.target() != before.target() or now.attributes() != before.attributes()


def _described(node: Node) -> t.Tuple[int, ...]:
    facts = node.facts
    content = () if stat.S_ISDIR(facts.st_mode) else (facts.st_size, facts.st_mtime_ns, facts.st_rdev)
    return (facts.st_mode, facts.st_uid, facts.st_gid, *content)
