# SPDX-License-Identifier: GPL-3.0-or-later
"""Forwarding entries as the kernel tells them. What they do is seen in tests/root/test_engine_vxlan.py."""
from __future__ import annotations

import socket
import struct
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fdb


def told(index: int, *attributes: t.Tuple[int, bytes]) -> bytes:
    return struct.pack("=BxxxiHBB", 7, index, 0x80, 2, 0) + b"".join(fdb._attribute(kind, value) for kind, value in attributes)


MAC = bytes.fromhex("02420a423202")


@pytest.mark.parametrize("content, found", [
    (told(5, (2, MAC), (1, socket.inet_aton("192.0.2.9"))), [fdb.Entry("02:42:0a:42:32:02", "192.0.2.9")]),
    (told(5, (2, bytes(6)), (1, socket.inet_pton(socket.AF_INET6, "fd00::9"))), [fdb.Entry(fdb.EVERYTHING, "fd00::9")]),
    (told(6, (2, MAC), (1, socket.inet_aton("192.0.2.9"))), []),
    (told(5, (2, MAC), (9, bytes(4))), []),
    (told(5), []),
    (told(5) + struct.pack("=HH", 2, 1), []),
], ids=["an address", "all", "another link", "of the bridge", "nothing", "damaged"])
def test_an_entry_is_read(content: bytes, found: t.List[fdb.Entry]) -> None:
    assert list(fdb._parsed(content, 5)) == found
