# SPDX-License-Identifier: BSD-2-Clause
"""report: one document for whoever is to help: what this host offers, what is on it, and what is not as it should be. No secrets.

Not here: the facts (engine/hostinfo.py, engine/info.py).
"""
from __future__ import annotations

import argparse
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli.context import OK, Context
from ansible_collections.cocker.engine.plugins.module_utils.engine import hostinfo, info, logs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.model.version import VERSION

_LINES = 20
_HIDDEN = "..."


def _shape(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--logs", action="store_true", help="with the last %d lines of each container" % _LINES)


def _report(context: Context, said: argparse.Namespace) -> int:
    """What cannot be read is an entry, too: a report of a damaged host is what it is for."""
    host = context.looking()
    readers: t.Dict[str, t.Callable[[], t.Any]] = {
        "host": lambda: hostinfo.collect(host),
        "containers": lambda: [_public(each) for each in info.containers(host, None)],
        "images": lambda: [_public(each) for each in info.images(host, None)],
        "networks": lambda: info.networks(host, None),
        "volumes": lambda: info.volumes(host, None),
    }
    if said.logs:
        readers["logs"] = lambda: {name: _last(context, name) for name in host.layout.container_names()}
    context.say_json({"version": VERSION, **{key: _read(reader) for key, reader in readers.items()}}, indent=2)
    return OK


def _read(reader: t.Callable[[], t.Any]) -> t.Any:
    try:
        return reader()
    except (CockerError, OSError) as error:
        return {"error": str(error)}


def _public(item: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
    """Values of the environment are where passwords are; their names tell enough."""
    config = item.get("Config")
    if not config or not config.get("Env"):
        return item
    return {**item, "Config": {**config, "Env": ["%s=%s" % (pair.partition("=")[0], _HIDDEN) for pair in config["Env"]]}}


def _last(context: Context, name: str) -> t.Any:
    found = _read(lambda: logs.read(context.looking(), name, tail=_LINES))
    if isinstance(found, dict):
        return found
    return ["%s %s" % (line.stream, line.content.decode("utf-8", "replace").rstrip("\n")) for line in found]


COMMANDS: t.Dict[str, t.Tuple[t.Callable[[argparse.ArgumentParser], None], t.Callable[[Context, argparse.Namespace], int]]] = {
    "report": (_shape, _report),
}
