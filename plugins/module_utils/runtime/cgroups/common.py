# SPDX-License-Identifier: BSD-2-Clause
"""One directory in one cgroup hierarchy: making it, its processes, removing it. What v1 and v2 do alike.

Not here: what is special to a version (v1.py, v2.py) and the container's cgroup as a whole (group.py).
"""
from __future__ import annotations

import contextlib
import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, poll
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Conflict, KernelError

ATTEMPTS = 10


class Hierarchy:
    """`path` lies below the mount point; `controllers` are those that are bound to it for good (v1)."""

    version = 0

    def __init__(self, path: str, *, controllers: t.Sequence[str] = ()) -> None:
        self.path = path
        self.controllers = tuple(controllers)
        self._root = ""

    def create(self) -> None:
        """A fresh directory: one that a dead container left is replaced. Raises Conflict when processes are in it."""
        for attempt in range(ATTEMPTS):
            try:
                if attempt or self.prepares():
                    self._ensure_parents()
                self._make()
                self.prepare(self.path)
                return
            except FileNotFoundError:  # whoever removed the last neighbour has just taken the parent along
                if attempt == ATTEMPTS - 1:
                    raise

    def _ensure_parents(self) -> None:
        for directory in self.parents():
            with contextlib.suppress(FileExistsError):
                os.mkdir(directory, 0o755)
            self.prepare(directory)

    def _make(self) -> None:
        try:
            os.mkdir(self.path, 0o755)
        except FileExistsError:
            if not os.path.isdir(self.path):
                raise Conflict("create cgroup", self.path, "a control file has this name") from None
            inside = self.procs()
            if inside:
                raise Conflict("create cgroup", self.path, "processes are in it: %s" % _listed(inside)) from None
            self.remove(timeout=1.0)
            os.mkdir(self.path, 0o755)
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise
            hint = "mount it read-write" if error.errno == errno.EROFS else ""
            raise KernelError("create cgroup", self.path, error.errno or errno.EIO, hint=hint) from error

    def root(self) -> str:
        """The mount point of the hierarchy."""
        if not self._root:
            self._root = root_of(self.path)
        return self._root

    def parents(self) -> t.List[str]:
        """The directories between the mount point and this one, outermost first."""
        root, found = self.root(), []
        directory = os.path.dirname(self.path)
        while len(directory) > len(root):
            found.append(directory)
            directory = os.path.dirname(directory)
        return found[::-1]

    def prepares(self) -> bool:
        """Whether the directories above have to be prepared first, although they are there."""
        return False

    def prepare(self, directory: str) -> None:
        """Whatever a new directory needs before a process or a child can be in it. Idempotent."""

    def add(self, pid: int) -> None:
        cgroupfs.write(self.path, "cgroup.procs", str(pid))

    def join(self) -> None:
        self.add(0)

    def procs(self) -> t.List[int]:
        """Those of child cgroups made from inside, too."""
        found: t.Set[int] = set()
        for directory in cgroupfs.subtree(self.path):
            found.update(cgroupfs.pids(directory))
        return sorted(found)

    def remove(self, *, timeout: float) -> None:
        """Children first. A cgroup is busy for a moment after its last process ended; what is gone is fine."""
        if not poll.until(self._try_remove, timeout=timeout, interval=0.002):
            inside = self.procs()
            reason = "processes are in it: %s" % _listed(inside) if inside else "still busy after %g s" % timeout
            raise CockerError("remove cgroup", self.path, reason)

    def _try_remove(self) -> bool:
        return self.remove_empty() or self._remove_tree()

    def remove_empty(self) -> bool:
        """False where a process or another cgroup is in it."""
        try:
            os.rmdir(self.path)
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno not in (errno.EBUSY, errno.ENOTEMPTY):
                raise KernelError("remove cgroup", self.path, error.errno or errno.EIO) from error
            return False
        return True

    def _remove_tree(self) -> bool:
        for directory in cgroupfs.subtree(self.path):
            try:
                os.rmdir(directory)
            except OSError as error:
                if error.errno in (errno.EBUSY, errno.ENOTEMPTY):
                    return False
                if error.errno != errno.ENOENT:
                    raise KernelError("remove cgroup", directory, error.errno or errno.EIO) from error
        return True


def root_of(path: str) -> str:
    """The mount point of the hierarchy: above it nothing is a cgroup. The path itself need not exist."""
    root = path
    directory = os.path.dirname(path)
    while directory != root and (not os.path.isdir(directory) or cgroupfs.has(directory, "cgroup.procs")):
        root, directory = directory, os.path.dirname(directory)
    return root


def _listed(pids: t.Sequence[int]) -> str:
    return ", ".join(map(str, pids[:10])) + (" and more" if len(pids) > 10 else "")
