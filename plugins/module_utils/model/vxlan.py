# SPDX-License-Identifier: BSD-2-Clause
"""A network that spans hosts: its number, its port, and the other hosts with the names of their containers.

Not here: the network itself (network.py), and the link that carries it (network/vxlan.py).
"""
from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

PORT = 4789                                     # IANA's; the kernel's own default is 8472
OVERHEAD, OVERHEAD6 = 50, 70                    # bytes of the outer packet: IP, UDP, VXLAN and the inner Ethernet header
VNI, PORT_OPTION, LOCAL = "driver_options.vni", "driver_options.port", "driver_options.local"
PEERS, ADDRESS, NAMES, RANGE = "peers", "peers.address", "peers.names", "ipam_config.iprange"

Names = t.Tuple[t.Tuple[str, t.Tuple[str, ...]], ...]


@dataclasses.dataclass(frozen=True)
class Peer:
    """Another host of the network, and (name, addresses) of the containers on it, sorted by name."""

    address: str
    names: Names = ()

    def to_json(self) -> t.Dict[str, t.Any]:
        return {"address": self.address, "names": {name: list(addresses) for name, addresses in self.names}}


Peers = t.Tuple[Peer, ...]


def peer(address: t.Any, names: t.Optional[t.Mapping[t.Any, t.Any]]) -> Peer:
    """In canonical form; a name has one address or several. Raises Invalid."""
    found = {_name(name): _addresses(name, given) for name, given in (names or {}).items()}
    return Peer(host_address(address, ADDRESS), tuple(sorted(found.items())))


def peers_from_json(value: t.Any) -> Peers:
    """Raises KeyError, TypeError or ValueError where the record is not ours."""
    return tuple(Peer(each["address"], tuple((name, tuple(addresses)) for name, addresses in sorted(each["names"].items())))
                 for each in value)


def host_address(value: t.Any, option: str) -> str:
    """Raises Invalid."""
    try:
        found = ipaddress.ip_address(str(value).strip())
    except ValueError:
        raise Invalid(option, "%r is not the IP address of a host; names are not looked up" % (value,)) from None
    if found.is_multicast or found.is_unspecified or found.is_loopback:
        raise Invalid(option, "%s is not the address of a host that others reach" % found)
    return str(found)


def _name(value: t.Any) -> str:
    text = str(value)
    if not text or any(char.isspace() or char == "#" or not char.isprintable() for char in text):
        raise Invalid(NAMES, "%r is not one word" % (value,))
    return text


def _addresses(name: t.Any, given: t.Any) -> t.Tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_address(str(each).strip())) for each in (given if isinstance(given, (list, tuple)) else (given,)))
    except ValueError:
        raise Invalid(NAMES, "%r of %s is not an IP address or a list of them" % (given, name)) from None


def check(network: t.Any) -> None:
    """What driver vxlan asks of a Network. Raises Invalid."""
    for option, value, largest in ((VNI, network.vni, (1 << 24) - 1), (PORT_OPTION, network.port, 65535)):
        if isinstance(value, bool) or value is None or not 1 <= value <= largest:
            raise Invalid(option, "driver vxlan needs a number from 1 to %d" % largest)
    if network.ip_range is None or (network.subnet6 is not None and network.ip_range6 is None):
        raise Invalid(RANGE, "driver vxlan needs it: the part of the subnet that is this host's, and no other's")
    hosts = [*(each.address for each in network.peers), *([host_address(network.local, LOCAL)] if network.local else [])]
    if len({":" in host for host in hosts}) > 1:
        raise Invalid(PEERS, "%s: all of IPv4 or all of IPv6 is accepted" % ", ".join(hosts))
    if len(set(hosts)) != len(hosts):
        raise Invalid(PEERS, "a host is named twice: %s" % ", ".join(hosts))
    nets = [ipaddress.ip_network(subnet) for subnet in network.subnets]
    for name, addresses in (pair for each in network.peers for pair in each.names):
        for address in addresses:
            if not any(ipaddress.ip_address(address) in net for net in nets):
                raise Invalid(NAMES, "%s of %s is not in %s" % (address, name, " or ".join(network.subnets)))
