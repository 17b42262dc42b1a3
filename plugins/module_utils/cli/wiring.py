# SPDX-License-Identifier: BSD-2-Clause
"""network connect, network disconnect: one more network for a container, or one less, while it runs or not.

What a playbook's task with `networks` would do with on_change: live_only. Not here: networks themselves (nouns.py).
"""
from __future__ import annotations

import argparse
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli.context import OK, Context
from ansible_collections.cocker.engine.plugins.module_utils.edge import parse_container_network
from ansible_collections.cocker.engine.plugins.module_utils.model import wishes
from ansible_collections.cocker.engine.plugins.module_utils.model.container import BRIDGE, Attachment, ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Damaged, NotFound

_ATTACHMENT = {"ip": "ipv4_address", "ip6": "ipv6_address", "mac_address": "mac_address", "alias": "aliases"}


def _shape_connect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ip", metavar="ADDRESS", help="its address there, instead of the next one that is free")
    parser.add_argument("--ip6", metavar="ADDRESS")
    parser.add_argument("--mac-address", metavar="ADDRESS")
    parser.add_argument("--alias", action="append", metavar="NAME", help="what the others there call it, too")
    _shape(parser)


def _shape(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", metavar="NETWORK")
    parser.add_argument("name", metavar="CONTAINER")


def _connect(context: Context, said: argparse.Namespace) -> int:
    before = _attachments(context, said.name)
    if said.network in [each.name for each in before]:
        raise Conflict("connect container", said.name, "it is on network %s already" % said.network)
    params = {"name": said.network, **{option: getattr(said, flag) for flag, option in _ATTACHMENT.items()}}
    return _wire(context, said, (*before, parse_container_network.attachment(params)))


def _disconnect(context: Context, said: argparse.Namespace) -> int:
    before = _attachments(context, said.name)
    left = tuple(each for each in before if each.name != said.network)
    if left == before:
        raise Conflict("disconnect container", said.name, "it is not on network %s" % said.network)
    return _wire(context, said, left)


def _attachments(context: Context, name: str) -> t.Tuple[Attachment, ...]:
    """Raises NotFound, Damaged, Conflict."""
    from ansible_collections.cocker.engine.plugins.module_utils.engine import observe

    found = observe.container(context.acting(), name)
    if found.status is None:
        raise NotFound("container", name, "it does not exist")
    if found.record is None:
        raise Damaged("container", name, "its record is missing")
    mode = found.record.spec.network_mode or BRIDGE
    if mode != BRIDGE:
        raise Conflict("connect container", name, "it has no networks of its own: network_mode is %s" % mode)
    return found.record.spec.attachments()


def _wire(context: Context, said: argparse.Namespace, networks: t.Tuple[Attachment, ...]) -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import containers

    wish = wishes.ContainerWish(ContainerSpec(said.name, networks=networks), wishes.PRESENT, on_change="live_only")
    containers.ensure(context.acting(), wish)
    return OK


COMMANDS: t.Dict[str, t.Tuple[t.Callable[[argparse.ArgumentParser], None], t.Callable[[Context, argparse.Namespace], int]]] = {
    "network connect": (_shape_connect, _connect),
    "network disconnect": (_shape, _disconnect),
}
