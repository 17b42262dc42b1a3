# SPDX-License-Identifier: BSD-2-Clause
"""The options of the info modules, read: the name that is asked for, or none."""
from __future__ import annotations

import datetime
import re
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import parse_image, results, values
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import names
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.queries import ImageQuery
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainerQuery

_AGO = re.compile(r"(?=[0-9])([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?", re.ASCII)
_PART = re.compile(r"([0-9]+)([dhms])", re.ASCII)


def named(params: Params) -> t.Optional[str]:
    """Raises Invalid."""
    return None if params["name"] is None else names.object_name(params["name"], "name")


def container(params: Params) -> ContainerQuery:
    """Raises Invalid."""
    gather = tuple(dict.fromkeys(params["gather"]))
    for option, kinds in (("tail", ("logs", "execs")), ("since", ("logs", "execs")), ("exec_id", ("execs",))):
        if params[option] is not None and not set(kinds) & set(gather):
            raise Invalid(option, "it needs gather: %s" % " or ".join(kinds))
    exec_id = params["exec_id"]
    if exec_id is not None and (params["name"] is None or not exec_id or not set(exec_id) <= set("0123456789abcdef")):
        raise Invalid("exec_id", "%r is not the id of a command, in the container of a name" % exec_id)
    since = params["since"]
    now = datetime.datetime.now(datetime.timezone.utc)
    return ContainerQuery(
        name=named(params), gather=gather, tail=values.at_least(params["tail"], 0, "tail"),
        since=None if since is None else moment(since, now), exec_id=exec_id)


def moment(text: str, now: datetime.datetime) -> str:
    """RFC 3339, seconds since 1970, or so long ago: `90s`, `10m`, `1h30m`, `2d`."""
    try:
        if set(text) <= set("0123456789."):
            when = datetime.datetime.fromtimestamp(float(text), datetime.timezone.utc)
        elif _AGO.fullmatch(text):
            ago = {unit: int(number) for number, unit in _PART.findall(text)}
            when = now - datetime.timedelta(days=ago.get("d", 0), hours=ago.get("h", 0), minutes=ago.get("m", 0), seconds=ago.get("s", 0))
        else:
            when = datetime.datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
            when = when if when.tzinfo else when.replace(tzinfo=datetime.timezone.utc)
        return when.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
    except (ValueError, OverflowError, OSError):
        raise Invalid("since", "%r is no time, such as 2026-01-12T08:30:00Z, and no duration, such as 10m" % text) from None


def told(found: t.Sequence[results.Result], query: ContainerQuery) -> results.Result:
    return results.listed("container", "containers")(found, query.name)


def image(params: Params) -> ImageQuery:
    """Raises Invalid."""
    name = None if params["name"] is None else parse_image.reference(params["name"], "name")
    return ImageQuery(name, tuple(parse_image.reference(each, "stack") for each in params["stack"] or ()), params["verify"])


def nothing(_params: Params) -> None:
    return None
