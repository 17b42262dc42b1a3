# SPDX-License-Identifier: BSD-2-Clause
"""cp: files and trees into a container and out of it, whether it runs or not."""
from __future__ import annotations

import argparse
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli import asked
from ansible_collections.cocker.engine.plugins.module_utils.cli.context import OK, Context
from ansible_collections.cocker.engine.plugins.module_utils.edge import args_copy, parse_copy
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

_PLACE = "PATH or NAME:PATH"


def _shape(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-L", "--follow-link", action="store_true", help="of a link copy what it leads to")
    parser.add_argument("source", metavar="SOURCE", help=_PLACE)
    parser.add_argument("target", metavar="TARGET", help=_PLACE)


def place(text: str) -> t.Tuple[str, str]:
    """Pure: (container or empty, path). A host path with a colon is written with a slash before it, as in ./a:b."""
    name, colon, path = text.partition(":")
    return (name, path) if colon and name and "/" not in name else ("", text)


def _absolute(path: str) -> str:
    """A slash at the end says "into", and stays."""
    return os.path.abspath(path) + ("/" if path.endswith("/") else "")


def _copy(context: Context, said: argparse.Namespace) -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import copy

    (source, inside), (target, into) = place(said.source), place(said.target)
    if bool(source) == bool(target):
        raise Invalid("SOURCE and TARGET", "one of them is in a container, NAME:PATH, the other on the host")
    host_path, container_path = (said.target, inside) if source else (said.source, into)
    params = asked.params(
        args_copy.SPEC, container=source or target, path=_absolute(host_path), container_path=container_path,
        direction="from_container" if source else "to_container", follow=said.follow_link, local_follow=said.follow_link, force=True,
        overwrite=True,
    )
    copy.ensure(context.acting(), parse_copy.wish(params))
    return OK


COMMANDS: t.Dict[str, t.Tuple[t.Callable[[argparse.ArgumentParser], None], t.Callable[[Context, argparse.Namespace], int]]] = {
    "cp": (_shape, _copy),
}
