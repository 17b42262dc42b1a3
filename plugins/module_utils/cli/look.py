# SPDX-License-Identifier: BSD-2-Clause
"""ps, images, networks, volumes, info, inspect: what is there, for people. Never changes anything."""
from __future__ import annotations

import argparse
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli import filters, render
from ansible_collections.cocker.engine.plugins.module_utils.cli.context import FAILED, OK, Context
from ansible_collections.cocker.engine.plugins.module_utils.engine import info
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

Shown = t.Dict[str, t.Any]
Row = t.Callable[[Shown, float, bool], t.Sequence[str]]


class Listing(t.NamedTuple):
    """`name` is what `--quiet` prints; `row` gets the time now and whether everything is to be told in full."""

    read: t.Callable[[Context], t.List[Shown]]
    titles: t.Sequence[str]
    row: Row
    name: t.Callable[[Shown], str]
    filters: t.Mapping[str, filters.Test]


def _name(item: t.Mapping[str, t.Any]) -> str:
    return str(item["Name"]).lstrip("/")


def _container_row(item: Shown, now: float, whole: bool) -> t.Sequence[str]:
    config = item.get("Config", {})
    words = [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]
    ports = item.get("NetworkSettings", {}).get("Ports", {}) if item["State"].get("Running") else {}
    return (
        render.short_id(item.get("Id", ""), whole=whole), item.get("Image", ""), render.command(words, whole=whole),
        render.age(item.get("Created", ""), now), render.status(item["State"], now), render.ports(ports), _name(item),
    )


def _image_row(item: Shown, now: float, whole: bool) -> t.Sequence[str]:
    facts = item["Cocker"]
    created, size = render.age(item["Created"], now), render.size(item["Size"])
    return facts["Name"], facts["Version"], render.short_id(item["Id"], whole=whole), created, size


def _network_row(item: Shown, _now: float, _whole: bool) -> t.Sequence[str]:
    config = item["IPAM"]["Config"]
    subnets, gateways = (", ".join(each.get(key) or "-" for each in config) for key in ("Subnet", "Gateway"))
    return item["Name"], item["Driver"], subnets, gateways, str(len(item["Containers"]))


def _volume_row(item: Shown, now: float, _whole: bool) -> t.Sequence[str]:
    return item["Name"], item["Driver"], render.age(item["CreatedAt"], now), item["Mountpoint"]


def _labels(item: t.Mapping[str, t.Any], value: str) -> bool:
    return filters.label(item.get("Labels") or item.get("Config", {}).get("Labels"), value)


def _networks_of(item: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    return t.cast("t.Mapping[str, t.Any]", item.get("NetworkSettings", {}).get("Networks", {}))


LISTINGS: t.Dict[str, Listing] = {
    "ps": Listing(
        lambda context: info.containers(context.looking(), None),
        ("CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"), _container_row, _name,
        {
            "name": lambda item, value: value in _name(item),
            "id": lambda item, value: str(item.get("Id", "")).startswith(value),
            "label": _labels,
            "status": lambda item, value: item["State"]["Status"] == value,
            "health": lambda item, value: (item["State"].get("Health") or {"Status": "none"})["Status"] == value,
            "image": lambda item, value: value in [item.get("Image"), str(item.get("Image")).partition(":")[0]],
            "network": lambda item, value: value in _networks_of(item),
            "volume": lambda item, value: value in [mount.get("Name") or mount["Source"] for mount in item.get("Mounts", ())],
        },
    ),
    "images": Listing(
        lambda context: info.images(context.looking(), None),
        ("IMAGE", "VERSION", "IMAGE ID", "CREATED", "SIZE"), _image_row, lambda item: str(item["RepoTags"][0]),
        {"name": lambda item, value: value in item["Cocker"]["Name"], "label": _labels},
    ),
    "networks": Listing(
        lambda context: info.networks(context.looking(), None),
        ("NAME", "DRIVER", "SUBNET", "GATEWAY", "CONTAINERS"), _network_row, _name,
        {"name": lambda item, value: value in item["Name"], "driver": lambda item, value: item["Driver"] == value, "label": _labels},
    ),
    "volumes": Listing(
        lambda context: info.volumes(context.looking(), None),
        ("NAME", "DRIVER", "CREATED", "MOUNTPOINT"), _volume_row, _name,
        {"name": lambda item, value: value in item["Name"], "label": _labels},
    ),
}


def _shape_listing(name: str) -> t.Callable[[argparse.ArgumentParser], None]:
    def shape(parser: argparse.ArgumentParser) -> None:
        keys = ", ".join(sorted(LISTINGS[name].filters))
        parser.add_argument("-f", "--filter", action="append", default=[], metavar="KEY=VALUE", help="only those that match; keys: " + keys)
        parser.add_argument("-q", "--quiet", action="store_true", help="names only, one a line")
        parser.add_argument("--no-trunc", action="store_true", help="whole ids and commands")
        parser.add_argument("--format", default="table", metavar="table|json|TEMPLATE", help=(
            "json: one object a line, as inspect shows it; TEMPLATE: text with columns in it, such as '{%s}'" % (
                "}\\t{".join(render.key(title) for title in LISTINGS[name].titles[:2]))))
        if name == "ps":
            parser.add_argument("-a", "--all", action="store_true", help="also those that do not run")
    return shape


def _list(name: str) -> t.Callable[[Context, argparse.Namespace], int]:
    listing = LISTINGS[name]

    def run(context: Context, said: argparse.Namespace) -> int:
        wanted = filters.parse(said.filter, listing.filters)
        found = filters.keep(listing.read(context), wanted, listing.filters)
        if name == "ps" and not said.all and "status" not in wanted:
            found = [item for item in found if item["State"].get("Running") or item["State"].get("Restarting")]
        if said.quiet:
            context.say(*(listing.name(t.cast("Shown", item)) for item in found))
        elif said.format == "json":
            for item in found:
                context.say_json(item)
        else:
            show(context, said.format, listing.titles, [listing.row(t.cast("Shown", item), context.now, said.no_trunc) for item in found])
        return OK
    return run


def show(context: Context, form: str, titles: t.Sequence[str], rows: t.Sequence[t.Sequence[str]]) -> None:
    """Raises Invalid."""
    if form == "table":
        title, *lines = render.table(titles, rows)
        context.say(context.bold(title), *lines)
        return
    if "{" not in form:
        raise Invalid("--format", "%r is neither table nor json, nor has it columns in it, as in '{%s}'" % (form, render.key(titles[0])))
    try:
        context.say(*render.templated(form, titles, rows))
    except KeyError as error:
        known = ", ".join(render.key(title) for title in titles)
        raise Invalid("--format", "there is no column %s; there are %s" % (error, known)) from None


def _shape_info(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=["table", "json"], default="table")


def _info(context: Context, said: argparse.Namespace) -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import hostinfo

    facts = hostinfo.collect(context.looking())
    if said.format == "json":
        context.say_json(facts, indent=2)
        return OK
    about = facts["host_info"]
    counts = {noun: len(LISTINGS[noun].read(context)) for noun in ("ps", "images", "networks", "volumes")}
    lines = [
        ("Store", about["CockerHome"]), ("Kernel", "%s (%s)" % (about["Kernel"], about["Architecture"])),
        ("Python", "%s, %s" % (about["Python"], about["Interpreter"])), ("Cgroups", about["Cgroup"]["Mode"]),
        ("Containers", str(counts["ps"])), ("Images", str(counts["images"])), ("Networks", str(counts["networks"])),
        ("Volumes", str(counts["volumes"])), ("Can run containers", "yes" if facts["can_run_containers"] else "NO"),
    ]
    context.say(*("%-20s %s" % (key + ":", value) for key, value in lines))
    context.say(*("Missing: %(name)s (%(detail)s); without it: %(disables)s" % each for each in facts["missing"]))
    return OK


_NOUNS: t.Dict[str, t.Callable[[Context, str], t.Sequence[t.Any]]] = {
    "container": lambda context, name: info.containers(context.looking(), name),
    "image": lambda context, name: info.images(context.looking(), name),
    "network": lambda context, name: info.networks(context.looking(), name),
    "volume": lambda context, name: info.volumes(context.looking(), name),
}


def _shape_inspect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--type", choices=sorted(_NOUNS), help="what NAME is; without it the first kind that has one")
    parser.add_argument("names", nargs="+", metavar="NAME")


def _inspect(context: Context, said: argparse.Namespace) -> int:
    found: t.List[t.Any] = []
    missing = []
    for name in said.names:
        kinds = [said.type] if said.type else list(_NOUNS)
        shown = next((items for items in (_NOUNS[kind](context, name) for kind in kinds) if items), None)
        found += shown or []
        missing += [] if shown else [name]
    context.say_json(found, indent=2)
    for name in missing:
        context.complain("there is no %s %s" % (said.type or "container, image, network or volume", name))
    return FAILED if missing else OK


COMMANDS: t.Dict[str, t.Tuple[t.Callable[[argparse.ArgumentParser], None], t.Callable[[Context, argparse.Namespace], int]]] = {
    **{name: (_shape_listing(name), _list(name)) for name in LISTINGS},
    "info": (_shape_info, _info),
    "inspect": (_shape_inspect, _inspect),
}
