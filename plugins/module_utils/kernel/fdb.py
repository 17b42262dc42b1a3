# SPDX-License-Identifier: BSD-2-Clause
"""The forwarding table of a VXLAN link: which other hosts get what has no known place, and where MAC addresses were seen.

By route netlink (rtnetlink(7), RTM_GETNEIGH with PF_BRIDGE), encoded here: so looking costs no library. Not here: the link (netlink.py).
"""
from __future__ import annotations

import errno
import socket
import struct
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel.sockdiag import messages
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError

EVERYTHING = "00:00:00:00:00:00"        # the entry for broadcasts, and for addresses that were not seen yet

_NEW, _DELETE, _GET = 28, 29, 30
_REQUEST, _ACK, _DUMP, _CREATE, _APPEND = 0x1, 0x4, 0x300, 0x400, 0x800
_ERROR, _DONE = 2, 3
_BRIDGE = 7                             # PF_BRIDGE
_PERMANENT, _SELF = 0x80, 0x02          # NUD_PERMANENT, NTF_SELF: of the link itself, not of its bridge
_HEADER, _ENTRY, _FILTER = struct.Struct("=IHHII"), struct.Struct("=BxxxiHBB"), struct.Struct("=BxHiII")
_ATTRIBUTE = struct.Struct("=HH")
_DESTINATION, _ADDRESS = 1, 2           # NDA_DST, NDA_LLADDR


class Entry(t.NamedTuple):
    """`host` is the other end of the tunnel."""

    mac: str
    host: str


def entries(index: int) -> t.List[Entry]:
    """All of one link, also those that it learned. Raises KernelError."""
    with _opened() as connection:
        _send(connection, _GET, _REQUEST | _DUMP, _FILTER.pack(_BRIDGE, 0, index, 0, 0))
        found: t.List[Entry] = []
        while True:
            for kind, content in messages(connection.recv(1 << 17)):
                if kind == _DONE:
                    return found
                if kind == _ERROR:
                    raise KernelError("list forwarding entries of", "link %d" % index, _code(content))
                found += _parsed(content, index)


def change(index: int, *, add: t.Iterable[Entry] = (), remove: t.Iterable[Entry] = (), subject: str) -> None:
    """Idempotent. Raises KernelError for the first that fails."""
    with _opened() as connection:
        for entry in remove:
            _run(connection, _DELETE, 0, index, entry, "remove", subject, (errno.ENOENT,))
        for entry in add:
            _run(connection, _NEW, _CREATE | _APPEND, index, entry, "add", subject, (errno.EEXIST,))


def _opened() -> socket.socket:
    connection = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    connection.bind((0, 0))
    return connection


def _run(
    connection: socket.socket, kind: int, flags: int, index: int, entry: Entry, op: str, subject: str, fine: t.Tuple[int, ...],
) -> None:
    mac = bytes.fromhex(entry.mac.replace(":", ""))
    host = socket.inet_pton(socket.AF_INET6 if ":" in entry.host else socket.AF_INET, entry.host)
    body = _ENTRY.pack(_BRIDGE, index, _PERMANENT, _SELF, 0)
    body += b"".join(_attribute(kind, value) for kind, value in ((_DESTINATION, host), (_ADDRESS, mac)))
    _send(connection, kind, _REQUEST | _ACK | flags, body)
    code = next(_code(content) for kind, content in messages(connection.recv(1 << 16)) if kind == _ERROR)
    if code and code not in fine:
        raise KernelError("%s forwarding entry" % op, "%s by %s of %s" % (entry.mac, entry.host, subject), code)


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def _send(connection: socket.socket, kind: int, flags: int, body: bytes) -> None:
    connection.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body)


def _code(content: bytes) -> int:
    return -int(struct.unpack_from("=i", content)[0])


def _parsed(content: bytes, index: int) -> t.Iterator[Entry]:
    """Pure. Entries of the bridge for the same link have no other end."""
    _family, found, _state, _flags, _type = _ENTRY.unpack_from(content)
    said, at = {}, _ENTRY.size
    while at + _ATTRIBUTE.size <= len(content):
        size, kind = _ATTRIBUTE.unpack_from(content, at)
        if size < _ATTRIBUTE.size:
            break
        said[kind] = content[at + _ATTRIBUTE.size:at + size]
        at += size + 3 & ~3
    if found == index and _DESTINATION in said and _ADDRESS in said:
        raw = said[_DESTINATION]
        host = socket.inet_ntop(socket.AF_INET6 if len(raw) == 16 else socket.AF_INET, raw)
        yield Entry(":".join("%02x" % byte for byte in said[_ADDRESS]), host)
