# SPDX-License-Identifier: BSD-2-Clause
"""ps, images, networks, volumes, info, inspect: what is there, for people. Never changes anything."""
from __future__ import annotations

import argparse
import fnmatch
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli import fields, filters, named, render
from ansible_collections.cocker.engine.plugins.module_utils.cli.context import FAILED, OK, Context
from ansible_collections.cocker.engine.plugins.module_utils.engine import info
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

_JSON = "{{json .}}"

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


def _is_called(item: t.Mapping[str, t.Any], value: str) -> bool:
    return any(fnmatch.fnmatchcase(text, value) for text in (item["RepoTags"][0], item["Cocker"]["Name"]))


def _is_of(item: t.Mapping[str, t.Any], image: str) -> bool:
    name = str(item.get("Image"))
    folder, slash, last = name.rpartition("/")
    return image in (name, folder + slash + last.partition(":")[0])


def images(context: Context) -> t.List[Shown]:
    """All, and how large: a layer that was a container's own is measured when somebody looks."""
    found = info.images(context.looking(), None)
    for item in found:
        if item["Size"] is None:
            from ansible_collections.cocker.engine.plugins.module_utils.engine import image_info
            from ansible_collections.cocker.engine.plugins.module_utils.model.queries import ImageQuery

            exact = image_info.query(context.looking(), ImageQuery(item["RepoTags"][0]))["image"]
            item["Size"] = exact["Size"] if exact else None
    return found


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
            "image": _is_of, "ancestor": _is_of,
            "exited": lambda item, value: item["State"]["Status"] == "exited" and str(item["State"].get("ExitCode")) == value,
            "network": lambda item, value: value in _networks_of(item),
            "volume": lambda item, value: value in [mount.get("Name") or mount["Source"] for mount in item.get("Mounts", ())],
        },
    ),
    "images": Listing(
        images,
        ("IMAGE", "VERSION", "IMAGE ID", "CREATED", "SIZE"), _image_row, lambda item: str(item["RepoTags"][0]),
        {
            "name": lambda item, value: value in item["Cocker"]["Name"],
            "reference": _is_called,
            "label": _labels,
        },
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
            parser.add_argument("-n", "--last", type=int, metavar="N", help="the N that were made last, also those that do not run")
            parser.add_argument("-l", "--latest", dest="last", action="store_const", const=1, help="the one that was made last")
            parser.add_argument("-s", "--size", action="store_true", help="what they have written, and what they are with their images")
        if name == "networks":
            parser.add_argument("--driver", "-driver", metavar="DRIVER", help="as --filter driver=DRIVER")
        if name == "images":
            parser.add_argument("reference", nargs="?", metavar="NAME[:VERSION]", help="only these; * and ? stand for others")
    return shape


def _list(name: str) -> t.Callable[[Context, argparse.Namespace], int]:
    listing = LISTINGS[name]

    def run(context: Context, said: argparse.Namespace) -> int:
        wanted = filters.parse(said.filter, listing.filters)
        for key in ("reference", "driver"):
            if getattr(said, key, None):
                wanted.setdefault(key, []).append(getattr(said, key))
        found = filters.keep(listing.read(context), wanted, listing.filters)
        found = _of_interest(found, said, wanted) if name == "ps" else found
        if said.quiet:
            context.say(*(listing.name(t.cast("Shown", item)) for item in found))
        elif said.format in ("json", _JSON):
            for item in found:
                context.say_json(item)
        else:
            rows = [listing.row(t.cast("Shown", item), context.now, said.no_trunc) for item in found]
            titles = listing.titles
            if getattr(said, "size", False):
                titles, rows = (*titles, "SIZE"), [(*row, _size(context, _name(item))) for row, item in zip(rows, found)]
            show(context, said.format, titles, rows)
        return OK
    return run


def _of_interest(found: t.Sequence[filters.Shown], said: argparse.Namespace, wanted: t.Container[str]) -> t.List[filters.Shown]:
    if said.last is not None:
        newest = sorted(found, key=lambda item: str(item.get("Created", "")), reverse=True)[: max(said.last, 0)]
        return [item for item in found if item in newest]
    if said.all or "status" in wanted or "exited" in wanted:
        return list(found)
    return [item for item in found if item["State"].get("Running") or item["State"].get("Restarting")]


def _size(context: Context, name: str) -> str:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import gather, observe
    from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainerQuery

    sizes = gather.gathered(context.looking(), observe.container(context.looking(), name), ContainerQuery(name, ("size",)))
    return "%s (virtual %s)" % (render.size(sizes.get("SizeRw")), render.size(sizes.get("SizeRootFs")))


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


_BY_ID: t.Dict[str, t.Callable[[Context, str], str]] = {"container": named.container, "image": named.image}
_NOUNS: t.Dict[str, t.Callable[[Context, str], t.Sequence[t.Any]]] = {
    "container": lambda context, name: info.containers(context.looking(), name),
    "image": lambda context, name: info.images(context.looking(), name),
    "network": lambda context, name: info.networks(context.looking(), name),
    "volume": lambda context, name: info.volumes(context.looking(), name),
}


def _found(context: Context, name: str, kinds: t.Sequence[str]) -> t.Optional[t.Sequence[t.Any]]:
    shown = next((items for items in (_NOUNS[kind](context, name) for kind in kinds) if items), None)
    if shown:
        return shown
    called = [(kind, _BY_ID[kind](context, name)) for kind in kinds if kind in _BY_ID]
    return next((_NOUNS[kind](context, other) for kind, other in called if other != name), None)


def _shape_inspect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--type", choices=sorted(_NOUNS), help="what NAME is; without it the first kind that has one")
    parser.add_argument("-f", "--format", metavar="TEMPLATE", help="fields instead of all, such as '{{.State.Pid}}' or '{{json .Mounts}}'")
    parser.add_argument("names", nargs="+", metavar="NAME")


def _inspect(context: Context, said: argparse.Namespace) -> int:
    found: t.List[t.Any] = []
    missing = []
    for name in said.names:
        shown = _found(context, name, [said.type] if said.type else list(_NOUNS))
        found += shown or []
        missing += [] if shown else [name]
    if said.format is None:
        context.say_json(found, indent=2)
    else:
        context.say(*(fields.filled(said.format, item) for item in found))
    for name in missing:
        context.complain("there is no %s %s" % (said.type or "container, image, network or volume", name))
    return FAILED if missing else OK


COMMANDS: t.Dict[str, t.Tuple[t.Callable[[argparse.ArgumentParser], None], t.Callable[[Context, argparse.Namespace], int]]] = {
    **{name: (_shape_listing(name), _list(name)) for name in LISTINGS},
    "info": (_shape_info, _info),
    "inspect": (_shape_inspect, _inspect),
}
