# SPDX-License-Identifier: BSD-2-Clause
"""What somebody took away under a container that runs: our rules (`nft flush ruleset`), a bridge, the host's end of a link.

Looking is cheap, for it is done by every task that finds nothing else to do. Not here: putting it back (endpoints.rewire).
"""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import leased
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Plan
from ansible_collections.cocker.engine.plugins.module_utils.kernel import nftquery
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerState
from ansible_collections.cocker.engine.plugins.module_utils.model.network import TABLE
from ansible_collections.cocker.engine.plugins.module_utils.network import routes, vxlan

REPAIR = "repair_network"


def plan(host: Host, have: ContainerState) -> Plan:
    """Empty where nothing is missing."""
    missing = _missing(host, have) if have.is_running and have.record and have.record.spec.attachments() else []
    if not missing:
        return Plan()
    reasons = tuple("the host lacks %s" % each for each in missing)
    return Plan(REPAIR, reasons, (Action(REPAIR, have.name, {"missing": missing}),), {"missing": missing}, {"missing": []})


def _missing(host: Host, have: ContainerState) -> t.List[str]:
    mine = [(lease, network) for lease, network in leased.of(host, have.name) if lease.active and network.has_bridge]
    found = ["the bridge %s" % network.link for _lease, network in mine if not routes.exists(network.link)]
    found += ["the link %s" % lease.link for lease, network in mine if routes.bridge_of(lease.link) != network.link]
    found += ["the tunnel of network %s" % network.name for _lease, network in mine if vxlan.missing(network)]
    return found + ([] if not mine or has_rules(host) else ["the table inet %s of the firewall" % TABLE])


def has_rules(host: Host) -> bool:
    """Whether the rules that were applied last are there; true where that is not recorded."""
    state = _recorded(host)
    return state is None or nftquery.has_chain(TABLE, state)


def _recorded(host: Host) -> t.Optional[str]:
    try:
        with open(state_file(host), encoding="ascii") as stream:
            return stream.read().strip() or None
    except FileNotFoundError:
        return None


def state_file(host: Host) -> str:
    return os.path.join(host.layout.run, "firewall")
