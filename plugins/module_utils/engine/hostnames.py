# SPDX-License-Identifier: BSD-2-Clause
"""/etc/hosts, /etc/hostname and /etc/resolv.conf of containers: written when one starts, kept true while it runs.

Each is a file in the container's directory that is mounted over the image's, so it is rewritten in place. A container finds the others
of its networks in its own /etc/hosts: no server has to run, and what is known is there before its first process is.
Not here: the texts (network/resolver.py).
"""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import leased, processes
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.container import HOST, ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.network import resolver

HOSTS, HOSTNAME, RESOLV_CONF = "hosts", "hostname", "resolv.conf"
# What a change of changes in the files of a container that runs.
OPTIONS = frozenset(("networks", "links", "etc_hosts", "dns_servers", "dns_opts", "dns_search_domains"))
GATEWAY = "host-gateway"    # in etc_hosts: the host, as the container reaches it

_OWN = "hosts.own"          # what a container's hosts file begins with, whoever its neighbours are
_LARGEST = 1 << 20          # a container may write into its files


def write(host: Host, spec: ContainerSpec) -> None:
    """All of a container's own; `follow` adds its neighbours."""
    mine, name = leased.of(host, spec.name), processes.hostname(spec)
    active = [(lease, network) for lease, network in mine if lease.active]
    closed = bool(active) and all(network.internal for _lease, network in active)
    gateway = next((network.gateway for _lease, network in active if not network.internal), "127.0.0.1")
    extra = [(word, gateway if address == GATEWAY else address) for word, address in sorted((spec.etc_hosts or {}).items())]
    addresses = [address for lease, _network in active for address in (lease.address, lease.address6) if address]
    own = resolver.hosts(name, addresses, extra)
    folder = host.layout.container(spec.name)
    _rewrite(os.path.join(folder, _OWN), own)
    if not active:
        _rewrite(os.path.join(folder, HOSTS), own)
    _rewrite(os.path.join(folder, HOSTNAME), resolver.hostname(name))
    _rewrite(os.path.join(folder, RESOLV_CONF), _resolv_conf(spec, closed=closed))


def _resolv_conf(spec: ContainerSpec, *, closed: bool) -> str:
    """Where no network leads out, no server of the host is reached, and a name must fail at once instead of after a timeout."""
    servers = () if closed and spec.dns_servers is None else spec.dns_servers
    return resolver.resolv_conf(
        resolver.host_resolv_conf(), servers=servers, search=spec.dns_search_domains, options=spec.dns_opts,
        keep_loopback=spec.network_mode == HOST)


def follow(host: Host, changed: t.Collection[str]) -> None:
    """Every container that runs on one of the networks knows the others on its networks, and no longer who has gone."""
    if changed:
        with host.locked("firewall", leased.LEASES):
            update(host, changed)


def update(host: Host, changed: t.Collection[str]) -> None:
    """`follow` for who has the lock."""
    listed = leased.listed(host)
    known = {network.name: [lease for lease in leased.users(host, network.name) if lease.active] for network in listed}
    far = {network.name: resolver.elsewhere(network.peers) for network in listed}
    plain = {name: resolver.neighbours(all_) for name, all_ in known.items()}       # what most of them see, made once
    on = {(lease.container, name): lease for name, all_ in known.items() for lease in all_}
    for container in sorted({lease.container for name in changed for lease in known.get(name, ())}):
        mine = {name: on[container, name] for name in sorted(known) if (container, name) in on}
        _follow(host, container, [
            (resolver.neighbours(known[name], lease.links) if lease.links else plain[name]) + far[name] for name, lease in mine.items()])


def _follow(host: Host, container: str, neighbours: t.Sequence[str]) -> None:
    folder = host.layout.container(container)
    text = _read(os.path.join(folder, _OWN))
    if text is None:            # it is being started: it writes its own
        return
    fs.rewrite(os.path.join(folder, HOSTS), (text + "".join(neighbours)).encode("utf-8", "surrogateescape"), mode=0o644)


def _read(path: str) -> t.Optional[str]:
    """Without io.open, which takes most of the time where there are hundreds."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return os.read(fd, _LARGEST).decode("utf-8", "surrogateescape")
    finally:
        os.close(fd)


def _rewrite(path: str, text: str) -> None:
    if _read(path) == text:
        return
    fs.rewrite(path, text.encode("utf-8", "surrogateescape"), mode=0o644)
