# SPDX-License-Identifier: BSD-2-Clause
"""Where linux.cgroupsPath lies on this host: a path from the root of each hierarchy, or below the cgroup of whoever calls.

Not here: making it, and its limits (runtime/cgroups/).
"""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import group as groups
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups.group import UNIFIED, Cgroup

if t.TYPE_CHECKING:
    from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import scope

_SLICE, _BEFORE = "system.slice", "shutdown.target"


def find_unit(path: str, name: str, layout: cgroupfs.Layout) -> t.Tuple[Cgroup, scope.Unit]:
    """The same where systemd makes it, of SLICE:PREFIX:NAME: a directory of the container's own below the scope, which is systemd's.

    Raises Invalid, Unsupported.
    """
    from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import scope  # few ask for it
    if not scope.is_used(layout):
        raise Unsupported("systemd-cgroup", "", "systemd does not run this host, or not with cgroup v2")
    words = path.split(":") if path else ["", "cocker", name]
    if len(words) != 3 or not words[2] or "/" in path:
        raise Invalid("linux.cgroupsPath", "%r is not SLICE:PREFIX:NAME, as --systemd-cgroup wants it" % path)
    group = words[0] or _SLICE
    if not group.endswith(".slice") or "--" in group or words[2].endswith(".slice"):
        raise Invalid("linux.cgroupsPath", "%r is no slice with a scope in it" % path)
    unit = ("%s-%s" % (words[1], words[2]) if words[1] else words[2]).removesuffix(".scope") + ".scope"
    parts = [*scope.slice_parts(group), unit, scope.CONTAINER]
    return groups.from_paths({UNIFIED: _join(layout.unified, *parts)}), scope.Unit(group, unit, "Container %s" % name, _BEFORE)


def find(path: str, name: str, layout: cgroupfs.Layout) -> Cgroup:
    """The cgroup, which need not exist. `name` is what it is called where no path is given."""
    if ":" in path:
        raise Invalid("linux.cgroupsPath", "%r is systemd's form, which takes --systemd-cgroup" % path)
    own = {} if path.startswith("/") else _membership()
    inner = os.path.normpath("/" + (path or name)).lstrip("/")
    if not inner or "\n" in inner:
        raise Invalid("linux.cgroupsPath", "%r is no path of a cgroup" % path)
    paths = {controller: _join(point, own.get(controller, "/"), inner)
             for controller, point in layout.controllers.items() if point != layout.unified}
    if layout.unified:
        # Whoever calls is a process of its cgroup, which therefore cannot have limits for others below: theirs is beside it.
        paths[UNIFIED] = _join(layout.unified, os.path.dirname(own.get("", "/")), inner)
    return groups.from_paths(paths)


def _join(point: str, *parts: str) -> str:
    return "/".join([point.rstrip("/"), *[part.strip("/") for part in parts if part.strip("/")]])


def open_unified_of(pid: int) -> int:
    """The v2 cgroup of a process."""
    path = _join(cgroupfs.layout().unified, _membership(str(pid))[""])
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _membership(pid: str = "self") -> t.Dict[str, str]:
    """Controller -> the cgroup of a process; the unified one has an empty name."""
    found = {}
    with open("/proc/%s/cgroup" % pid, "rb") as stream:
        for line in os.fsdecode(stream.read()).splitlines():
            _number, controllers, path = line.split(":", 2)
            for controller in controllers.split(","):
                found[controller] = path if ".." not in path.split("/") else "/"
    return found
