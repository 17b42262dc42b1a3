# SPDX-License-Identifier: BSD-2-Clause
"""The wanted ruleset put into the kernel, and the question whether a process of the host holds a port.

The ruleset is computed from all networks and all leases: the caller holds one lock (of the whole store) from reading them to `apply`.
Not here: the rules (ruleset.py).
"""
from __future__ import annotations

import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import nft, sysctl
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.model.network import Lease, Network
from ansible_collections.cocker.engine.plugins.module_utils.model.ports import PortMapping, Ports
from ansible_collections.cocker.engine.plugins.module_utils.network import routes, ruleset

Leases = t.Mapping[str, t.Sequence[Lease]]

_LISTEN, _UNCONNECTED = "0A", "07"      # states of tcp(7), also of UDP sockets: bound to a port and to no peer
_TABLES = {"tcp": (("/proc/net/tcp", "/proc/net/tcp6"), _LISTEN), "udp": (("/proc/net/udp", "/proc/net/udp6"), _UNCONNECTED)}
_ANY = ("00000000", "0" * 32)
_MAPPED = "0000000000000000FFFF0000"    # ::ffff:0:0/96 as the kernel prints it


def is_current(networks: t.Sequence[Network], leases: Leases) -> bool:
    """Whether the kernel has what `apply` would put there. Rules that somebody changed one by one inside our table are not seen."""
    if not networks:
        return not nft.list_table(ruleset.FAMILY, ruleset.TABLE, terse=True)
    return _is_there(ruleset.table(networks, leases)) and not _to_open(networks, leases)


def _is_there(commands: t.Sequence[nft.Command]) -> bool:
    return nft.has_chain(ruleset.FAMILY, ruleset.TABLE, ruleset.state_in(commands))


def apply(networks: t.Sequence[Network], leases: Leases) -> bool:
    """One transaction; nothing where it is current already. Without a network the table goes. Whether it changed anything."""
    if not networks:
        return remove()
    commands = ruleset.table(networks, leases)
    is_there = _is_there(commands)
    if not is_there:
        nft.run(commands)
    links = _to_open(networks, leases)
    for link in links:                          # after the rules: the guard has to be there first
        sysctl.write(_route_localnet(link), 1)
    return not is_there or bool(links)


def remove() -> bool:
    """Idempotent; whether there was a table. Connections that are translated already go on until they end."""
    if not nft.list_table(ruleset.FAMILY, ruleset.TABLE, terse=True):
        return False
    nft.run(ruleset.removal())
    return True


def _to_open(networks: t.Sequence[Network], leases: Leases) -> t.List[str]:
    """Bridges that have to carry the host's connections to 127.0.0.1 and do not yet."""
    wanted = [network.link for network in networks if any(map(_is_reached_by_loopback, leases.get(network.name, ())))]
    return sorted(link for link in wanted if routes.exists(link) and sysctl.read(_route_localnet(link)) != "1")


def _is_reached_by_loopback(lease: Lease) -> bool:
    return lease.active and any(port.host_ip is None or port.host_ip.startswith("127.") for port in lease.ports)


def _route_localnet(link: str) -> str:
    return "net/ipv4/conf/%s/route_localnet" % link


def refuse_used(mappings: Ports) -> None:
    """Before the first effect. Raises Conflict for the first port that a process of this network namespace listens on."""
    for mapping in mappings:
        user = find_listener(mapping)
        if user:
            raise Conflict("publish", str(mapping), "port %s/%s is in use on the host by %s" % (mapping.host_port, mapping.protocol, user))


def port_in_use(mapping: PortMapping) -> bool:
    return mapping.host_port is not None and _inode_of(mapping) is not None


def find_listener(mapping: PortMapping) -> t.Optional[str]:
    """Who listens: `nginx (pid 12)`, or `a process` where /proc does not say who. None if nobody does."""
    inode = _inode_of(mapping) if mapping.host_port is not None else None
    return _process_with("socket:[%s]" % inode) or "a process" if inode is not None else None


def _inode_of(mapping: PortMapping) -> t.Optional[str]:
    paths, state = _TABLES[mapping.protocol]
    port = ":%04X" % (mapping.host_port or 0)
    for path in paths:
        with tolerate(errno.ENOENT):            # a kernel without IPv6
            with open(path, encoding="ascii") as stream:
                for line in stream:
                    if port in line[:50] and _holds(line.split(), port, state, mapping.host_ip):
                        return line.split()[9]
    return None


def _holds(words: t.Sequence[str], port: str, state: str, host_ip: t.Optional[str]) -> bool:
    """`sl local_address rem_address st ...`; an address is the bytes of the wire, printed as 32-bit numbers of the host."""
    address, number = words[1][:-5], words[1][-5:]
    if number != port or words[3] != state:
        return False
    if host_ip is None or address in _ANY:
        return True
    return address in (_hex(host_ip), _MAPPED + _hex(host_ip))


def _hex(address: str) -> str:
    return "%08X" % routes.wire_number(address)


def _process_with(socket: str) -> t.Optional[str]:
    for pid in sorted((name for name in os.listdir("/proc") if name.isdigit()), key=int):
        try:
            if any(os.readlink(entry.path) == socket for entry in os.scandir("/proc/%s/fd" % pid)):
                with open("/proc/%s/comm" % pid, encoding="utf-8", errors="replace") as stream:
                    return "%s (pid %s)" % (stream.read().rstrip("\n"), pid)
        except OSError:                         # it has gone, or is not ours to look into
            continue
    return None
