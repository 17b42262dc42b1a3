# SPDX-License-Identifier: BSD-2-Clause
"""Processes of a container whose record below /run is gone, because somebody has emptied that directory while it ran.

They are found by the container's cgroup, whose name no other container has, not even of another store. Its supervisor, which is in another
one, is the parent of its first process and has the container's name. Not here: what is taken away besides (teardown.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import process
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import factory

_COMM = 15      # letters that the kernel keeps of a process's name


def are_there(host: Host, name: str) -> bool:
    return bool(factory.open_cgroup(host.kernel_name(name)).procs())


def supervisor(kernel_name: str) -> t.Optional[process.Identity]:
    """None where nobody is left, or nobody watches over them."""
    members = factory.open_cgroup(kernel_name).procs()
    for pid in members:
        parent = process.parent_of(pid)
        found = process.find(parent) if parent and parent not in members else None
        is_ours = found is not None and process.name_of(parent) == ("cocker:" + kernel_name)[:_COMM]
        if is_ours and process.parent_of(pid) == parent:    # still: the number has not changed hands
            return found
    return None
