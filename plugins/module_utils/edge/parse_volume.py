# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_volume, read."""
from __future__ import annotations

import grp
import pwd
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import values
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import names, units
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.volume import VolumeSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import VolumeWish

_SMALLEST = 1 << 20
_LARGEST = (1 << 32) - 2        # the one above means `leave it` to chown(2)


def wish(params: Params) -> VolumeWish:
    """Raises Invalid."""
    spec = VolumeSpec(
        name=names.object_name(params["name"], "name"), labels=values.labels(params["labels"]),
        owner=_number(params["owner"], "owner", _user), group=_number(params["group"], "group", _group),
        mode=values.mode(params["mode"], "mode"), size=None if params["size"] is None else _size(params["size"]),
    )
    return VolumeWish(spec, state=params["state"])


def _size(value: str) -> int:
    size = max(units.parse_size(value, "size"), 0)      # `unlimited` is less
    if 0 < size < _SMALLEST:
        raise Invalid("size", "%s is less than 1M; a number above, or 0 for no limit, is accepted" % value)
    return size


def _number(value: t.Optional[str], option: str, find: t.Callable[[str], int]) -> t.Optional[int]:
    """Names are those of the host; the volume is on it, and no container need be there yet."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        number = int(value)
        if number > _LARGEST:
            raise Invalid(option, "%s is above %d, the largest number that an owner can have" % (value, _LARGEST))
        return number
    try:
        return find(value)
    except KeyError:
        raise Invalid(option, "the host knows no %r" % value, hint="a number is accepted, too") from None


def _user(name: str) -> int:
    return pwd.getpwnam(name).pw_uid


def _group(name: str) -> int:
    return grp.getgrnam(name).gr_gid
