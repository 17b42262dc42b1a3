# SPDX-License-Identifier: BSD-2-Clause
"""What is there, in the shapes of inspect.py. Never changes anything.

Not here: what the host offers (hostinfo.py).
"""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import (
    inspect,
    leased,
    observe,
    processes,
    stacks,
    usermaps,
)
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model import mounts
from ansible_collections.cocker.engine.plugins.module_utils.model.container import BRIDGE, CUSTOM, ContainerState
from ansible_collections.cocker.engine.plugins.module_utils.storage import volumes as volume_store

if t.TYPE_CHECKING:     # a look needs none of them
    from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainerQuery

Shown = t.List[t.Dict[str, t.Any]]


def containers(host: Host, name: t.Optional[str]) -> Shown:
    if name is None:
        return [container(host, found) for found in observe.containers(host)]
    found = observe.container(host, name)
    return [] if found.status is None else [container(host, found)]


def gathered(host: Host, query: ContainerQuery) -> Shown:
    """With what only a look at the running container tells, below `Cocker`."""
    if not query.gather:
        return containers(host, query.name)
    from ansible_collections.cocker.engine.plugins.module_utils.engine import gather  # only for those who ask

    names = host.layout.container_names() if query.name is None else [query.name]
    shown = []
    for found in (observe.container(host, name) for name in names):
        if found.status is not None:
            told = container(host, found)
            told["Cocker"].update(gather.gathered(host, found, query))
            shown.append(told)
    return shown


def container(host: Host, state: ContainerState) -> t.Dict[str, t.Any]:
    bundle = host.layout.container(state.name)
    spec = state.record.spec if state.record else None
    wanted = spec.mounts or () if spec else ()
    places = inspect.Places(
        bundle=bundle,
        log=os.path.join(bundle, "logs", "container.log"),
        maps=usermaps.of(host, spec) if spec else None,
        netns=host.netns(state.name) if spec and (spec.network_mode or BRIDGE) in (BRIDGE, CUSTOM) else "",
        volumes={mount.source: host.layout.volume_data(mount.source) for mount in wanted if mount.kind == mounts.VOLUME},
    )
    mine = leased.of(host, state.name) if spec and spec.attachments() else []
    leases = {network.name: (lease, network.gateway) for lease, network in mine}
    process = processes.process(spec, state.record.config) if spec and state.record else inspect.Process()
    return inspect.container(state, process, leases, places)


def images(host: Host, name: t.Optional[str]) -> Shown:
    """`NAME` is every version of it, `NAME:VERSION` one."""
    return [inspect.image(record) for record in stacks.listed(host, name)]


def volumes(host: Host, name: t.Optional[str]) -> Shown:
    names = host.layout.volume_names() if name is None else [name]
    found = [volume_store.find(host.layout, each) for each in names]
    return [inspect.volume(each, host.layout.volume_data(each.name)) for each in found if each is not None]


def networks(host: Host, name: t.Optional[str]) -> Shown:
    known = leased.listed(host)
    return [inspect.network(each, leased.users(host, each.name)) for each in known if name in (None, each.name)]
