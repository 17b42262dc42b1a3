# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose a file is after a change of users, and what attributes say of it that hold ids themselves."""
from __future__ import annotations

import struct

from ansible_collections.cocker.engine.plugins.module_utils.model import idmap
from ansible_collections.cocker.engine.plugins.module_utils.storage import owners

MAPS = idmap.Maps((idmap.Extent(0, 500000, 65536),), (idmap.Extent(0, 600000, 65536),))
OTHER = idmap.whole(700000)
CAPABILITY, ACL = "security.capability", "system.posix_acl_access"
WHOLE_HOST = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)


def below(root: int) -> bytes:
    return struct.pack("<IIIIII", 0x03000001, 1 << 10, 0, 0, 0, root)


def acl(user: int, group: int) -> bytes:
    entries = ((1, 6, 0xFFFFFFFF), (2, 4, user), (4, 4, 0xFFFFFFFF), (8, 4, group), (0x10, 6, 0xFFFFFFFF), (0x20, 4, 0xFFFFFFFF))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def test_owners_go_from_each_to_each_and_back() -> None:
    there, across, back = owners.Shift(None, MAPS), owners.Shift(MAPS, OTHER), owners.Shift(OTHER, None)
    assert (there.uid(5), there.gid(5)) == (500005, 600005)
    assert (across.uid(500005), across.gid(600005)) == (700005, 700005)
    assert (back.uid(700005), back.gid(700005)) == (5, 5)
    assert owners.AS_IT_IS.uid(5) == 5


def test_capabilities_count_for_the_containers_root() -> None:
    def shifted(shift: owners.Shift, value: bytes) -> bytes:
        return shift.attributes({CAPABILITY: value, "user.x": b"1"})[CAPABILITY]

    assert shifted(owners.Shift(None, MAPS), WHOLE_HOST) == below(500000)
    assert shifted(owners.Shift(MAPS, OTHER), below(500000)) == below(700000)
    assert shifted(owners.Shift(MAPS, None), below(500000)) == WHOLE_HOST
    assert shifted(owners.Shift(None, MAPS), below(7)) == below(500007)
    assert shifted(owners.Shift(MAPS, None), WHOLE_HOST) == below(65534)       # the host's own are nobody's in the container
    assert shifted(owners.Shift(None, MAPS), b"\0\0\0\1") == b"\0\0\0\1"


def test_access_lists_name_the_same_users() -> None:
    assert owners.Shift(None, MAPS).attributes({ACL: acl(5, 6)}) == {ACL: acl(500005, 600006)}
    assert owners.Shift(MAPS, None).attributes({ACL: acl(500005, 600006)}) == {ACL: acl(5, 6)}


def test_each_map_has_a_copy_of_its_own() -> None:
    assert owners.shown("/s/layers/a/diff", None) == "/s/layers/a/diff"
    assert owners.shown("/s/layers/a/diff", MAPS) == "/s/layers/a/" + owners.copy_name(MAPS)
    assert owners.copy_name(MAPS) != owners.copy_name(OTHER)
