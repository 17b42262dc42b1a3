# SPDX-License-Identifier: BSD-2-Clause
"""`cocker -s images | containers | container_root | ssearch`: the columns and the words of the first cocker."""
from __future__ import annotations

import argparse
import os
import time
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli import asked, look, render
from ansible_collections.cocker.engine.plugins.module_utils.cli.context import OK, Context
from ansible_collections.cocker.engine.plugins.module_utils.engine import gather, info, observe
from ansible_collections.cocker.engine.plugins.module_utils.model.container import BRIDGE, CUSTOM, DEAD, ContainerState
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainerQuery

_UNKNOWN = "(unknow)"
_UNITS = ("B", "KB", "MB", "GB")
_IMAGES = (("image_id", 30), ("version", 10), ("modify_datetime", 19), ("size", 0))
_CONTAINERS = (("container_id", 20), ("image", 20), ("hostname", 10), ("net", 10), ("netns", 16), ("size", 10), ("status", 0))
_STORED = (("image_id", 45), ("modify_datetime", 19), ("size", 10))

Columns = t.Sequence[t.Tuple[str, int]]


def size(count: t.Optional[int]) -> str:
    """Pure. Whole numbers of a unit of 1024."""
    if count is None:
        return _UNKNOWN
    unit = 0
    while count > 1024 and unit < len(_UNITS) - 1:
        count, unit = count // 1024, unit + 1
    return "%d %s" % (count, _UNITS[unit])


def _images(context: Context, _said: argparse.Namespace) -> int:
    rows = []
    for item in look.images(context):
        name, version = item["Cocker"]["Name"], item["Cocker"]["Version"]
        rows.append((name, version, local(_changed(context, name, version)), size(item["Size"])))
    return _table(context, _IMAGES, rows)


def _changed(context: Context, name: str, version: str) -> float:
    try:
        return os.stat(context.looking().layout.image(name, version)).st_mtime
    except FileNotFoundError:       # it has just gone
        return context.now


def local(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(moment))


def _containers(context: Context, _said: argparse.Namespace) -> int:
    return _table(context, _CONTAINERS, [_container(context, found) for found in observe.containers(context.looking())])


def _container(context: Context, found: ContainerState) -> t.Sequence[str]:
    if found.record is None:
        return (found.name, "", "", "", "", _UNKNOWN, status(found))
    host, spec = context.looking(), found.record.spec
    mode = spec.network_mode or BRIDGE
    shown = info.container(host, found)
    written = gather.gathered(host, found, ContainerQuery(found.name, ("size",)))["SizeRw"]
    netns = os.path.basename(host.netns(found.name)) if mode in (BRIDGE, CUSTOM) else ""
    image = ",".join(spec.images or ())
    return found.name, image, shown["Config"]["Hostname"], mode.upper(), netns, size(written), status(found)


def status(found: ContainerState) -> str:
    """Pure. Spelled as the first cocker spelled it."""
    if found.running is not None:
        return "RUNNING(%d)" % found.running.pid
    return "EXPECTION" if found.status == DEAD else "STOPED"


def _container_root(context: Context, said: argparse.Namespace) -> int:
    if said.container is None:
        raise Invalid("-s container_root", "expect '--container'")
    found = observe.container(context.looking(), said.container)
    if found.status is None:
        raise NotFound("container", "'%s'" % said.container, "not found")
    if found.running is None:
        hint = "putfile, getfile and cocker cp reach the files of a container that does not run"
        raise Conflict("root of container", "'%s'" % found.name, "it is mounted only while the container runs", hint=hint)
    context.say("/proc/%d/root" % found.running.pid)
    return OK


def _ssearch(context: Context, said: argparse.Namespace) -> int:
    """In the repository that --srepo names, or did the last time."""
    from ansible_collections.cocker.engine.plugins.module_utils.edge import args_repository, parse_repository
    from ansible_collections.cocker.engine.plugins.module_utils.engine import repository, repository_info

    if said.srepo is not None:
        wish = parse_repository.wish(asked.params(args_repository.REPOSITORY, repository=said.srepo, remember=True))
        repository.ensure(context.acting(), wish)
    found = repository_info.query(context.looking(), parse_repository.query(asked.params(args_repository.INFO, match=said.match)))
    rows = [(item["reference"], local(render.seconds(item["modified"]) or 0.0), size(item["size"])) for item in found["images"]]
    return _table(context, _STORED, rows)


def _table(context: Context, columns: Columns, rows: t.Sequence[t.Sequence[str]]) -> int:
    """Nothing at all where there is nothing."""
    for cells in [[title for title, _width in columns], *rows] if rows else ():
        context.say(" ".join(render.printable(cell).ljust(width) for cell, (_title, width) in zip(cells, columns)).rstrip())
    return OK


SHOWS: t.Dict[str, t.Callable[[Context, argparse.Namespace], int]] = {
    "images": _images, "containers": _containers, "container_root": _container_root, "ssearch": _ssearch,
}


def show(context: Context, name: str, said: argparse.Namespace) -> int:
    """Raises Invalid, NotFound, Conflict."""
    if name not in SHOWS:
        raise Invalid("-s", "%r is none of %s" % (name, " ".join(SHOWS)))
    return SHOWS[name](context, said)
