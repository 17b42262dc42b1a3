# SPDX-License-Identifier: BSD-2-Clause
"""What the host's network looks like, read from /sys and /proc: no socket, no netlink, nothing is changed.

Not here: changing any of it (kernel/netlink.py), what should be there (network/bridge.py).
"""
from __future__ import annotations

import errno
import os
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import tolerate

LINKS = "/sys/class/net"
FIB, ROUTES = "/proc/net/fib_trie", "/proc/net/route"

# A prefix that is shorter is a default route in parts (0.0.0.0/1 and 128.0.0.0/1), which nobody's subnet can avoid.
SHORTEST = 8


class Route(t.NamedTuple):
    """`kind` is the kernel's word: UNICAST, LOCAL, BROADCAST, BLACKHOLE ..."""

    address: int
    length: int
    kind: str

    def __str__(self) -> str:
        return "%s/%d" % (".".join(str(byte) for byte in self.address.to_bytes(4, "big")), self.length)

    def overlaps(self, other: Route) -> bool:
        shift = 32 - min(self.length, other.length)
        return self.address >> shift == other.address >> shift


def parse_subnet(text: str) -> Route:
    address, _slash, length = text.partition("/")
    return Route(_number(address), int(length or 32), "UNICAST")


def _number(address: str) -> int:
    return int.from_bytes(bytes(int(part) for part in address.split(".")), "big")


def read(link: str, attribute: str) -> str:
    """Empty if the link or the attribute does not exist."""
    text = ""
    with tolerate(errno.ENOENT, errno.EINVAL, errno.ENOTDIR):       # EINVAL: the link is going away
        with open(os.path.join(LINKS, link, attribute), encoding="utf-8", errors="surrogateescape") as stream:
            text = stream.read()
    return text.rstrip("\n")


def exists(link: str) -> bool:
    return os.path.isdir(os.path.join(LINKS, link))


def is_bridge(link: str) -> bool:
    return os.path.isdir(os.path.join(LINKS, link, "bridge"))


def is_up(link: str) -> bool:
    return bool(int(read(link, "flags") or "0", 16) & 1)


def index(link: str) -> int:
    """0 if there is no such link."""
    return int(read(link, "ifindex") or 0)


def bridge_of(link: str) -> str:
    """Empty if it is a port of none."""
    target = ""
    with tolerate(errno.ENOENT, errno.EINVAL):
        target = os.readlink(os.path.join(LINKS, link, "master"))
    return os.path.basename(target)


def ports_of(bridge: str) -> t.Tuple[str, ...]:
    found: t.List[str] = []
    with tolerate(errno.ENOENT):
        found = os.listdir(os.path.join(LINKS, bridge, "brif"))
    return tuple(sorted(found))


def marked(mark: str) -> t.Dict[str, str]:
    """Link -> what follows the mark, for each link whose alias starts with it."""
    aliases = {link: read(link, "ifalias") for link in sorted(os.listdir(LINKS))}
    return {link: alias[len(mark):] for link, alias in aliases.items() if alias.startswith(mark)}


def all_routes() -> t.Iterator[Route]:
    """Every route and address of every IPv4 table; fib_trie is the one file that has them all."""
    address = 0
    with open(FIB, encoding="ascii") as stream:
        for line in stream:
            text = line.strip()
            if text.startswith("|-- "):
                address = _number(text[4:])
            elif text.startswith("/"):
                words = text.split()
                yield Route(address, int(words[0][1:]), words[2] if len(words) > 2 else "UNICAST")


def routes_by_link() -> t.Dict[Route, str]:
    """The main table's, with the link that each one leaves by."""
    found: t.Dict[Route, str] = {}
    with open(ROUTES, encoding="ascii") as stream:
        for line in list(stream)[1:]:
            words = line.split()
            mask = int(words[7], 16)
            found[Route(_from_wire(words[1]), bin(mask).count("1"), "UNICAST")] = words[0]
    return found


def link_to(address: str) -> str:
    """The link by which the main table reaches it; empty where it does not."""
    wanted = parse_subnet(address)
    fits = [(route.length, link) for route, link in routes_by_link().items() if route.length == 0 or route.overlaps(wanted)]
    return max(fits)[1] if fits else ""


def _from_wire(text: str) -> int:
    """/proc prints the bytes of the wire as a number of the host."""
    return int.from_bytes(int(text, 16).to_bytes(4, sys.byteorder), "big")


def has_address(link: str, address: str) -> bool:
    """Whether the host has the address (with prefix length) and the route of its subnet leaves by the link."""
    wanted = parse_subnet(address)
    shift = 32 - wanted.length
    subnet = Route(wanted.address >> shift << shift, wanted.length, "UNICAST")
    if routes_by_link().get(subnet) != link:
        return False
    return any(route.kind == "LOCAL" and route.address == wanted.address for route in all_routes())


def subnets_in_use() -> t.List[str]:
    """What an automatically chosen subnet must not touch."""
    return sorted({str(route) for route in all_routes() if _counts(route)})


def find_overlap(subnet: str, *, except_link: str, except_address: str = "") -> t.Optional[str]:
    """A description of the first route or address of the host that overlaps the subnet and is not the link's own.

    A link that is down has no route to tell whose its address is, so that `except_address` names it.
    """
    wanted = parse_subnet(subnet)
    by_link = routes_by_link()
    own = [route for route, link in by_link.items() if link == except_link and route.length >= SHORTEST]
    own += [parse_subnet(except_address)] if except_address else []
    for route in all_routes():
        if not _counts(route) or not route.overlaps(wanted):
            continue
        if any(route.length >= mine.length and route.overlaps(mine) for mine in own):
            continue
        link = by_link.get(Route(route.address, route.length, "UNICAST"))
        what = "address" if route.kind == "LOCAL" else "route"
        return "%s %s of the host%s" % (what, route, " (link %s)" % link if link else "")
    return None


def _counts(route: Route) -> bool:
    return route.length >= SHORTEST and route.kind not in ("BROADCAST", "MULTICAST") and route.address >> 24 != 127
