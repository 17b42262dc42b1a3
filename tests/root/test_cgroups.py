# SPDX-License-Identifier: GPL-3.0-or-later
"""Cgroups on the real kernel, whatever its layout: limits hold, freezing freezes, killing kills, and nothing is left."""
from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import signal
import time
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import bpf, cgroupfs, poll
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import (
    CleanupError,
    CockerError,
    Conflict,
    KernelError,
    Unsupported,
)
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import factory
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups.group import Cgroup

pytestmark = pytest.mark.root

M = 1 << 20
PARENT = "cocker-test-%d" % os.getpid()
Spawn = t.Callable[[t.Callable[[], None]], int]


@pytest.fixture
def cgroup() -> t.Iterator[Cgroup]:
    """Of a parent of its own, which goes with it."""
    group = factory.open_cgroup("web", parent=PARENT)
    yield group
    group.kill()
    group.remove()
    factory.prune(PARENT)


@pytest.fixture
def spawn(cgroup: Cgroup) -> t.Iterator[Spawn]:
    """Runs a function in a child that is a member of the cgroup before it begins."""
    children: t.List[int] = []

    def start(body: t.Callable[[], None]) -> int:
        gate, opener = os.pipe()
        pid = os.fork()
        if pid == 0:
            with quietly():
                os.close(opener)
                os.read(gate, 1)
                body()
        children.append(pid)
        os.close(gate)
        cgroup.add(pid)
        os.close(opener)
        return pid

    yield start
    for pid in children:
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


@contextlib.contextmanager
def quietly() -> t.Iterator[None]:
    """A child never returns into pytest: 0, an errno, or 99 for everything else."""
    code = 99
    try:
        yield
        code = 0
    except OSError as error:
        code = error.errno or 99
    finally:
        os._exit(code)


def nap() -> None:
    time.sleep(60)


def wait(pid: int) -> int:
    return os.waitpid(pid, 0)[1]


def running(pid: int) -> str:
    """R, S, Z ... of /proc/<pid>/stat."""
    return pathlib.Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()[0]


def value(group: Cgroup, controller: str, v1: str, v2: str) -> str:
    directory, version = group.directory(controller)
    return cgroupfs.read(directory, v1 if version == 1 else v2)


def test_a_member_is_in_every_hierarchy(cgroup: Cgroup, spawn: Spawn) -> None:
    cgroup.create()
    pid = spawn(nap)
    assert cgroup.procs() == [pid]
    for path in cgroup.paths().values():
        assert cgroupfs.pids(path) == [pid]


def test_recorded_paths_open_the_same_cgroup(cgroup: Cgroup, spawn: Spawn) -> None:
    cgroup.create()
    pid = spawn(nap)
    assert factory.from_paths(cgroup.paths()).procs() == [pid]


def test_a_process_joins_by_itself(cgroup: Cgroup) -> None:
    cgroup.create()
    pid = os.fork()
    if pid == 0:
        with quietly():
            cgroup.join()
            if pathlib.Path("/proc/self/cgroup").read_text().count("/%s/web" % PARENT) != len(set(cgroup.paths().values())):
                raise OSError(errno.ENOENT, "not everywhere")
    assert wait(pid) == 0


def test_a_process_is_born_in_the_unified_cgroup(cgroup: Cgroup) -> None:
    cgroup.create()
    descriptor = cgroup.open_unified()
    if descriptor is None:
        pytest.skip("no cgroup v2 hierarchy")
    pid = cgroupfs.fork_into(descriptor)
    if pid == 0:
        nap()
        os._exit(0)
    os.close(descriptor)
    assert cgroupfs.pids(cgroup.paths()["unified"]) == [pid]
    cgroup.kill()
    assert os.WTERMSIG(wait(pid)) == signal.SIGKILL


def test_create_replaces_what_a_dead_container_left(cgroup: Cgroup) -> None:
    cgroup.create()
    cgroup.apply({"pids": {"limit": 5}})
    os.mkdir(next(iter(cgroup.paths().values())) + "/made-inside")
    cgroup.create()
    assert cgroup.stats().pids_limit is None


def test_create_refuses_one_that_is_in_use(cgroup: Cgroup, spawn: Spawn) -> None:
    cgroup.create()
    pid = spawn(nap)
    with pytest.raises(Conflict, match="processes are in it: %d" % pid):
        cgroup.create()
    assert cgroup.procs() == [pid]


def test_a_failed_create_leaves_nothing(cgroup: Cgroup) -> None:
    last = cgroup.paths()["pids" if "pids" in cgroup.paths() else "unified"]
    blocked = factory.from_paths(dict(cgroup.paths(), zzz=os.path.dirname(last) + "/cgroup.procs"))
    with pytest.raises(Conflict):
        blocked.create()
    assert not cgroup.exists()


def test_limits_are_in_force_and_change_live(cgroup: Cgroup, spawn: Spawn) -> None:
    cgroup.create()
    spawn(nap)
    for megabytes, quota in ((64, 50000), (128, 150000), (32, 20000)):
        cgroup.apply(
            {
                "memory": {"limit": megabytes * M, "swap": megabytes * M},
                "cpu": {"quota": quota, "period": 100000, "shares": 512, "cpus": "0", "mems": "0"},
                "pids": {"limit": megabytes},
            }
        )
        assert value(cgroup, "memory", "memory.limit_in_bytes", "memory.max") == str(megabytes * M)
        assert value(cgroup, "cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] == str(quota)
        assert value(cgroup, "cpuset", "cpuset.effective_cpus", "cpuset.cpus.effective") == "0"
        assert cgroup.stats().pids_limit == megabytes
    cgroup.apply({"memory": {"limit": -1}, "cpu": {"quota": -1}, "pids": {"limit": -1}})
    assert (cgroup.stats().memory_limit, cgroup.stats().pids_limit) == (None, None)


def test_a_cpu_that_is_not_there_is_refused(cgroup: Cgroup) -> None:
    cgroup.create()
    with pytest.raises((Unsupported, KernelError)):
        cgroup.apply({"cpu": {"cpus": "0-%d" % ((os.cpu_count() or 1) + 3)}})


def test_who_takes_more_memory_than_allowed_is_killed_and_counted(cgroup: Cgroup, spawn: Spawn) -> None:
    cgroup.create()
    cgroup.apply({"memory": {"limit": 16 * M, "swap": 16 * M}})

    def hog() -> None:
        kept = []
        while len(kept) < 200:
            kept.append(b"x" * M)

    assert os.WTERMSIG(wait(spawn(hog))) == signal.SIGKILL
    assert cgroup.oom_kills() == 1
    assert (cgroup.stats().memory_max_usage or 0) > 8 * M


def test_the_limit_of_processes_holds(cgroup: Cgroup, spawn: Spawn) -> None:
    cgroup.create()
    cgroup.apply({"pids": {"limit": 3}})

    def bomb() -> None:
        for _each in range(5):
            if os.fork() == 0:
                time.sleep(0.3)
                os._exit(0)

    assert os.WEXITSTATUS(wait(spawn(bomb))) == errno.EAGAIN


def test_frozen_processes_stand_still_until_they_thaw(cgroup: Cgroup, spawn: Spawn) -> None:
    cgroup.create()
    pid = spawn(lambda: [None for _each in iter(int, 1)] and None)  # type: ignore[func-returns-value]
    cgroup.freeze()
    assert cgroup.is_frozen()
    before = cgroup.stats().cpu_ns
    time.sleep(0.05)
    assert cgroup.stats().cpu_ns == before and running(pid) != "R"
    cgroup.thaw()
    cgroup.thaw()
    assert not cgroup.is_frozen()
    assert poll.until(lambda: cgroup.stats().cpu_ns != before, timeout=5)


@pytest.mark.parametrize("frozen", [False, True])
def test_kill_ends_all_also_children_and_the_frozen(cgroup: Cgroup, spawn: Spawn, frozen: bool) -> None:
    cgroup.create()

    def family() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for _each in range(5):
            if os.fork() == 0:
                nap()
        nap()

    pid = spawn(family)
    assert poll.until(lambda: len(cgroup.procs()) == 6, timeout=5)
    if frozen:
        cgroup.freeze()
    cgroup.kill()
    assert cgroup.procs() == []
    assert os.WTERMSIG(wait(pid)) == signal.SIGKILL


def without_cgroup_kill(group: Cgroup) -> Cgroup:
    """As on a kernel before 5.14, or a v1 host."""
    if len(group.paths()) > 1:
        return factory.from_paths({name: path for name, path in group.paths().items() if name != "unified"})
    group._unified.kill = lambda: False  # type: ignore[union-attr,method-assign]
    return group


def test_kill_without_cgroup_kill_ends_a_fork_bomb(cgroup: Cgroup, spawn: Spawn) -> None:
    cgroup.create()
    cgroup.apply({"pids": {"limit": 60}})

    def bomb() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            with contextlib.suppress(OSError):
                if os.fork() == 0:
                    time.sleep(0.01)
            time.sleep(0.002)

    spawn(bomb)
    assert poll.until(lambda: len(cgroup.procs()) > 10, timeout=5)
    without_cgroup_kill(cgroup).kill()
    assert cgroup.procs() == []


def test_the_v1_freezer_is_thawed_by_kill(cgroup: Cgroup, spawn: Spawn) -> None:
    if "freezer" not in cgroup.paths():
        pytest.skip("no v1 freezer")
    cgroup.create()
    pid = spawn(nap)
    without_cgroup_kill(cgroup).freeze()
    assert cgroup.is_frozen()
    cgroup.kill()
    assert os.WTERMSIG(wait(pid)) == signal.SIGKILL


def test_who_is_struck_gets_more_and_more_time_to_go(cgroup: Cgroup, spawn: Spawn, monkeypatch: pytest.MonkeyPatch) -> None:
    """A strike stops them before they have gone. On a host that was busy with fifty others it did so for ten seconds."""
    strikes: t.List[float] = []
    cgroup.create()
    spawn(nap)
    with monkeypatch.context() as patch:
        patch.setattr(cgroup, "_strike", lambda: strikes.append(time.monotonic()))
        with pytest.raises(CockerError, match="still there"):
            cgroup.kill(timeout=1)
    assert len(strikes) < 15
    assert strikes[-1] - strikes[-3] > 0.1


def test_remove_takes_child_cgroups_along_and_is_idempotent(cgroup: Cgroup) -> None:
    cgroup.create()
    for path in set(cgroup.paths().values()):
        os.makedirs(path + "/a/b")
    cgroup.remove()
    assert not cgroup.exists()
    cgroup.remove()


def test_remove_of_a_busy_one_names_the_processes_and_goes_on(cgroup: Cgroup, spawn: Spawn) -> None:
    cgroup.create()
    stray = factory.from_paths(dict([next(iter(sorted(cgroup.paths().items())))]))
    pid = os.fork()
    if pid == 0:
        nap()
    stray.add(pid)
    with pytest.raises(CleanupError, match="processes are in it: %d" % pid):
        cgroup.remove(timeout=0.05)
    assert [path for path in set(cgroup.paths().values()) if os.path.isdir(path)] == list(stray.paths().values())
    stray.kill()
    wait(pid)


def test_the_default_parent_goes_with_its_last_container() -> None:
    first, second = (factory.open_cgroup("%s-%s" % (PARENT, name)) for name in ("one", "two"))
    first.create()
    second.create()
    first.remove()
    assert second.exists()
    second.remove()
    others = [path for path in second.paths().values() if os.path.isdir(os.path.dirname(path))]
    assert all(cgroupfs.subtree(os.path.dirname(path))[:-1] for path in others)


# devices

ONLY_NULL = [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"}]
ALSO_ZERO = [*ONLY_NULL, {"allow": True, "type": "c", "major": 1, "minor": 5, "access": "rw"}]


def attempt(spawn: Spawn, act: t.Callable[[], object]) -> int:
    """0, or the errno."""
    return os.WEXITSTATUS(wait(spawn(lambda: act() and None)))  # type: ignore[func-returns-value]


def check_devices(spawn: Spawn, directory: pathlib.Path, *, zero: int) -> None:
    assert attempt(spawn, lambda: os.open("/dev/null", os.O_RDWR)) == 0
    assert attempt(spawn, lambda: os.open("/dev/zero", os.O_RDONLY)) == zero
    assert attempt(spawn, lambda: os.open("/dev/kmsg", os.O_RDONLY)) == errno.EPERM
    assert attempt(spawn, lambda: os.mknod(str(directory / "mem"), 0o20600, os.makedev(1, 1))) == errno.EPERM
    assert attempt(spawn, lambda: os.mknod(str(directory / "null"), 0o20600, os.makedev(1, 3))) == 0
    os.unlink(str(directory / "null"))


def test_only_listed_devices_open_and_the_list_changes_live(cgroup: Cgroup, spawn: Spawn, tmp_path: pathlib.Path) -> None:
    cgroup.create()
    cgroup.apply({"devices": ONLY_NULL})
    check_devices(spawn, tmp_path, zero=errno.EPERM)
    cgroup.apply({"devices": ALSO_ZERO})
    check_devices(spawn, tmp_path, zero=0)
    cgroup.apply({"devices": ONLY_NULL})
    check_devices(spawn, tmp_path, zero=errno.EPERM)
    cgroup.apply({"devices": [{"allow": True, "access": "rwm"}]})
    assert attempt(spawn, lambda: os.mknod(str(tmp_path / "mem"), 0o20600, os.makedev(1, 1))) == 0


def test_a_v2_program_holds_the_same_and_is_replaced_not_stacked(cgroup: Cgroup, spawn: Spawn, tmp_path: pathlib.Path) -> None:
    if "unified" not in cgroup.paths():
        pytest.skip("no cgroup v2 hierarchy")
    cgroup.create()
    on_v2 = factory.from_paths({"unified": cgroup.paths()["unified"]})
    descriptor = cgroup.open_unified()
    assert descriptor is not None
    try:
        for entries, zero in ((ONLY_NULL, errno.EPERM), (ALSO_ZERO, 0), (ONLY_NULL, errno.EPERM)):
            on_v2.apply({"devices": entries})
            assert bpf.attached(descriptor) == 1
            check_devices(spawn, tmp_path, zero=zero)
    finally:
        os.close(descriptor)


def test_replacing_works_without_the_replace_flag(cgroup: Cgroup, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before Linux 5.6 the new program is attached first, then the old one detached."""
    cgroup.create()
    descriptor = cgroup.open_unified()
    if descriptor is None:
        pytest.skip("no cgroup v2 hierarchy")
    monkeypatch.setattr(bpf, "_replace", lambda *_arguments: False)
    for _each in range(3):
        bpf.attach(descriptor, bpf.build([]))
        assert bpf.attached(descriptor) == 1
    os.close(descriptor)


def test_a_v2_controller_is_enabled_when_a_limit_needs_it(cgroup: Cgroup) -> None:
    layout = cgroupfs.layout()
    if layout.version("hugetlb") != 2:
        pytest.skip("hugetlb is not on v2")
    page = next(iter(pathlib.Path("/sys/kernel/mm/hugepages").iterdir())).name.split("-")[1]
    page = "%dMB" % (int(page[:-2]) // 1024)
    before = cgroupfs.read(layout.unified, "cgroup.subtree_control").split()
    cgroup.create()
    try:
        cgroup.apply({"hugepageLimits": [{"pageSize": page, "limit": 0}]})
        assert cgroupfs.read(cgroup.paths()["unified"], "hugetlb.%s.max" % page) == "0"
    finally:
        cgroup.remove()
        if "hugetlb" not in before:
            cgroupfs.write(os.path.join(layout.unified, PARENT), "cgroup.subtree_control", "-hugetlb")
            cgroupfs.write(layout.unified, "cgroup.subtree_control", "-hugetlb")


def test_a_controller_that_cannot_be_enabled_says_why(cgroup: Cgroup) -> None:
    layout = cgroupfs.layout()
    if layout.version("hugetlb") != 2:
        pytest.skip("hugetlb is not on v2")
    cgroup.create()
    pid = os.fork()
    if pid == 0:
        nap()
    try:
        parent = os.path.join(layout.unified, PARENT)
        cgroupfs.write(parent, "cgroup.procs", str(pid))
        with pytest.raises(Unsupported, match="hugetlb cannot be enabled, because processes live in a cgroup above: %s" % parent):
            cgroup.apply({"hugepageLimits": [{"pageSize": "2MB", "limit": 0}]})
    finally:
        os.kill(pid, signal.SIGKILL)
        wait(pid)
        cgroupfs.write(layout.unified, "cgroup.subtree_control", "-hugetlb")


def test_counters_count(cgroup: Cgroup, spawn: Spawn) -> None:
    cgroup.create()
    wait(spawn(lambda: None if sum(range(2_000_000)) else None))
    stats = cgroup.stats()
    assert (stats.cpu_ns or 0) > 1_000_000
    assert stats.pids_current == 0 and stats.oom_kills == 0
