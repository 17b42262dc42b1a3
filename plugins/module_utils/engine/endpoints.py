# SPDX-License-Identifier: BSD-2-Clause
"""A container's place on its networks: leases, links and published ports, taken when it starts and given back.

A lease outlives a stop, so that a container keeps its address; its ports are in the firewall only while it runs.
Not here: the networks themselves (networks.py).
"""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import leased, networks
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import finish
from ansible_collections.cocker.engine.plugins.module_utils.kernel import namespaces, poll
from ansible_collections.cocker.engine.plugins.module_utils.model import names
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CleanupError, Conflict, Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.network import (
    DEFAULT_NETWORK,
    Endpoint,
    Network,
    NetworkSpec,
    complete,
)
from ansible_collections.cocker.engine.plugins.module_utils.model.ports import AUTOMATIC, OPTION, PortMapping, Ports, clash
from ansible_collections.cocker.engine.plugins.module_utils.network import firewall, leases, routes

_LINK_GONE = 1.0  # seconds that the kernel may take to end a namespace and its links


def check(host: Host, spec: ContainerSpec, *, ports: bool) -> None:
    """Before the first effect: the networks are there, addresses and `ports` are to be had. Raises NotFound, Invalid, Conflict."""
    attachments = spec.attachments()
    if spec.published_ports and not attachments:
        raise Invalid(OPTION, "it needs a network that the container is on")
    if attachments:
        networks.refuse_other_store(host)
    known = {network.name: network for network in leased.listed(host)}
    if DEFAULT_NETWORK not in known:
        known[DEFAULT_NETWORK] = complete(NetworkSpec(DEFAULT_NETWORK))
    for attachment in attachments:
        network = known.get(attachment.name) or leased.get(host, attachment.name)
        leases.choose(network, leased.users(host, network.name), attachment.ipv4_address, container=spec.name)
    if ports:
        _refuse_published(host, spec)
        _refuse_used(spec)


def attach(host: Host, spec: ContainerSpec) -> t.List[Endpoint]:
    """Namespace, leases, ports, links. After a failure nothing of it is left but the lease. Raises Conflict."""
    from ansible_collections.cocker.engine.plugins.module_utils.network import endpoint  # netlink, which is not cheap

    found = [networks.ensure_up(host, attachment.name) for attachment in spec.attachments()]
    netns = host.netns(spec.name)
    endpoint.prepare(netns)
    endpoints = _take(host, spec, found)
    endpoint.attach(netns, endpoints)
    return endpoints


def _take(host: Host, spec: ContainerSpec, found: t.Sequence[Network]) -> t.List[Endpoint]:
    """Addresses and ports are chosen, recorded and in the firewall under one lock: nobody else can choose the same."""
    if not found:
        return []
    endpoints = []
    with host.locked("firewall", networks.LEASES):
        _refuse_published(host, spec)
        ports = _chosen(host, spec)
        for index, (network, attachment) in enumerate(zip(found, spec.attachments())):
            have, mapped = leased.users(host, network.name), ports if index == 0 else ()
            new = leases.lease(network, have, spec.name, wanted=attachment.ipv4_address, index=index, ports=mapped)
            new = dataclasses.replace(new, link=names.link_name(host.kernel_name(spec.name), index), active=True)
            leases.save(host.layout.leases(network.name), leases.with_lease(have, new), network=network.name)
            endpoints.append(Endpoint(network, new, default_route=index == 0))
        networks.refresh(host)
    return endpoints


def prepare(host: Host, container: str) -> None:
    """network_mode custom: a namespace with nothing but lo, for the user to fill."""
    from ansible_collections.cocker.engine.plugins.module_utils.network import endpoint  # netlink, which is not cheap

    endpoint.prepare(host.netns(container))


def republish(host: Host, spec: ContainerSpec) -> None:
    """Other ports for a container, live where it runs."""
    with host.locked("firewall", networks.LEASES):
        _refuse_published(host, spec)
        ports = _chosen(host, spec)
        for attachment in spec.attachments()[:1]:
            path, have = host.layout.leases(attachment.name), leased.users(host, attachment.name)
            mine = leases.find(have, spec.name)
            if mine is not None:
                leases.save(path, leases.with_lease(have, dataclasses.replace(mine, ports=ports)), network=attachment.name)
        networks.refresh(host)


def release(host: Host, container: str) -> None:
    """Namespace, links and ports go, the addresses stay leased. Idempotent, and needs no netlink where the kernel is quick."""
    mine = leased.of(host, container)
    failures = finish([
        lambda: namespaces.unpin(host.netns(container)),
        lambda: _deactivate(host, container, mine),
        lambda: _wait_for_links([lease.link for lease, _network in mine]),
    ])
    if failures:
        raise CleanupError("release network", container, failures)


def _deactivate(host: Host, container: str, mine: leased.Pairs) -> None:
    paths = [(host.layout.leases(network.name), network.name) for _lease, network in mine]
    if not any(lease.active for path, _name in paths for lease in leases.load(path) if lease.container == container):
        return
    with host.locked("firewall", networks.LEASES):
        for path, name in paths:
            leases.change(path, lambda all_: leases.activated(all_, container, active=False), network=name)
        networks.refresh(host)


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


def _chosen(host: Host, spec: ContainerSpec) -> Ports:
    taken = [port for _owner, port in _published(host, except_container=spec.name)]
    former = tuple(port for lease, _network in leased.of(host, spec.name) for port in lease.ports)
    return with_automatic(spec.published_ports or (), taken, former)


def with_automatic(ports: Ports, taken: t.Sequence[PortMapping], former: t.Sequence[PortMapping]) -> Ports:
    """A host port for each that names none: the one it had before, else the lowest free of the range. Raises Conflict."""
    used = {(port.protocol, port.host_port) for port in (*taken, *ports)}
    had = {(port.container_port, port.protocol, port.host_ip): port.host_port for port in former}
    chosen = []
    for port in ports:
        if port.host_port is None:
            old = had.get((port.container_port, port.protocol, port.host_ip))
            free = old if old and (port.protocol, old) not in used else _free(port, used)
            port = dataclasses.replace(port, host_port=free)
            used.add((port.protocol, free))
        chosen.append(port)
    return tuple(chosen)


def _free(port: PortMapping, used: t.Container[t.Tuple[str, t.Optional[int]]]) -> int:
    for number in AUTOMATIC:
        candidate = dataclasses.replace(port, host_port=number)
        if (port.protocol, number) not in used and not firewall.port_in_use(candidate):
            return number
    raise Conflict("publish", str(port), "no host port from %d to %d is free" % (AUTOMATIC[0], AUTOMATIC[-1]))


def _published(host: Host, *, except_container: str) -> t.List[t.Tuple[str, PortMapping]]:
    """By others, now."""
    found = []
    for network in leased.listed(host):
        for lease in leased.users(host, network.name):
            if lease.active and lease.container != except_container:
                found += [(lease.container, port) for port in lease.ports]
    return found


def _refuse_published(host: Host, spec: ContainerSpec) -> None:
    taken = _published(host, except_container=spec.name) if spec.published_ports else []
    for port in spec.published_ports or ():
        for owner, other in taken:
            if clash(port, other):
                whose = "container %s publishes port %s/%s of the host" % (owner, other.host_port, other.protocol)
                raise Conflict("option", OPTION, "%s cannot be published, %s" % (port, whose))


def _refuse_used(spec: ContainerSpec) -> None:
    for port in spec.published_ports or ():
        user = firewall.find_listener(port)
        if user is not None:
            reason = "%s cannot be published, port %s/%s is in use on the host by %s" % (port, port.host_port, port.protocol, user)
            raise Conflict("option", OPTION, reason)
