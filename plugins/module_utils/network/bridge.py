# SPDX-License-Identifier: BSD-2-Clause
"""The bridge of a network: what is there (from /sys, for the plan), what is missing, and making it so.

Not here: the links of containers in it (endpoint.py), NAT and filtering (ruleset.py, firewall.py).
"""
from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import sysctl
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict
from ansible_collections.cocker.engine.plugins.module_utils.model.network import SUBNET, Network
from ansible_collections.cocker.engine.plugins.module_utils.network import routes

MARK = "cocker:"                # ifalias of a bridge of ours: the mark and the network's name
FORWARDING = "net/ipv4/ip_forward"

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


def observe(network: Network) -> BridgeState:
    """Reads /sys and /proc only."""
    link = network.link
    if not routes.exists(link):
        return BridgeState(sysctls=_differing({FORWARDING: "1"}))
    alias = routes.read(link, "ifalias")
    ports = routes.ports_of(link)
    return BridgeState(
        exists=True,
        is_bridge=routes.is_bridge(link),
        owner=alias[len(MARK):] if alias.startswith(MARK) else "",
        up=routes.is_up(link),
        mtu=int(routes.read(link, "mtu") or 0),
        has_address=routes.has_address(link, gateway_address(network)),
        sysctls=_differing(wanted_sysctls(network)),
        ports=ports,
        wrong_ports=tuple(port for port in ports if routes.read(port, "brport/isolated") != str(int(not network.icc))),
    )


def gateway_address(network: Network) -> str:
    return "%s/%d" % (network.gateway, network.prefix_length)


def wanted_sysctls(network: Network) -> t.Dict[str, str]:
    """No router advertisement from a container reaches the host (CVE-2020-13401); a network without IPv6 has none on its bridge."""
    wanted = {FORWARDING: "1"}
    if os.path.isdir("/proc/sys/net/ipv6/conf"):
        wanted["net/ipv6/conf/%s/accept_ra" % network.link] = "0"
        wanted["net/ipv6/conf/%s/disable_ipv6" % network.link] = "1"
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
    if not state.exists:
        return (LINK, ADDRESS, UP, SYSCTLS)
    wanted = (
        (MTU, state.mtu != network.mtu), (ADDRESS, not state.has_address), (UP, not state.up),
        (SYSCTLS, bool(state.sysctls)), (ICC, bool(state.wrong_ports)),
    )
    return tuple(word for word, is_missing in wanted if is_missing)


def check(network: Network, state: BridgeState) -> None:
    """Changes nothing. Raises Conflict for a link that is not ours and for a subnet that the host uses otherwise."""
    if state.exists and not (state.is_bridge and state.owner == network.name):
        whose = "is the bridge of network %s" % state.owner if state.owner else "is not ours"
        raise Conflict("create network", network.name, "a link named %s exists and %s" % (network.link, whose),
                       hint="choose another name for the network, or remove the link")
    if state.has_address:
        return
    overlap = routes.find_overlap(network.subnet, except_link=network.link, except_address=network.gateway if state.exists else "")
    if overlap:
        raise Conflict("create network", network.name, "%s %s overlaps %s" % (SUBNET, network.subnet, overlap),
                       hint="choose a subnet that the host does not use")


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
            sysctl.write(name, wanted[name])
        requests = []
        if MTU in steps or LINK in steps:       # set once more: a bridge whose mtu nobody set follows its ports
            requests.append(netlink.set_mtu(link, network.mtu))
        if ADDRESS in steps:
            requests.append(netlink.add_address(routes.index(link), gateway_address(network), subject=link))
        if UP in steps:
            requests.append(netlink.set_up(link))
        requests += [netlink.set_port(port, isolated=not network.icc) for port in state.wrong_ports]
        connection.run(requests)


def remove(network: Network) -> bool:
    """Idempotent; whether there was one. A link that was not made for this network is left alone."""
    if routes.read(network.link, "ifalias") != MARK + network.name or not routes.is_bridge(network.link):
        return False
    from ansible_collections.cocker.engine.plugins.module_utils.kernel import netlink

    with netlink.Connection() as connection:
        connection.run(netlink.delete_links([network.link]))
    return True
