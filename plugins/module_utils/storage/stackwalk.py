# SPDX-License-Identifier: BSD-2-Clause
"""What a stack of layers shows, without mounting it: by descriptors, without recursion, at most one open directory a layer.

Not here: single trees (treecopy.py), and what is made of it (layertar.py).
"""
from __future__ import annotations

import contextlib
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged
from ansible_collections.cocker.engine.plugins.module_utils.storage import treecopy
from ansible_collections.cocker.engine.plugins.module_utils.storage.snapshots import HIDES_ALL
from ansible_collections.cocker.engine.plugins.module_utils.storage.treecopy import ENTER, LEAF, Visit

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Seen(t.NamedTuple):
    """`hides_all` of a directory: whatever is below the stack does not show in it."""

    visit: Visit
    hides_all: bool = False


class _Level:
    """A directory as the layers that have it; None for a layer whose directory below is open instead."""

    def __init__(self, path: bytes, fds: t.Sequence[int]) -> None:
        self.path = path
        self.fds: t.List[t.Optional[int]] = list(fds)
        self.facts = [os.fstat(fd) for fd in fds]
        names = {os.fsencode(name) for fd in fds for name in os.listdir(fd)}
        self.left = sorted(names, reverse=True)
        self.came_from: t.List[int] = []        # for each of fds, its place in the level above

    def close(self) -> None:
        for fd in self.fds:
            if fd is not None:
                os.close(fd)


def is_whiteout(facts: os.stat_result) -> bool:
    return stat.S_ISCHR(facts.st_mode) and facts.st_rdev == 0


def walk(tops: t.Sequence[str]) -> t.Iterator[Seen]:
    """`tops` topmost first. Depth first, by name; whiteouts are told, too. Descriptors are valid until the next one is asked for."""
    levels: t.List[_Level] = []
    with contextlib.ExitStack() as stack:
        stack.callback(_close, levels)
        levels.append(_Level(b"", [os.open(top, _DIRECTORY) for top in tops]))
        while levels:
            level = levels[-1]
            if not level.left:
                levels.pop()
                _climb(level, levels[-1] if levels else None)
                continue
            name = level.left.pop()
            path = level.path + b"/" + name if level.path else name
            place, facts = _first(level, name)
            fd = t.cast(int, level.fds[place])
            if not stat.S_ISDIR(facts.st_mode):
                yield Seen(Visit(LEAF, path, name, fd, facts))
                continue
            places, fds, hides_all = _below(level, name, place)
            below = _Level(path, fds)
            below.came_from = places
            try:
                yield Seen(Visit(ENTER, path, name, fd, facts), hides_all)
            finally:
                levels.append(below)
            for each in places:
                os.close(t.cast(int, level.fds[each]))
                level.fds[each] = None


def _close(levels: t.Sequence[_Level]) -> None:
    for level in levels:
        level.close()


def _first(level: _Level, name: bytes) -> t.Tuple[int, os.stat_result]:
    for place, fd in enumerate(level.fds):
        with contextlib.suppress(FileNotFoundError):
            return place, os.stat(name, dir_fd=fd, follow_symlinks=False)
    raise Damaged("read", os.fsdecode(level.path + b"/" + name), "it vanished")


def _below(level: _Level, name: bytes, start: int) -> t.Tuple[t.List[int], t.List[int], bool]:
    """The layers whose directories are seen as one, their descriptors, and whether they end with one that hides all below."""
    places: t.List[int] = []
    fds: t.List[int] = []
    for place in range(start, len(level.fds)):
        try:
            fds.append(os.open(name, _DIRECTORY, dir_fd=level.fds[place]))
        except FileNotFoundError:
            continue
        except NotADirectoryError:      # a file or a whiteout: nothing below it shows
            return places, fds, True
        places.append(place)
        if fs.find_xattr(fds[-1], HIDES_ALL) == b"y":
            return places, fds, True
    return places, fds, False


def _climb(level: _Level, above: t.Optional[_Level]) -> None:
    try:
        for fd, place in zip(level.fds, level.came_from):
            if above is not None:
                above.fds[place] = treecopy.climb(t.cast(int, fd), above.facts[place], level.path)
    finally:
        level.close()
