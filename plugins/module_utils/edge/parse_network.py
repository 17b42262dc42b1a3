# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_network, read.

Not here: how the addresses fit together and with the host (model/network.py, engine/networks.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import values
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import ipv6, names, network, vxlan
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.network import NetworkSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import NetworkWish

OPTIONS: t.Dict[str, str] = {     # driver_options -> what it sets; docker's names beside ours
    "bridge_name": "bridge_name", "com.docker.network.bridge.name": "bridge_name",
    "mtu": "mtu", "com.docker.network.driver.mtu": "mtu",
    "icc": "icc", "com.docker.network.bridge.enable_icc": "icc",
    "isolate": "isolate",
    "parent": "parent", "dev": "parent",
    "vni": "vni", "id": "vni",
    "port": "port",
    "local": "local",
    "mode": "mode", "macvlan_mode": "mode", "ipvlan_mode": "mode",
}


def wish(params: Params) -> NetworkWish:
    """Raises Invalid."""
    said = {key: params[key] for key in ("driver", "mtu", "internal", "isolate", "icc", "uplink", "enable_ipv6")}
    spec = NetworkSpec(
        name=names.object_name(params["name"], "name"),
        labels=values.labels(params["labels"]),
        **_with_driver_options(said, params["driver_options"] or {}),
        peers=None if params["peers"] is None else tuple(vxlan.peer(each["address"], each["names"]) for each in params["peers"]),
        **_addresses(params["ipam_config"], params["enable_ipv6"]),
    )
    return NetworkWish(spec, state=params["state"], force=params["force"])


def _with_driver_options(said: t.Dict[str, t.Any], given: Params) -> t.Dict[str, t.Any]:
    found = {key: value for key, value in said.items() if value is not None}
    for option in sorted(given, key=str):
        name = "driver_options." + str(option)
        field = OPTIONS.get(str(option))
        if field is None:
            raise Invalid(name, "it is not one of %s" % ", ".join(OPTIONS))
        value = _driver_option(field, given[option], name)
        if found.setdefault(field, value) != value:
            raise Invalid(name, "%s is %r here and %r elsewhere" % (field, value, found[field]))
    return found


def _driver_option(field: str, value: t.Any, option: str) -> t.Any:
    """Docker's are strings."""
    text = str(value).strip().lower()
    if field in ("icc", "isolate"):
        if text not in ("true", "false"):
            raise Invalid(option, "%r is neither true nor false" % (value,))
        return text == "true"
    if field in ("mtu", "vni", "port"):
        if not (text.isascii() and text.isdigit()):
            raise Invalid(option, "%r is not a number" % (value,))
        return int(text)
    return vxlan.host_address(value, option) if field == "local" else str(value).strip()


def _addresses(config: t.Optional[t.Sequence[Params]], enable_ipv6: t.Optional[bool]) -> t.Dict[str, t.Any]:
    """One subnet of each family; what is not given is chosen by the engine."""
    found: t.Dict[str, t.Any] = {}
    for entry in config or ():
        addresses = [each for each in (entry["subnet"], entry["gateway"], entry["iprange"]) if each is not None]
        is_second = bool(addresses) and ipv6.is_ipv6(addresses[0])
        suffix = "6" if is_second else ""
        if "subnet" + suffix in found:
            raise Invalid("ipam_config", "one IPv4 and one IPv6 subnet are accepted")
        found.update({key + suffix: value for key, value in (_entry6 if is_second else _entry)(entry).items()})
        if entry["aux_addresses"] is not None:
            found["reserved"] = (*found.get("reserved", ()), *(_reserved(each) for each in entry["aux_addresses"].values()))
    if enable_ipv6 is False and found.get("subnet6") is not None:
        raise Invalid("enable_ipv6", "it is false, and ipam_config has the IPv6 subnet %s" % found["subnet6"])
    return found


def _entry(entry: Params) -> t.Dict[str, t.Any]:
    return {
        "subnet": None if entry["subnet"] is None else network.canonical_subnet(entry["subnet"]),
        "gateway": address(entry["gateway"], network.GATEWAY),
        "ip_range": None if entry["iprange"] is None else entry["iprange"].strip(),
    }


def _entry6(entry: Params) -> t.Dict[str, t.Any]:
    if entry["subnet"] is None:
        raise Invalid(network.SUBNET, "an entry for IPv6 names its subnet; enable_ipv6: true has one chosen")
    return {
        "subnet": ipv6.canonical_subnet(entry["subnet"], network.SUBNET),
        "gateway": address6(entry["gateway"], network.GATEWAY),
        "ip_range": None if entry["iprange"] is None else ipv6.canonical_subnet(entry["iprange"], network.RANGE),
    }


def _reserved(value: str) -> str:
    if ipv6.is_ipv6(str(value)):
        return ipv6.address(value, network.RESERVED)
    return str(network.parse_address(value, network.RESERVED))


def address(value: t.Optional[str], option: str) -> t.Optional[str]:
    """In canonical form. Raises Invalid."""
    return None if value is None else str(network.parse_address(value, option))


def address6(value: t.Optional[str], option: str) -> t.Optional[str]:
    """In canonical form. Raises Invalid."""
    return None if value is None else ipv6.address(value, option)
