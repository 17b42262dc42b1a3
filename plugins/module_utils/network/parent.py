# SPDX-License-Identifier: BSD-2-Clause
"""macvlan and ipvlan networks: containers share a link of the host, and are neighbours of what is beyond it.

Nothing is made on the host. Not here: the links themselves (endpoint.py).
"""
from __future__ import annotations

from ansible_collections.cocker.engine.plugins.module_utils.kernel import modules
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import NotFound, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.model.network import Network


def check(network: Network, *, exists: bool) -> None:
    """Changes nothing. Raises NotFound (the parent), Unsupported (a kernel without the driver)."""
    if not exists:
        raise NotFound("link", str(network.parent), "parent of network %s: the host has no such link" % network.name)
    if modules.find(network.driver) is False:
        raise lacking(network)


def lacking(network: Network) -> Unsupported:
    reason = "this kernel has no %s: there is no module %s" % (network.driver, network.driver)
    return Unsupported("use network", network.name, reason, hint="install the kernel's extra modules, or use driver bridge")
