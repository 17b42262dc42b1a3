# SPDX-License-Identifier: BSD-2-Clause
"""The wanted firewall, PURE: networks and leases in, nft JSON commands for the one table `inet cocker` out, always in the same order.

The table is replaced whole in one transaction, or only what is published changes: then it is a few elements of maps that go and come.
It lives beside other tables: a packet that another table drops stays dropped
(a FORWARD policy of drop, say), for an accept ends only the chain that says it. Not here: applying it (firewall.py).
"""
from __future__ import annotations

import functools
import hashlib
import json
import operator
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model import ipv6
from ansible_collections.cocker.engine.plugins.module_utils.model.lease import Lease
from ansible_collections.cocker.engine.plugins.module_utils.model.network import TABLE, VXLAN, Network
from ansible_collections.cocker.engine.plugins.module_utils.model.ports import PortMapping

FAMILY = "inet"
STATE = "state_"                        # an empty chain whose name stands for all that is here
_FORM = 1                               # another one where other elements are made of the same leases

# Priorities by the names of nft(8): before connection tracking, DNAT, filter, SNAT.
RAW, DSTNAT, FILTER, SRCNAT = -300, -100, 0, 100

Command = t.Dict[str, t.Any]
Expression = t.Dict[str, t.Any]
Key = t.Tuple[t.Any, ...]
# What a published port becomes: the container's address and port.
Targets = t.Dict[Key, t.Tuple[str, int]]
Elements = t.Dict[Key, t.Union[str, int]]
Leases = t.Mapping[str, t.Sequence[Lease]]

_ACCEPT: Expression = {"accept": None}
_DROP: Expression = {"drop": None}
_MASQUERADE: Expression = {"masquerade": None}
_DESTINATION6: Expression = {"payload": {"protocol": "ip6", "field": "daddr"}}
_PROTOCOL: Expression = {"meta": {"key": "l4proto"}}
_PORT: Expression = {"payload": {"protocol": "th", "field": "dport"}}
_SOURCE: Expression = {"payload": {"protocol": "ip", "field": "saddr"}}
_DESTINATION: Expression = {"payload": {"protocol": "ip", "field": "daddr"}}
_IN: Expression = {"meta": {"key": "iifname"}}
_OUT: Expression = {"meta": {"key": "oifname"}}
_BOTH: Expression = {"concat": [_IN, _OUT]}

_BY_PORT = ("inet_proto", "inet_service")


class Family(t.NamedTuple):
    """IPv6 has maps and rules of its own, only where a network has IPv6: `suffix` is that of their names."""

    name: str
    suffix: str
    kind: str
    destination: Expression


IPV4 = Family("ip", "", "ipv4_addr", {"payload": {"protocol": "ip", "field": "daddr"}})
IPV6 = Family("ip6", "6", "ipv6_addr", _DESTINATION6)


class Change(t.NamedTuple):
    """Of one map: the keys that go, and then the elements that come."""

    name: str
    gone: t.List[Key]
    come: Elements


def table(networks: t.Iterable[Network], leases: Leases) -> t.List[Command]:
    """`leases` is by the network's name. Replaces the table, whatever is in it."""
    bridges = _bridges(networks)
    return removal() + [_add("table", {}), *_content(bridges, _published(bridges, leases)), _add("chain", {"name": state(bridges, leases)})]


def removal() -> t.List[Command]:
    """Fine without a table, too: it is added first."""
    return [_add("table", {}), {"delete": {"table": {"family": FAMILY, "name": TABLE}}}]


def state(networks: t.Iterable[Network], leases: Leases) -> str:
    """The state chain's name: the digest of the rules, and the sum of those of what is published, which costs little for one more."""
    bridges = _bridges(networks)
    published = sum(lease.fingerprint for network in bridges for lease in leases.get(network.name, ()) if lease.active and lease.ports)
    return "%s%s_%016x" % (STATE, _digest(bridges), published & (1 << 64) - 1)


def difference(networks: t.Iterable[Network], former: Leases, leases: Leases) -> t.List[Change]:
    """What makes of the table of `former` that of `leases`, on the same networks; by map, those that stay as they are left out.

    Looks also at those that share a port with what goes or comes, for where a record is wrong the one has what the other has lost.
    """
    bridges = _bridges(networks)
    old, new = ({lease.fingerprint: lease for lease in _published(bridges, each)} for each in (former, leases))
    moved = old.keys() ^ new.keys()
    ports = {(port.protocol, port.host_port) for number in moved for port in (old.get(number) or new[number]).ports}
    concerned = {number for number, lease in new.items() if number not in moved
                 and any((port.protocol, port.host_port) in ports for port in lease.ports)} | moved
    before, after = ([_elements([lease for number, lease in each.items() if number in concerned], family) for family in _families(bridges)]
                     for each in (old, new))
    found = [_change(name, one[name], other[name]) for one, other in zip(before, after) for name in one]
    return [change for change in found if change.gone or change.come]


def _change(name: str, before: Elements, after: Elements) -> Change:
    gone = [key for key, value in before.items() if after.get(key) != value]
    return Change(name, gone, {key: value for key, value in after.items() if before.get(key) != value})


def _bridges(networks: t.Iterable[Network]) -> t.Tuple[Network, ...]:
    return tuple(sorted((network for network in networks if network.has_bridge), key=lambda network: network.name))


def _published(networks: t.Sequence[Network], leases: Leases) -> t.List[Lease]:
    published = [lease for network in networks for lease in leases.get(network.name, ()) if lease.active and lease.ports]
    return sorted(published, key=operator.attrgetter("number", "fingerprint"))     # whatever network a wrong record is on


@functools.lru_cache(maxsize=8)
def _digest(networks: t.Tuple[Network, ...]) -> str:
    text = json.dumps([_FORM, *_content(networks, ())], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def _families(networks: t.Sequence[Network]) -> t.List[Family]:
    return [IPV4, IPV6] if any(network.subnet6 for network in networks) else [IPV4]


def _content(networks: t.Sequence[Network], published: t.Sequence[Lease]) -> t.List[Command]:
    families = _families(networks)
    maps = [command for family in families for command in _maps(published, family)]
    uplinks = any(network.uplink for network in networks)
    guard = [*_guard(), *_tunnels(networks)]
    return [*_sets(networks), *maps, *_chains(), *guard, *_translation(families), *_masquerade(networks), *_forward(uplinks=uplinks)]


# Sets and maps

def _sets(networks: t.Sequence[Network]) -> t.Iterator[Command]:
    links = {
        "bridges": [network.link for network in networks],
        "internal": [network.link for network in networks if network.internal],
        "isolated": [network.link for network in networks if network.isolate],
    }
    for name, elements in links.items():
        yield _set(name, "ifname", sorted(elements))
    if any(network.uplink for network in networks):
        yield _set("bound", "ifname", sorted(network.link for network in networks if network.uplink))
        pairs = [{"concat": [network.link, network.uplink]} for network in networks if network.uplink]
        yield _set("uplinks", ["ifname", "ifname"], sorted(pairs, key=str))
    # Pairs (in, out) of one bridge: containers that may talk to one another, and those that may not.
    for name, icc in (("talking", True), ("silent", False)):
        pairs = [{"concat": [network.link, network.link]} for network in networks if network.icc is icc]
        yield _set(name, ["ifname", "ifname"], sorted(pairs, key=str))


def _maps(published: t.Sequence[Lease], family: Family) -> t.Iterator[Command]:
    """Three pairs of maps: ports of one address of the host, of all of them, and of a container's own address.

    A pair because nftables before 1.1 knows no map in JSON whose value is an address with a port.
    """
    for name, elements in _elements(published, family).items():
        kind = _BY_PORT if name.startswith("any") else (family.kind, *_BY_PORT)
        value = "inet_service" if name.endswith("_port") else family.kind
        yield _map(name, kind, value, [[_concat(key), elements[key]] for key in sorted(elements, key=_key_order)])


def _elements(published: t.Sequence[Lease], family: Family) -> t.Dict[str, Elements]:
    """By the map's name."""
    found: t.Dict[str, Elements] = {}
    for name, targets in zip(("any", "at", "own"), _targets(published, family)):
        found["%s%s_addr" % (name, family.suffix)] = {key: address for key, (address, _port) in targets.items()}
        found["%s%s_port" % (name, family.suffix)] = {key: port for key, (_address, port) in targets.items()}
    return found


def _targets(published: t.Sequence[Lease], family: Family) -> t.Tuple[Targets, Targets, Targets]:
    """The first one wins where a record is wrong, so that one container cannot stop the network of all."""
    anywhere: Targets = {}
    somewhere: Targets = {}
    own: Targets = {}
    for lease in published:
        address = lease.ip if family is IPV4 else lease.ip6
        real = {(port.protocol, port.container_port) for port in lease.ports}
        for port in sorted(lease.ports, key=PortMapping.order):
            if address is None or port.host_port is None or (port.host_ip and ipv6.is_ipv6(port.host_ip) is not (family is IPV6)):
                continue
            target = (address, port.container_port)
            if port.host_ip is None:
                anywhere.setdefault((port.protocol, port.host_port), target)
            else:
                somewhere.setdefault((port.host_ip, port.protocol, port.host_port), target)
            if (port.protocol, port.host_port) not in real:
                own.setdefault((address, port.protocol, port.host_port), target)
    return anywhere, somewhere, own


def _key_order(key: Key) -> t.Tuple[t.Any, ...]:
    return (key[-2], key[-1], ipv6.number(key[0]) if len(key) == 3 else ())


def _concat(key: Key) -> Expression:
    return {"concat": list(key)}


# Chains and rules

def _chains() -> t.Iterator[Command]:
    for name, kind, hook, priority in (
        ("guard", "filter", "prerouting", RAW), ("prerouting", "nat", "prerouting", DSTNAT), ("output", "nat", "output", DSTNAT),
        ("forward", "filter", "forward", FILTER), ("postrouting", "nat", "postrouting", SRCNAT),
    ):
        yield _add("chain", {"name": name, "type": kind, "hook": hook, "prio": priority, "policy": "accept"})
    yield _add("chain", {"name": "published"})


def _guard() -> t.Iterator[Command]:
    """The bridges route 127.0.0.0/8 for the host's own sake (route_localnet): nobody else may come in by that (CVE-2020-8558)."""
    yield _rule("guard", _match(_IN, "!=", "lo"), _match(_DESTINATION, "==", _prefix("127.0.0.0/8")), _DROP)


def _tunnels(networks: t.Sequence[Network]) -> t.Iterator[Command]:
    """Into a network that spans hosts come packets of its hosts only; bits 96 to 119 from the UDP header on are the network's number."""
    for network in networks:
        if network.driver == VXLAN:
            hosts = [peer.address for peer in network.peers]
            source = {"payload": {"protocol": "ip6" if any(":" in host for host in hosts) else "ip", "field": "saddr"}}
            number = {"payload": {"base": "th", "offset": 96, "len": 24}}
            foreign = [_match(source, "!=", {"set": sorted(hosts, key=ipv6.number)})] if hosts else []
            yield _rule("guard", _match(_PROTOCOL, "==", "udp"), _match(_PORT, "==", network.port), _match(number, "==", network.vni),
                        *foreign, _DROP)


def _translation(families: t.Sequence[Family]) -> t.Iterator[Command]:
    """A lookup finds nothing: the next rule. One lookup costs the same for one port and for thousands."""
    local = _match({"fib": {"result": "type", "flags": ["daddr"]}}, "==", "local")
    for family in families:
        yield _rule("published", _dnat("at", family, {"concat": [family.destination, _PROTOCOL, _PORT]}))
        yield _rule("published", local, _dnat("any", family, {"concat": [_PROTOCOL, _PORT]}))
    for chain in ("prerouting", "output"):
        yield _rule(chain, {"jump": {"target": "published"}})
    # VIP:HOSTPORT is for the host only: from elsewhere it would get around the host address that a port is bound to.
    for family in families:
        yield _rule("output", _dnat("own", family, {"concat": [family.destination, _PROTOCOL, _PORT]}))


def _dnat(name: str, family: Family, key: Expression) -> Expression:
    address, port = ({"map": {"key": key, "data": "@%s%s_%s" % (name, family.suffix, what)}} for what in ("addr", "port"))
    return {"dnat": {"family": family.name, "addr": address, "port": port}}


def _masquerade(networks: t.Sequence[Network]) -> t.Iterator[Command]:
    """Answers must come back through the host: to itself (127.0.0.1 included), to a neighbour on the same bridge, from outside."""
    translated = _match({"ct": {"key": "status"}}, "in", "dnat")
    local = _match({"fib": {"result": "type", "flags": ["saddr"]}}, "==", "local")
    yield _rule("postrouting", _match(_OUT, "==", "@bridges"), translated, local, _MASQUERADE)
    for network, subnet in [(each, subnet) for each in networks for subnet in each.subnets]:
        source = {"payload": {"protocol": "ip6", "field": "saddr"}} if ipv6.is_ipv6(subnet) else _SOURCE
        inside = _match(source, "==", _prefix(subnet))
        yield _rule("postrouting", inside, _match(_OUT, "==", network.link), translated, _MASQUERADE)
        if not network.internal:
            yield _rule("postrouting", inside, _match(_OUT, "!=", network.link), _MASQUERADE)


def _forward(*, uplinks: bool) -> t.Iterator[Command]:
    """Whatever does not concern a bridge of ours falls through to the accept of the chain: it is not ours to judge."""
    translated = _match({"ct": {"key": "status"}}, "in", "dnat")
    known = _match({"ct": {"key": "state"}}, "in", ["established", "related"])
    from_ours, to_ours = _match(_IN, "==", "@bridges"), _match(_OUT, "==", "@bridges")
    for rule in (
        (known, _ACCEPT),
        (_match(_BOTH, "==", "@talking"), _ACCEPT),
        (_match(_BOTH, "==", "@silent"), translated, _ACCEPT),
        (_match(_BOTH, "==", "@silent"), _DROP),
        (_match(_IN, "==", "@internal"), _DROP),
        (_match(_OUT, "==", "@internal"), _DROP),
        (to_ours, translated, _ACCEPT),
        (_match(_IN, "==", "@isolated"), to_ours, _DROP),
        (from_ours, _match(_OUT, "==", "@isolated"), _DROP),
        *(((_match(_IN, "==", "@bound"), _match(_OUT, "!=", "@bridges"), _match(_BOTH, "!=", "@uplinks"), _DROP),) if uplinks else ()),
        (from_ours, _ACCEPT),
        (to_ours, _DROP),               # routed straight to a container's address: published ports only (CVE-2020-13401)
    ):
        yield _rule("forward", *rule)


# nft's JSON

def _add(kind: str, body: t.Mapping[str, t.Any]) -> Command:
    place = {"family": FAMILY, "name": TABLE} if kind == "table" else {"family": FAMILY, "table": TABLE}
    return {"add": {kind: dict(place, **body)}}


def _set(name: str, kind: t.Any, elements: t.Sequence[t.Any]) -> Command:
    return _add("set", {"name": name, "type": kind, **({"elem": list(elements)} if elements else {})})


def _map(name: str, kind: t.Sequence[str], value: str, elements: t.Sequence[t.Any]) -> Command:
    return _add("map", {"name": name, "type": list(kind), "map": value, **({"elem": list(elements)} if elements else {})})


def _rule(chain: str, *expressions: Expression) -> Command:
    return _add("rule", {"chain": chain, "expr": list(expressions)})


def _match(left: Expression, op: str, right: t.Any) -> Expression:
    return {"match": {"op": op, "left": left, "right": right}}


def _prefix(subnet: str) -> Expression:
    address, _slash, length = subnet.partition("/")
    return {"prefix": {"addr": address, "len": int(length)}}
