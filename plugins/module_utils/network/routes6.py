# SPDX-License-Identifier: BSD-2-Clause
"""The host's IPv6 addresses and routes, read from /proc: no socket, nothing is changed.

Not here: IPv4 and links (routes.py).
"""
from __future__ import annotations

import errno
import ipaddress
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import tolerate

ADDRESSES, ROUTES, SYSCTLS = "/proc/net/if_inet6", "/proc/net/ipv6_route", "/proc/sys/net/ipv6"

_SHORTEST = 8           # a shorter prefix is a default route in parts, which nobody's subnet can avoid
_LINK_LOCAL, _MULTICAST = ipaddress.IPv6Network("fe80::/10"), ipaddress.IPv6Network("ff00::/8")


def is_there() -> bool:
    """Whether the kernel has IPv6."""
    return os.path.isdir(SYSCTLS)


def has_address(link: str, address: str) -> bool:
    """`address` has its prefix length."""
    wanted = ipaddress.IPv6Interface(address)
    with tolerate(errno.ENOENT):
        with open(ADDRESSES, encoding="ascii") as stream:
            for words in map(str.split, stream):
                if words[5] == link and int(words[2], 16) == wanted.network.prefixlen and _address(words[0]) == wanted.ip:
                    return True
    return False


def link_of(address: str) -> str:
    """The link that has this address of the host; empty where none has."""
    wanted, found = ipaddress.IPv6Address(address), ""
    with tolerate(errno.ENOENT):
        with open(ADDRESSES, encoding="ascii") as stream:
            found = next((words[5] for words in map(str.split, stream) if _address(words[0]) == wanted), "")
    return found


def link_to(address: str) -> str:
    """The link by which it is reached, or which has it; empty where there is no way."""
    wanted, fits = ipaddress.IPv6Address(address), []
    with tolerate(errno.ENOENT):
        with open(ROUTES, encoding="ascii") as stream:
            for words in map(str.split, stream):
                route = ipaddress.IPv6Network((int(words[0], 16), int(words[1], 16)))
                if wanted in route and words[9] != "lo":
                    fits.append((route.prefixlen, words[9]))
    return link_of(address) or (max(fits)[1] if fits else "")


def find_overlap(subnet: str, *, except_link: str) -> t.Optional[str]:
    """A description of the first route or address of the host that overlaps the subnet and is not the link's own."""
    wanted = ipaddress.IPv6Network(subnet)
    for route, link in _routes():
        if link != except_link and route.overlaps(wanted):
            return "%s %s of the host (link %s)" % ("address" if route.prefixlen == 128 else "route", route, link)
    return None


def _routes() -> t.Iterator[t.Tuple[ipaddress.IPv6Network, str]]:
    with tolerate(errno.ENOENT):
        with open(ROUTES, encoding="ascii") as stream:
            for words in map(str.split, stream):
                route = ipaddress.IPv6Network((int(words[0], 16), int(words[1], 16)))
                if route.prefixlen >= _SHORTEST and not route.is_loopback and not any(map(route.overlaps, (_LINK_LOCAL, _MULTICAST))):
                    yield route, words[9]


def _address(text: str) -> ipaddress.IPv6Address:
    return ipaddress.IPv6Address(int(text, 16))
