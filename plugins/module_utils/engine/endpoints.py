# SPDX-License-Identifier: BSD-2-Clause
"""A container's place on its networks: leases, links and published ports, taken when it starts and given back.

A lease outlives a stop, so that a container keeps its address; its ports are in the firewall only while it runs.
Not here: the networks themselves (networks.py).
"""
from __future__ import annotations

import dataclasses
import itertools
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import hostnames, leased, networks, publishing, usermaps
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import finish
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, namespaces, poll
from ansible_collections.cocker.engine.plugins.module_utils.model import ipv6, names as kernel_names
from ansible_collections.cocker.engine.plugins.module_utils.model.container import Attachment, ContainerRecord, ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CleanupError, Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.lease import Endpoint, Lease
from ansible_collections.cocker.engine.plugins.module_utils.model.network import DEFAULT_NETWORK, Network, NetworkSpec, complete
from ansible_collections.cocker.engine.plugins.module_utils.model.ports import OPTION, Ports
from ansible_collections.cocker.engine.plugins.module_utils.network import firewall, leases, routes

PORTS = publishing.OPTIONS

_LINK_GONE = 1.0  # seconds that the kernel may take to end a namespace and its links


def check(host: Host, record: ContainerRecord, *, ports: bool) -> None:
    """Before the first effect: the networks are there, addresses and `ports` are to be had. Raises NotFound, Invalid, Conflict."""
    spec = record.spec
    attachments, published = spec.attachments(), publishing.wanted(record)
    if published and not attachments:
        raise Invalid(OPTION, "it needs a network that the container is on")
    if attachments:
        networks.refuse_other_store(host)
    known = {network.name: network for network in leased.listed(host)}
    if DEFAULT_NETWORK not in known:
        known[DEFAULT_NETWORK] = complete(NetworkSpec(DEFAULT_NETWORK))
    found = [known.get(attachment.name) or leased.get(host, attachment.name) for attachment in attachments]
    _refuse_ports(published, found)
    for network, attachment in zip(found, attachments):
        _lease(network, leased.recorded(host, network.name), spec.name, attachment)
    if ports and published:
        publishing.refuse_published(host, spec.name, published)
        firewall.refuse_used(published)
        if any(port.host_range for port in published):
            publishing.chosen(host, record)     # whether there is one: it is not kept


def _refuse_ports(published: Ports, found: t.Sequence[Network]) -> None:
    if published and not any(network.has_bridge for network in found):
        raise Invalid(OPTION, "it needs a network with driver bridge; on the others a container is reached at its own address")
    for port in published:
        if ipv6.is_ipv6(port.host_ip or "") and not any(network.subnet6 for network in found):
            raise Invalid(OPTION, "%s names an IPv6 address of the host, and the container has only IPv4" % port)


def attach(host: Host, record: ContainerRecord) -> t.List[Endpoint]:
    """Namespace, leases, ports, links. After a failure nothing of it is left but the lease. Raises Conflict."""
    from ansible_collections.cocker.engine.plugins.module_utils.network import endpoint  # netlink, which is not cheap

    found = [networks.ensure_up(host, attachment.name) for attachment in record.spec.attachments()]
    netns = host.netns(record.spec.name)
    endpoint.prepare(netns, usermaps.of(host, record.spec))
    endpoints = _take(host, record, found, range(len(found)), {}, sync=host.kept.unsynced.add)
    endpoint.attach(netns, endpoints)
    return endpoints


def rewire(host: Host, record: ContainerRecord, former: leased.Pairs) -> None:
    """The networks of a container that runs, while it runs: links that stay are not touched, one with another address is made anew.

    What is left keeps its lease, inactive, until the caller forgets it. `former` are the leases that are to come back in an undo.
    """
    from ansible_collections.cocker.engine.plugins.module_utils.network import endpoint  # netlink, which is not cheap

    spec = record.spec
    found = [networks.ensure_up(host, attachment.name) for attachment in spec.attachments()]
    before = {network.name: lease for lease, network in leased.of(host, spec.name) if lease.active}
    again = {network.name: lease for lease, network in former}
    endpoints = _take(host, record, found, _places([network.name for network in found], before), again)
    kept = {each.network.name for each in endpoints if _same_link(each.lease, before.get(each.network.name))}
    gone = [(network, lease) for lease, network in leased.of(host, spec.name) if network.name in before and network.name not in kept]
    endpoint.take_away(host.netns(spec.name), [(network, before[network.name]) for network, _lease in gone])
    endpoint.attach(host.netns(spec.name), endpoints)


def _same_link(lease: Lease, former: t.Optional[Lease]) -> bool:
    places = [(each.link, each.address, each.address6, each.mac) for each in (lease, former) if each is not None]
    return places[:1] == places[1:]


def _places(wanted: t.Sequence[str], before: t.Mapping[str, Lease]) -> t.List[int]:
    """Interfaces keep their number; a new one takes the lowest that is free."""
    had = {name: int(lease.ifname[len(leases.IFNAME):]) for name, lease in before.items()}
    free = (number for number in itertools.count() if number not in {had[name] for name in wanted if name in had})
    return [had[name] if name in had else next(free) for name in wanted]


def _take(
    host: Host, record: ContainerRecord, found: t.Sequence[Network], places: t.Sequence[int], again: t.Mapping[str, Lease],
    *, sync: t.Optional[fs.Sync] = None,
) -> t.List[Endpoint]:
    """Addresses and ports are chosen, recorded and in the firewall under one lock: nobody else can choose the same."""
    with networks.leases_changed(host):
        endpoints = _lease_all(host, record, found, places, again, sync=sync)
    return endpoints


def _lease_all(
    host: Host, record: ContainerRecord, found: t.Sequence[Network], places: t.Sequence[int], again: t.Mapping[str, Lease],
    *, sync: t.Optional[fs.Sync],
) -> t.List[Endpoint]:
    """Under the lock of the leases."""
    spec, endpoints = record.spec, []
    ports = publishing.chosen(host, record)
    _deactivate_others(host, spec.name, {network.name for network in found})
    way_out, served = _first(found), _first(found, with_ports=True)
    for number, (network, attachment) in enumerate(zip(found, spec.attachments())):
        have, is_way_out = leased.users(host, network.name), number == way_out
        new = _lease(network, have, spec.name, _as_before(attachment, again.get(network.name)), place=places[number])
        link = _link(host, new, leases.find(have, spec.name))
        new = dataclasses.replace(new, link=link, ports=ports if number == served else (), active=True, links=spec.links or ())
        leases.save(host.layout.leases(network.name), leases.with_lease(have, new), network=network.name, sync=sync)
        endpoints.append(Endpoint(network, new, default_route=is_way_out))
    return endpoints


def _link(host: Host, lease: Lease, former: t.Optional[Lease]) -> str:
    """One that is up keeps its name, whatever engine gave it."""
    if former is not None and former.active and former.ifname == lease.ifname:
        return former.link
    return kernel_names.link_name(host.kernel_name(lease.container), int(lease.ifname[len(leases.IFNAME):]))


def _first(found: t.Sequence[Network], *, with_ports: bool = False) -> int:
    """The first that leads out; ports can be published on a bridge only."""
    fits = [number for number, network in enumerate(found) if network.has_bridge or not with_ports]
    return next((number for number in fits if not found[number].internal), fits[0] if fits else -1)


def _as_before(wanted: Attachment, former: t.Optional[Lease]) -> Attachment:
    if former is None:
        return wanted
    return dataclasses.replace(
        wanted, ipv4_address=wanted.ipv4_address or former.ip, ipv6_address=wanted.ipv6_address or former.ip6)


def _lease(network: Network, have: t.Sequence[Lease], container: str, wanted: Attachment, *, place: int = 0) -> Lease:
    return leases.lease(
        network, have, container, wanted=wanted.ipv4_address, wanted6=wanted.ipv6_address, mac=wanted.mac_address, index=place,
        aliases=wanted.aliases or ())


def _deactivate_others(host: Host, container: str, wanted: t.Collection[str]) -> None:
    for _lease, network in leased.of(host, container):
        if network.name not in wanted:
            path = host.layout.leases(network.name)
            leases.change(path, lambda all_: leases.activated(all_, container, active=False), network=network.name)


def names(host: Host, container: str) -> t.List[str]:
    """Of all networks that it has a place on, those included that it has just left."""
    return [network.name for _lease, network in leased.of(host, container)]


def prepare(host: Host, spec: ContainerSpec) -> None:
    """network_mode custom: a namespace with nothing but lo, for the user to fill."""
    from ansible_collections.cocker.engine.plugins.module_utils.network import endpoint  # netlink, which is not cheap

    endpoint.prepare(host.netns(spec.name), usermaps.of(host, spec))


def republish(host: Host, record: ContainerRecord) -> None:
    """Other ports for a container, live where it runs."""
    name = record.spec.name
    with networks.leases_changed(host):
        ports = publishing.chosen(host, record)
        mine = leased.of(host, name)
        served = _first([network for _lease, network in mine], with_ports=True)
        for number, (lease, network) in enumerate(mine):
            path, new = host.layout.leases(network.name), dataclasses.replace(lease, ports=ports if number == served else ())
            leases.save(path, leases.with_lease(leased.users(host, network.name), new), network=network.name)


def release(host: Host, container: str) -> None:
    """Namespace, links and ports go, the addresses stay leased. Idempotent, and needs no netlink where the kernel is quick."""
    mine = leased.of(host, container)  # now, as a lease counts as active only while the namespace is pinned
    failures = finish([
        lambda: namespaces.unpin(host.netns(container)),
        lambda: _deactivate(host, container, mine),
        lambda: hostnames.follow(host, [network.name for lease, network in mine if lease.active]),
        lambda: _wait_for_links([lease.link for lease, _network in mine]),
    ])
    if failures:
        raise CleanupError("release network", container, failures)


def _deactivate(host: Host, container: str, mine: leased.Pairs) -> None:
    paths = [(host.layout.leases(network.name), network.name) for _lease, network in mine]
    if not any(lease.active for path, _name in paths for lease in leases.load(path) if lease.container == container):
        return
    with networks.leases_changed(host):
        for path, name in paths:
            leases.change(path, lambda all_: leases.activated(all_, container, active=False), network=name)


def _wait_for_links(links: t.Iterable[str]) -> None:
    left = [link for link in links if routes.exists(link)]
    if left and not poll.until(lambda: not any(map(routes.exists, left)), timeout=_LINK_GONE):
        from ansible_collections.cocker.engine.plugins.module_utils.network import endpoint  # the import costs more than the wait

        endpoint.detach(left)


def forget(host: Host, container: str, *, except_on: t.Collection[str] = ()) -> None:
    """The addresses are free again, those on networks in `except_on` stay. Idempotent."""
    with host.locked("firewall", networks.LEASES):
        for _lease_of, network in leased.of(host, container):
            if network.name not in except_on:
                leases.change(host.layout.leases(network.name), lambda all_: leases.without(all_, container), network=network.name)


def put_back(host: Host, container: str, former: leased.Pairs) -> None:
    """The leases are as before a replacement that failed, except for an address that somebody else has taken meanwhile."""
    forget(host, container, except_on=[network.name for _lease, network in former])
    with host.locked("firewall", networks.LEASES):
        for lease, network in former:
            have = leased.users(host, network.name)
            if all(other.ip != lease.ip for other in have if other.container != container):
                mine = dataclasses.replace(lease, active=False)
                leases.save(host.layout.leases(network.name), leases.with_lease(have, mine), network=network.name)
