# SPDX-License-Identifier: BSD-2-Clause
"""Files and trees of a place as a tar archive, and an archive into a directory that is in use: in one pass, while somebody hostile may
change both.

Not here: a copy that differs from what is there or is not made (placing.py), layers (layertar.py, layertree.py).
"""
from __future__ import annotations

import errno
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model import filetree, idmap
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Damaged, Unsupported, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.storage import archive, owners, placing, tarheader, unpack
from ansible_collections.cocker.engine.plugins.module_utils.storage.placing import Place

Write = t.Callable[[t.Union[bytes, memoryview]], object]

_END = bytes(2 * tarheader.BLOCK)
_CHUNK = 1 << 20
_CAPABILITY = "security.capability"
_KINDS = {filetree.FILE: archive.FILE, filetree.DIRECTORY: archive.DIRECTORY, filetree.LINK: archive.SYMLINK}
_DEVICES = (archive.CHARACTER, archive.BLOCK_DEVICE)


def write(place: Place, out: Write, *, base: str) -> t.List[str]:
    """Everything at the place, under the name `base`; the paths of what is neither file, directory nor link, and left out.

    Raises Damaged for a file that becomes shorter meanwhile; what goes meanwhile is left out.
    """
    others: t.List[str] = []
    linked: t.Dict[t.Tuple[int, int], bytes] = {}
    for entry in placing.walk(place):
        if entry.kind == filetree.OTHER:
            others.append(entry.path)
            continue
        name = os.fsencode(base + "/" + entry.path if entry.path else base)
        with tolerate(errno.ENOENT, errno.ENOTDIR):
            _entry(place, entry, name, out, linked)
    out(_END)
    return others


def _entry(place: Place, entry: filetree.Entry, name: bytes, out: Write, linked: t.Dict[t.Tuple[int, int], bytes]) -> None:
    source = placing.Files(place).open(entry)[0] if entry.kind == filetree.FILE else place.open(entry.path, placing.LOOK)
    try:
        facts = os.fstat(source)
        first = linked.setdefault((facts.st_dev, facts.st_ino), name) if entry.kind == filetree.FILE and facts.st_nlink > 1 else name
        if first != name:
            out(_head(entry, name, facts, kind=archive.HARD_LINK, link=first))
            return
        if entry.kind != filetree.FILE:
            slash = b"/" if entry.kind == filetree.DIRECTORY else b""
            out(_head(entry, name + slash, facts, kind=_KINDS[entry.kind], link=os.fsencode(entry.target)))
            return
        capability = fs.find_xattr(source, _CAPABILITY)
        kept = owners.Shift(place.maps).attributes({} if capability is None else {_CAPABILITY: capability})
        pairs = [(b"SCHILY.xattr." + os.fsencode(key), value) for key, value in kept.items()]
        out(_head(entry, name, facts, kind=archive.FILE, size=facts.st_size, pairs=pairs))
        _content(source, facts.st_size, name, out)
    finally:
        os.close(source)


def _head(entry: filetree.Entry, name: bytes, facts: os.stat_result, **more: t.Any) -> bytes:
    return tarheader.build(
        name, mode=stat.S_IMODE(facts.st_mode), uid=entry.uid or 0, gid=entry.gid or 0, mtime=facts.st_mtime_ns, **more)


def _content(source: int, size: int, name: bytes, out: Write) -> None:
    """As many bytes as there were: a file that grows all the time has an end for us."""
    left = size
    while left:
        piece = os.read(source, min(left, _CHUNK))
        if not piece:
            raise Damaged("copy", os.fsdecode(name), "it became shorter while it was read")
        out(piece)
        left -= len(piece)
    out(bytes(-size % tarheader.BLOCK))


class UsedTree(unpack.Tree):
    """A directory of a container, and what an archive brings into it: nothing that is there makes way for something of another kind, the
    directory itself stays as it is, and devices are refused.
    """

    def __init__(self, root: str, maps: t.Optional[idmap.Maps] = None) -> None:
        super().__init__(root)
        self._maps, self._brought = maps, b""

    def add(self, entry: archive.Entry, data: t.Iterator[memoryview]) -> None:
        if entry.kind in _DEVICES:
            raise Unsupported("copy", os.fsdecode(entry.name), "it is a device, and no archive brings devices into a container")
        if entry.kind != archive.DIRECTORY or unpack.clean(entry.name):
            self._brought = entry.kind
            super().add(self._ours(entry), data)

    def finish(self) -> None:
        self.implied.clear()        # whose times are those of their making
        super().finish()

    def _ours(self, entry: archive.Entry) -> archive.Entry:
        if self._maps is None:
            return entry
        uid, gid = idmap.outside(self._maps.uids, entry.uid), idmap.outside(self._maps.gids, entry.gid)
        if uid is None or gid is None:
            reason = "its owner %d:%d is not among the ids of the container's user namespace" % (entry.uid, entry.gid)
            raise Damaged("copy", os.fsdecode(entry.name), reason)
        kept = owners.Shift(None, self._maps).attributes({os.fsdecode(key): value for key, value in entry.xattrs.items()})
        return entry._replace(uid=uid, gid=gid, xattrs={os.fsencode(key): value for key, value in kept.items()})

    def _step(self, parent: int, path: bytes, make: bool) -> int:
        fd = super()._step(parent, path, make)
        try:
            placing.refuse_closed(fd, os.fsdecode(path))
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _clear(self, folder: bytes, name: bytes) -> None:
        is_directory = stat.S_ISDIR(os.stat(name, dir_fd=self.place(folder), follow_symlinks=False).st_mode)
        if is_directory or self._brought == archive.DIRECTORY:
            reason = "it is a directory there, and not in the archive" if is_directory else "it is no directory there, but in the archive"
            raise Conflict("copy to", os.fsdecode(folder + b"/" * bool(folder) + name), reason)
        super()._clear(folder, name)
