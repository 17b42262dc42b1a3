# SPDX-License-Identifier: BSD-2-Clause
"""top and stats: the processes of containers and what they use, asked of the kernel; nothing is run in a container."""
from __future__ import annotations

import argparse
import sys
import time
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli import render
from ansible_collections.cocker.engine.plugins.module_utils.cli.context import OK, Context
from ansible_collections.cocker.engine.plugins.module_utils.engine import gather, observe
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerState
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainerQuery

Shown = t.Dict[str, t.Any]

_FIRST_LOOK = 0.5   # seconds between the two looks that a share of the CPU needs
_AGAIN = 1.0        # seconds from one table to the next
_CLEAR = "\x1b[H\x1b[J"
_TOP = ("PID", "PPID", "IN CONTAINER", "USER", "STARTED", "RSS", "COMMAND")
_STATS = ("NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET I/O", "BLOCK I/O", "PIDS")


def _find(context: Context, name: str) -> ContainerState:
    found = observe.container(context.looking(), name)
    if found.status is None:
        raise NotFound("container", name, "it does not exist")
    if found.running is None:
        raise Conflict("look into container", name, "it is %s" % found.status)
    return found


def _told(context: Context, found: ContainerState, kind: str) -> Shown:
    return gather.gathered(context.looking(), found, ContainerQuery(found.name, (kind,)))


def _shape_top(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=["table", "json"], default="table", help="json: one object a line")
    parser.add_argument("name", metavar="NAME")


def _top(context: Context, said: argparse.Namespace) -> int:
    processes = _told(context, _find(context, said.name), "processes")["Processes"]
    if said.format == "json":
        for each in processes:
            context.say_json(each)
        return OK
    title, *rows = render.table(_TOP, [_process(each) for each in processes])
    context.say(context.bold(title), *rows)
    return OK


def _process(each: Shown) -> t.Sequence[str]:
    words = " ".join(each["Command"]) or "[%s]" % each["Name"]
    numbers = (str(each[key]) for key in ("PID", "PPID", "ContainerPID", "UID"))
    return (*numbers, each["StartedAt"][11:19], render.size(each["RSS"]), words)


def _shape_stats(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-stream", action="store_true", help="one table, and no more")
    parser.add_argument("--format", choices=["table", "json"], default="table", help="json: one object a line")
    parser.add_argument("names", nargs="*", metavar="NAME", help="all that run, if none is named")


def _stats(context: Context, said: argparse.Namespace) -> int:
    for name in said.names:
        _find(context, name)
    before = _look(context, said.names)
    time.sleep(_FIRST_LOOK)
    while True:
        now = _look(context, said.names)
        _show(context, said, [(name, shown, before.get(name)) for name, shown in now.items()])
        if said.no_stream or (said.names and not now):
            return OK
        before = now
        time.sleep(_AGAIN)


class _Look(t.NamedTuple):
    moment: float
    stats: Shown


def _look(context: Context, names: t.Sequence[str]) -> t.Dict[str, _Look]:
    host = context.looking()
    found = [observe.container(host, name) for name in names] if names else observe.containers(host)
    running = [each for each in found if each.running is not None]
    return {each.name: _Look(time.monotonic(), _told(context, each, "stats")["Stats"]) for each in running}


def _show(context: Context, said: argparse.Namespace, looks: t.Sequence[t.Tuple[str, _Look, t.Optional[_Look]]]) -> None:
    if said.format == "json":
        for name, look, before in looks:
            context.say_json({"Name": name, "CPUPercent": share(look, before), **look.stats})
    else:
        title, *rows = render.table(_STATS, [_row(name, look, before) for name, look, before in looks])
        if not said.no_stream and sys.stdout.isatty():
            sys.stdout.write(_CLEAR)
        context.say(context.bold(title), *rows)
    sys.stdout.flush()


def share(look: _Look, before: t.Optional[_Look]) -> t.Optional[float]:
    """Pure. Of one CPU, in percent: two busy ones are 200; None where it is not counted."""
    used = [each.stats["cpu_stats"]["cpu_usage"]["total_usage"] for each in (look, before) if each is not None]
    if before is None or None in used or look.moment <= before.moment or used[0] < used[1]:     # it was started again meanwhile
        return None
    return float(round((used[0] - used[1]) / 1e9 / (look.moment - before.moment) * 100, 2))


def _row(name: str, look: _Look, before: t.Optional[_Look]) -> t.Sequence[str]:
    memory, pids, blocks = (look.stats[key] for key in ("memory_stats", "pids_stats", "blkio_stats"))
    cpu, limit = share(look, before), memory["limit"]
    cache = memory["stats"]["inactive_file"] or 0
    usage = None if memory["usage"] is None else max(0, memory["usage"] - cache)
    received, sent = (sum(each[key] for each in look.stats["networks"].values()) for key in ("rx_bytes", "tx_bytes"))
    return (
        name, "-" if cpu is None else "%.2f%%" % cpu,
        "%s / %s" % (render.size(usage), "unlimited" if limit is None else render.size(limit)),
        "-" if limit is None or usage is None else "%.2f%%" % (usage / limit * 100),
        "%s / %s" % (render.size(received), render.size(sent)),
        "%s / %s" % (render.size(blocks["read_bytes"]), render.size(blocks["write_bytes"])),
        "-" if pids["current"] is None else str(pids["current"]),
    )


def _shape_diff(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=["table", "json"], default="table", help="json: one object a line")
    parser.add_argument("name", metavar="NAME")


def _diff(context: Context, said: argparse.Namespace) -> int:
    """Docker's: A, C or D, and the path."""
    found = observe.container(context.looking(), said.name)
    if found.status is None:
        raise NotFound("container", said.name, "it does not exist")
    for each in _told(context, found, "diff").get("Diff", ()):
        if said.format == "json":
            context.say_json(each)
        else:
            context.say("%s %s" % (each["Kind"], render.printable(each["Path"])))
    return OK


def _shape_port(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("port", nargs="?", metavar="PORT[/PROTOCOL]", help="of the container")


def _port(context: Context, said: argparse.Namespace) -> int:
    """Docker's: where the container's ports are reached on this host."""
    from ansible_collections.cocker.engine.plugins.module_utils.engine import info

    _find(context, said.name)
    bindings = info.containers(context.looking(), said.name)[0]["NetworkSettings"].get("Ports", {})
    wanted = said.port if not said.port or "/" in said.port else said.port + "/tcp"
    if wanted and not bindings.get(wanted):
        raise Invalid("PORT", "%s of %s is published nowhere" % (wanted, said.name))
    for inside, outside in bindings.items():
        for each in outside or () if wanted in (None, inside) else ():
            address = "%s:%s" % (render.host(each["HostIp"]), each["HostPort"])
            context.say(address if wanted else "%s -> %s" % (inside, address))
    return OK


COMMANDS: t.Dict[str, t.Tuple[t.Callable[[argparse.ArgumentParser], None], t.Callable[[Context, argparse.Namespace], int]]] = {
    "top": (_shape_top, _top),
    "stats": (_shape_stats, _stats),
    "diff": (_shape_diff, _diff),
    "port": (_shape_port, _port),
}
