# SPDX-License-Identifier: BSD-2-Clause
"""The bridge of a network: what is there (from /sys, for the plan), what is missing, and making it so.

Not here: the links of containers in it (endpoint.py), NAT and filtering (ruleset.py, firewall.py).
"""
from __future__ import annotations

import dataclasses
import functools
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import sysctl
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, NotFound, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.model.network import SUBNET, VXLAN, Network
from ansible_collections.cocker.engine.plugins.module_utils.network import parent, routes, routes6, vxlan

MARK = "cocker:"                # ifalias of a bridge of ours: the mark and the network's name
FORWARDING, FORWARDING6 = "net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"

CONF6 = "/proc/sys/net/ipv6/conf"

LINK, ADDRESS, UP = "link", "address", "up"
MTU, SYSCTLS, ICC = "mtu", "sysctls", "icc"


@dataclasses.dataclass(frozen=True)
class BridgeState:
    """`owner` is the network that the link was made for; empty for a link that is not ours."""

    exists: bool = False
    is_bridge: bool = False
    owner: str = ""
    up: bool = False
    mtu: int = 0
    has_address: bool = False
    sysctls: t.Tuple[str, ...] = ()         # those that differ from what is wanted
    ports: t.Tuple[str, ...] = ()
    wrong_ports: t.Tuple[str, ...] = ()     # those that are isolated and should not be, or the other way round
    narrow_ports: t.Tuple[str, ...] = ()    # those of another mtu
    tunnel: t.Tuple[str, ...] = ()          # what lacks of the way to other hosts, in the words of vxlan.missing


def observe(network: Network, *, with_ports: bool = True) -> BridgeState:
    """Reads /sys and /proc only, and asks the kernel for the other hosts of a vxlan. `with_ports` looks at each of them, too."""
    link = network.link
    if not network.has_bridge:
        return BridgeState(exists=routes.exists(str(network.parent)))
    if not routes.exists(link):
        return BridgeState(sysctls=_differing({FORWARDING: "1"}))
    alias = routes.read(link, "ifalias")
    ports = routes.ports_of(link) if with_ports else ()
    return BridgeState(
        exists=True,
        is_bridge=routes.is_bridge(link),
        owner=alias[len(MARK):] if alias.startswith(MARK) else "",
        up=routes.is_up(link),
        mtu=int(routes.read(link, "mtu") or 0),
        has_address=all(map(functools.partial(_has_address, link), gateway_addresses(network))),
        sysctls=_differing(wanted_sysctls(network)),
        ports=ports,
        wrong_ports=tuple(port for port in ports if routes.read(port, "brport/isolated") != str(int(not network.icc))),
        narrow_ports=tuple(port for port in ports if routes.read(port, "mtu") != str(network.mtu)),
        tunnel=vxlan.missing(network),
    )


def gateway_addresses(network: Network) -> t.List[str]:
    found = ["%s/%d" % (network.gateway, network.prefix_length)]
    if network.subnet6 is not None:
        found.append("%s/%s" % (network.gateway6, network.subnet6.partition("/")[2]))
    return found


def _has_address(link: str, address: str) -> bool:
    return routes6.has_address(link, address) if ":" in address else routes.has_address(link, address)


def wanted_sysctls(network: Network) -> t.Dict[str, str]:
    """No router advertisement from a container reaches the host (CVE-2020-13401); a network without IPv6 has none on its bridge."""
    wanted = {FORWARDING: "1"}
    if os.path.isdir("/proc/sys/net/ipv6/conf"):
        wanted["net/ipv6/conf/%s/accept_ra" % network.link] = "0"
        wanted["net/ipv6/conf/%s/disable_ipv6" % network.link] = str(int(network.subnet6 is None))
        if network.subnet6 is not None:
            wanted[FORWARDING6] = "1"
    return wanted


def _differing(wanted: t.Mapping[str, str]) -> t.Tuple[str, ...]:
    return tuple(name for name in sorted(wanted) if not _is_set(name, wanted[name]))


def _is_set(name: str, value: str) -> bool:
    try:
        return sysctl.read(name) == value
    except FileNotFoundError:
        return False


def missing(network: Network, state: BridgeState) -> t.Tuple[str, ...]:
    """What `ensure` has to do, in its order; empty if nothing. The words of the plan."""
    if not network.has_bridge:
        return ()
    if not state.exists:
        return (LINK, ADDRESS, UP, SYSCTLS, *((vxlan.TUNNEL,) if network.driver == VXLAN else ()))
    wanted = (
        (MTU, state.mtu != network.mtu or bool(state.narrow_ports)), (ADDRESS, not state.has_address), (UP, not state.up),
        (SYSCTLS, bool(state.sysctls)), (ICC, bool(state.wrong_ports)),
    )
    return (*(word for word, is_missing in wanted if is_missing), *state.tunnel)


def check(network: Network, state: BridgeState) -> None:
    """Changes nothing. Raises Conflict for a link that is not ours and for a subnet that the host uses otherwise."""
    if not network.has_bridge:
        parent.check(network, exists=state.exists)
        return
    if network.subnet6 is not None and not routes6.is_there():
        raise Unsupported("create network", network.name, "the kernel of this host has no IPv6")
    if network.uplink is not None and not routes.exists(network.uplink):
        raise NotFound("link", network.uplink, "uplink of network %s: the host has no such link" % network.name)
    if network.driver == VXLAN:
        vxlan.check(network)
    if state.exists and not (state.is_bridge and state.owner == network.name):
        whose = "is the bridge of network %s" % state.owner if state.owner else "is not ours"
        raise Conflict("create network", network.name, "a link named %s exists and %s" % (network.link, whose),
                       hint="choose another name for the network, or remove the link")
    if state.has_address:
        return
    overlap = routes.find_overlap(network.subnet, except_link=network.link, except_address=network.gateway if state.exists else "")
    overlap6 = routes6.find_overlap(network.subnet6, except_link=network.link) if network.subnet6 else None
    if overlap or overlap6:
        raise Conflict("create network", network.name, "%s %s overlaps %s" % (
            SUBNET, network.subnet if overlap else network.subnet6, overlap or overlap6), hint="choose a subnet that the host does not use")


def ensure(network: Network) -> t.Tuple[str, ...]:
    """What was done, in the words of `missing`. A bridge that it made is gone again if a later step fails. Raises Conflict."""
    state = observe(network)
    check(network, state)
    steps = missing(network, state)
    if not steps:
        return ()
    try:
        _act(network, state, steps)
    except BaseException:
        if LINK in steps:
            remove(network)
        raise
    return steps


def _act(network: Network, state: BridgeState, steps: t.Sequence[str]) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.kernel import netlink  # not on the path that only looks

    link = network.link
    with netlink.Connection() as connection:
        if LINK in steps:
            connection.run([netlink.add_bridge(link, mac=network.mac, mtu=network.mtu), netlink.set_alias(link, MARK + network.name)])
        wanted = wanted_sysctls(network)        # before the link is up: no IPv6 address, no solicitation
        for name in _differing(wanted):
            if name == FORWARDING6:
                _keep_advertisements()
            sysctl.write(name, wanted[name])
        requests = []
        if MTU in steps or LINK in steps:       # set once more: a bridge whose mtu nobody set follows its ports
            requests += [netlink.set_mtu(each, network.mtu) for each in (*state.narrow_ports, link)]
        if ADDRESS in steps:
            requests += [netlink.add_address(routes.index(link), each, subject=link) for each in gateway_addresses(network)]
        if UP in steps:
            requests.append(netlink.set_up(link))
        tunnel = vxlan.link(network) if network.driver == VXLAN else ""     # what comes from there must not go back there
        requests += [netlink.set_port(port, isolated=not network.icc, hairpin=port != tunnel) for port in state.wrong_ports]
        connection.run(requests)
    if vxlan.TUNNEL in steps or vxlan.PEERS in steps:
        vxlan.ensure(network)


def _keep_advertisements() -> None:
    """A host that forwards stops to listen to router advertisements (accept_ra 1): its own address and default route stay with 2."""
    for link in sorted(os.listdir(CONF6)):
        names = ["net/ipv6/conf/%s/%s" % (link, word) for word in ("accept_ra", "forwarding")]
        if "/" not in link and [sysctl.read(name) for name in names] == ["1", "0"]:
            sysctl.write(names[0], 2)


def remove(network: Network) -> bool:
    """Idempotent; whether there was one. A link that was not made for this network is left alone."""
    if not network.has_bridge:
        return False
    if network.driver == VXLAN:
        vxlan.remove(network)
    if routes.read(network.link, "ifalias") != MARK + network.name or not routes.is_bridge(network.link):
        return False
    from ansible_collections.cocker.engine.plugins.module_utils.kernel import netlink

    with netlink.Connection() as connection:
        connection.run(netlink.delete_links([network.link]))
    return True
