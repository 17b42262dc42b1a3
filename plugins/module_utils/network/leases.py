# SPDX-License-Identifier: BSD-2-Clause
"""Who has which address of a network: the choice (pure) and the record leases/<network>.json.

Not here: the links (endpoint.py) and the lock, which the caller holds while it reads, decides and writes.
"""
from __future__ import annotations

import dataclasses
import ipaddress
import json
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model import names, network as model
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Damaged, Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.network import Lease, Network
from ansible_collections.cocker.engine.plugins.module_utils.model.ports import Ports

OPTION = "networks.ipv4_address"
SCHEMA = 1
IFNAME = "eth"             # inside, and a number

Leases = t.Tuple[Lease, ...]


def choose(network: Network, leases: t.Sequence[Lease], wanted: t.Optional[str] = None, *, container: str = "") -> str:
    """An address with its prefix length: the wanted one, or the lowest free. Raises Invalid (foreign), Conflict (taken, exhausted)."""
    owners = {model.address_number(lease.ip): lease.container for lease in leases if lease.container != container}
    if wanted is None:
        return _lowest_free(network, owners)
    number = _checked(network, wanted)
    if number in owners:
        raise Conflict("lease address", wanted, "container %s has it on network %s" % (owners[number], network.name))
    return _text(network, number)


def _checked(network: Network, wanted: str) -> int:
    """Raises Invalid."""
    subnet = ipaddress.IPv4Network(network.subnet)
    address = model.parse_address(wanted, OPTION)
    if address not in subnet:
        raise Invalid(OPTION, "%s is outside %s of network %s" % (wanted, subnet, network.name))
    kinds = {subnet.network_address: "network", subnet.broadcast_address: "broadcast", ipaddress.IPv4Address(network.gateway): "gateway"}
    if address in kinds:
        raise Invalid(OPTION, "%s is the %s address of network %s" % (wanted, kinds[address], network.name))
    if str(address) in network.reserved:
        raise Invalid(OPTION, "%s is reserved in network %s" % (wanted, network.name))
    return int(address)


def _lowest_free(network: Network, owners: t.Mapping[int, str]) -> str:
    subnet = ipaddress.IPv4Network(network.subnet)
    pool = ipaddress.IPv4Network(network.ip_range or network.subnet)
    never = {model.address_number(address) for address in network.reserved + (network.gateway,)}
    never.update((int(subnet.network_address), int(subnet.broadcast_address)))
    for number in range(int(pool.network_address), int(pool.broadcast_address) + 1):
        if number not in owners and number not in never:
            return _text(network, number)
    raise Conflict("lease address", network.name, "no address of %s is free" % pool, hint="remove a container or use a larger subnet")


def _text(network: Network, number: int) -> str:
    return "%s/%d" % (ipaddress.IPv4Address(number), network.prefix_length)


def lease(
    network: Network, leases: t.Sequence[Lease], container: str, *, wanted: t.Optional[str] = None, mac: t.Optional[str] = None,
    index: int = 0, ports: Ports = (), aliases: t.Tuple[str, ...] = (),
) -> Lease:
    """The container's lease: its old address where nothing else is wanted, inactive. `index` counts the container's networks."""
    have = find(leases, container)
    keep = have.ip if have is not None and wanted is None and _is_usable(network, have.ip) else wanted
    address = choose(network, leases, keep, container=container)
    owner = next((each.container for each in leases if each.mac == mac and each.container != container), None)
    if owner is not None:
        raise Conflict("lease address", str(mac), "container %s has this MAC address on network %s" % (owner, network.name))
    return Lease(
        container=container, address=address, mac=mac or model.mac_of(address), ifname="%s%d" % (IFNAME, index),
        link=names.link_name(container, index), ports=ports, aliases=aliases,
    )


def _is_usable(network: Network, address: str) -> bool:
    try:
        _checked(network, address)
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
    return tuple(sorted(leases, key=lambda each: model.address_number(each.ip)))


def load(path: str) -> Leases:
    """Empty if there is no record. Raises Damaged."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            value = json.load(stream)
        if value["schema"] != SCHEMA:
            raise ValueError("schema %r is unknown" % (value["schema"],))
        return _sorted(model.lease_from_json(each) for each in value["leases"])
    except FileNotFoundError:
        return ()
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged("read leases", path, "%s: %s" % (type(error).__name__, error)) from error


def save(path: str, leases: t.Sequence[Lease], *, network: str) -> None:
    value = {"schema": SCHEMA, "network": network, "leases": [each.to_json() for each in _sorted(leases)]}
    text = json.dumps(value, indent=1, sort_keys=True) + "\n"
    fs.write_atomic(path, text.encode("utf-8", "surrogateescape"))


def change(path: str, decide: t.Callable[[Leases], t.Sequence[Lease]], *, network: str) -> Leases:
    """Read, decide, write if it differs. The caller holds the network's lock."""
    before = load(path)
    after = _sorted(decide(before))
    if after != before:
        save(path, after, network=network)
    return after
