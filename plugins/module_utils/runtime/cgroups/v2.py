# SPDX-License-Identifier: BSD-2-Clause
"""The unified hierarchy: enabling controllers from the top down, freezing, killing at once (cgroup-v2.rst)."""
from __future__ import annotations

import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, poll
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError, Unsupported, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import common

# What every container gets, because its counters are wanted; others (cpuset, hugetlb) when a limit needs them.
USUAL = ("cpu", "io", "memory", "pids")


class HierarchyV2(common.Hierarchy):
    version = 2

    def create(self) -> None:
        super().create()
        offered = self.offered()
        for controller in USUAL:
            if controller in offered:
                # What refuses here is said by the limit that needs it: a container without limits can do without.
                with tolerate(errno.EBUSY, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EACCES, errno.EROFS):
                    self._enable(controller)

    def offered(self) -> t.List[str]:
        """What the root of the hierarchy has; in hybrid mode often nothing."""
        return (cgroupfs.find(self.root(), "cgroup.controllers") or "").split()

    def ensure_controller(self, controller: str, *, option: str) -> None:
        """Raises Unsupported that says which cgroup refuses it, and why. Foreign processes are never moved away."""
        try:
            self._enable(controller)
        except KernelError as error:
            hint = "delegate the controller, or choose another cgroup_parent"
            reason = "%s cannot be enabled: %s" % (controller, error)
            if error.errno == errno.EBUSY:
                reason = "%s cannot be enabled, because processes live in a cgroup above: %s" % (controller, error.subject)
            raise Unsupported("limit", option, reason, hint=hint) from error

    def _enable(self, controller: str) -> None:
        if controller in (cgroupfs.find(self.path, "cgroup.controllers") or "").split():
            return
        for directory in [self.root(), *self.parents()]:
            if controller not in cgroupfs.read(directory, "cgroup.subtree_control").split():
                cgroupfs.write(directory, "cgroup.subtree_control", "+" + controller)

    def open(self, member: int = 0) -> int:
        """A descriptor for clone3(CLONE_INTO_CGROUP) and bpf(2), the caller closes it; of the child cgroup that a member is in."""
        paths = [path for path in cgroupfs.subtree(self.path) if member in cgroupfs.pids(path)] if member else []
        return os.open((paths or [self.path])[0], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def can_freeze(self) -> bool:
        return cgroupfs.has(self.path, "cgroup.freeze")  # Linux 5.2

    def freeze(self, *, timeout: float) -> bool:
        cgroupfs.write(self.path, "cgroup.freeze", "1")
        return poll.until(self.is_frozen, timeout=timeout, interval=0.002)

    def thaw(self) -> None:
        cgroupfs.write(self.path, "cgroup.freeze", "0")

    def is_frozen(self) -> bool:
        return cgroupfs.keyed(cgroupfs.find(self.path, "cgroup.events")).get("frozen") == 1

    def kill(self) -> bool:
        """SIGKILL to all at once, forks included; False before Linux 5.14."""
        if not cgroupfs.has(self.path, "cgroup.kill"):
            return False
        cgroupfs.write(self.path, "cgroup.kill", "1")
        return True
