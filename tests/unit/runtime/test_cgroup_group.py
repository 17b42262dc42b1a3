# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's cgroup on trees of plain files that stand for a v2 host and a v1 host."""
from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel.cgroupfs import Layout
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid, NotFound, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import common, factory
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups.group import Cgroup
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups.stats import Stats

M = 1 << 20


def files(directory: pathlib.Path, content: t.Mapping[str, str]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in content.items():
        (directory / name).write_text(text)


V2_LIMITS = ("cpu.max", "cpu.weight", "memory.max", "memory.swap.max", "pids.max")


@pytest.fixture
def v2(tmp_path: pathlib.Path) -> Cgroup:
    """/v2/cocker/web on a host with four controllers, all enabled down to the container."""
    all_on = {"cgroup.controllers": "cpu io memory pids", "cgroup.subtree_control": "cpu io memory pids", "cgroup.procs": ""}
    files(tmp_path / "v2", dict(all_on, **{"cgroup.controllers": "cpu io memory pids cpuset"}))
    files(tmp_path / "v2" / "cocker", all_on)
    files(tmp_path / "v2" / "cocker" / "web", dict(all_on, **dict.fromkeys(V2_LIMITS, "")))
    return factory.open_cgroup("web", layout=Layout(mode="v2", controllers={}, unified=str(tmp_path / "v2")))


def content(cgroup: Cgroup, name: str) -> str:
    return pathlib.Path(cgroup.paths()["unified"], name).read_text()


def test_paths_lie_below_the_roots_and_reopen_the_same() -> None:
    layout = Layout(mode="hybrid", controllers={"cpu": "/c/cpu,cpuacct", "cpuacct": "/c/cpu,cpuacct", "hugetlb": "/c/u"}, unified="/c/u")
    paths = factory.open_cgroup("web", layout=layout).paths()
    assert paths == {"cpu": "/c/cpu,cpuacct/cocker/web", "cpuacct": "/c/cpu,cpuacct/cocker/web", "unified": "/c/u/cocker/web"}
    assert factory.from_paths(paths).paths() == paths


def test_a_parent_may_be_deep() -> None:
    layout = Layout(mode="v2", controllers={}, unified="/c")
    assert factory.open_cgroup("web", parent="/a/b", layout=layout).paths() == {"unified": "/c/a/b/web"}


@pytest.mark.parametrize(("name", "parent"), [("..", "cocker"), ("a/b", "cocker"), ("web", "a/../b"), ("web", "")])
def test_names_never_leave_the_parent(name: str, parent: str) -> None:
    with pytest.raises(Invalid):
        factory.open_cgroup(name, parent=parent, layout=Layout(mode="v2", controllers={}, unified="/c"))


def test_a_member_is_looked_for_below(v2: Cgroup) -> None:
    top = pathlib.Path(v2.paths()["unified"])
    (top / "init.scope").mkdir()
    (top / "init.scope" / "cgroup.procs").write_text("17\n")
    for member, place in ((0, top), (17, top / "init.scope"), (18, top)):
        descriptor = v2.open_unified(member)
        assert descriptor is not None and os.path.samestat(os.fstat(descriptor), place.stat())
        os.close(descriptor)


def test_limits_reach_their_files(v2: Cgroup) -> None:
    v2.apply({"memory": {"limit": 64 * M, "swap": 64 * M}, "cpu": {"quota": 50000, "period": 100000}, "pids": {"limit": 50}})
    assert [content(v2, name) for name in ("memory.max", "memory.swap.max", "cpu.max", "pids.max")] == [
        "67108864", "0", "50000 100000", "50",
    ]


def test_a_bad_value_leaves_every_file_alone(v2: Cgroup) -> None:
    with pytest.raises(Invalid):
        v2.apply({"pids": {"limit": 5}, "memory": {"limit": M}, "cpu": {"shares": 1}})
    assert content(v2, "pids.max") == "" and content(v2, "memory.max") == ""


def test_a_missing_swap_file_is_named_with_a_hint(v2: Cgroup) -> None:
    os.unlink(v2.paths()["unified"] + "/memory.swap.max")
    v2.apply({"memory": {"limit": 64 * M, "swap": -1}})
    with pytest.raises(Unsupported, match="memory.swap: this kernel has no memory.swap.max .*swapaccount"):
        v2.apply({"memory": {"limit": 64 * M, "swap": 64 * M}})


def test_weights_fall_back_to_bfq(v2: Cgroup) -> None:
    with pytest.raises(Unsupported, match="blockIO.weight: this kernel has no io.weight .*bfq"):
        v2.apply({"blockIO": {"weight": 500}})
    files(pathlib.Path(v2.paths()["unified"]), {"io.bfq.weight": ""})
    v2.apply({"blockIO": {"weight": 500}})
    assert content(v2, "io.bfq.weight") == "default 500"


def test_a_needed_controller_is_enabled_from_the_root_down(v2: Cgroup) -> None:
    directory = pathlib.Path(v2.paths()["unified"])
    files(directory, {"cpuset.cpus": ""})
    v2.apply({"cpu": {"cpus": "0"}})
    assert (directory.parent.parent / "cgroup.subtree_control").read_text().startswith("+cpuset")
    assert (directory.parent / "cgroup.subtree_control").read_text().startswith("+cpuset")
    assert (directory / "cpuset.cpus").read_text() == "0"


def test_what_the_kernel_grants_otherwise_is_an_error(v2: Cgroup) -> None:
    files(pathlib.Path(v2.paths()["unified"]), {"cpuset.cpus": "", "cpuset.cpus.effective": "0-1"})
    with pytest.raises(Unsupported, match="cpu.cpus: asked for 0-5, the kernel made it 0-1"):
        v2.apply({"cpu": {"cpus": "0-5"}})


def test_usage_above_the_new_limit_is_refused_when_asked_to_check(v2: Cgroup) -> None:
    files(pathlib.Path(v2.paths()["unified"]), {"memory.current": str(80 * M)})
    with pytest.raises(Conflict, match="memory.limit"):
        v2.apply({"memory": {"limit": 64 * M, "checkBeforeUpdate": True}})
    assert content(v2, "memory.max") == ""


def test_limits_of_a_gone_cgroup_say_so(v2: Cgroup) -> None:
    gone = factory.from_paths({"pids": v2.paths()["unified"] + "/gone"})
    with pytest.raises(NotFound, match="gone"):
        gone.apply({"pids": {"limit": 5}})


def test_create_refuses_a_cgroup_with_processes_in_it(v2: Cgroup) -> None:
    files(pathlib.Path(v2.paths()["unified"]), {"cgroup.procs": "12\n13\n"})
    with pytest.raises(Conflict, match="processes are in it: 12, 13"):
        v2.create()


def test_create_refuses_the_name_of_a_control_file(v2: Cgroup) -> None:
    taken = factory.from_paths({"unified": v2.paths()["unified"] + "/memory.max"})
    with pytest.raises(Conflict, match="control file"):
        taken.create()


def test_an_empty_cpuset_is_filled_from_above_each_file_from_its_own(tmp_path: pathlib.Path) -> None:
    files(tmp_path / "cs", {"cpuset.cpus": "0-3\n", "cpuset.mems": "0\n", "cgroup.procs": ""})
    files(tmp_path / "cs" / "web", {"cpuset.cpus": "", "cpuset.mems": "", "cgroup.procs": ""})
    (hierarchy,) = factory.from_paths({"cpuset": str(tmp_path / "cs" / "web")})._v1
    hierarchy.prepare(hierarchy.path)
    assert (tmp_path / "cs" / "web" / "cpuset.cpus").read_text() == "0-3"
    assert (tmp_path / "cs" / "web" / "cpuset.mems").read_text() == "0"


def test_the_root_of_a_hierarchy_is_found_also_for_a_cgroup_that_is_gone(tmp_path: pathlib.Path) -> None:
    files(tmp_path / "v2", {"cgroup.procs": ""})
    files(tmp_path / "v2" / "cocker", {"cgroup.procs": ""})
    assert common.root_of(str(tmp_path / "v2" / "cocker" / "gone" / "deep")) == str(tmp_path / "v2")


def test_counters_of_v2(v2: Cgroup) -> None:
    files(
        pathlib.Path(v2.paths()["unified"]),
        {
            "cpu.stat": "usage_usec 7\nuser_usec 4\nsystem_usec 3\n", "memory.current": "4096\n", "memory.max": "max\n",
            "memory.peak": "8192\n", "memory.stat": "anon 1\ninactive_file 512\n", "memory.events": "oom 2\noom_kill 1\n",
            "pids.current": "3\n", "pids.max": "50\n", "io.stat": "8:0 rbytes=10 wbytes=20 rios=1\n8:16 rbytes=5 wbytes=0\n",
        },
    )
    assert v2.stats() == Stats(
        cpu_ns=7000, cpu_user_ns=4000, cpu_system_ns=3000, memory_usage=4096, memory_limit=None, memory_max_usage=8192,
        memory_inactive_file=512, pids_current=3, pids_limit=50, io_read_bytes=15, io_write_bytes=20, oom_kills=1,
    )


def test_counters_of_v1(tmp_path: pathlib.Path) -> None:
    files(
        tmp_path,
        {
            "cpuacct.usage": "7\n", "memory.usage_in_bytes": "1\n", "memory.limit_in_bytes": "9223372036854771712\n",
            "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n",
            "blkio.throttle.io_service_bytes_recursive": "8:0 Read 10\n8:0 Write 20\n8:0 Total 30\nTotal 30\n",
        },
    )
    stats = factory.from_paths(dict.fromkeys(("cpuacct", "memory", "blkio"), str(tmp_path))).stats()
    assert (stats.cpu_ns, stats.memory_usage, stats.memory_limit, stats.oom_kills) == (7, 1, None, 4)
    assert (stats.io_read_bytes, stats.io_write_bytes, stats.pids_current) == (10, 20, None)


def test_a_gone_cgroup_has_no_counters_and_no_processes() -> None:
    gone = factory.from_paths({"memory": "/nowhere/web", "unified": "/nowhere/web"})
    assert gone.stats() == Stats() and gone.procs() == [] and not gone.exists()
