# SPDX-License-Identifier: BSD-2-Clause
"""Published ports as people write them: `[ip:][host[-range]:]container[-range][/protocol]`, one value a port; a range of the host for one
port of the container is one value, of which a port is chosen.

Not here: which port a firewall rule names (network/ruleset.py) and who listens on one (network/firewall.py).
"""
from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid

OPTION = "published_ports"
PROTOCOLS = ("tcp", "udp")
AUTOMATIC = range(49153, 65536)     # host ports handed out where none is given; docker's range
GRAMMAR = "[address:][host port or range:]container port or range[/tcp|/udp], such as 8080:80, 127.0.0.1:53:53/udp or [::1]:8000-8002:80-82"

_ANY = ("0.0.0.0", "::")


@dataclasses.dataclass(frozen=True)
class PortMapping:
    """`host_ip` None is every address of the host; `host_port` None is chosen when the container starts, out of `host_range` if there is
    one, such as 8000-8010.
    """

    host_ip: t.Optional[str] = None
    host_port: t.Optional[int] = None
    container_port: int = 0
    protocol: str = "tcp"
    host_range: t.Optional[str] = None

    def __str__(self) -> str:
        address = "[%s]" % self.host_ip if ":" in (self.host_ip or "") else self.host_ip
        number = str(self.host_port or self.host_range or "")
        host = [part for part in (address, number if address or number else None) if part is not None]
        return "%s/%s" % (":".join(host + [str(self.container_port)]), self.protocol)

    def to_json(self) -> t.Dict[str, t.Any]:
        said = {"host_ip": self.host_ip, "host_port": self.host_port, "container_port": self.container_port, "protocol": self.protocol}
        return {**said, "host_range": self.host_range} if self.host_range else said

    def order(self) -> t.Tuple[int, str, str, int, str]:
        return self.container_port, self.protocol, self.host_ip or "", self.host_port or 0, self.host_range or ""

    def choices(self) -> t.Sequence[int]:
        """The host ports that may be chosen."""
        if self.host_range is None:
            return AUTOMATIC
        first, _dash, last = self.host_range.partition("-")
        return range(int(first), int(last) + 1)


Ports = t.Tuple[PortMapping, ...]


def parse(spec: t.Union[str, int], *, option: str = OPTION) -> Ports:
    """One entry, its ranges exploded; a comma separates several. Raises Invalid."""
    if isinstance(spec, bool) or not isinstance(spec, (str, int)):
        raise Invalid(option, "%r is not %s" % (spec, GRAMMAR))
    text = str(spec).strip()
    return tuple(mapping for part in text.split(",") for mapping in _parse_one(part.strip(), option))


def _parse_one(text: str, option: str) -> t.Iterator[PortMapping]:
    body, slash, protocol = text.partition("/")
    protocol = protocol.lower() if slash else "tcp"
    if protocol not in PROTOCOLS:
        raise Invalid(option, "%r has the protocol %r; tcp and udp are accepted" % (text, protocol))
    address, numbers = _split_address(body, text, option)
    host, colon, container = numbers.rpartition(":")
    inside = _port_range(container, text, option)
    unknown: t.List[t.Optional[int]] = [None] * len(inside)
    outside: t.Sequence[t.Optional[int]] = _port_range(host, text, option) if host else unknown
    if len(inside) == 1 and len(outside) > 1:
        choice = "%d-%d" % (outside[0] or 0, outside[-1] or 0)
        yield PortMapping(host_ip=address, container_port=inside[0], protocol=protocol, host_range=choice)
        return
    if len(outside) != len(inside):
        raise Invalid(option, "%r has %d host and %d container ports; both ranges must be equally long" % (text, len(outside), len(inside)))
    if colon and not host and address is None:
        raise Invalid(option, "%r has nothing before the colon; accepted is %s" % (text, GRAMMAR))
    for host_port, container_port in zip(outside, inside):
        yield PortMapping(host_ip=address, host_port=host_port, container_port=container_port, protocol=protocol)


def _split_address(body: str, text: str, option: str) -> t.Tuple[t.Optional[str], str]:
    if body.startswith("["):
        inside, bracket, rest = body[1:].partition("]:")
        if not bracket:
            raise Invalid(option, "%r has no `]:` after its address; accepted is %s" % (text, GRAMMAR))
        return _address(inside, 6, text, option), rest
    if body.count(":") < 2:
        return None, body
    address, _colon, rest = body.partition(":")
    return _address(address, 4, text, option), rest


def _address(value: str, version: int, text: str, option: str) -> str:
    try:
        address = ipaddress.ip_address(value)
        if address.version == version:
            return str(address)
    except ValueError:
        pass
    raise Invalid(option, "%r in %r is not an IPv%d address; accepted is %s" % (value, text, version, GRAMMAR))


def _port_range(value: str, text: str, option: str) -> t.List[int]:
    first, dash, last = value.partition("-")
    ports = list(range(_port(first, text, option), _port(last if dash else first, text, option) + 1))
    if not ports:
        raise Invalid(option, "%r has a range that runs backwards" % text)
    return ports


def _port(value: str, text: str, option: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 5 and 1 <= int(value) <= 65535):
        raise Invalid(option, "%r in %r is not a port number from 1 to 65535; accepted is %s" % (value, text, GRAMMAR))
    return int(value)


def normalise(
    specs: t.Iterable[t.Union[str, int]], *, option: str = OPTION, default_ip: t.Optional[str] = None, ipv6: bool = False,
) -> Ports:
    """Sorted and unique. `default_ip` is for entries without an address. Raises Invalid, also for one host port given away twice."""
    found: t.Set[PortMapping] = set()
    for mapping in (each for spec in specs for each in parse(spec, option=option)):
        address = mapping.host_ip or default_ip
        if not ipv6 and ":" in (address or ""):
            raise Invalid(option, "%s names an IPv6 address of the host, and the container has only IPv4" % mapping)
        if address == "::1":
            raise Invalid(option, "%s: the kernel lets nothing through from ::1; 127.0.0.1 is accepted" % mapping)
        found.add(dataclasses.replace(mapping, host_ip=None if address in _ANY else address))
    result = tuple(sorted(found, key=PortMapping.order))
    _refuse_double_use(result, option)
    return tuple(mapping for mapping in result if mapping.host_ip is None or dataclasses.replace(mapping, host_ip=None) not in found)


def _refuse_double_use(mappings: Ports, option: str) -> None:
    for mapping, _owner, other in _clashes(mappings, {"": mappings}):
        if mapping.container_port != other.container_port:
            raise Invalid(option, "%s and %s want the same port of the host" % (mapping, other))


def find_clash(mappings: Ports, taken: t.Mapping[str, Ports]) -> t.Optional[t.Tuple[PortMapping, str, PortMapping]]:
    """The first that cannot be had, who has it, and as what; `taken` is by container."""
    return next(_clashes(mappings, taken), None)


def _clashes(mappings: Ports, taken: t.Mapping[str, Ports]) -> t.Iterator[t.Tuple[PortMapping, str, PortMapping]]:
    used: t.Dict[t.Tuple[str, t.Optional[int]], t.List[t.Tuple[str, PortMapping]]] = {}
    for owner in sorted(taken):
        for mapping in taken[owner]:
            used.setdefault((mapping.protocol, mapping.host_port), []).append((owner, mapping))
    for mapping in mappings:
        for owner, other in used.get((mapping.protocol, mapping.host_port), ()):
            if clash(mapping, other):
                yield mapping, owner, other


def clash(one: PortMapping, other: PortMapping) -> bool:
    """Whether both want one port of the host: the same number and protocol on an address that is shared."""
    if one.host_port is None or (one.host_port, one.protocol) != (other.host_port, other.protocol):
        return False
    return one.host_ip is None or other.host_ip is None or one.host_ip == other.host_ip


def assign(mappings: Ports, is_free: t.Callable[[PortMapping], bool], former: Ports = ()) -> Ports:
    """Every host port chosen: where none was given, the one it had, else the lowest free of its choices. Raises Conflict."""
    given = {(mapping.protocol, mapping.host_port) for mapping in mappings}
    had = {dataclasses.replace(mapping, host_port=None): mapping.host_port for mapping in former}
    result: t.List[PortMapping] = []
    for mapping in mappings:
        if mapping.host_port is None:
            numbers = [number for number in (had.get(mapping),) if number] + list(mapping.choices())
            wishes = (dataclasses.replace(mapping, host_port=number) for number in numbers if (mapping.protocol, number) not in given)
            chosen = next((wish for wish in wishes if is_free(wish)), None)
            if chosen is None:
                bounds = mapping.choices()[0], mapping.choices()[-1]
                raise Conflict("publish", str(mapping), "every port of the host from %d to %d is taken" % bounds)
            given.add((chosen.protocol, chosen.host_port))
            mapping = chosen
        result.append(mapping)
    return tuple(sorted(result, key=PortMapping.order))


def parse_exposed(specs: t.Iterable[t.Union[str, int]], *, option: str = "exposed_ports") -> t.Tuple[str, ...]:
    """`80`, `80/udp`, `8000-8002`: one word a port, as images have them. Raises Invalid."""
    found = set()
    for mapping in (each for spec in specs for each in parse(spec, option=option)):
        if mapping.host_ip is not None or mapping.host_port is not None or mapping.host_range is not None:
            raise Invalid(option, "%s names a port of the host; a port of the container is accepted, such as 80 or 53/udp" % mapping)
        found.add(mapping)
    return tuple("%d/%s" % (mapping.container_port, mapping.protocol) for mapping in sorted(found, key=PortMapping.order))


def all_exposed(published: Ports, exposed: t.Iterable[str], *, host_ip: t.Optional[str] = None) -> Ports:
    """What is published, and each port of `exposed` that is not yet, on a host port that is to be chosen."""
    there = {(mapping.container_port, mapping.protocol) for mapping in published}
    more = {dataclasses.replace(each, host_ip=host_ip) for word in exposed for each in parse(word, option="exposed_ports")
            if (each.container_port, each.protocol) not in there}
    return tuple(sorted((*published, *more), key=PortMapping.order))
