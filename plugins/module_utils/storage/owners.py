# SPDX-License-Identifier: BSD-2-Clause
"""Whose the files of a tree are on the disk: the container's ids as they are, or those of the host that its map has for them.

The latter only where the kernel cannot show files as those of other users. Such a tree says it by an attribute of its top, and so keeps it
under each name that it gets. Not here: how a tree becomes the other (shifting.py).
"""
from __future__ import annotations

import hashlib
import json
import os
import struct
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model import idmap
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout, listed

MARK = "trusted.cocker.owners"
COPY = "owners-"                            # what the names of copies of a layer begin with
_CAPABILITY = "security.capability"         # linux/capability.h: struct vfs_ns_cap_data
_ACLS = ("system.posix_acl_access", "system.posix_acl_default")     # linux/posix_acl_xattr.h
_REVISION, _WITHOUT_ROOT, _WITH_ROOT = 0xFF000000, 0x02000000, 0x03000000
_HEAD, _ENTRY = struct.Struct("<I"), struct.Struct("<HHI")
_SHORT, _LONG = 20, 24
_USER, _GROUP = 0x02, 0x08                  # entries of an access list that have an id

OptionalMaps = t.Optional[idmap.Maps]


def find(path: str) -> OptionalMaps:
    """None for a tree as it usually is, and for none. Raises Damaged."""
    try:
        text = fs.find_xattr(path, MARK)
    except FileNotFoundError:
        return None
    if text is None:
        return None
    try:
        uids, gids = (tuple(idmap.Extent(*map(int, extent)) for extent in extents) for extents in json.loads(text))
        return idmap.Maps(uids, gids)
    except (ValueError, TypeError) as error:
        raise Damaged("read", path, "its attribute %s is not ours" % MARK) from error


def mark(path: str, maps: OptionalMaps) -> None:
    """A tree that is not in its place yet."""
    if maps is not None:
        os.setxattr(path, MARK, text(maps).encode("ascii"))


def text(maps: idmap.Maps) -> str:
    return json.dumps(maps, separators=(",", ":"))


def shown(diff: str, maps: OptionalMaps) -> str:
    """Where a layer (its `diff`) is that belongs to the users of `maps`: itself, or its copy, whether it is there or not."""
    return diff if maps is None else os.path.join(os.path.dirname(diff), copy_name(maps))


def copy_name(maps: idmap.Maps) -> str:
    return COPY + hashlib.sha256(text(maps).encode("ascii")).hexdigest()[:16]


def copies(layout: Layout, layer_id: str) -> t.List[str]:
    """Their names, below the layer."""
    return [name for name in listed(layout.layer(layer_id)) if name.startswith(COPY)]


class Shift(t.NamedTuple):
    """From a tree of one map to one of another; None for the container's ids."""

    before: OptionalMaps = None
    after: OptionalMaps = None

    def owner(self, facts: os.stat_result) -> t.Tuple[int, int]:
        return self.uid(facts.st_uid), self.gid(facts.st_gid)

    def uid(self, number: int) -> int:
        return _shifted(number, self.before and self.before.uids, self.after and self.after.uids)

    def gid(self, number: int) -> int:
        return _shifted(number, self.before and self.before.gids, self.after and self.after.gids)

    def attributes(self, xattrs: t.Mapping[str, bytes]) -> t.Mapping[str, bytes]:
        """Those that hold ids with the others' ids."""
        if self.before == self.after or _CAPABILITY not in xattrs and not any(name in xattrs for name in _ACLS):
            return xattrs
        return {name: self._capability(value) if name == _CAPABILITY else self._acl(value) if name in _ACLS else value
                for name, value in xattrs.items()}

    def _capability(self, value: bytes) -> bytes:
        """They count below the root of a user namespace, which is the host's where none is named (capabilities(7))."""
        (magic,) = _HEAD.unpack_from(value)
        revision = magic & _REVISION
        if (revision, len(value)) not in ((_WITHOUT_ROOT, _SHORT), (_WITH_ROOT, _LONG)):
            return value
        root = self.uid(_HEAD.unpack_from(value, _SHORT)[0] if revision == _WITH_ROOT else 0)
        head = _HEAD.pack(magic & ~_REVISION | (_WITH_ROOT if root else _WITHOUT_ROOT))
        return head + value[_HEAD.size:_SHORT] + (_HEAD.pack(root) if root else b"")

    def _acl(self, value: bytes) -> bytes:
        entries = []
        for tag, allowed, number in _ENTRY.iter_unpack(value[_HEAD.size:]):
            number = self.uid(number) if tag == _USER else self.gid(number) if tag == _GROUP else number
            entries.append(_ENTRY.pack(tag, allowed, number))
        return value[:_HEAD.size] + b"".join(entries)


AS_IT_IS = Shift()


def _shifted(number: int, before: t.Optional[idmap.Extents], after: t.Optional[idmap.Extents]) -> int:
    if before is not None:
        number = idmap.told(idmap.turned(before), number)
    return number if after is None else idmap.told(after, number)
