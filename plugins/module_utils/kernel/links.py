# SPDX-License-Identifier: BSD-2-Clause
"""A network device goes into another network namespace, with its addresses (rtnetlink(7)); without a netlink library.

Not here: making links (netlink.py).
"""
from __future__ import annotations

import _socket
import errno
import struct
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError, NotFound

_NEWLINK, _NEWADDR, _GETADDR = 16, 20, 22
_REQUEST, _ACK, _DUMP, _CREATE, _EXCLUSIVE = 0x1, 0x4, 0x300, 0x400, 0x200
_ERROR, _DONE = 2, 3
_IFLA_IFNAME, _IFLA_NET_NS_FD = 3, 28
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST, _IFA_FLAGS = 1, 2, 4, 8
_PERMANENT, _NODAD = 0x80, 0x02
_GLOBAL = 0                             # RT_SCOPE_UNIVERSE
_HEADER, _LINK, _ADDRESS, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=BxHiII"), struct.Struct("=BBBBI"), struct.Struct("=HH")
_PATIENCE = 10.0        # seconds
_PIECE = 1 << 16


class Address(t.NamedTuple):
    """One that somebody has given a link; `attributes` are of IFA_*, as they came."""

    family: int
    prefix: int
    attributes: t.Mapping[int, bytes]


def index_of(name: str) -> int:
    """In the network namespace of the caller. Raises NotFound."""
    try:
        return _socket.if_nametoindex(name)
    except OSError as error:
        raise NotFound("network device", name, "no such device") from error


def names() -> t.Set[str]:
    return {name for _index, name in _socket.if_nameindex()}


def addresses(index: int) -> t.List[Address]:
    """Those that last and are of global scope: what a move to another namespace takes away."""
    found = []
    with _Channel() as channel:
        for message in channel.dump(_GETADDR, _ADDRESS.pack(0, 0, 0, 0, 0)):
            family, prefix, flags, scope, of_index = _ADDRESS.unpack_from(message)
            attributes = dict(_attributes(message[_ADDRESS.size:]))
            if _IFA_FLAGS in attributes:
                flags = struct.unpack("=I", attributes[_IFA_FLAGS])[0]
            if of_index == index and scope == _GLOBAL and flags & _PERMANENT:
                kept = {key: attributes[key] for key in (_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST) if key in attributes}
                found.append(Address(family, prefix, kept))
    return found


def move(name: str, namespace: int, *, wanted: str) -> None:
    """Into the network namespace of the descriptor, where it is down. `%d` at the end of the wanted name is a number that is free there.

    KernelError: EEXIST where the name is taken; whether it has been moved then is not said.
    """
    body = _LINK.pack(0, 0, index_of(name), 0, 0) + _attribute(_IFLA_NET_NS_FD, struct.pack("=I", namespace))
    if wanted != name:
        body += _attribute(_IFLA_IFNAME, wanted.encode() + b"\0")
    _ask("move network device", name, _NEWLINK, 0, body)


def add_addresses(name: str, wanted: t.Sequence[Address]) -> None:
    """What is there already is fine. They can be used at once."""
    index = index_of(name)
    for address in wanted:
        head = _ADDRESS.pack(address.family, address.prefix, 0, _GLOBAL, index)
        rest = b"".join(_attribute(key, value) for key, value in sorted(address.attributes.items()))
        if address.family == _socket.AF_INET6:
            rest += _attribute(_IFA_FLAGS, struct.pack("=I", _NODAD))
        _ask("add address", name, _NEWADDR, _CREATE | _EXCLUSIVE, head + rest, fine=errno.EEXIST)


def _ask(op: str, subject: str, kind: int, flags: int, body: bytes, *, fine: int = 0) -> None:
    with _Channel() as channel:
        code = channel.acknowledged(kind, flags, body)
    if code not in (0, fine):
        raise KernelError(op, subject, code)


class _Channel:
    def __enter__(self) -> _Channel:
        self._socket = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, 0)
        self._socket.settimeout(_PATIENCE)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._socket.close()

    def acknowledged(self, kind: int, flags: int, body: bytes) -> int:
        """The errno."""
        self._send(kind, flags | _ACK, body)
        return -int(struct.unpack_from("=i", self._socket.recv(_PIECE), _HEADER.size)[0])

    def dump(self, kind: int, body: bytes) -> t.Iterator[bytes]:
        self._send(kind, _DUMP, body)
        while True:
            answer = self._socket.recv(_PIECE)
            while answer:
                length, of_kind = _HEADER.unpack_from(answer)[:2]
                if of_kind == _DONE:
                    return
                if of_kind == _ERROR:
                    raise KernelError("list addresses", "", -int(struct.unpack_from("=i", answer, _HEADER.size)[0]))
                yield answer[_HEADER.size:length]
                answer = answer[length + 3 & ~3:]

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), kind, flags | _REQUEST, 1, 0) + body)


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + b"\0" * (-len(value) % 4)


def _attributes(text: bytes) -> t.Iterator[t.Tuple[int, bytes]]:
    while len(text) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(text)
        if length < _ATTRIBUTE.size:
            return
        yield kind, text[_ATTRIBUTE.size:length]
        text = text[length + 3 & ~3:]
