# SPDX-License-Identifier: BSD-2-Clause
"""A container's network namespace and its links into bridges.

Not here: which address it gets (leases.py), the bridge (bridge.py), ports and NAT (firewall.py).
"""
from __future__ import annotations

import contextlib
import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import namespaces, netlink, poll, sysctl, userns
from ansible_collections.cocker.engine.plugins.module_utils.model import idmap
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import (
    CleanupError,
    CockerError,
    Conflict,
    KernelError,
    NotFound,
    tolerate,
)
from ansible_collections.cocker.engine.plugins.module_utils.model.lease import Endpoint, Lease
from ansible_collections.cocker.engine.plugins.module_utils.model.network import MACVLAN, Network
from ansible_collections.cocker.engine.plugins.module_utils.network import parent, routes

MARK = "cocker-container:"          # ifalias of the host's side: the mark and the container's name
_KERNEL = 0.2                       # seconds; 30 to 50 ms measured
_ALIAS_LENGTH = 255                 # IFALIASZ without the final zero


def is_pinned(netns: str) -> bool:
    """Whether a namespace is pinned at the path; a plain file there is what a crash or a reboot left."""
    try:
        return os.stat(netns).st_dev == os.stat("/proc/self/ns/net").st_dev
    except FileNotFoundError:
        return False


def prepare(netns: str, maps: t.Optional[idmap.Maps] = None) -> bool:
    """The namespace is pinned and its lo is up, nothing else (network_mode none and custom). Whether it had to be made.

    With `maps` it belongs to a user namespace of its own.
    """
    if is_pinned(netns):
        return False
    namespaces.unpin(netns)
    _pin(netns, maps)
    try:
        with _inside(netns) as connection:
            connection.run([netlink.set_up("lo")])
    except BaseException:
        namespaces.unpin(netns)
        raise
    return True


def _pin(netns: str, maps: t.Optional[idmap.Maps]) -> None:
    if maps is None:
        namespaces.pin_netns(netns)
        return
    user, space = userns.make(idmap.text(maps.uids), idmap.text(maps.gids), network=True)
    try:
        namespaces.pin_netns(netns, space=space)
    finally:
        os.close(user)
        os.close(space)


def attach(netns: str, endpoints: t.Sequence[Endpoint]) -> None:
    """Idempotent; the namespace is prepared if need be. After a failure no endpoint that this call made is left.

    Raises NotFound (no bridge), Conflict (a link of that name is somebody else's), KernelError.
    """
    prepare(netns)
    made: t.List[Endpoint] = []
    try:
        with open(netns, "rb") as namespace, netlink.Connection() as host, _inside(netns) as inside:
            for endpoint in endpoints:
                if not _is_attached(endpoint, inside=inside, host=host):
                    made.append(endpoint)
                    _make(endpoint, namespace.fileno(), host=host)
            for endpoint in endpoints:
                inside.run(_configuration(endpoint, inside))
    except BaseException:
        take_away(netns, [(each.network, each.lease) for each in made])
        raise


def _make(endpoint: Endpoint, namespace: int, *, host: netlink.Connection) -> None:
    if endpoint.network.has_bridge:
        host.run(_pair(endpoint, namespace))
        return
    try:
        host.run([_child(endpoint, namespace)])
    except KernelError as error:
        if error.errno == errno.EOPNOTSUPP:
            raise parent.lacking(endpoint.network) from error
        raise


def _child(endpoint: Endpoint, namespace: int) -> netlink.Request:
    """An ipvlan has the MAC address of its parent."""
    network, lease = endpoint.network, endpoint.lease
    mac = lease.mac if network.driver == MACVLAN else None
    above = routes.index(str(network.parent))
    if not above:
        raise NotFound("attach", lease.container, "network %s has no parent %s" % (network.name, network.parent))
    return netlink.add_child(
        network.driver, lease.ifname, parent=above, mode=str(network.mode), mac=mac, mtu=network.mtu, netns=namespace)


def take_away(netns: str, places: t.Sequence[t.Tuple[Network, Lease]]) -> None:
    """Of a container whose namespace stays. Idempotent."""
    detach([lease.link for network, lease in places if network.has_bridge])
    inner = [lease.ifname for network, lease in places if not network.has_bridge]
    if inner and is_pinned(netns):
        with _inside(netns) as connection:
            connection.run(netlink.delete_links(inner))


def set_mtu(netns: str, ifname: str, mtu: int) -> None:
    """The container's side of a link."""
    with _inside(netns) as connection:
        if connection.find_link(ifname) is not None:
            connection.run([netlink.set_mtu(ifname, mtu)])


@contextlib.contextmanager
def _inside(netns: str) -> t.Iterator[netlink.Connection]:
    """The block runs in the namespace, and so do the sysctls that it sets; a connection of the host has to be open before."""
    with open(netns, "rb") as namespace, namespaces.entered(namespace.fileno(), "network"), netlink.Connection() as connection:
        yield connection


def _is_attached(endpoint: Endpoint, *, inside: netlink.Connection, host: netlink.Connection) -> bool:
    """A pair that a crash left half-way is removed, and then there is none."""
    lease = endpoint.lease
    if not endpoint.network.has_bridge:
        return inside.find_link(lease.ifname) is not None
    outer, inner = host.find_link(lease.link), inside.find_link(lease.ifname)
    if outer is None:
        if inner is not None:
            raise Conflict("attach", lease.container, "its network namespace has a link %s already" % lease.ifname)
        return False
    if routes.read(lease.link, "ifalias") != _alias(lease):
        raise Conflict("attach", lease.container, "a link named %s exists and is not this container's" % lease.link)
    if inner is not None and (inner.peer, outer.peer, inner.mac) == (outer.index, inner.index, lease.mac) \
            and routes.bridge_of(lease.link) == endpoint.network.link:
        return True
    host.run(netlink.delete_links([lease.link]))
    return False


def _alias(lease: Lease) -> str:
    return os.fsencode(MARK + lease.container)[:_ALIAS_LENGTH].decode("utf-8", "ignore")


def _pair(endpoint: Endpoint, namespace: int) -> t.List[netlink.Request]:
    lease, network = endpoint.lease, endpoint.network
    bridge = routes.index(network.link)
    if not bridge:
        raise NotFound("attach", lease.container, "network %s has no bridge %s" % (network.name, network.link))
    pair = netlink.add_veth(lease.link, master=bridge, mtu=network.mtu, peer=lease.ifname, peer_mac=lease.mac, netns=namespace)
    return [pair, netlink.set_alias(lease.link, _alias(lease)), netlink.set_port(lease.link, isolated=not network.icc)]


def _configuration(endpoint: Endpoint, inside: netlink.Connection) -> t.List[netlink.Request]:
    """In the namespace. An internal network is not the way to anywhere, so that it has no default route."""
    lease, network = endpoint.lease, endpoint.network
    link = inside.find_link(lease.ifname)
    if link is None:
        raise NotFound("attach", lease.container, "link %s has gone" % lease.ifname)
    with tolerate(errno.ENOENT):                # a kernel without IPv6
        if not link.up:
            for name, value in _sysctls6(lease):
                sysctl.write("net/ipv6/conf/%s/%s" % (lease.ifname, name), value)
    addresses = [lease.address] if lease.address6 is None else [lease.address, lease.address6]
    requests = [netlink.add_address(link.index, each, subject=lease.ifname) for each in addresses]
    requests.append(netlink.set_up(lease.ifname))
    if endpoint.default_route and not network.internal:
        gateways = [network.gateway] if network.gateway6 is None else [network.gateway, network.gateway6]
        requests += [netlink.set_default_route(link.index, each, subject=lease.container) for each in gateways]
    return requests


def _sysctls6(lease: Lease) -> t.Sequence[t.Tuple[str, int]]:
    """Addresses and routes come from the engine alone: a neighbour cannot advertise itself as the router (CVE-2020-13401)."""
    if lease.address6 is None:
        return (("disable_ipv6", 1),)
    return (("accept_ra", 0), ("autoconf", 0), ("accept_dad", 0), ("disable_ipv6", 0))


def detach(links: t.Sequence[str]) -> t.Tuple[str, ...]:
    """Idempotent. Which of them there were; a link that is no container's of ours is left alone. Several at once cost as much as one."""
    ours = tuple(link for link in links if routes.read(link, "ifalias").startswith(MARK))
    if ours:
        with netlink.Connection() as connection:
            connection.run(netlink.delete_links(ours))
    return ours


def release(netns: str, links: t.Sequence[str]) -> None:
    """Pin and links go. Idempotent. Raises CleanupError when all was tried.

    The kernel ends a namespace that nothing holds, its links with it, as fast as we could delete them: without pyroute2.
    """
    failures: t.List[BaseException] = []
    try:
        namespaces.unpin(netns)
        poll.until(lambda: not any(routes.exists(link) for link in links), timeout=_KERNEL, interval=0.001)
    except (CockerError, OSError) as error:
        failures.append(error)
    try:
        detach(links)
    except (CockerError, OSError) as error:
        failures.append(error)
    if failures:
        raise CleanupError("release network namespace", netns, failures)
