# SPDX-License-Identifier: BSD-2-Clause
"""What a stack of layers shows, without mounting it: whiteouts, opaque directories and redirects as overlayfs reads them.

Names are looked up one by one in open directories and no link is ever followed, so what a container does meanwhile leads nobody out
of its layers. See Documentation/filesystems/overlayfs.rst. Not here: what differs between two stacks (treediff.py).
"""
from __future__ import annotations

import contextlib
import errno
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPAQUE, _REDIRECT, _WHITEOUT = "trusted.overlay.opaque", "trusted.overlay.redirect", "trusted.overlay.whiteout"
_OURS = "trusted.overlay."
_MOST_COMPONENTS = 256
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class Place(t.NamedTuple):
    """A directory of one layer (the topmost is 0) that is open."""

    layer: int
    fd: int


class Node(t.NamedTuple):
    """What is seen under a name. `layer` has it; `places` are the directories that are merged there, topmost first, empty for a file."""

    facts: os.stat_result
    layer: int
    parent_fd: int
    name: str
    places: t.Tuple[Place, ...] = ()

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.facts.st_mode)

    def attributes(self) -> t.Dict[str, bytes]:
        """Without what overlayfs keeps for itself."""
        if stat.S_ISLNK(self.facts.st_mode):
            return {}
        with contextlib.suppress(OSError):
            found = fs.xattrs("/proc/self/fd/%d/%s" % (self.parent_fd, self.name))
            return {name: value for name, value in found.items() if not name.startswith(_OURS)}
        return {}

    def target(self) -> str:
        if not stat.S_ISLNK(self.facts.st_mode):
            return ""
        return os.readlink(self.name, dir_fd=self.parent_fd)


class Tree:
    """`layers` are directories, topmost first. Whatever is opened is closed with the `stack`."""

    def __init__(self, layers: t.Sequence[str], stack: contextlib.ExitStack) -> None:
        self._roots = [self._keep(stack, os.open(layer, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) for layer in layers]

    @staticmethod
    def _keep(stack: contextlib.ExitStack, fd: int) -> int:
        stack.callback(os.close, fd)
        return fd

    def root(self) -> t.Optional[Node]:
        if not self._roots:
            return None
        places = tuple(Place(layer, fd) for layer, fd in enumerate(self._roots))
        return Node(os.fstat(self._roots[0]), 0, self._roots[0], ".", places)

    def child(self, parent: Node, name: str, stack: contextlib.ExitStack) -> t.Optional[Node]:
        found: t.Optional[Node] = None
        places: t.List[Place] = []
        wanted = name
        for place in parent.places:
            facts = _facts(place.fd, wanted)
            if facts is None:
                continue
            if _is_whiteout(place.fd, wanted, facts):
                break
            if not stat.S_ISDIR(facts.st_mode):
                found = found or Node(facts, place.layer, place.fd, wanted)
                break
            fd = _open(place.fd, wanted, stack)
            if fd is None:
                continue
            found = found or Node(facts, place.layer, place.fd, wanted)
            places.append(Place(place.layer, fd))
            if fs.find_xattr(fd, _OPAQUE) == b"y":
                break
            redirect = os.fsdecode(fs.find_xattr(fd, _REDIRECT) or b"")
            if redirect.startswith("/"):
                places += self._below(place.layer, redirect, stack)
                break
            wanted = redirect or wanted
        return found._replace(places=tuple(places)) if found is not None else None

    def _below(self, layer: int, path: str, stack: contextlib.ExitStack) -> t.Tuple[Place, ...]:
        """What a directory that was moved here shows: its former place in the layers below."""
        node: t.Optional[Node] = Node(os.fstat(self._roots[layer]), layer, self._roots[layer], ".", tuple(
            Place(index, fd) for index, fd in enumerate(self._roots) if index > layer))
        for part in [part for part in path.split("/") if part][:_MOST_COMPONENTS]:
            node = self.child(node, part, stack) if node is not None else None
        return node.places if node is not None else ()

    def find(self, path: str, stack: contextlib.ExitStack) -> t.Optional[Node]:
        node = self.root()
        for part in path.strip("/").split("/"):
            node = self.child(node, part, stack) if node is not None and node.is_directory else None
        return node


def names(places: t.Iterable[Place]) -> t.List[str]:
    """All that these directories say something of, whiteouts included."""
    return sorted({name for place in places for name in os.listdir(place.fd)})


def _facts(fd: int, name: str) -> t.Optional[os.stat_result]:
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except OSError as error:
        if error.errno in _GONE:
            return None
        raise


def _open(fd: int, name: str, stack: contextlib.ExitStack) -> t.Optional[int]:
    try:
        return Tree._keep(stack, os.open(name, _DIRECTORY, dir_fd=fd))
    except OSError as error:
        if error.errno in _GONE:        # it was taken away between the two calls
            return None
        raise


def _is_whiteout(fd: int, name: str, facts: os.stat_result) -> bool:
    """A device 0:0, or (Linux 6.7) an empty file with an attribute."""
    if stat.S_ISCHR(facts.st_mode):
        return facts.st_rdev == 0
    if not stat.S_ISREG(facts.st_mode) or facts.st_size:
        return False
    with contextlib.suppress(OSError):
        return fs.find_xattr("/proc/self/fd/%d/%s" % (fd, name), _WHITEOUT) is not None
    return False
