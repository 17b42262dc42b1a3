# SPDX-License-Identifier: BSD-2-Clause
"""A cgroup v1 hierarchy: what its controllers want before they take a process, and the freezer (cgroups(7))."""
from __future__ import annotations

import errno
import os

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, poll
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import common


class HierarchyV1(common.Hierarchy):
    version = 1

    def prepares(self) -> bool:
        return "memory" in self.controllers and cgroupfs.find(os.path.dirname(self.path), "memory.use_hierarchy") == "0"

    def prepare(self, directory: str) -> None:
        if "cpuset" in self.controllers:
            for name in ("cpuset.cpus", "cpuset.mems"):
                self._inherit(directory, name)
        if "memory" in self.controllers and cgroupfs.find(directory, "memory.use_hierarchy") == "0":
            with tolerate(errno.EBUSY, errno.EINVAL):  # has children already; always on since Linux 5.11
                cgroupfs.write(directory, "memory.use_hierarchy", "1")

    def _inherit(self, directory: str, name: str) -> str:
        """Without both no task can enter, and a new cpuset is empty: each is copied from the same file above."""
        found = cgroupfs.read(directory, name).strip()
        if not found and directory != self.root():
            found = self._inherit(os.path.dirname(directory), name)
            cgroupfs.write(directory, name, found)
        return found

    def join(self) -> None:
        # One thread that moves itself is spared the lock that moving a process takes (5 to 10 ms).
        cgroupfs.write(self.path, "tasks", "0")

    def can_freeze(self) -> bool:
        return "freezer" in self.controllers

    def freeze(self, *, timeout: float) -> bool:
        """False when it did not freeze in time: a process that is just being forked can slip through, so it is asked again."""

        def frozen() -> bool:
            cgroupfs.write(self.path, "freezer.state", "FROZEN")
            return self.is_frozen()

        return poll.until(frozen, timeout=timeout, interval=0.002)

    def thaw(self) -> None:
        cgroupfs.write(self.path, "freezer.state", "THAWED")

    def is_frozen(self) -> bool:
        return cgroupfs.find(self.path, "freezer.state") == "FROZEN"
