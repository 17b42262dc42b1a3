# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_container that are about names: hosts, DNS, links.

Not here: aliases, which belong to a network (parse_container_network.py).
"""
from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge.parse_container_network import alias
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import names as object_names
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

_GATEWAY = "host-gateway"

Words = t.Tuple[str, ...]


def names(params: Params) -> t.Dict[str, t.Any]:
    """Raises Invalid."""
    hosts, links = params["etc_hosts"], _links(params)
    return {
        "etc_hosts": None if hosts is None else {alias(str(name), "etc_hosts"): _host(hosts[name]) for name in sorted(hosts, key=str)},
        "dns_servers": _each(params["dns_servers"], _server),
        "dns_opts": _each(params["dns_opts"], lambda word: _word(word, "dns_opts")),
        "dns_search_domains": _search(params["dns_search_domains"]),
        "links": None if links is None else tuple(sorted({_link(link) for link in links})),
    }


def _each(given: t.Optional[t.Sequence[str]], read: t.Callable[[str], str]) -> t.Optional[Words]:
    return None if given is None else tuple(dict.fromkeys(read(word) for word in given))


def _address(value: t.Any, option: str) -> str:
    address, percent, zone = str(value).strip().partition("%")
    try:
        return str(ipaddress.ip_address(address)) + percent + zone
    except ValueError:
        raise Invalid(option, "%r is not an address" % (value,)) from None


def _host(value: t.Any) -> str:
    return _GATEWAY if value == _GATEWAY else _address(value, "etc_hosts")


def _server(value: str) -> str:
    return _address(value, "dns_servers")


def _word(value: str, option: str) -> str:
    word = value.strip()
    if not word or any(letter.isspace() or letter == "#" or not letter.isprintable() for letter in word):
        raise Invalid(option, "%r is not one word" % value)
    return word


def _search(given: t.Optional[t.Sequence[str]]) -> t.Optional[Words]:
    """A single dot is none, as docker has it."""
    return () if given == ["."] else _each(given, lambda word: _word(word, "dns_search_domains"))


def _links(params: Params) -> t.Optional[t.List[str]]:
    """Whichever network they are said for: a link is a name for the other container on all networks that both are on."""
    of_networks = [each["links"] for each in params["networks"] or () if each["links"] is not None]
    if params["links"] is None and not of_networks:
        return None
    return [*(params["links"] or ()), *(link for links in of_networks for link in links)]


def _link(value: str) -> t.Tuple[str, str]:
    target, colon, name = value.partition(":")
    return object_names.object_name(target, "links"), alias(name if colon else target, "links")
