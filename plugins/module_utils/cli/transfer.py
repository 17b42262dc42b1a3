# SPDX-License-Identifier: BSD-2-Clause
"""cp: files and trees into a container and out of it, whether it runs or not."""
from __future__ import annotations

import argparse
import os
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli import asked, named
from ansible_collections.cocker.engine.plugins.module_utils.cli.context import OK, Context
from ansible_collections.cocker.engine.plugins.module_utils.edge import args_copy, parse_copy
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Outcome
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

_PLACE = "PATH or NAME:PATH; - is a tar archive on standard %s"
_STREAM = "-"


def _shape(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-L", "--follow-link", action="store_true", help="of a link copy what it leads to")
    help = "keep the numbers of owners and groups; without it what goes in is the container's user's, and what comes out root's"
    parser.add_argument("-a", "--archive", action="store_true", help=help)
    parser.add_argument("source", metavar="SOURCE", help=_PLACE % "input")
    parser.add_argument("target", metavar="TARGET", help=_PLACE % "output")


def place(text: str) -> t.Tuple[str, str]:
    """Pure: (container or empty, path). A host path with a colon is written with a slash before it, as in ./a:b."""
    name, colon, path = text.partition(":")
    return (name, path) if colon and name and "/" not in name else ("", text)


def _absolute(path: str) -> str:
    """A slash at the end says "into", and stays."""
    return os.path.abspath(path) + ("/" if path.endswith("/") else "")


def _copy(context: Context, said: argparse.Namespace) -> int:
    (source, inside), (target, into) = place(said.source), place(said.target)
    if bool(source) == bool(target):
        raise Invalid("SOURCE and TARGET", "one of them is in a container, NAME:PATH, the other on the host")
    if said.target == _STREAM:
        return _give(context, named.container(context, source), inside, follow=said.follow_link)
    if said.source == _STREAM:
        return _take(context, named.container(context, target), into)
    outside, inside = (said.target, inside) if source else (said.source, into)
    copy(context, named.container(context, source or target), inside, outside, out=bool(source), follow=said.follow_link,
         keep=said.archive)
    return OK


def _give(context: Context, name: str, path: str, *, follow: bool) -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import copystream

    if sys.stdout.isatty():
        raise Invalid("TARGET", "an archive is nothing for a terminal", hint="cocker cp NAME:PATH - | tar -x")
    left = copystream.give(context.acting(), name, path, sys.stdout.buffer.write, follow=follow)
    if left:
        context.complain("left out, for they are neither files, directories nor links: %s" % ", ".join(left))
    return OK


def _take(context: Context, name: str, path: str) -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import copystream

    if sys.stdin.isatty():
        raise Invalid("SOURCE", "a terminal gives no archive", hint="tar -c FILES | cocker cp - NAME:PATH")
    copystream.take(context.acting(), name, path, sys.stdin.fileno())
    return OK


def copy(context: Context, name: str, inside: str, outside: str, *, out: bool, follow: bool = False, keep: bool = False) -> Outcome:
    """`inside` is the path in the container; `out` of it, or into it. `keep` the numbers of owners."""
    from ansible_collections.cocker.engine.plugins.module_utils.engine import copy as engine_copy

    params = asked.params(
        args_copy.SPEC, container=name, path=_absolute(outside), container_path=inside,
        direction="from_container" if out else "to_container", follow=follow, local_follow=follow, force=True, overwrite=True,
        archive=not keep,
    )
    return engine_copy.ensure(context.acting(), parse_copy.wish(params))


COMMANDS: t.Dict[str, t.Tuple[t.Callable[[argparse.ArgumentParser], None], t.Callable[[Context, argparse.Namespace], int]]] = {
    "cp": (_shape, _copy),
}
