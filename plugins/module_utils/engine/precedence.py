# SPDX-License-Identifier: BSD-2-Clause
"""Which containers of a task wait for which others of it, so that work side by side comes to what one after the other would.

Whoever stops or goes comes before all others, what needs others before these; of the rest what is needed comes first. Besides, the earlier
one keeps what was its own when all came in turn: an image that it fetches, a volume that it makes, a port and an address that it names.
Not here: doing it (containers_together.py).
"""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import stacks, volumes
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT, STOPPED, ContainersWish, ContainerWish, Member
from ansible_collections.cocker.engine.plugins.module_utils.storage import volumes as volume_store

Key = t.Tuple[str, str]
Waits = t.Dict[str, t.Set[str]]

_ENDS = (ABSENT, STOPPED)


def sequence(wish: ContainersWish) -> t.List[str]:
    """The order in which one after the other would be worked on."""
    ends = {member.wish.spec.name for member in wish.members if member.wish.state in _ENDS}
    return [*[name for name in reversed(wish.order) if name in ends], *[name for name in wish.order if name not in ends]]


def waits(host: Host, wish: ContainersWish) -> Waits:
    """For each the ones that have to be done before it; always some that come before it in `sequence`."""
    members = {member.wish.spec.name: member for member in wish.members}
    in_turn = sequence(wish)
    found = {name: set(before) for name, before in _needs(wish, members).items()}
    first: t.Dict[Key, str] = {}
    named: t.Dict[Key, t.Set[str]] = {}
    barrier: t.Set[str] = set()
    for place, name in enumerate(in_turn):
        mine = members[name].wish
        found[name] |= barrier
        if _is_alone(mine):
            found[name] |= set(in_turn[:place])
            barrier = {name}
        if mine.state == ABSENT:
            continue
        found[name] |= {first[key] for key in _used(mine) if key in first}
        first.update((key, name) for key in _made(host, mine) if key not in first)
        names_it, may_choose = _places(mine.spec)
        found[name] |= {other for key in may_choose for other in named.get(key, ())}
        for key in names_it:
            named.setdefault(key, set()).add(name)
    return found


def _needs(wish: ContainersWish, members: t.Mapping[str, Member]) -> Waits:
    ends = {name for name, member in members.items() if member.wish.state in _ENDS}
    below: Waits = {}       # what it needs, and what that needs
    for name in wish.order:
        needs = [need for need in members[name].needs if need in members]
        below[name] = {*needs, *(each for need in needs for each in below[need])}
    found = {name: set() if name in ends else below[name] | ends for name in wish.order}
    for name in ends:
        for need in below[name] & ends:
            found[need].add(name)
    return found


def _is_alone(wish: ContainerWish) -> bool:
    """It looks at another container, or takes away an image, that others of the task may change or use."""
    return bool(wish.from_image or wish.from_container or wish.volumes_from)


def _images(spec: ContainerSpec) -> t.Iterator[Key]:
    for text in spec.images or ():
        try:
            yield "image", stacks.reference(text).name
        except CockerError:     # it is said when it is its turn
            continue


def _used(wish: ContainerWish) -> t.List[Key]:
    return [*_images(wish.spec), *((mount.kind, mount.source) for mount in wish.spec.mounts or ())]


def _made(host: Host, wish: ContainerWish) -> t.Iterator[Key]:
    """What is there once it is done, and is not yet."""
    if wish.pull is not None:
        yield from _images(wish.spec)
    mounts = wish.spec.mounts or ()
    missing = {name for name in volumes.named(mounts) if name and volume_store.find(host.layout, name) is None}
    for mount in mounts:
        if mount.source in missing or (mount.create and not os.path.lexists(mount.source)):
            yield mount.kind, mount.source


def _places(spec: ContainerSpec) -> t.Tuple[t.List[Key], t.List[Key]]:
    """Where it names ports and addresses, and where it is given some."""
    names_it: t.List[Key] = []
    may_choose: t.List[Key] = []
    for each in spec.attachments():
        (names_it if each.ipv4_address or each.ipv6_address else may_choose).append(("network", each.name))
    ports = spec.published_ports or ()
    names_it += [("ports", "")] * any(port.host_port for port in ports)
    may_choose += [("ports", "")] * bool(spec.publish_all_ports or any(port.host_port is None for port in ports))
    return names_it, may_choose
