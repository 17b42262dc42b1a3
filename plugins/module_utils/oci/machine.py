# SPDX-License-Identifier: BSD-2-Clause
"""Parts of the host that a config.json names for a container: CPUs, nodes of memory, network devices. Pure reading.

Not here: acting on it (kernel/scheduling.py, devices_moved.py), what is refused (config.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, Unsupported

# set_mempolicy(2)
MODES = {
    "MPOL_DEFAULT": 0, "MPOL_PREFERRED": 1, "MPOL_BIND": 2, "MPOL_INTERLEAVE": 3, "MPOL_LOCAL": 4, "MPOL_PREFERRED_MANY": 5,
    "MPOL_WEIGHTED_INTERLEAVE": 6,
}
MODE_FLAGS = {"MPOL_F_NUMA_BALANCING": 1 << 13, "MPOL_F_RELATIVE_NODES": 1 << 14, "MPOL_F_STATIC_NODES": 1 << 15}
_HIGHEST = 1 << 14          # more than any kernel can be built for
_NAME_LENGTH = 15           # IFNAMSIZ, without the zero
Json = t.Dict[str, t.Any]


class Affinity(t.NamedTuple):
    """CPUs of a process that enters: before it is in the container's cgroup, and from then on; empty where nothing is said."""

    initial: t.FrozenSet[int] = frozenset()
    final: t.FrozenSet[int] = frozenset()


class MemoryPolicy(t.NamedTuple):
    """As set_mempolicy(2) takes it; `mode` with its flags."""

    mode: int
    nodes: t.FrozenSet[int]


class Device(t.NamedTuple):
    """A network device of the caller's, and how it is called in the container: `%d` at the end is a number that is free there."""

    name: str
    inside: str


def affinity(given: Json, path: str) -> Affinity:
    _refuse(given, Affinity._fields, path)
    return Affinity(*(numbers(given.get(key), "%s.%s" % (path, key)) for key in Affinity._fields))


def memory_policy(given: Json, path: str) -> t.Optional[MemoryPolicy]:
    _refuse(given, ("mode", "nodes", "flags"), path)
    if not given:
        return None
    mode, flags = given.get("mode"), given.get("flags") or []
    if mode not in MODES:
        raise Invalid(path + ".mode", "%r is not one of %s" % (mode, ", ".join(MODES)))
    if not isinstance(flags, list) or not all(isinstance(flag, str) and flag in MODE_FLAGS for flag in flags):
        raise Invalid(path + ".flags", "%r are not of %s" % (flags, ", ".join(MODE_FLAGS)))
    return MemoryPolicy(MODES[mode] | sum({MODE_FLAGS[flag] for flag in flags}), numbers(given.get("nodes"), path + ".nodes"))


def devices(given: Json, path: str) -> t.Tuple[Device, ...]:
    found = []
    for name, item in sorted(given.items()):
        where = "%s.%s" % (path, name)
        if not isinstance(item, dict):
            raise Invalid(where, "an object is wanted, not %r" % (item,))
        _refuse(item, ("name",), where)
        inside = item.get("name") or name
        if not _is_name(name):
            raise Invalid(path, "%r is no name of a network device" % name)
        if not isinstance(inside, str) or not _is_name(inside[:-len("%d")] + "0" if inside.endswith("%d") else inside):
            raise Invalid(where + ".name", "%r is no name of a network device" % (inside,))
        found.append(Device(name, inside))
    return tuple(found)


def _is_name(name: str) -> bool:
    is_plain = name.isprintable() and not set(name) & set("/:% ")
    return 0 < len(name.encode()) <= _NAME_LENGTH and name not in (".", "..") and is_plain


def numbers(text: t.Any, path: str) -> t.FrozenSet[int]:
    """`0-3,7`, as the kernel writes lists of CPUs and nodes."""
    if text in (None, ""):
        return frozenset()
    found: t.Set[int] = set()
    for part in text.split(",") if isinstance(text, str) else [""]:
        low, dash, high = part.strip().partition("-")
        if not _is_number(low) or dash and not (_is_number(high) and int(low) <= int(high)):
            raise Invalid(path, "%r is no list such as 0-3,7" % (text,))
        found.update(range(int(low), int(high or low) + 1))
    return frozenset(found)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6 and int(text) < _HIGHEST


def _refuse(given: Json, known: t.Collection[str], path: str) -> None:
    for key in sorted(given):
        if key not in known and given[key] not in (None, "", [], {}, False):
            raise Unsupported("config.json", "%s.%s" % (path, key), "this field is not supported")
