# SPDX-License-Identifier: BSD-2-Clause
"""The link that carries a network to its other hosts: a port of the bridge, whose forwarding table names them.

No multicast and nobody who watches: what has no known place goes to each host that the play named, and the kernel learns the rest.
Not here: the bridge (bridge.py), names of the containers there (engine/hostnames.py).
"""
from __future__ import annotations

import hashlib
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fdb, modules
from ansible_collections.cocker.engine.plugins.module_utils.model import vxlan as model
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import NotFound, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.model.network import DEFAULT_MTU, VXLAN, Network
from ansible_collections.cocker.engine.plugins.module_utils.network import routes, routes6

MARK = "cocker-vxlan:"              # ifalias: the mark and the network's name
MODULE = "vxlan"

TUNNEL, PEERS = "tunnel", "peers"   # the words of the plan, as bridge.py has them

_PREFIX = "vx"


def link(network: Network) -> str:
    """Follows from all that cannot be changed of a link, so that another wish is another link."""
    said = (network.name, network.vni, network.port, network.local, network.parent)
    return _PREFIX + hashlib.sha256(repr(said).encode("utf-8", "surrogateescape")).hexdigest()[:12]


def missing(network: Network) -> t.Tuple[str, ...]:
    """Empty for a network of another driver. Asks the kernel once."""
    if network.driver != VXLAN:
        return ()
    name = link(network)
    if not _is_whole(network, name) or others(network):
        return (TUNNEL,)
    return (PEERS,) if _differing(network, routes.index(name)) != ([], []) else ()


def _is_whole(network: Network, name: str) -> bool:
    return routes.read(name, "ifalias") == MARK + network.name and routes.bridge_of(name) == network.link and routes.is_up(name)


def others(network: Network) -> t.List[str]:
    """Links of the network that are no longer wanted, or in another bridge."""
    return [name for name in _ours(network) if name != link(network) or not _is_whole(network, name)]


def _ours(network: Network) -> t.List[str]:
    names = [name for name in sorted(os.listdir(routes.LINKS)) if name.startswith(_PREFIX)]
    return [name for name in names if routes.read(name, "ifalias") == MARK + network.name]


def check(network: Network) -> None:
    """Changes nothing. Raises NotFound (the parent), Unsupported (a kernel without the driver)."""
    if network.parent is not None and not routes.exists(network.parent):
        raise NotFound("link", network.parent, "parent of network %s: the host has no such link" % network.name)
    if modules.find(MODULE) is False:
        raise Unsupported("use network", network.name, "this kernel has no vxlan: there is no module vxlan",
                          hint="install the kernel's extra modules")


def ensure(network: Network) -> None:
    """Idempotent; the bridge is there."""
    from ansible_collections.cocker.engine.plugins.module_utils.kernel import netlink  # not on the path that only looks

    gone = others(network)
    with netlink.Connection() as connection:
        connection.run(netlink.delete_links(gone))
        name = link(network)
        if not routes.exists(name):
            parent = routes.index(network.parent) if network.parent else 0
            connection.run([
                netlink.add_vxlan(name, vni=network.vni or 0, port=network.port or 0, local=_local(network), parent=parent,
                                  master=routes.index(network.link), mtu=network.mtu),
                netlink.set_alias(name, MARK + network.name),
                netlink.set_port(name, isolated=not network.icc, hairpin=False),
                netlink.set_up(name),
            ])
    remove, add = _differing(network, routes.index(name))
    fdb.change(routes.index(name), add=add, remove=remove, subject=name)


def _local(network: Network) -> t.Optional[str]:
    """A link speaks IPv4 unless it is told an address of IPv6, be it any."""
    return network.local or ("::" if any(":" in peer.address for peer in network.peers) else None)


def _differing(network: Network, index: int) -> t.Tuple[t.List[fdb.Entry], t.List[fdb.Entry]]:
    """Entries that have to go and to come. What was learned of a host goes with it."""
    have = set(fdb.entries(index)) if index else set()
    hosts = {peer.address for peer in network.peers}
    wanted = {fdb.Entry(fdb.EVERYTHING, host) for host in hosts}
    return sorted(entry for entry in have if entry.host not in hosts), sorted(wanted - have)


def remove(network: Network) -> None:
    """Idempotent."""
    ours = _ours(network)
    if ours:
        from ansible_collections.cocker.engine.plugins.module_utils.kernel import netlink

        with netlink.Connection() as connection:
            connection.run(netlink.delete_links(ours))


def mtu(peers: t.Sequence[model.Peer], parent: t.Optional[str], local: t.Optional[str]) -> int:
    """What fits into a packet of the link to the other hosts: `parent`, or the one by which they, or `local`, are reached."""
    places = [*(peer.address for peer in peers), *([local] if local else [])]
    overhead = model.OVERHEAD6 if any(":" in place for place in places) else model.OVERHEAD
    links = [parent] if parent else [routes6.link_to(place) if ":" in place else routes.link_to(place) for place in places]
    known = [int(routes.read(found, "mtu") or 0) for found in links if found]
    return min([each for each in known if each] or [DEFAULT_MTU]) - overhead


def without_self(peers: t.Sequence[model.Peer]) -> model.Peers:
    """A play may name all hosts to each of them."""
    mine = {str(route).partition("/")[0] for route in routes.all_routes() if route.kind == "LOCAL"}
    return tuple(peer for peer in peers if peer.address not in mine and not (":" in peer.address and routes6.link_of(peer.address)))
