# SPDX-License-Identifier: BSD-2-Clause
"""One question to nftables without its library, for a task that finds nothing to do: is there a chain of this name?

0.1 ms, where loading libnftables takes 5. See linux/netfilter/nf_tables.h. Not here: changing anything (nft.py).
"""
from __future__ import annotations

import errno
import socket
import struct

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError

_NETLINK_NETFILTER = 12
_GET_CHAIN = 10 << 8 | 4            # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETCHAIN
_ERROR, _REQUEST = 2, 0x1           # NLMSG_ERROR, NLM_F_REQUEST
_INET = 1                           # NFPROTO_INET
_TABLE, _NAME = 1, 3                # NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME
_HEADER = struct.Struct("=IHHII")


def has_chain(table: str, name: str) -> bool:
    """In a table of the family inet, of the network namespace that the caller is in. Raises KernelError."""
    body = struct.pack("=BBH", _INET, 0, 0) + _attribute(_TABLE, table) + _attribute(_NAME, name)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER) as connection:
        connection.bind((0, 0))
        connection.send(_HEADER.pack(_HEADER.size + len(body), _GET_CHAIN, _REQUEST, 1, 0) + body)
        answer = connection.recv(1 << 16)
    if _HEADER.unpack_from(answer)[1] != _ERROR:
        return True
    code = -int(struct.unpack_from("=i", answer, _HEADER.size)[0])
    if code in (errno.ENOENT, errno.EOPNOTSUPP, errno.EINVAL):      # no such chain or table; a kernel without nftables
        return False
    raise KernelError("find chain", name, code)


def _attribute(kind: int, text: str) -> bytes:
    value = text.encode("utf-8") + b"\0"
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)
