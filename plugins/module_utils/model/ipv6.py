# SPDX-License-Identifier: BSD-2-Clause
"""The IPv6 side of a network: its subnet, and one for a network that asks for IPv6 and names none.

Not here: which address a container gets (network/leases.py).
"""
from __future__ import annotations

import functools
import hashlib
import ipaddress
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

Subnet = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Address = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]

_LONGEST = 126
_SHORTEST = 16


def is_ipv6(text: str) -> bool:
    return ":" in text


def canonical_subnet(value: str, option: str) -> str:
    """Raises Invalid."""
    text = str(value).strip()
    try:
        if "/" not in text:
            raise ValueError("no prefix length")
        subnet = ipaddress.IPv6Network(text)
    except ValueError:
        raise Invalid(option, "%r is not an IPv6 network address with its prefix length, such as fd00:66:1::/64" % value) from None
    if not _SHORTEST <= subnet.prefixlen <= _LONGEST:
        raise Invalid(option, "%s: a prefix length from %d to %d is accepted" % (subnet, _SHORTEST, _LONGEST))
    if subnet.is_loopback or subnet.is_multicast or subnet.is_link_local or subnet.is_unspecified:
        raise Invalid(option, "%s is not a subnet for hosts; a unique local one such as fd00:66:1::/64 is accepted" % subnet)
    return str(subnet)


def address(value: str, option: str) -> str:
    """In canonical form: a compressed and an expanded one are the same. Raises Invalid."""
    try:
        return str(ipaddress.IPv6Address(str(value).strip()))
    except ValueError:
        raise Invalid(option, "%r is not an IPv6 address such as fd00:66:1::10" % (value,)) from None


def unique_local(name: str) -> str:
    """A /64 of fd00::/8 that follows from the network's name, so that it is the same on every host and after every removal."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    return str(ipaddress.IPv6Network((b"\xfd" + digest[:7] + bytes(8), 64)))


def first_host(subnet: str) -> str:
    return str(ipaddress.IPv6Network(subnet).network_address + 1)


@functools.lru_cache(maxsize=4096)
def number(text: str) -> t.Tuple[int, int]:
    """Sorts addresses of both families, with or without a prefix length."""
    found = ipaddress.ip_address(text.partition("/")[0])
    return found.version, int(found)
