# SPDX-License-Identifier: BSD-2-Clause
"""Containers and images as people name them: by their names, or by the beginning of an id, as `cocker ps` and `cocker images` show it.

A name comes first: what is called so is meant, whatever ids there are.
"""
from __future__ import annotations

import argparse
import re
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli.context import Context
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict

_ID = re.compile(r"(?:sha256:)?([0-9a-f]{4,64})\Z")


def resolve(context: Context, said: argparse.Namespace, *, containers: t.Sequence[str], images: t.Sequence[str]) -> None:
    """Arguments of these names; those that nothing is meant by stay as they are. Raises Conflict for an id of several."""
    for arguments, meant in ((containers, container), (images, image)):
        for argument in arguments:
            value = getattr(said, argument)
            setattr(said, argument, [meant(context, text) for text in value] if isinstance(value, list) else meant(context, value))


def container(context: Context, text: str) -> str:
    found = _ID.match(text)
    if found is None or text in context.looking().layout.container_names():
        return text
    from ansible_collections.cocker.engine.plugins.module_utils.engine import observe

    known = ((each.record.id, each.name) for each in observe.containers(context.looking()) if each.record is not None)
    return _only("container", text, [name for identity, name in known if identity.startswith(found.group(1))])


def image(context: Context, text: str) -> str:
    found = _ID.match(text)
    if found is None:
        return text
    from ansible_collections.cocker.engine.plugins.module_utils.engine import info

    host = context.looking()
    if not text.startswith("sha256:") and info.images(host, text):
        return text
    known = ((each["Id"].partition(":")[2], each["RepoTags"][0]) for each in info.images(host, None))
    return _only("image", text, [name for identity, name in known if identity.startswith(found.group(1))])


def _only(noun: str, text: str, found: t.Sequence[str]) -> str:
    if len(found) > 1:
        raise Conflict(noun, text, "several have such an id: %s" % ", ".join(sorted(found)), hint="name one of them")
    return found[0] if found else text
