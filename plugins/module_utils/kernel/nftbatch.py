# SPDX-License-Identifier: BSD-2-Clause
"""Single elements of nftables' maps by netlink, without its library: 0.1 ms, however much the table holds. See linux/netfilter/nf_tables.h.

A batch is one transaction, and is refused when anybody changed any rule of the network namespace since the generation that it names.
Not here: tables, rules, and maps themselves (nft.py).
"""
from __future__ import annotations

import errno
import os
import socket
import struct
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError

Word = t.Union[str, int]            # an address or a protocol; a port
Elements = t.Mapping[t.Tuple[Word, ...], Word]

_NETLINK_NETFILTER, _SOL_NETLINK, _CAP_ACK = 12, 270, 10
_ERROR, _REQUEST, _ACK, _EXCL, _CREATE = 2, 0x1, 0x4, 0x200, 0x400     # NLMSG_ERROR, NLM_F_*
_BEGIN, _END = 0x10, 0x11           # NFNL_MSG_BATCH_*
_NFTABLES = 10                      # NFNL_SUBSYS_NFTABLES
_NEW_CHAIN, _GET_CHAIN, _DELETE_CHAIN, _NEW_ELEMENT, _DELETE_ELEMENT, _GET_GENERATION = 3, 4, 5, 12, 14, 16     # NFT_MSG_*
_INET = 1                           # NFPROTO_INET
_NESTED = 0x8000                    # NLA_F_NESTED
_HEADER, _GENERIC, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct(">BBH"), struct.Struct("=HH")
_PROTOCOLS = {"tcp": b"\6", "udp": b"\x11"}
_AT_ONCE = 400                      # elements of one message: the length of an attribute has 16 bits
_PIECE = 1 << 16
_ROOM = 1 << 17                     # bytes that the socket takes as it is made

_NAMESPACE = "/proc/thread-self/ns/net"
_channels: t.Dict[t.Tuple[int, int, int], socket.socket] = {}


class Message(t.NamedTuple):
    kind: int
    flags: int
    body: bytes


def add_chain(table: str, name: str) -> Message:
    return Message(_NEW_CHAIN, _CREATE | _EXCL, _text(1, table) + _text(3, name))      # NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME


def delete_chain(table: str, name: str) -> Message:
    return Message(_DELETE_CHAIN, 0, _text(1, table) + _text(3, name))


def add_elements(table: str, name: str, elements: Elements) -> t.List[Message]:
    """To a map. EEXIST where a key is there."""
    found = [_attribute(1 | _NESTED, _value(1, key) + _value(2, (value,), padded=False)) for key, value in elements.items()]
    return _of_elements(_NEW_ELEMENT, _CREATE | _EXCL, table, name, found)


def delete_elements(table: str, name: str, keys: t.Iterable[t.Tuple[Word, ...]]) -> t.List[Message]:
    """ENOENT where a key is not there."""
    return _of_elements(_DELETE_ELEMENT, 0, table, name, [_attribute(1 | _NESTED, _value(1, key)) for key in keys])


def _of_elements(kind: int, flags: int, table: str, name: str, elements: t.Sequence[bytes]) -> t.List[Message]:
    head = _text(1, table) + _text(2, name)                 # NFTA_SET_ELEM_LIST_TABLE, _SET, _ELEMENTS
    pieces = [elements[at:at + _AT_ONCE] for at in range(0, len(elements), _AT_ONCE)]
    return [Message(kind, flags, head + _attribute(3 | _NESTED, b"".join(piece))) for piece in pieces]


def _value(kind: int, words: t.Sequence[Word], *, padded: bool = True) -> bytes:
    """NFTA_SET_ELEM_KEY, NFTA_SET_ELEM_DATA: each word of a key begins at a multiple of four bytes."""
    raw = [_encoded(word) for word in words]
    return _attribute(kind | _NESTED, _attribute(1, b"".join(part + b"\0" * (-len(part) % 4) for part in raw) if padded else raw[0]))


def _encoded(word: Word) -> bytes:
    if isinstance(word, int):
        return word.to_bytes(2, "big")
    return _PROTOCOLS.get(word) or socket.inet_pton(socket.AF_INET6 if ":" in word else socket.AF_INET, word)


def _text(kind: int, text: str) -> bytes:
    return _attribute(kind, text.encode("utf-8") + b"\0")


def _attribute(kind: int, payload: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(payload), kind) + payload + b"\0" * (-len(payload) % 4)


def has_chain(table: str, name: str) -> bool:
    """As in nftquery.py, for whoever changes something, too. Raises KernelError."""
    code = _asked(_GET_CHAIN, _text(1, table) + _text(3, name))[0]
    if code not in (0, errno.ENOENT, errno.EOPNOTSUPP, errno.EINVAL):
        raise KernelError("find chain", name, code)
    return code == 0


def generation() -> int:
    """Counts the transactions of this network namespace, those of others included; 0 where the kernel does not say (before Linux 3.18)."""
    code, content = _asked(_GET_GENERATION, b"")
    return int(struct.unpack_from(">I", content, _GENERIC.size + _ATTRIBUTE.size)[0]) if code == 0 else 0      # NFTA_GEN_ID, the first


def _asked(kind: int, body: bytes) -> t.Tuple[int, bytes]:
    """An errno, or 0 and what the kernel says."""
    channel = _channel()
    channel.send(_packed(_NFTABLES << 8 | kind, _REQUEST, body, number=0))
    answer = channel.recv(_PIECE)
    code = -int(struct.unpack_from("=i", answer, _HEADER.size)[0]) if _HEADER.unpack_from(answer)[1] == _ERROR else 0
    return code, answer[_HEADER.size:]


def run(messages: t.Sequence[Message], *, at: int, subject: str) -> None:
    """All of them or none, and none unless the generation is `at`. Raises KernelError."""
    channel = _channel()
    named = _attribute(1, struct.pack(">I", at))            # NFNL_BATCH_GENID, Linux 4.13; unknown before, and then ignored
    parts = [_packed(_BEGIN, _REQUEST, named, number=0, extra=_NFTABLES)]
    parts += [_packed(_NFTABLES << 8 | each.kind, _REQUEST | _ACK | each.flags, each.body, number=number)
              for number, each in enumerate(messages, 1)]
    _send(channel, b"".join([*parts, _packed(_END, _REQUEST, b"", number=0, extra=_NFTABLES)]), subject)
    codes = list(_answers(channel))
    failed = next((code for code in codes if code), errno.EPROTO if len(codes) != len(messages) else 0)
    if failed:
        raise KernelError("change nftables", subject, failed)


def _send(channel: socket.socket, text: bytes, subject: str) -> None:
    try:
        if len(text) > _ROOM:
            channel.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_SNDBUFFORCE", 32), 2 * len(text))
        channel.send(text)
    except OSError as error:                                # EPERM, ENOBUFS, EMSGSIZE: it is too much for one message here
        raise KernelError("change nftables", subject, error.errno or errno.EIO) from error


def _answers(channel: socket.socket) -> t.Iterator[int]:
    """An errno or 0 for each message: the kernel has answered all of them before it returned from send(2)."""
    while True:
        try:
            answer = channel.recv(_PIECE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        at = 0
        while at + _HEADER.size <= len(answer):
            size, kind = _HEADER.unpack_from(answer, at)[:2]
            if kind == _ERROR:
                yield -int(struct.unpack_from("=i", answer, at + _HEADER.size)[0])
            at += max(size + 3 & ~3, _HEADER.size)


def _packed(kind: int, flags: int, body: bytes, *, number: int, extra: int = 0) -> bytes:
    content = _GENERIC.pack(_INET if kind >= _NFTABLES << 8 else 0, 0, extra) + body
    return _HEADER.pack(_HEADER.size + len(content), kind, flags, number, 0) + content


def _channel() -> socket.socket:
    """Kept until the process ends, for the reason that nft.py has: closing it waits for the kernel to free what was deleted."""
    namespace = os.stat(_NAMESPACE)
    key = (os.getpid(), namespace.st_dev, namespace.st_ino)
    if key not in _channels:
        channel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
        channel.bind((0, 0))
        try:
            channel.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)   # Linux 4.3: an answer does not repeat the question
        except OSError as error:
            if error.errno != errno.ENOPROTOOPT:
                raise
        _channels[key] = channel
    return _channels[key]
