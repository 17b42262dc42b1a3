# SPDX-License-Identifier: BSD-2-Clause
"""A container's place on a network: its addresses, its published ports, the names by which its neighbours know it.

Not here: which address is free (network/leases.py).
"""
from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.network import Network, Words, address_number
from ansible_collections.cocker.engine.plugins.module_utils.model.ports import PortMapping


@dataclasses.dataclass(frozen=True)
class Lease:
    """One container's place on one network. `active` while it runs: only then are its ports in the firewall."""

    container: str
    address: str                # with prefix length: 10.66.1.10/24
    mac: str
    ifname: str                 # inside: eth0
    link: str                   # the host's side: eth098F6BCD46
    ports: t.Tuple[PortMapping, ...] = ()
    active: bool = False
    aliases: Words = ()         # further names of the container for its neighbours
    links: t.Tuple[t.Tuple[str, str], ...] = ()     # (neighbour, a further name of it for this container)
    address6: t.Optional[str] = None                # with prefix length

    @functools.cached_property
    def ip(self) -> str:
        return self.address.partition("/")[0]

    @functools.cached_property
    def number(self) -> int:
        """What leases are sorted by."""
        return address_number(self.ip)

    @functools.cached_property
    def ip6(self) -> t.Optional[str]:
        return self.address6.partition("/")[0] if self.address6 else None

    @functools.cached_property
    def fingerprint(self) -> int:
        """64 bits of all that the firewall is made of."""
        said = (self.ip, self.ip6, [(port.host_ip, port.host_port, port.container_port, port.protocol) for port in self.ports])
        return int.from_bytes(hashlib.sha256(repr(said).encode("utf-8")).digest()[:8], "big")

    @functools.cached_property
    def text(self) -> str:
        """As it is recorded: made once, for the leases of all containers are written whenever one starts."""
        return json.dumps(self.to_json(), sort_keys=True)

    def to_json(self) -> t.Dict[str, t.Any]:
        """By name, not by dataclasses.asdict, which copies all that it finds."""
        return {
            "container": self.container, "address": self.address, "mac": self.mac, "ifname": self.ifname, "link": self.link,
            "ports": [port.to_json() for port in self.ports], "active": self.active, "aliases": list(self.aliases),
            "links": [list(link) for link in self.links], "address6": self.address6,
        }


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """What attach needs: a lease, and the network that it is on. One endpoint of a container has its default route."""

    network: Network
    lease: Lease
    default_route: bool = True


def lease_from_json(value: t.Mapping[str, t.Any]) -> Lease:
    """Raises KeyError, TypeError or ValueError where the record is not ours."""
    ports = tuple(PortMapping(**port) for port in value["ports"])
    kept = {key: value[key] for key in ("container", "address", "mac", "ifname", "link")}
    return Lease(**kept, ports=ports, active=bool(value["active"]), aliases=tuple(value.get("aliases", ())),
                 links=tuple((link[0], link[1]) for link in value.get("links", ())), address6=value.get("address6"))
