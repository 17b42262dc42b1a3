# SPDX-License-Identifier: BSD-2-Clause
"""Where linux.cgroupsPath lies on this host: a path from the root of each hierarchy, or below the cgroup of whoever calls.

Not here: making it, and its limits (runtime/cgroups/).
"""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import factory
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups.group import UNIFIED, Cgroup


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
    return factory.from_paths(paths)


def _join(point: str, *parts: str) -> str:
    return "/".join([point.rstrip("/"), *[part.strip("/") for part in parts if part.strip("/")]])


def _membership() -> t.Dict[str, str]:
    """Controller -> the caller's cgroup; the unified one has an empty name."""
    found = {}
    with open("/proc/self/cgroup", "rb") as stream:
        for line in os.fsdecode(stream.read()).splitlines():
            _number, controllers, path = line.split(":", 2)
            for controller in controllers.split(","):
                found[controller] = path if ".." not in path.split("/") else "/"
    return found
