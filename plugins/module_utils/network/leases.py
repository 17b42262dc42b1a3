# SPDX-License-Identifier: BSD-2-Clause
"""Who has which address of a network: the choice (pure) and the record leases/<network>.json.

Not here: the links (endpoint.py) and the lock, which the caller holds while it reads, decides and writes.
"""
from __future__ import annotations

import dataclasses
import ipaddress
import json
import operator
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model import ipv6, names, network as model
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Damaged, Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.lease import Lease, lease_from_json
from ansible_collections.cocker.engine.plugins.module_utils.model.network import Network
from ansible_collections.cocker.engine.plugins.module_utils.model.ports import Ports

OPTION, OPTION6 = "networks.ipv4_address", "networks.ipv6_address"
SCHEMA = 1
IFNAME = "eth"             # inside, and a number

Leases = t.Tuple[Lease, ...]

_RECENT = 16
_recent: t.Dict[bytes, Leases] = {}     # what a file says: a start reads the same one several times, and what it has written itself


class Pool(t.NamedTuple):
    """The addresses of one family that a network has."""

    subnet: str
    gateway: str
    ip_range: t.Optional[str]
    option: str


def pool(network: Network) -> Pool:
    return Pool(network.subnet, network.gateway, network.ip_range, OPTION)


def pool6(network: Network) -> t.Optional[Pool]:
    if network.subnet6 is None:
        return None
    return Pool(network.subnet6, str(network.gateway6), network.ip_range6, OPTION6)


def choose(network: Network, leases: t.Sequence[Lease], wanted: t.Optional[str] = None, *, container: str = "") -> str:
    """An address with its prefix length: the wanted one, or the lowest free. Raises Invalid (foreign), Conflict (taken, exhausted)."""
    owners = {lease.number: lease.container for lease in leases if lease.container != container}
    return _choose(network, pool(network), owners, wanted)


def choose6(network: Network, leases: t.Sequence[Lease], wanted: t.Optional[str] = None, *, container: str = "") -> t.Optional[str]:
    """The same for IPv6; None on a network that has none."""
    addresses = pool6(network)
    if addresses is None:
        if wanted is not None:
            raise Invalid(OPTION6, "network %s has no IPv6" % network.name, hint="give the network enable_ipv6: true")
        return None
    owners = {ipv6.number(lease.ip6)[1]: lease.container for lease in leases if lease.ip6 and lease.container != container}
    return _choose(network, addresses, owners, wanted)


def _choose(network: Network, addresses: Pool, owners: t.Mapping[int, str], wanted: t.Optional[str]) -> str:
    length = addresses.subnet.partition("/")[2]
    if wanted is None:
        return "%s/%s" % (_lowest_free(network, addresses, owners), length)
    address = _checked(network, addresses, wanted)
    owner = owners.get(ipv6.number(address)[1])
    if owner is not None:
        raise Conflict("lease address", wanted, "container %s has it on network %s" % (owner, network.name))
    return "%s/%s" % (address, length)


def _checked(network: Network, addresses: Pool, wanted: str) -> str:
    """Raises Invalid."""
    subnet = ipaddress.ip_network(addresses.subnet)
    text = ipv6.address(wanted, addresses.option) if subnet.version == 6 else str(model.parse_address(wanted, addresses.option))
    address = ipaddress.ip_address(text)
    if address not in subnet:
        raise Invalid(addresses.option, "%s is outside %s of network %s" % (wanted, subnet, network.name))
    kinds = {str(subnet.network_address): "network", addresses.gateway: "gateway"}
    if subnet.version == 4:
        kinds[str(subnet.broadcast_address)] = "broadcast"
    if text in kinds:
        raise Invalid(addresses.option, "%s is the %s address of network %s" % (wanted, kinds[text], network.name))
    if text in network.elsewhere:
        raise Invalid(addresses.option, "%s is that of %s on another host of network %s" % (wanted, network.elsewhere[text], network.name))
    if text in network.reserved:
        raise Invalid(addresses.option, "%s is reserved in network %s" % (wanted, network.name))
    return text


def _lowest_free(network: Network, addresses: Pool, owners: t.Mapping[int, str]) -> str:
    subnet, free = ipaddress.ip_network(addresses.subnet), ipaddress.ip_network(addresses.ip_range or addresses.subnet)
    others = [ipv6.number(address) for address in (*network.reserved, *network.elsewhere, addresses.gateway)]
    never = {int(subnet.network_address), int(subnet.broadcast_address)}
    never.update(number for version, number in others if version == subnet.version)
    kind = type(subnet.network_address)
    for number in range(int(free.network_address), int(free.broadcast_address) + 1):
        if number not in owners and number not in never:
            return str(kind(number))
    raise Conflict("lease address", network.name, "no address of %s is free" % free, hint="remove a container or use a larger subnet")


def lease(
    network: Network, leases: t.Sequence[Lease], container: str, *, wanted: t.Optional[str] = None, wanted6: t.Optional[str] = None,
    mac: t.Optional[str] = None, index: int = 0, ports: Ports = (), aliases: t.Tuple[str, ...] = (),
) -> Lease:
    """The container's lease: its old addresses where nothing else is wanted, inactive. `index` counts the container's networks."""
    have = find(leases, container)
    keep = have.ip if have is not None and wanted is None and _is_usable(network, pool(network), have.ip) else wanted
    keep6 = have.ip6 if have is not None and wanted6 is None and _is_usable(network, pool6(network), have.ip6) else wanted6
    address = choose(network, leases, keep, container=container)
    owner = next((each.container for each in leases if each.mac == mac and each.container != container), None)
    if owner is not None:
        raise Conflict("lease address", str(mac), "container %s has this MAC address on network %s" % (owner, network.name))
    return Lease(
        container=container, address=address, mac=mac or model.mac_of(address), ifname="%s%d" % (IFNAME, index),
        link=names.link_name(container, index), ports=ports, aliases=aliases,
        address6=choose6(network, leases, keep6, container=container),
    )


def _is_usable(network: Network, addresses: t.Optional[Pool], address: t.Optional[str]) -> bool:
    if addresses is None or address is None:
        return False
    try:
        _checked(network, addresses, address)
    except Invalid:
        return False
    return True


def find(leases: t.Sequence[Lease], container: str) -> t.Optional[Lease]:
    return next((each for each in leases if each.container == container), None)


def with_lease(leases: t.Sequence[Lease], new: Lease) -> Leases:
    """In place of the container's old one; sorted by address."""
    return _sorted([*without(leases, new.container), new])


def without(leases: t.Sequence[Lease], container: str) -> Leases:
    return tuple(each for each in leases if each.container != container)


def activated(leases: t.Sequence[Lease], container: str, *, active: bool) -> Leases:
    return tuple(dataclasses.replace(each, active=active) if each.container == container else each for each in leases)


def _sorted(leases: t.Iterable[Lease]) -> Leases:
    return tuple(sorted(leases, key=operator.attrgetter("number")))


def load(path: str) -> Leases:
    """Empty if there is no record. Raises Damaged."""
    try:
        content = fs.read(path)
        found = _recent.get(content)
        return _parsed(content) if found is None else found
    except FileNotFoundError:
        return ()
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged("read leases", path, "%s: %s" % (type(error).__name__, error)) from error


def _parsed(content: bytes) -> Leases:
    value = json.loads(content.decode("utf-8", "surrogateescape"))
    if value["schema"] != SCHEMA:
        raise ValueError("schema %r is unknown" % (value["schema"],))
    return _remember(content, _sorted(lease_from_json(each) for each in value["leases"]))


def _remember(content: bytes, leases: Leases) -> Leases:
    while len(_recent) >= _RECENT:
        del _recent[next(iter(_recent))]
    _recent[content] = leases
    return leases


def save(path: str, leases: t.Sequence[Lease], *, network: str, sync: t.Optional[fs.Sync] = None) -> None:
    found = _sorted(leases)
    content = recorded(found, network=network).encode("utf-8", "surrogateescape")
    fs.write_atomic(path, content, sync=sync)
    _remember(content, found)


def recorded(leases: t.Sequence[Lease], *, network: str) -> str:
    """JSON, each lease with the text that it has already."""
    return '{"leases": [%s], "network": %s, "schema": %d}\n' % (", ".join([each.text for each in leases]), json.dumps(network), SCHEMA)


def change(path: str, decide: t.Callable[[Leases], t.Sequence[Lease]], *, network: str) -> Leases:
    """Read, decide, write if it differs. The caller holds the network's lock."""
    before = load(path)
    after = _sorted(decide(before))
    if after != before:
        save(path, after, network=network)
    return after
