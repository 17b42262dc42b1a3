# SPDX-License-Identifier: BSD-2-Clause
"""The wanted ruleset put into the kernel, and the question whether a process of the host holds a port.

The ruleset is computed from all networks and all leases: the caller holds one lock (of the whole store) from reading them to `apply`.
What is in the kernel is known where nobody has changed any rule since we did (the kernel counts): then only the difference is sent.
Not here: the rules (ruleset.py).
"""
from __future__ import annotations

import errno
import ipaddress
import os
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import nft, nftbatch, sockdiag, sysctl
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, KernelError, Unsupported, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.model.lease import Lease
from ansible_collections.cocker.engine.plugins.module_utils.model.network import TABLE, Network
from ansible_collections.cocker.engine.plugins.module_utils.model.ports import OPTION, PortMapping, Ports
from ansible_collections.cocker.engine.plugins.module_utils.network import routes, ruleset

Leases = t.Mapping[str, t.Sequence[Lease]]
Applied = t.Tuple[str, int]             # the name of a state chain, and the generation of the host's rules that began with it

_LISTEN, _UNCONNECTED = "0A", "07"      # states of tcp(7), also of UDP sockets: bound to a port and to no peer
_TABLES = {"tcp": (("/proc/net/tcp", "/proc/net/tcp6"), _LISTEN), "udp": (("/proc/net/udp", "/proc/net/udp6"), _UNCONNECTED)}
_ANY = ("00000000", "0" * 32)
_MAPPED = "0000000000000000FFFF0000"    # ::ffff:0:0/96 as the kernel prints it


class Memory:
    """From one `apply` to the next; this one keeps nothing."""

    def note(self, state: str) -> None:
        """Before the change: the name of the state chain that is to be there, empty without a table."""

    def keep(self, applied: t.Optional[Applied]) -> None:
        """After it."""

    def last(self) -> t.Optional[Applied]:
        return None


def is_current(networks: t.Sequence[Network], leases: Leases) -> bool:
    """Whether the kernel has what `apply` would put there. Rules that somebody changed one by one inside our table are not seen."""
    if not networks:
        return not nft.list_table(ruleset.FAMILY, TABLE, terse=True)
    return nftbatch.has_chain(TABLE, ruleset.state(networks, leases)) and not _to_open(networks, leases)


def apply(networks: t.Sequence[Network], leases: Leases, *, former: t.Optional[Leases] = None, memory: t.Optional[Memory] = None) -> bool:
    """One transaction; nothing where it is current already. Without a network the table goes. Whether it changed anything.

    `former` are the leases that the rules were made of before, if only these have changed since.
    """
    memory = memory or Memory()
    state = ruleset.state(networks, leases) if networks else ""
    memory.note(state)
    if not networks:
        memory.keep(None)
        return remove()
    is_there = nftbatch.has_chain(TABLE, state)
    if not is_there:
        before = nftbatch.generation()
        if former is None or memory.last() != (ruleset.state(networks, former), before) or not _amend(networks, former, leases, before):
            nft.run(ruleset.table(networks, leases))
        after = nftbatch.generation()
        memory.keep((state, after) if before and after == before + 1 else None)     # else somebody came between, and did who knows what
    links = _to_open(networks, leases)
    for link in links:                          # after the rules: the guard has to be there first
        sysctl.write(_route_localnet(link), 1)
    return not is_there or bool(links)


def _amend(networks: t.Sequence[Network], former: Leases, leases: Leases, generation: int) -> bool:
    """Whether the kernel took the difference; it takes all of it or nothing."""
    changes = ruleset.difference(networks, former, leases)
    messages = [nftbatch.delete_chain(TABLE, ruleset.state(networks, former)), nftbatch.add_chain(TABLE, ruleset.state(networks, leases))]
    for change in changes:
        messages += nftbatch.delete_elements(TABLE, change.name, change.gone)
    for change in changes:
        messages += nftbatch.add_elements(TABLE, change.name, change.come)
    try:
        nftbatch.run(messages, at=generation, subject=TABLE)
    except KernelError:
        return False
    return True


def remove() -> bool:
    """Idempotent; whether there was a table. Connections that are translated already go on until they end."""
    if not nft.list_table(ruleset.FAMILY, TABLE, terse=True):
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
    sockets = Sockets()
    for mapping in mappings:
        user = sockets.find_user(mapping)
        if user is not None:
            what = "port %s/%s is in use on the host by %s" % (mapping.host_port, mapping.protocol, user)
            raise Conflict("option", OPTION, "%s cannot be published, %s" % (mapping, what))


class Sockets:
    """What listens in this network namespace, read once: a thousand ports cost little more than one."""

    def __init__(self) -> None:
        self._found: t.Dict[str, t.Dict[int, t.List[t.Tuple[str, str]]]] = {}

    def uses(self, mapping: PortMapping) -> bool:
        return self._inode(mapping) is not None

    def find_user(self, mapping: PortMapping) -> t.Optional[str]:
        """Who listens: `nginx (pid 12)`, or `a process` where /proc does not say who. None if nobody does."""
        inode = self._inode(mapping)
        return _process_with("socket:[%s]" % inode) or "a process" if inode is not None else None

    def _inode(self, mapping: PortMapping) -> t.Optional[str]:
        if mapping.host_port is None:
            return None
        if mapping.protocol not in self._found:
            self._found[mapping.protocol] = _listening(mapping.protocol)
        wanted = mapping.host_ip and _forms(mapping.host_ip)
        for address, inode in self._found[mapping.protocol].get(mapping.host_port, ()):
            if not wanted or address in _ANY or address in wanted:
                return inode
        return None


def _listening(protocol: str) -> t.Dict[int, t.List[t.Tuple[str, str]]]:
    """Port -> addresses and inodes, from the kernel or else its tables. A line is `sl local_address rem_address st ...`."""
    found: t.Dict[int, t.List[t.Tuple[str, str]]] = {}
    try:
        for each in sockdiag.listeners(protocol):
            found.setdefault(each.port, []).append((each.address, each.inode))
        return found
    except Unsupported:
        found.clear()
    paths, state = _TABLES[protocol]
    for path in paths:
        with tolerate(errno.ENOENT):            # a kernel without IPv6
            with open(path, encoding="ascii") as stream:
                for words in (line.split(None, 10) for line in stream):
                    if words[3] == state:
                        address, _colon, port = words[1].partition(":")
                        found.setdefault(int(port, 16), []).append((address, words[9]))
    return found


def _forms(address: str) -> t.Tuple[str, ...]:
    """The bytes of the wire, printed as 32-bit numbers of the host; a socket of IPv6 may hold an IPv4 address."""
    packed = ipaddress.ip_address(address).packed
    text = "".join("%08X" % int.from_bytes(packed[at:at + 4], sys.byteorder) for at in range(0, len(packed), 4))
    return (text, _MAPPED + text) if len(packed) == 4 else (text,)


def _process_with(socket: str) -> t.Optional[str]:
    for pid in sorted((name for name in os.listdir("/proc") if name.isdigit()), key=int):
        try:
            if any(os.readlink(entry.path) == socket for entry in os.scandir("/proc/%s/fd" % pid)):
                with open("/proc/%s/comm" % pid, encoding="utf-8", errors="replace") as stream:
                    return "%s (pid %s)" % (stream.read().rstrip("\n"), pid)
        except OSError:                         # it has gone, or is not ours to look into
            continue
    return None
