# SPDX-License-Identifier: BSD-2-Clause
"""Networks and leases as they are recorded: for looking, without the code that changes them.

Not here: making and removing networks (networks.py), and a container's place on them (endpoints.py).
"""
from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.lease import Lease
from ansible_collections.cocker.engine.plugins.module_utils.model.network import Network, network_from_json
from ansible_collections.cocker.engine.plugins.module_utils.network import leases
from ansible_collections.cocker.engine.plugins.module_utils.storage import records
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import NETNS

LEASES = "leases"       # the one lock under which leases, ports and the ruleset made of them change

Pairs = t.Sequence[t.Tuple[Lease, Network]]

_known: t.Dict[bytes, Network] = {}     # a start looks at each network ten times


def find(host: Host, name: str) -> t.Optional[Network]:
    return records.load(host.layout.network(name), network_from_json, known=_known)


def get(host: Host, name: str) -> Network:
    """Raises NotFound."""
    found = find(host, name)
    if found is None:
        raise NotFound("network", name, "it does not exist", hint="make it with cocker network create or cocker_network")
    return found


def listed(host: Host) -> t.List[Network]:
    return [network for network in (find(host, name) for name in host.layout.network_names()) if network is not None]


def users(host: Host, name: str) -> t.Tuple[Lease, ...]:
    """A lease counts as active while the container's namespace is pinned, too: after a reboot there is none."""
    found = leases.load(host.layout.leases(name))
    running = {host.netns_name(each.container): each.container for each in found if each.active}
    if not running:
        return found
    gone = {running[name] for name in running.keys() - _pinned()}
    return tuple([_inactive(each) if each.container in gone else each for each in found]) if gone else found


def _pinned() -> t.Collection[str]:
    try:
        return frozenset(os.listdir(NETNS))
    except FileNotFoundError:
        return frozenset()


def recorded(host: Host, name: str) -> t.Tuple[Lease, ...]:
    """Who has which address, whether or not it still runs: without a look at the namespaces of all."""
    return leases.load(host.layout.leases(name))


def as_it_is(host: Host, lease: Lease) -> Lease:
    """One of `recorded`, as `users` has it."""
    return lease if not lease.active or os.path.lexists(host.netns(lease.container)) else _inactive(lease)


def _inactive(lease: Lease) -> Lease:
    return dataclasses.replace(lease, active=False)


def of(host: Host, container: str) -> Pairs:
    """In the order of the container's interfaces."""
    found = []
    for network in listed(host):
        lease = leases.find(recorded(host, network.name), container)
        if lease is not None:
            found.append((as_it_is(host, lease), network))
    return sorted(found, key=lambda pair: (len(pair[0].ifname), pair[0].ifname))
