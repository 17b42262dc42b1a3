# SPDX-License-Identifier: BSD-2-Clause
"""A network that is made anew while containers are on it (force), and what a change means for their side of the links.

Not here: the network itself (networks.py). The caller holds the lock of all leases.
"""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import leased, observe
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model import changes
from ansible_collections.cocker.engine.plugins.module_utils.model.container import Attachment
from ansible_collections.cocker.engine.plugins.module_utils.model.lease import Endpoint, Lease
from ansible_collections.cocker.engine.plugins.module_utils.model.network import FIELDS, Network
from ansible_collections.cocker.engine.plugins.module_utils.network import leases


def is_due(want: Network, have: Network) -> bool:
    return changes.dearest(changes.compare(FIELDS, want, have)) == changes.RECREATE


def check(host: Host, want: Network) -> None:
    """Addresses that containers ask for fit into the new network. Raises Invalid."""
    _leases(host, want)


def disconnect(host: Host, network: Network) -> None:
    """Links go, leases stay. Idempotent."""
    from ansible_collections.cocker.engine.plugins.module_utils.network import endpoint  # netlink, which is not cheap

    for lease in _active(host, network):
        endpoint.take_away(host.netns(lease.container), [(network, lease)])


def connect(host: Host, network: Network) -> None:
    """Each container that was on it is on it again, with its address where that fits, else with another one."""
    from ansible_collections.cocker.engine.plugins.module_utils.network import endpoint  # netlink, which is not cheap

    running = [lease.container for lease in _active(host, network)]
    found = _leases(host, network)
    leases.save(host.layout.leases(network.name), found, network=network.name)
    for lease in found:
        if lease.container in running:
            endpoint.attach(host.netns(lease.container), [Endpoint(network, lease, default_route=_leads_out(host, lease, network))])


def _active(host: Host, network: Network) -> t.List[Lease]:
    return [lease for lease in leased.users(host, network.name) if lease.active]


def _leads_out(host: Host, lease: Lease, network: Network) -> bool:
    ways = [each.name for _lease, each in leased.of(host, lease.container) if not each.internal]
    return ways[:1] == [network.name]


def _leases(host: Host, network: Network) -> t.Tuple[Lease, ...]:
    found: t.Tuple[Lease, ...] = ()
    wishes = {lease.container: (_wish(host, lease.container, network.name), lease) for lease in leased.users(host, network.name)}
    for container in sorted(wishes, key=lambda name: wishes[name][0].ipv4_address is None):     # those that insist come first
        wanted, former = wishes[container]
        have = leases.with_lease(found, former)
        new = leases.lease(network, have, container, wanted=wanted.ipv4_address, wanted6=wanted.ipv6_address, mac=wanted.mac_address)
        kept = dataclasses.replace(former, address=new.address, address6=new.address6, mac=new.mac)
        found = leases.with_lease(found, kept)
    return found


def _wish(host: Host, container: str, network: str) -> Attachment:
    record = observe.container(host, container).record
    found = record.spec.attachments() if record is not None else ()
    return next((each for each in found if each.name == network), Attachment(network))


def set_mtu(host: Host, network: Network) -> None:
    """The containers' side."""
    from ansible_collections.cocker.engine.plugins.module_utils.network import endpoint  # netlink, which is not cheap

    for lease in _active(host, network):
        endpoint.set_mtu(host.netns(lease.container), lease.ifname, network.mtu)
