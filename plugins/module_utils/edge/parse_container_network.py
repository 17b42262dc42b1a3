# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_container that are about its network, read.

Not here: whether the networks exist and addresses are free (engine/endpoints.py).
"""
from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import parse_network
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import names, ports
from ansible_collections.cocker.engine.plugins.module_utils.model.container import BRIDGE, CONTAINER, NETWORK_MODES, Attachment
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.network import DEFAULT_NETWORK

_NUMBER = 'quote it, or write it as "8080/tcp"; without quotes YAML reads 22:22 as the number 1342'
_SCOPES = {"any": "", "loopback": "127.0.0.1"}
_HEX = frozenset("0123456789abcdef")
_ALIAS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_")

Attachments = t.Tuple[Attachment, ...]


def network(params: Params, *, is_partial: bool) -> t.Dict[str, t.Any]:
    """Raises Invalid."""
    mode, named = _modes(params["network_mode"])
    _refuse_without_bridge(params, mode)
    host_ip = _default_host_ip(params)
    return {
        "network_mode": mode,
        "networks": _networks(params, named, is_partial=is_partial),
        "published_ports": _published_ports(params["published_ports"], host_ip),
        "publish_all_ports": params["publish_all_ports"],
        "exposed_ports": None if params["exposed_ports"] is None else ports.parse_exposed(params["exposed_ports"]),
        "default_host_ip": host_ip,
    }


def words(value: t.Any) -> t.List[str]:
    """Of network_mode, which podman_container has as a list. Raises Invalid."""
    found = list(value) if isinstance(value, (list, tuple)) else [] if value is None else [value]
    if not all(isinstance(word, str) for word in found):
        raise Invalid("network_mode", "%r is neither a mode nor the names of networks" % (value,))
    return found


def _modes(value: t.Any) -> t.Tuple[t.Optional[str], t.List[Params]]:
    """And the networks that are named in place of a mode, as docker and podman have it."""
    found = words(value)
    modes = [word for word in found if word in NETWORK_MODES or word == "default" or word.startswith(CONTAINER)]
    if not modes:
        return BRIDGE if found else None, [_named(word) for word in found]
    if len(found) > 1:
        raise Invalid("network_mode", "%s is a mode and goes with no other network" % modes[0])
    if modes[0].startswith(CONTAINER):
        return CONTAINER + names.object_name(modes[0][len(CONTAINER):], "network_mode"), []
    return BRIDGE if modes[0] == "default" else modes[0], []


_OF_A_NETWORK = {"ip": "ipv4_address", "ip6": "ipv6_address", "mac": "mac_address", "alias": "aliases"}


def _named(word: str) -> Params:
    """NAME, or NAME:ip=ADDRESS,alias=NAME as podman has it."""
    name, _colon, options = word.partition(":")
    found: t.Dict[str, t.Any] = {"name": name, **dict.fromkeys(_OF_A_NETWORK.values())}
    for pair in options.split(",") if options else ():
        key, _equals, value = pair.partition("=")
        option = _OF_A_NETWORK.get(key, "")
        if not option or not value:
            raise Invalid("network_mode", "%r in %r is not one of %s" % (pair, word, ", ".join("%s=..." % each for each in _OF_A_NETWORK)))
        found[option] = [*(found[option] or ()), value] if option == "aliases" else value
    return found


def _networks(params: Params, named: t.Sequence[Params], *, is_partial: bool) -> t.Optional[Attachments]:
    given = params["networks"]
    if given is None and named:
        given = named
    for each in named:
        if each["name"] not in [other["name"] for other in given]:
            raise Invalid("network_mode", "%s is not one of networks" % each["name"])
    own = {
        "ipv4_address": parse_network.address(params["ipv4_address"], "ipv4_address"),
        "ipv6_address": parse_network.address6(params["ipv6_address"], "ipv6_address"),
        "mac_address": mac_address(params["mac_address"], "mac_address"),
    }
    said: t.Dict[str, t.Any] = {option: value for option, value in own.items() if value is not None}
    aliases = _aliases(params["network_aliases"], "network_aliases")
    if given is None:
        said = said if aliases is None else {**said, "aliases": aliases}
        return _default_network(said, is_partial=is_partial) if said else None
    attachments = tuple(attachment(each) for each in given)
    for index, one in enumerate(attachments):
        if one.name in [earlier.name for earlier in attachments[:index]]:
            raise Invalid("networks", "%s is listed twice" % one.name)
    attachments = (_only(attachments, said),) if said else attachments
    return tuple(each if each.aliases is not None else dataclasses.replace(each, aliases=aliases) for each in attachments)


def attachment(each: Params) -> Attachment:
    return Attachment(
        name=names.object_name(each["name"], "networks.name"),
        ipv4_address=parse_network.address(each["ipv4_address"], "networks.ipv4_address"),
        ipv6_address=parse_network.address6(each["ipv6_address"], "networks.ipv6_address"),
        mac_address=mac_address(each["mac_address"], "networks.mac_address"),
        aliases=_aliases(each["aliases"], "networks.aliases"),
    )


def _aliases(given: t.Optional[t.Sequence[str]], option: str) -> t.Optional[t.Tuple[str, ...]]:
    return None if given is None else tuple(sorted({alias(word, option) for word in given}))


def _only(attachments: Attachments, said: t.Mapping[str, t.Any]) -> Attachment:
    for option, value in said.items():
        if len(attachments) != 1 or getattr(attachments[0], option) not in (None, value):
            raise Invalid(option, "it is for a container on one network; with more, give each its own in networks")
    return dataclasses.replace(attachments[0], **said)


def _default_network(said: t.Mapping[str, t.Any], *, is_partial: bool) -> Attachments:
    if is_partial:
        option = next(iter(said))
        hint = "networks: [{name: NAME, %s: %s}]" % (option, said[option])
        raise Invalid(option, "a task without images keeps what it does not say, so it must name the network too", hint=hint)
    return (Attachment(DEFAULT_NETWORK, **said),)


def mac_address(value: t.Optional[str], option: str) -> t.Optional[str]:
    """In lower case, with colons. Raises Invalid."""
    if value is None:
        return None
    parts = value.strip().lower().replace("-", ":").split(":")
    if len(parts) != 6 or any(len(part) != 2 or not _HEX.issuperset(part) for part in parts):
        raise Invalid(option, "%r is not a MAC address such as 02:42:0a:42:01:0a" % value)
    if int(parts[0], 16) & 1 or not any(int(part, 16) for part in parts):
        raise Invalid(option, "%s is not the address of one interface" % ":".join(parts))
    return ":".join(parts)


def alias(value: str, option: str) -> str:
    """A name that fits into /etc/hosts. Raises Invalid."""
    if not value or len(value) > 253 or not _ALIAS.issuperset(value) or value[0] in ".-":
        raise Invalid(option, "%r is not a host name: letters, digits, dots, hyphens and underscores" % value)
    return value


def _default_host_ip(params: Params) -> t.Optional[str]:
    """Empty: every address of the host."""
    given: t.Optional[str] = params["default_host_ip"]
    if params["publish_scope"] is not None:
        return _SCOPES[params["publish_scope"]]
    if not given:
        return given
    try:
        address = ipaddress.ip_address(given)
    except ValueError:
        raise Invalid("default_host_ip", "%r is not an address" % given) from None
    return "" if address.is_unspecified else str(address)


def _published_ports(given: t.Optional[t.Sequence[t.Any]], host_ip: t.Optional[str]) -> t.Optional[ports.Ports]:
    if given is None:
        return None
    for value in given:
        if isinstance(value, int) and not isinstance(value, bool):
            raise Invalid(ports.OPTION, "%d is a number, and a string is accepted" % value, hint=_NUMBER)
    return ports.normalise(given, default_ip=host_ip or None, ipv6=True)


def _refuse_without_bridge(params: Params, mode: t.Optional[str]) -> None:
    if mode in (None, BRIDGE):
        return
    for option in ("networks", "ipv4_address", "ipv6_address", "mac_address", "network_aliases", "published_ports", "publish_all_ports"):
        if params[option]:
            raise Invalid(option, "it needs network_mode: bridge; with %s the engine gives the container no address" % mode)
