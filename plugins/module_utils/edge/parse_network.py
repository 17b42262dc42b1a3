# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_network, read.

Not here: how the addresses fit together and with the host (model/network.py, engine/networks.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import values
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import names, network
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.network import NetworkSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import NetworkWish


def wish(params: Params) -> NetworkWish:
    """Raises Invalid."""
    spec = NetworkSpec(
        name=names.object_name(params["name"], "name"),
        driver=params["driver"],
        mtu=params["mtu"],
        internal=params["internal"],
        isolate=params["isolate"],
        icc=params["icc"],
        labels=values.labels(params["labels"]),
        **_addresses(params["ipam_config"]),
    )
    return NetworkWish(spec, state=params["state"])


def _addresses(config: t.Optional[t.Sequence[Params]]) -> t.Dict[str, t.Any]:
    """One IPv4 subnet; an empty list leaves the choice to the engine, as no list does."""
    if not config:
        return {}
    if len(config) > 1:
        raise Invalid("ipam_config", "one entry is accepted: a network has one IPv4 subnet")
    only = config[0]
    reserved = only["aux_addresses"]
    return {
        "subnet": None if only["subnet"] is None else network.canonical_subnet(only["subnet"]),
        "gateway": address(only["gateway"], network.GATEWAY),
        "ip_range": None if only["iprange"] is None else only["iprange"].strip(),
        "reserved": None if reserved is None else tuple(str(network.parse_address(each, network.RESERVED)) for each in reserved.values()),
    }


def address(value: t.Optional[str], option: str) -> t.Optional[str]:
    """In canonical form. Raises Invalid."""
    return None if value is None else str(network.parse_address(value, option))
