# SPDX-License-Identifier: BSD-2-Clause
"""The cgroup of a container: one directory in each hierarchy of the host, used as one thing on v1, hybrid and v2.

Not here: where the directories are (factory.py), what limits become (resources.py).
"""
from __future__ import annotations

import contextlib
import errno
import os
import signal
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import bpf, cgroupfs, poll
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import (
    CleanupError,
    CockerError,
    Conflict,
    KernelError,
    NotFound,
    Unsupported,
    tolerate,
)
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import devices, limits, resources, stats
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups.v1 import HierarchyV1
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups.v2 import HierarchyV2

AnyHierarchy = t.Union[HierarchyV1, HierarchyV2]

UNIFIED = "unified"
PARENT = "cocker"


class Cgroup:
    """Nothing is read or made before a method is called."""

    def __init__(self, v1: t.Sequence[HierarchyV1], unified: t.Optional[HierarchyV2]) -> None:
        self._v1 = tuple(v1)
        self._unified = unified
        # The unified one first: from then on cgroup.kill reaches the process.
        self._all: t.Tuple[AnyHierarchy, ...] = ((unified,) if unified else ()) + self._v1
        self.name = os.path.basename(self._all[0].path) if self._all else ""

    def paths(self) -> t.Dict[str, str]:
        """For the state record: each v1 controller's directory, and the v2 one as "unified"."""
        found = {controller: hierarchy.path for hierarchy in self._v1 for controller in hierarchy.controllers}
        if self._unified:
            found[UNIFIED] = self._unified.path
        return found

    def exists(self) -> bool:
        """Whether any directory of it is there."""
        return any(os.path.isdir(hierarchy.path) for hierarchy in self._all)

    def create(self) -> None:
        """Fresh and empty; all or nothing. Raises Conflict when processes are in one of that name."""
        done: t.List[AnyHierarchy] = []
        try:
            for hierarchy in self._all:
                hierarchy.create()
                done.append(hierarchy)
        except (CockerError, OSError) as first:
            failures = _each(done, lambda made: made.remove(timeout=1.0))
            if isinstance(first, CockerError):
                first.cleanup.extend(failures)
                raise
            raise KernelError("create cgroup", self.name, first.errno or errno.EIO) from first

    def add(self, pid: int) -> None:
        """All threads of the process, in every hierarchy. The first move after a pause waits 5 to 10 ms for the kernel."""
        for hierarchy in self._all:
            hierarchy.add(pid)

    def join(self, *, unified: bool = True) -> None:
        """The calling process, which has one thread, moves itself; free of that wait on v1.

        `unified=False` for one that was born there (kernel.cgroupfs.fork_into with `open_unified`).
        """
        for hierarchy in self._all:
            if unified or hierarchy is not self._unified:
                hierarchy.join()

    def open_unified(self, member: int = 0) -> t.Optional[int]:
        """A descriptor of the v2 directory, or of the one below that a member is in; the caller closes it. None without a v2 hierarchy."""
        return self._unified.open(member) if self._unified else None

    def procs(self) -> t.List[int]:
        """The pids in any hierarchy, child cgroups included; [] when it is gone."""
        found: t.Set[int] = set()
        for hierarchy in self._all:
            found.update(hierarchy.procs())
        return sorted(found)

    # limits

    def apply(self, wanted: resources.Resources) -> None:
        """Sets what is given of OCI `linux.resources`, and nothing else; also on a running container.

        All values are checked before the first write. Raises Invalid, Unsupported, Conflict (checkBeforeUpdate), KernelError.
        """
        settings = resources.settings(wanted, versions=self._versions(), current=self._current(wanted))
        rules = None if wanted.get("devices") is None else devices.rules(wanted["devices"])
        self._check_usage(wanted)
        for setting in settings:
            self._write(setting)
        if rules is not None:
            self._control_devices(rules)

    def check(self, wanted: resources.Resources) -> None:
        """What is wrong with the limits on this host, before anything is made. Raises Invalid, Unsupported."""
        resources.settings(wanted, versions=self._versions(), current={})

    def read_back(self, wanted: resources.Resources) -> t.List[t.Tuple[str, str, str, str]]:
        """Option, controller, file and what is in it now, of each limit that is given; without those that the kernel has no file for."""
        found: t.Dict[t.Tuple[str, str], t.Tuple[str, str]] = {}
        for setting in resources.settings(wanted, versions=self._versions(), current={}):
            directory, _version = self.directory(setting.controller)
            for name in (setting.file, *(other for other, _value in setting.instead)):
                text = cgroupfs.find(directory, name)
                if text is not None:
                    found[setting.controller, name] = (setting.option, text)
                    break
        return [(option, controller, name, text) for (controller, name), (option, text) in found.items()]

    def _versions(self) -> t.Dict[str, int]:
        found = dict.fromkeys(self._unified.offered() if self._unified else (), 2)
        found.update({controller: 1 for hierarchy in self._v1 for controller in hierarchy.controllers})
        return found

    def _current(self, wanted: resources.Resources) -> t.Dict[str, str]:
        found = {}
        for controller in resources.controllers(wanted):
            directory, version = self.directory(controller)
            for name in resources.CURRENT_FILES.get((controller, version), ()):
                text = cgroupfs.find(directory, name)
                if text is not None:
                    found[name] = text
        return found

    def directory(self, controller: str) -> t.Tuple[str, int]:
        """Where the controller's files are, and their version; ("", 0) without it."""
        for hierarchy in self._v1:
            if controller in hierarchy.controllers:
                return hierarchy.path, 1
        return (self._unified.path, 2) if self._unified else ("", 0)

    def _check_usage(self, wanted: resources.Resources) -> None:
        memory = wanted.get("memory") or {}
        limit = memory.get("limit") or -1
        if not memory.get("checkBeforeUpdate") or limit < 0:
            return
        usage = stats.read(self.directory).memory_usage or 0
        if usage > limit:
            raise Conflict("limit", "memory.limit", "%d bytes are in use, %d are asked for" % (usage, limit))

    def _write(self, setting: limits.Setting) -> None:
        directory, version = self.directory(setting.controller)
        if version == 2 and self._unified:
            self._unified.ensure_controller(setting.controller, option=setting.option)
        for name, value in ((setting.file, setting.value), *setting.instead):
            try:
                cgroupfs.write(directory, name, value)
            except KernelError as error:
                if error.errno != errno.ENOENT:
                    raise
                continue
            self._verify(setting, directory)
            return
        if not os.path.isdir(directory):
            raise NotFound("limit", setting.option, "the cgroup %s is gone" % directory)
        if not setting.optional:
            raise Unsupported("limit", setting.option, "this kernel has no %s" % setting.file, hint=setting.hint)

    def _verify(self, setting: limits.Setting, directory: str) -> None:
        text = cgroupfs.find(directory, setting.verify) if setting.verify else None
        if text is not None and not limits.holds(setting, text):
            raise Unsupported("limit", setting.option, "asked for %s, the kernel made it %s" % (setting.value, text or "nothing"))

    def _control_devices(self, rules: t.Sequence[bpf.DeviceRule]) -> None:
        directory, version = self.directory("devices")
        if version == 1:
            writes = devices.v1_writes(devices.v1_allowance(rules), cgroupfs.read(directory, "devices.list"))
            for name, value in writes:
                cgroupfs.write(directory, name, value)
        elif self._unified:
            descriptor = self._unified.open()
            try:
                bpf.attach(descriptor, bpf.build(rules))
            finally:
                os.close(descriptor)
        else:
            raise Unsupported("limit", "devices", "this host has neither the devices controller nor cgroup v2")

    # life and death

    def freeze(self, *, timeout: float = 10.0) -> None:
        """Returns when every process stands still. Raises CockerError after `timeout`, thawed again."""
        freezer = self._freezer()
        if not freezer.freeze(timeout=timeout):
            freezer.thaw()
            raise CockerError("freeze", self.name, "processes did not freeze within %g s" % timeout)

    def thaw(self) -> None:
        """By every freezer there is. Idempotent."""
        for hierarchy in self._all:
            with tolerate(errno.ENOENT, errno.ENODEV):
                if hierarchy.can_freeze():
                    hierarchy.thaw()

    def is_frozen(self) -> bool:
        return any(hierarchy.is_frozen() for hierarchy in self._all if hierarchy.can_freeze())

    def _can_freeze(self) -> bool:
        return any(hierarchy.can_freeze() for hierarchy in self._all)

    def _freezer(self) -> AnyHierarchy:
        for hierarchy in self._all:
            if hierarchy.can_freeze():
                return hierarchy
        raise Unsupported("freeze", self.name, "this host has neither cgroup.freeze nor the freezer controller")

    def kill(self, *, timeout: float = 10.0) -> None:
        """SIGKILL to every process; returns when all are gone (zombies do not count). Raises CockerError after `timeout`.

        Each strike stops those that are about to go for a moment: on a host that has no time for them, the next one has to wait.
        """

        def none_left() -> bool:
            if self.procs():
                self._strike()
            return not self.procs()

        if not poll.until(none_left, timeout=timeout, interval=0.5, soonest=0.002):
            left = ", ".join(map(str, self.procs()[:10]))
            raise CockerError("kill", self.name, "after %g s these processes are still there: %s" % (timeout, left))

    def _strike(self) -> None:
        with tolerate(errno.ENOENT, errno.ENODEV):
            at_once = self._unified is not None and self._unified.kill()
            if not at_once and self._can_freeze():  # so that none forks away while we count
                self._freezer().freeze(timeout=0.2)
            _signal_all(self.procs)
            for hierarchy in self._all:  # a v1-frozen process dies only when it thaws
                if hierarchy.can_freeze():
                    hierarchy.thaw()

    def remove_empty(self) -> bool:
        """False where a process or another cgroup is in it. Spares the looks of `kill` at one whose first process took all others along."""
        gone = all(hierarchy.remove_empty() for hierarchy in self._all)
        if gone:
            self._remove_parents()
        return gone

    def remove(self, *, timeout: float = 5.0) -> None:
        """Its child cgroups too; idempotent. Goes on after a failure and raises one CleanupError. `kill` comes first."""
        failures = _each(self._all, lambda hierarchy: hierarchy.remove(timeout=timeout))
        self._remove_parents()
        if failures:
            raise CleanupError("remove cgroup", self.name, failures)

    def _remove_parents(self) -> None:
        for hierarchy in self._all:
            directory = os.path.dirname(hierarchy.path)
            if os.path.basename(directory) == PARENT:  # ours; it goes with its last container
                with contextlib.suppress(OSError):
                    os.rmdir(directory)

    # counters

    def oom_kills(self) -> int:
        """How many processes the out-of-memory killer took; 0 where nobody counts."""
        return stats.oom_kills(self.directory)

    def stats(self) -> stats.Stats:
        return stats.read(self.directory)


def from_paths(paths: t.Mapping[str, str]) -> Cgroup:
    """What `Cgroup.paths` said, also when the directories are gone by now."""
    by_path: t.Dict[str, t.List[str]] = {}
    for controller in sorted(paths):
        if controller != UNIFIED:
            by_path.setdefault(paths[controller], []).append(controller)
    v1 = [HierarchyV1(path, controllers=controllers) for path, controllers in by_path.items()]
    return Cgroup(v1, HierarchyV2(paths[UNIFIED]) if UNIFIED in paths else None)


def _each(hierarchies: t.Iterable[AnyHierarchy], act: t.Callable[[AnyHierarchy], None]) -> t.List[BaseException]:
    failures: t.List[BaseException] = []
    for hierarchy in hierarchies:
        try:
            act(hierarchy)
        except (CockerError, OSError) as error:
            failures.append(error)
    return failures


def _signal_all(procs: t.Callable[[], t.Sequence[int]]) -> None:
    """SIGKILL through descriptors: a pid that is still listed after its descriptor was opened is a member of ours."""
    opened: t.Dict[int, int] = {}
    try:
        for pid in procs():
            with contextlib.suppress(ProcessLookupError):
                opened[pid] = os.pidfd_open(pid)
        for pid in procs():
            if pid in opened:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(opened[pid], signal.SIGKILL)
    finally:
        for fd in opened.values():
            os.close(fd)
