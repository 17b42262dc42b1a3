# SPDX-License-Identifier: BSD-2-Clause
"""Which ports of the host lead to a container: what its task and its image say, host ports chosen, conflicts refused.

Not here: the rules that carry the packets (network/ruleset.py), and the leases that remember the choice (endpoints.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import leased
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerRecord
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict
from ansible_collections.cocker.engine.plugins.module_utils.model.ports import (
    OPTION,
    PortMapping,
    Ports,
    all_exposed,
    assign,
    clash,
    find_clash,
)
from ansible_collections.cocker.engine.plugins.module_utils.network import firewall

# What a change of changes the ports of a container that runs.
OPTIONS = frozenset(("published_ports", "publish_all_ports", "exposed_ports", "default_host_ip"))


def wanted(record: ContainerRecord) -> Ports:
    """Sorted; a host port that is to be chosen is None."""
    spec = record.spec
    if not spec.publish_all_ports:
        return spec.published_ports or ()
    exposed = [*(spec.exposed_ports or ()), *record.config.exposed_ports]
    return all_exposed(spec.published_ports or (), exposed, host_ip=spec.default_host_ip or None)


def chosen(host: Host, record: ContainerRecord) -> Ports:
    """With a host port each. The caller holds the lock under which they are recorded. Raises Conflict."""
    ports = wanted(record)
    if not ports:
        return ()
    if all(port.host_port for port in ports):
        refuse_published(host, record.spec.name, ports)
        return ports
    taken = _by_others(host, record.spec.name)
    _refuse(ports, taken)
    former = tuple(port for lease, _network in leased.of(host, record.spec.name) for port in lease.ports)
    sockets, others = firewall.Sockets(), [port for each in taken.values() for port in each]
    mine = {(port.protocol, port.host_port) for port in former}

    def is_free(port: PortMapping) -> bool:
        if any(clash(port, other) for other in others):
            return False
        return (port.protocol, port.host_port) in mine or not sockets.uses(port)

    return assign(ports, is_free, former)


def refuse_published(host: Host, container: str, ports: Ports) -> None:
    """Raises Conflict that names who has a port that the container asks for."""
    _refuse(ports, _by_others(host, container, {(port.protocol, port.host_port) for port in ports}))


def _by_others(host: Host, container: str, asked: t.Optional[t.Collection[t.Any]] = None) -> t.Dict[str, Ports]:
    """Who publishes what now, of all or of what is `asked` for: protocols with their host ports."""
    found: t.Dict[str, Ports] = {}
    for network in leased.listed(host):
        for lease in leased.recorded(host, network.name):
            if lease.active and lease.ports and lease.container != container:
                ports = tuple([port for port in lease.ports if asked is None or (port.protocol, port.host_port) in asked])
                if ports and leased.as_it_is(host, lease).active:
                    found[lease.container] = found.get(lease.container, ()) + ports
    return found


def _refuse(ports: Ports, taken: t.Mapping[str, Ports]) -> None:
    found = find_clash(ports, taken)
    if found is not None:
        port, owner, other = found
        whose = "container %s publishes port %s/%s of the host" % (owner, other.host_port, other.protocol)
        raise Conflict("option", OPTION, "%s cannot be published, %s" % (port, whose))
