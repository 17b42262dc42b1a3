# SPDX-License-Identifier: BSD-2-Clause
"""A network as it is wanted (NetworkSpec) and as it is (Network).

Not here: who has which address on it (lease.py), names of a container's links (names.py), what exists on the host (network/bridge.py).
"""
from __future__ import annotations

import dataclasses
import functools
import hashlib
import ipaddress
import itertools
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model import ipv6, vxlan
from ansible_collections.cocker.engine.plugins.module_utils.model.changes import LIVE, RECREATE, Field
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid

BRIDGE, MACVLAN, IPVLAN, VXLAN = "bridge", "macvlan", "ipvlan", "vxlan"
DRIVERS = (BRIDGE, MACVLAN, IPVLAN, VXLAN)
MODES = {MACVLAN: ("bridge", "private", "vepa", "passthru"), IPVLAN: ("l2", "l3", "l3s")}     # the first is the default
DEFAULT_NETWORK = "cocker0"
DEFAULT_SUBNET = "10.166.88.0/24"
DEFAULT_MTU = 1500
TABLE = "cocker"            # the one table of the firewall, family inet

SUBNET, GATEWAY, RANGE = "ipam_config.subnet", "ipam_config.gateway", "ipam_config.iprange"
RESERVED, MTU = "ipam_config.aux_addresses", "mtu"
PARENT, MODE, BRIDGE_NAME, UPLINK = "driver_options.parent", "driver_options.mode", "driver_options.bridge_name", "uplink"

_POOL = ipaddress.IPv4Network("10.166.0.0/16")       # where a subnet comes from when none is given
_LINK_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_LINK_LENGTH = 15                                   # IFNAMSIZ without the final zero

Labels = t.Mapping[str, str]
Words = t.Tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class NetworkSpec:
    """What the task says. None is `not said`. `isolate` is from other networks, `icc` is between containers of this one.

    `uplink` is the only link of the host by which its containers leave. `parent` and `mode` are macvlan's and ipvlan's; `parent` is also
    the link that a vxlan's packets leave by. `vni`, `port`, `local` (this host's address) and `peers` are vxlan's.
    """

    name: str
    driver: t.Optional[str] = None
    subnet: t.Optional[str] = None
    gateway: t.Optional[str] = None
    ip_range: t.Optional[str] = None
    reserved: t.Optional[Words] = None
    enable_ipv6: t.Optional[bool] = None
    subnet6: t.Optional[str] = None
    gateway6: t.Optional[str] = None
    ip_range6: t.Optional[str] = None
    uplink: t.Optional[str] = None
    bridge_name: t.Optional[str] = None
    parent: t.Optional[str] = None
    mode: t.Optional[str] = None
    vni: t.Optional[int] = None
    port: t.Optional[int] = None
    local: t.Optional[str] = None
    peers: t.Optional[vxlan.Peers] = None
    mtu: t.Optional[int] = None
    internal: t.Optional[bool] = None
    isolate: t.Optional[bool] = None
    icc: t.Optional[bool] = None
    labels: t.Optional[Labels] = None


@dataclasses.dataclass(frozen=True)
class Network:
    """A complete and valid network, made by `complete` or `network_from_json` only. `subnet` has its prefix length, `gateway` has none."""

    name: str
    subnet: str
    gateway: str
    driver: str = BRIDGE
    ip_range: t.Optional[str] = None
    reserved: Words = ()
    subnet6: t.Optional[str] = None
    gateway6: t.Optional[str] = None
    ip_range6: t.Optional[str] = None
    uplink: t.Optional[str] = None
    bridge_name: t.Optional[str] = None
    parent: t.Optional[str] = None
    mode: t.Optional[str] = None
    vni: t.Optional[int] = None
    port: t.Optional[int] = None
    local: t.Optional[str] = None
    peers: vxlan.Peers = ()
    mtu: int = DEFAULT_MTU
    internal: bool = False
    isolate: bool = True
    icc: bool = True
    labels: Labels = dataclasses.field(default_factory=dict, hash=False)

    @property
    def link(self) -> str:
        return self.bridge_name or bridge_link(self.name)

    @property
    def has_bridge(self) -> bool:
        """The others have a link of the host as their parent, and nothing of their own on the host."""
        return self.driver in (BRIDGE, VXLAN)

    @property
    def elsewhere(self) -> t.Dict[str, str]:
        """Addresses that containers of other hosts have -> a name of theirs."""
        return {address: name for peer in self.peers for name, addresses in peer.names for address in addresses}

    @property
    def subnets(self) -> Words:
        return (self.subnet,) if self.subnet6 is None else (self.subnet, self.subnet6)

    @property
    def mac(self) -> str:
        return mac_of(self.gateway)

    @property
    def prefix_length(self) -> int:
        return int(self.subnet.partition("/")[2])

    def to_json(self) -> t.Dict[str, t.Any]:
        lists = {"reserved": list(self.reserved), "peers": [peer.to_json() for peer in self.peers]}
        return dict(dataclasses.asdict(self), labels=dict(self.labels), **lists)


FIELDS = (
    Field("driver", RECREATE, str),
    Field("subnet", RECREATE, str),
    Field("gateway", RECREATE, str),
    Field("subnet6", RECREATE, str),
    Field("gateway6", RECREATE, str),
    Field("bridge_name", RECREATE, str),
    Field("parent", RECREATE, str),
    Field("mode", RECREATE, str),
    Field("vni", LIVE, int),
    Field("port", LIVE, int),
    Field("local", LIVE, str),
    Field("peers", LIVE, vxlan.peers_from_json),
    Field("ip_range", LIVE, str),
    Field("ip_range6", LIVE, str),
    Field("uplink", LIVE, str),
    Field("reserved", LIVE, tuple),
    Field("mtu", LIVE, int),
    Field("internal", LIVE, bool),
    Field("isolate", LIVE, bool),
    Field("icc", LIVE, bool),
    Field("labels", LIVE, dict),
)


def complete(spec: NetworkSpec, have: t.Optional[Network] = None, *, taken: t.Sequence[str] = ()) -> Network:
    """What is not said stays as it is or gets its default; an automatic subnet touches none of `taken`. Raises Invalid, Conflict."""
    said = {field.name: getattr(spec, field.name) for field in FIELDS if getattr(spec, field.name) is not None}
    if spec.enable_ipv6 and "subnet6" not in said:
        said["subnet6"] = have.subnet6 if have is not None and have.subnet6 else ipv6.unique_local(spec.name)
    if "subnet6" in said:
        said["subnet6"] = ipv6.canonical_subnet(said["subnet6"], SUBNET)
        shared = said.get("driver") == VXLAN and said.get("ip_range6")
        said.setdefault("gateway6", ipv6.first_host(said["ip_range6" if shared else "subnet6"]))
    if have is not None:
        if "subnet" in said and canonical_subnet(said["subnet"]) != have.subnet:
            said.setdefault("gateway", _first_host(_own(said)))
        return validated(dataclasses.replace(have, **said))
    if "subnet" not in said:
        _refuse([(SUBNET, said.get("vni"))], "driver vxlan needs it: the one that its hosts share")
        said["subnet"] = DEFAULT_SUBNET if spec.name == DEFAULT_NETWORK else free_subnet(taken)
    said["subnet"] = canonical_subnet(said["subnet"])
    said.setdefault("gateway", _first_host(_own(said)))
    if said.get("driver") == VXLAN:
        said.setdefault("port", vxlan.PORT)
    return validated(Network(name=spec.name, **said))


def _own(said: t.Mapping[str, t.Any]) -> str:
    """Of a subnet that hosts share, the part from which this one takes its own address, too."""
    shared = said.get("driver") == VXLAN and said.get("ip_range")
    return str(_network(said["ip_range"], RANGE)) if shared else canonical_subnet(said["subnet"])


def network_from_json(value: t.Mapping[str, t.Any]) -> Network:
    """Raises KeyError, TypeError or ValueError where the record is not ours."""
    said = {field.name: value[field.name] for field in FIELDS if value.get(field.name) is not None}
    lists = {"reserved": tuple(said.get("reserved", ())), "peers": vxlan.peers_from_json(said.get("peers", ()))}
    return Network(name=value["name"], **dict(said, **lists))


def validated(network: Network) -> Network:
    """With addresses in canonical form. Raises Invalid."""
    if network.driver not in DRIVERS:
        raise Invalid("driver", "%r is not one of %s" % (network.driver, ", ".join(DRIVERS)))
    subnet = ipaddress.IPv4Network(canonical_subnet(network.subnet))
    gateway = _host_of(subnet, network.gateway, GATEWAY)
    subnet6 = None if network.subnet6 is None else ipaddress.IPv6Network(network.subnet6)
    gateway6 = _host_of6(subnet6, network.gateway6, GATEWAY) if subnet6 is not None and network.gateway6 is not None else None
    reserved = tuple(sorted({_reserved(subnet, subnet6, address) for address in network.reserved}, key=ipv6.number))
    if network.ip_range is not None and not _network(network.ip_range, RANGE).subnet_of(subnet):
        raise Invalid(RANGE, "%s is not inside %s" % (network.ip_range, subnet))
    if isinstance(network.mtu, bool) or not 576 <= network.mtu <= 65535:
        raise Invalid(MTU, "%r is not from 576 to 65535" % (network.mtu,))
    if network.ip_range6 is not None and (subnet6 is None or not _range6(network.ip_range6).subnet_of(subnet6)):
        raise Invalid(RANGE, "%s is not inside %s" % (network.ip_range6, subnet6 or "an IPv6 subnet of the network"))
    return _with_driver(dataclasses.replace(network, subnet=str(subnet), gateway=gateway, gateway6=gateway6, reserved=reserved))


def _with_driver(network: Network) -> Network:
    """What belongs to one driver only. Raises Invalid."""
    for option, value in ((BRIDGE_NAME, network.bridge_name), (UPLINK, network.uplink), (PARENT, network.parent)):
        if value is not None and not is_link_name(value):
            raise Invalid(option, "%r is not the name of a link: up to %d letters, digits, - and _" % (value, _LINK_LENGTH))
    said = ((vxlan.VNI, network.vni), (vxlan.PORT_OPTION, network.port), (vxlan.LOCAL, network.local), (vxlan.PEERS, network.peers or None))
    if network.driver == VXLAN:
        _refuse([(MODE, network.mode)], "it is for macvlan and ipvlan; the driver is vxlan")
        vxlan.check(network)
        return network
    _refuse(said, "it is for vxlan; the driver is %s" % network.driver)
    if network.driver == BRIDGE:
        _refuse(((PARENT, network.parent), (MODE, network.mode)), "it is for macvlan and ipvlan; the driver is bridge")
        return network
    if network.parent is None:
        raise Invalid(PARENT, "driver %s needs the link of the host that its containers share" % network.driver)
    _refuse(((BRIDGE_NAME, network.bridge_name), (UPLINK, network.uplink)), "driver %s has no bridge" % network.driver)
    modes = MODES[network.driver]
    if network.mode is not None and network.mode not in modes:
        raise Invalid(MODE, "%r is not one of %s" % (network.mode, ", ".join(modes)))
    return dataclasses.replace(network, mode=network.mode or modes[0])


def _refuse(said: t.Iterable[t.Tuple[str, t.Any]], reason: str) -> None:
    for option, value in said:
        if value is not None:
            raise Invalid(option, reason)


def canonical_subnet(value: str) -> str:
    """Raises Invalid."""
    subnet = _network(value, SUBNET)
    if subnet.prefixlen > 30:
        raise Invalid(SUBNET, "%s has no room for a gateway and a container; /30 is the smallest that is accepted" % value)
    if subnet.prefixlen < 8 or subnet.is_loopback or subnet.is_multicast or subnet.is_reserved or subnet.is_unspecified:
        raise Invalid(SUBNET, "%s is not a subnet for hosts; a private one such as 10.66.1.0/24 is accepted" % value)
    return str(subnet)


def _network(value: str, option: str) -> ipaddress.IPv4Network:
    text = str(value).strip()
    try:
        if "/" not in text:
            raise ValueError("no prefix length")
        return ipaddress.IPv4Network(text)
    except ValueError:
        raise Invalid(option, "%r is not an IPv4 network address with its prefix length, such as 10.66.1.0/24%s"
                      % (value, _suggestion(text))) from None


def _suggestion(text: str) -> str:
    try:
        return "; did you mean %s?" % ipaddress.IPv4Network(text, strict=False) if "/" in text else ""
    except ValueError:
        return ""


def _host_of(subnet: ipaddress.IPv4Network, value: str, option: str) -> str:
    address = parse_address(value, option)
    if address not in subnet or address in (subnet.network_address, subnet.broadcast_address):
        raise Invalid(option, "%s is not an address for a host in %s" % (value, subnet))
    return str(address)


def _host_of6(subnet: ipaddress.IPv6Network, value: str, option: str) -> str:
    address = ipaddress.IPv6Address(ipv6.address(value, option))
    if address not in subnet or address == subnet.network_address:
        raise Invalid(option, "%s is not an address for a host in %s" % (value, subnet))
    return str(address)


def _reserved(subnet: ipaddress.IPv4Network, subnet6: t.Optional[ipaddress.IPv6Network], value: str) -> str:
    if not ipv6.is_ipv6(value):
        return _host_of(subnet, value, RESERVED)
    if subnet6 is None:
        raise Invalid(RESERVED, "%s is an IPv6 address, and the network has no IPv6 subnet" % value)
    return _host_of6(subnet6, value, RESERVED)


def _range6(value: str) -> ipaddress.IPv6Network:
    try:
        return ipaddress.IPv6Network(value)
    except ValueError:
        raise Invalid(RANGE, "%r is not an IPv6 network address with its prefix length" % value) from None


def parse_address(value: str, option: str) -> ipaddress.IPv4Address:
    """Raises Invalid."""
    try:
        return ipaddress.IPv4Address(str(value).strip())
    except ValueError:
        raise Invalid(option, "%r is not an IPv4 address such as 10.66.1.10" % (value,)) from None


def _first_host(subnet: str) -> str:
    return str(ipaddress.IPv4Network(subnet).network_address + 1)


@functools.lru_cache(maxsize=4096)
def address_number(address: str) -> int:
    return int(ipaddress.IPv4Address(address.partition("/")[0]))


def overlaps(one: str, other: str) -> bool:
    """Networks of two families never do."""
    pair = ipaddress.ip_network(one), ipaddress.ip_network(other)
    return pair[0].version == pair[1].version and pair[0].overlaps(pair[1])


def refuse_overlap(network: Network, others: t.Iterable[Network]) -> None:
    """With the other networks of this engine, whose bridges may be absent right now. Raises Conflict."""
    for other in others:
        for mine, theirs in itertools.product(network.subnets, other.subnets if other.name != network.name else ()):
            if overlaps(mine, theirs):
                raise Conflict("create network", network.name, "%s %s overlaps %s of network %s" % (SUBNET, mine, theirs, other.name))


def free_subnet(taken: t.Sequence[str]) -> str:
    """The lowest /24 of 10.166.0.0/16 that touches none of `taken`; never the default network's. Raises Conflict."""
    used = [ipaddress.IPv4Network(subnet) for subnet in tuple(taken) + (DEFAULT_SUBNET,)]
    for subnet in _POOL.subnets(new_prefix=24):
        if not any(subnet.overlaps(other) for other in used):
            return str(subnet)
    raise Conflict("choose a subnet", str(_POOL), "every /24 of it overlaps a network or a route of the host", hint="give " + SUBNET)


def mac_of(address: str) -> str:
    """Locally administered; an address that is given to another container keeps its MAC, so that no ARP cache is stale."""
    return "02:42:" + ":".join("%02x" % byte for byte in ipaddress.IPv4Address(address.partition("/")[0]).packed)


def bridge_link(name: str) -> str:
    """The network's own name where the kernel takes it as the name of a link."""
    if is_link_name(name):
        return name
    return "ck" + hashlib.md5(name.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()[:10]


def is_link_name(name: str) -> bool:
    return 0 < len(name) <= _LINK_LENGTH and set(name) <= _LINK_CHARACTERS
