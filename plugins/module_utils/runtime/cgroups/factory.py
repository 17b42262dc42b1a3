# SPDX-License-Identifier: BSD-2-Clause
"""Where a container's cgroup is on this host: by name for a new one, by recorded paths for one that runs."""
from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import scope
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups.group import PARENT, UNIFIED, Cgroup, from_paths as recorded

from_paths = recorded       # of one that runs, which takes nothing of this file


def open_cgroup(name: str, *, parent: str = PARENT, layout: t.Optional[cgroupfs.Layout] = None) -> Cgroup:
    """The cgroup /<parent>/<name> below the root of every hierarchy; it need not exist. Raises Invalid, Unsupported.

    Where systemd runs the host, the default parent is a scope of its own (scope.py).
    """
    parts = [cgroupfs.check_name(part, option="cgroup_parent") for part in parent.strip("/").split("/")]
    parts.append(cgroupfs.check_name(name))
    found = cgroupfs.remembered() if layout is None else layout
    if parent == PARENT and scope.is_used(found):
        parts = scope.parts(name)
    paths = {
        controller: "/".join([point, *parts]) for controller, point in found.controllers.items() if point != found.unified
    }
    if found.unified:
        paths[UNIFIED] = "/".join([found.unified, *parts])
    return recorded(paths)


def prune(parent: str) -> None:
    """Removes the directories of a parent where they hold nothing; for parents other than the default one."""
    for path in open_cgroup("any", parent=parent).paths().values():
        directory = os.path.dirname(path)
        for _level in parent.strip("/").split("/"):
            with contextlib.suppress(OSError):
                os.rmdir(directory)
            directory = os.path.dirname(directory)
