# SPDX-License-Identifier: BSD-2-Clause
"""A container's place on its networks: leases, links and published ports, taken when it starts and given back.

A lease outlives a stop, so that a container keeps its address; its ports are in the firewall only while it runs.
Not here: the networks themselves (networks.py).
"""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import networks
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import namespaces, poll
from ansible_collections.cocker.engine.plugins.module_utils.model.container import DEFAULT_NETWORK, ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict
from ansible_collections.cocker.engine.plugins.module_utils.model.network import Endpoint, Lease, Network, NetworkSpec, complete
from ansible_collections.cocker.engine.plugins.module_utils.model.ports import AUTOMATIC, PortMapping, Ports
from ansible_collections.cocker.engine.plugins.module_utils.network import firewall, leases, routes
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

_LINK_GONE = 1.0  # seconds that the kernel may take to end a namespace and its links


def netns_path(container: str) -> str:
    return Layout.netns(container)


def check(host: Host, spec: ContainerSpec, *, starts: bool) -> None:
    """Before the first effect: the networks are there, addresses and ports are to be had. Raises NotFound, Invalid, Conflict."""
    known = {network.name: network for network in networks.listed(host)}
    if DEFAULT_NETWORK not in known:
        known[DEFAULT_NETWORK] = complete(NetworkSpec(DEFAULT_NETWORK))
    for attachment in spec.attachments():
        network = known.get(attachment.name) or networks.get(host, attachment.name)
        leases.choose(network, networks.users(host, network.name), attachment.ipv4_address, container=spec.name)
    if starts:
        _refuse_taken(spec.published_ports or (), _active(host, except_container=spec.name))


def attach(host: Host, spec: ContainerSpec) -> t.List[Endpoint]:
    """Leases, namespace, links, firewall. After a failure nothing of it is left but the lease. Raises Conflict."""
    found = [networks.ensure_up(host, attachment.name) for attachment in spec.attachments()]
    endpoints = _lease(host, spec, found)
    from ansible_collections.cocker.engine.plugins.module_utils.network import endpoint  # netlink, which is not cheap

    endpoint.attach(netns_path(spec.name), endpoints)
    try:
        activate(host, spec.name, [each.network.name for each in endpoints], active=True)
    except BaseException:
        release(host, spec.name)
        raise
    return endpoints


def _lease(host: Host, spec: ContainerSpec, found: t.Sequence[Network]) -> t.List[Endpoint]:
    endpoints = []
    with host.locked("firewall", networks.LEASES):
        ports = with_automatic(spec.published_ports or (), _active(host, except_container=spec.name), _mine(host, spec))
        for index, (network, attachment) in enumerate(zip(found, spec.attachments())):
            have = networks.users(host, network.name)
            mapped = ports if index == 0 else ()
            new = leases.lease(network, have, spec.name, wanted=attachment.ipv4_address, index=index, ports=mapped)
            leases.save(host.layout.leases(network.name), leases.with_lease(have, new), network=network.name)
            endpoints.append(Endpoint(network, new, default_route=index == 0))
    return endpoints


def prepare(container: str) -> None:
    """network_mode custom: a namespace with nothing but lo, for the user to fill."""
    from ansible_collections.cocker.engine.plugins.module_utils.network import endpoint  # netlink, which is not cheap

    endpoint.prepare(netns_path(container))


def activate(host: Host, container: str, names_of: t.Iterable[str], *, active: bool) -> None:
    """The container's ports enter or leave the firewall."""
    with host.locked("firewall", networks.LEASES):
        for name in names_of:
            leases.change(host.layout.leases(name), lambda all_: leases.activated(all_, container, active=active), network=name)
        refresh(host)


def republish(host: Host, spec: ContainerSpec, *, running: bool) -> None:
    """Other ports for a container, live."""
    with host.locked("firewall", networks.LEASES):
        ports = with_automatic(spec.published_ports or (), _active(host, except_container=spec.name), _mine(host, spec))
        for attachment in spec.attachments()[:1]:
            path, have = host.layout.leases(attachment.name), networks.users(host, attachment.name)
            mine = leases.find(have, spec.name)
            if mine is not None:
                leases.save(path, leases.with_lease(have, dataclasses.replace(mine, ports=ports)), network=attachment.name)
        if running:
            refresh(host)


def refresh(host: Host) -> None:
    known = networks.listed(host)
    firewall.apply(known, {network.name: networks.users(host, network.name) for network in known})


def release(host: Host, container: str) -> None:
    """Namespace, links and ports go, the addresses stay leased. Idempotent, and needs no netlink where the kernel is quick."""
    mine = of(host, container)
    namespaces.unpin(netns_path(container))
    if any(lease.active for lease, _network in mine):
        activate(host, container, [network.name for _lease, network in mine], active=False)
    links = [lease.link for lease, _network in mine if routes.exists(lease.link)]
    if links and not poll.until(lambda: not any(map(routes.exists, links)), timeout=_LINK_GONE):
        from ansible_collections.cocker.engine.plugins.module_utils.network import endpoint  # the import costs more than the wait

        endpoint.detach(links)


def forget(host: Host, container: str) -> None:
    """The addresses are free again. Idempotent."""
    with host.locked("firewall", networks.LEASES):
        for _lease_of, network in of(host, container):
            leases.change(host.layout.leases(network.name), lambda all_: leases.without(all_, container), network=network.name)


def of(host: Host, container: str) -> t.List[t.Tuple[Lease, Network]]:
    """In the order of the container's interfaces."""
    found = []
    for network in networks.listed(host):
        lease = leases.find(networks.users(host, network.name), container)
        if lease is not None:
            found.append((lease, network))
    return sorted(found, key=lambda pair: pair[0].ifname)


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


def _mine(host: Host, spec: ContainerSpec) -> Ports:
    return tuple(port for lease, _network in of(host, spec.name) for port in lease.ports)


def _active(host: Host, *, except_container: str) -> t.List[PortMapping]:
    return [port for _owner, port in _active_owners(host) if _owner != except_container]


def _active_owners(host: Host) -> t.Iterator[t.Tuple[str, PortMapping]]:
    for network in networks.listed(host):
        for lease in networks.users(host, network.name):
            if lease.active:
                yield from ((lease.container, port) for port in lease.ports)


def _refuse_taken(wanted: t.Iterable[PortMapping], taken: t.Sequence[PortMapping]) -> None:
    for port in wanted:
        if any(_collide(port, other) for other in taken):
            raise Conflict("option", "published_ports", "host port %s is published by another container" % port)
        if port.host_port is not None and firewall.port_in_use(port):
            raise Conflict("option", "published_ports", "host port %s is in use by a process of the host" % port)


def _collide(one: PortMapping, other: PortMapping) -> bool:
    same = one.host_port is not None and (one.host_port, one.protocol) == (other.host_port, other.protocol)
    return same and (one.host_ip is None or other.host_ip is None or one.host_ip == other.host_ip)
