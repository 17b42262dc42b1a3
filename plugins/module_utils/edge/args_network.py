# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_network."""
from __future__ import annotations

from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Spec

SPEC = Spec({
    "name": {"type": "str", "required": True, "aliases": ["network_name"]},
    "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
    "driver": {"type": "str", "choices": ["bridge", "ipvlan", "macvlan", "vxlan"]},
    "driver_options": {"type": "dict"},
    "enable_ipv6": {"type": "bool"},
    "force": {"type": "bool", "default": False},
    "uplink": {"type": "str", "aliases": ["host_eth"]},
    "peers": {
        "type": "list",
        "elements": "dict",
        "options": {
            "address": {"type": "str", "required": True, "aliases": ["host"]},
            "names": {"type": "dict"},
        },
    },
    "ipam_config": {
        "type": "list",
        "elements": "dict",
        "options": {
            "subnet": {"type": "str"},
            "gateway": {"type": "str"},
            "iprange": {"type": "str"},
            "aux_addresses": {"type": "dict"},
        },
    },
    "mtu": {"type": "int"},
    "internal": {"type": "bool"},
    "isolate": {"type": "bool"},
    "icc": {"type": "bool"},
    "labels": {"type": "dict", "aliases": ["label"]},
})
