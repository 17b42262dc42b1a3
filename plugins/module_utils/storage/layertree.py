# SPDX-License-Identifier: BSD-2-Clause
"""A layer's archive becomes a tree as overlayfs wants it: `.wh.name` hides a name of the layers below, `.wh..wh..opq` all of a directory.

A layer may stand on any other, so the tree does not depend on what is below. Not here: the way back (layertar.py).
"""
from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged
from ansible_collections.cocker.engine.plugins.module_utils.storage import archive, unpack
from ansible_collections.cocker.engine.plugins.module_utils.storage.archive import Entry
from ansible_collections.cocker.engine.plugins.module_utils.storage.snapshots import HIDES_ALL, MAY_HIDE

WHITEOUT, OPAQUE = b".wh.", b".wh..wh..opq"
_BOOKKEEPING = b".wh..wh."      # of aufs itself


class DeviceTree(unpack.Tree):
    """Whiteouts as overlayfs has them, devices 0:0, in a plain archive of a tree: they do not show, whatever the tree is stacked on."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self._hiding: t.Dict[bytes, None] = {}

    def add(self, entry: Entry, data: t.Iterator[memoryview]) -> None:
        super().add(entry, data)
        if entry.kind == archive.CHARACTER and (entry.major, entry.minor) == (0, 0):
            self._hiding[unpack.clean(entry.name).rpartition(b"/")[0]] = None

    def finish(self) -> None:
        for path in self._hiding:
            self.mark(path, MAY_HIDE, b"")
        super().finish()

    def mark(self, path: bytes, attribute: str, value: bytes) -> None:
        with self.directory(path) as fd:
            if fd is not None:
                os.setxattr(fd, attribute, value)


class CockerTree(DeviceTree):
    """Of a .cockerimage, too: directories that hide what is below them."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self._opaque: t.Dict[bytes, None] = {}

    def add(self, entry: Entry, data: t.Iterator[memoryview]) -> None:
        super().add(entry, data)
        if entry.kind == archive.DIRECTORY and entry.xattrs.get(os.fsencode(HIDES_ALL)) == b"y":
            self._opaque[unpack.clean(entry.name)] = None

    def finish(self) -> None:
        for path in self._opaque:
            self.mark(path, HIDES_ALL, b"y")
        super().finish()


class LayerTree(DeviceTree):
    """Whiteouts count for the layers below only, wherever in the archive they stand: they are made when all else is there."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self._hidden: t.Dict[bytes, None] = {}
        self._opaque: t.Dict[bytes, None] = {}

    def add(self, entry: Entry, data: t.Iterator[memoryview]) -> None:
        path = unpack.clean(entry.name)
        if WHITEOUT not in path:
            super().add(entry, data)
            return
        folder, _slash, name = path.rpartition(b"/")
        if name == OPAQUE:
            self._check_place(folder, path)
            self._opaque[folder] = None
        elif any(part.startswith(_BOOKKEEPING) for part in path.split(b"/")):
            return
        elif any(part.startswith(WHITEOUT) for part in folder.split(b"/")):
            raise Damaged("unpack", os.fsdecode(path), "it is below a whiteout")
        elif name.startswith(WHITEOUT):
            self._check_place(folder, path)
            self._hidden[_joined(folder, _target(path, name))] = None
        else:
            super().add(entry, data)

    def finish(self) -> None:
        # overlayfs shows whiteouts of a directory that is in one layer only, unless MAY_HIDE says that there was another (Linux 4.15).
        for path in self._hidden:
            folder, _slash, name = path.rpartition(b"/")
            if folder not in self._opaque and self._hide(folder, name):
                self._hiding[folder] = None
        for path in self._opaque:
            self.mark(path, HIDES_ALL, b"y")
        super().finish()

    def _check_place(self, folder: bytes, path: bytes) -> None:
        """It is made at the end, when a link could lead elsewhere."""
        self.place(folder)
        self.remember(path)
        with self.directory(folder) as fd:
            if fd is None:
                raise Damaged("unpack", os.fsdecode(path), "it is a whiteout below a link")

    def _hide(self, folder: bytes, name: bytes) -> bool:
        """Whether a whiteout was made: what the layer itself brings hides by being there, a directory by being opaque."""
        with self.directory(folder) as parent:
            if parent is None:
                return False
            try:
                kind = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
            except FileNotFoundError:
                os.mknod(name, stat.S_IFCHR, os.makedev(0, 0), dir_fd=parent)
                os.utime(name, ns=(0, 0), dir_fd=parent, follow_symlinks=False)
                return True
            if stat.S_ISDIR(kind):
                self._opaque[_joined(folder, name)] = None
            return False


def _joined(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name


def _target(path: bytes, name: bytes) -> bytes:
    target = name[len(WHITEOUT):]
    if target in (b"", b".", b".."):
        raise Damaged("unpack", os.fsdecode(path), "a whiteout of %r" % os.fsdecode(target))
    return target
