# SPDX-License-Identifier: BSD-2-Clause
"""linux.netDevices: network devices of the host become the container's, with their addresses, and up.

From then on they are what the container makes of them, and what the kernel does with them when its network namespace goes.
"""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import links, namespaces
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Conflict
from ansible_collections.cocker.engine.plugins.module_utils.oci.machine import Device
from ansible_collections.cocker.engine.plugins.module_utils.runtime import loopback


class _Moved(t.NamedTuple):
    device: Device
    name: str           # in the container
    addresses: t.List[links.Address]


def move(wanted: t.Sequence[Device], pid: int) -> None:
    """Into the network namespace of the process; all or none. Raises NotFound, Conflict, KernelError."""
    done: t.List[_Moved] = []
    inside, home = namespaces.open_of(pid, "network"), namespaces.open_of("self", "network")
    try:
        for device in wanted:
            done.append(_move(device, inside, home))
    except BaseException:
        for moved in reversed(done):
            _bring_back(moved, inside, home)
        raise
    finally:
        os.close(inside)
        os.close(home)


def _move(device: Device, inside: int, home: int) -> _Moved:
    addresses = links.addresses(links.index_of(device.name))
    with namespaces.entered(inside, "network"):
        before = links.names()
    if device.inside in before:
        raise Conflict("linux.netDevices", device.name, "the container has a device %s already" % device.inside)
    links.move(device.name, inside, wanted=device.inside)
    moved = _Moved(device, device.inside, addresses)
    try:
        with namespaces.entered(inside, "network"):
            if device.inside not in links.names():      # a number was wanted
                moved = moved._replace(name=(links.names() - before).pop())
            links.add_addresses(moved.name, addresses)
            loopback.bring_up(moved.name)
    except BaseException:
        _bring_back(moved, inside, home)
        raise
    return moved


def _bring_back(moved: _Moved, inside: int, home: int) -> None:
    """As far as it goes: the failure that is told is the one before."""
    try:
        with namespaces.entered(inside, "network"):
            links.move(moved.name, home, wanted=moved.device.name)
        links.add_addresses(moved.device.name, moved.addresses)
        loopback.bring_up(moved.device.name)
    except (CockerError, OSError):
        return
