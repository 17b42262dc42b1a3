# SPDX-License-Identifier: GPL-3.0-or-later
"""OCI limits become control files: which, what, and in which order, for v1 and v2."""
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import limits, limits_v2, resources

V1 = dict.fromkeys(["blkio", "cpu", "cpuset", "hugetlb", "memory", "net_cls", "net_prio", "pids"], 1)
V2 = dict.fromkeys(["cpu", "cpuset", "hugetlb", "io", "memory", "pids", "rdma"], 2)
M = 1 << 20
LIMIT, SWAP = "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"
FREE = {LIMIT: "9223372036854771712", SWAP: "9223372036854771712"}

SDA = {"major": 8, "minor": 0}

Pairs = t.List[t.Tuple[str, str]]


def writes(wanted: t.Mapping[str, t.Any], versions: t.Mapping[str, int], current: t.Optional[t.Mapping[str, str]] = None) -> Pairs:
    return [(s.file, s.value) for s in resources.settings(wanted, versions=versions, current=current or {})]


TABLE: t.List[t.Tuple[t.Dict[str, t.Any], Pairs, Pairs]] = [
    ({}, [], []),
    ({"memory": {"limit": None}, "cpu": {}}, [], []),
    ({"memory": {"limit": 64 * M}}, [(LIMIT, "67108864")], [("memory.max", "67108864")]),
    ({"memory": {"limit": -1}}, [(LIMIT, "-1")], [("memory.swap.max", "max"), ("memory.max", "max")]),
    ({"memory": {"reservation": M}}, [("memory.soft_limit_in_bytes", "1048576")], [("memory.low", "1048576")]),
    ({"memory": {"reservation": -1}}, [("memory.soft_limit_in_bytes", "-1")], [("memory.low", "0")]),
    ({"blockIO": {"weight": -1}}, [("blkio.weight", "500")], [("io.weight", "default 100")]),
    ({"cpu": {"shares": 1024}}, [("cpu.shares", "1024")], [("cpu.weight", "39")]),
    ({"cpu": {"shares": 0}}, [], []),
    ({"cpu": {"idle": 1}}, [("cpu.idle", "1")], [("cpu.idle", "1")]),
    ({"cpu": {"quota": 50000}}, [("cpu.cfs_quota_us", "50000")], [("cpu.max", "50000")]),
    ({"cpu": {"quota": -1}}, [("cpu.cfs_quota_us", "-1")], [("cpu.max", "max")]),
    ({"cpu": {"cpus": "0-1", "mems": "0"}}, [("cpuset.cpus", "0-1"), ("cpuset.mems", "0")], [("cpuset.cpus", "0-1"), ("cpuset.mems", "0")]),
    ({"pids": {"limit": 50}}, [("pids.max", "50")], [("pids.max", "50")]),
    ({"pids": {"limit": -1}}, [("pids.max", "max")], [("pids.max", "max")]),
    ({"pids": {"limit": 0}}, [("pids.max", "0")], [("pids.max", "0")]),
    ({"blockIO": {"weight": 500}}, [("blkio.weight", "500")], [("io.weight", "default 4950")]),
    (
        {"blockIO": {"throttleReadBpsDevice": [dict(SDA, rate=M)], "throttleWriteIOPSDevice": [{"major": 8, "minor": 16, "rate": 9}]}},
        [("blkio.throttle.read_bps_device", "8:0 1048576"), ("blkio.throttle.write_iops_device", "8:16 9")],
        [("io.max", "8:0 rbps=1048576"), ("io.max", "8:16 wiops=9")],
    ),
    ({"blockIO": {"weightDevice": [dict(SDA, weight=10)]}}, [("blkio.weight_device", "8:0 10")], [("io.weight", "8:0 1")]),
    ({"hugepageLimits": [{"pageSize": "2MB", "limit": 4096}]}, [("hugetlb.2MB.limit_in_bytes", "4096")], [("hugetlb.2MB.max", "4096")]),
]


@pytest.mark.parametrize(("wanted", "v1", "v2"), TABLE)
def test_limits_become_files(wanted: t.Dict[str, t.Any], v1: Pairs, v2: Pairs) -> None:
    assert writes(wanted, V1) == v1
    assert writes(wanted, V2) == v2


def test_growing_memory_writes_memory_plus_swap_first() -> None:
    now = {LIMIT: str(64 * M), SWAP: str(128 * M)}
    assert writes({"memory": {"limit": 256 * M, "swap": 512 * M}}, V1, now) == [(SWAP, str(512 * M)), (LIMIT, str(256 * M))]


def test_shrinking_memory_writes_memory_plus_swap_last() -> None:
    assert writes({"memory": {"limit": 32 * M, "swap": 32 * M}}, V1, FREE) == [(LIMIT, str(32 * M)), (SWAP, str(32 * M))]


def test_becoming_unlimited_frees_swap_first() -> None:
    now = {LIMIT: str(64 * M), SWAP: str(64 * M)}
    assert writes({"memory": {"limit": -1}}, V1, now) == [(SWAP, "-1"), (LIMIT, "-1")]


@pytest.mark.parametrize("limit", [1, 64, 65, 100, 128, 200])
@pytest.mark.parametrize("swap", [64, 100, 128, 200, 400])
def test_memory_never_exceeds_memory_plus_swap_on_the_way(limit: int, swap: int) -> None:
    if limit > swap:
        return
    state = {LIMIT: 64, SWAP: 128}
    for file, value in writes({"memory": {"limit": limit, "swap": swap}}, V1, {name: str(value) for name, value in state.items()}):
        state[file] = int(value)
        assert state[LIMIT] <= state[SWAP]
    assert state == {LIMIT: limit, SWAP: swap}


def test_memory_alone_may_not_grow_over_memory_plus_swap() -> None:
    with pytest.raises(Invalid, match="memory_swap"):
        writes({"memory": {"limit": 256 * M}}, V1, {LIMIT: str(64 * M), SWAP: str(128 * M)})


def test_v2_swap_is_what_is_beyond_memory() -> None:
    assert writes({"memory": {"limit": 64 * M, "swap": 96 * M}}, V2) == [("memory.swap.max", str(32 * M)), ("memory.max", str(64 * M))]


def test_v2_swap_alone_counts_from_the_limit_in_force() -> None:
    assert writes({"memory": {"swap": 96 * M}}, V2, {"memory.max": str(64 * M)}) == [("memory.swap.max", str(32 * M))]


def test_v2_swap_without_any_memory_limit_is_refused() -> None:
    with pytest.raises(Invalid, match="needs a memory limit"):
        writes({"memory": {"swap": 96 * M}}, V2, {"memory.max": "max"})


@pytest.mark.parametrize("versions", [V1, V2])
def test_swap_below_memory_is_refused(versions: t.Mapping[str, int]) -> None:
    with pytest.raises(Invalid, match="memory.swap"):
        writes({"memory": {"limit": 64 * M, "swap": 32 * M}}, versions)


@pytest.mark.parametrize("versions", [V1, V2])
def test_a_missing_swap_file_is_an_error_only_when_swap_is_limited(versions: t.Mapping[str, int]) -> None:
    asked = resources.settings({"memory": {"limit": M, "swap": M}}, versions=versions, current={})
    free = resources.settings({"memory": {"limit": M, "swap": -1}}, versions=versions, current={})
    assert [s.optional for s in asked if s.option == "memory.swap"] == [False]
    assert [s.optional for s in free if s.option == "memory.swap"] == [True]


def test_quota_and_period_never_pass_a_higher_share_on_the_way() -> None:
    for old, new in [((50, 100), (250, 1000)), ((250, 1000), (50, 100)), ((5, 10), (50, 100)), ((90, 100), (1, 10))]:
        state = {"cpu.cfs_quota_us": old[0] * 1000, "cpu.cfs_period_us": old[1] * 1000}
        top = max(old[0] / old[1], new[0] / new[1])
        current = {name: str(value) for name, value in state.items()}
        for file, value in writes({"cpu": {"quota": new[0] * 1000, "period": new[1] * 1000}}, V1, current):
            state[file] = int(value)
            assert state["cpu.cfs_quota_us"] / state["cpu.cfs_period_us"] <= top
        assert tuple(value // 1000 for value in state.values()) == new


def test_burst_is_written_while_it_fits_the_quota() -> None:
    grow = writes({"cpu": {"quota": 50000, "burst": 20000}}, V1, {"cpu.cfs_burst_us": "0"})
    shrink = writes({"cpu": {"quota": 50000, "burst": 20000}}, V1, {"cpu.cfs_burst_us": "90000"})
    assert [file for file, _value in grow] == ["cpu.cfs_quota_us", "cpu.cfs_burst_us"]
    assert [file for file, _value in shrink] == ["cpu.cfs_burst_us", "cpu.cfs_quota_us"]


def test_v2_period_alone_keeps_the_quota_in_force() -> None:
    assert writes({"cpu": {"period": 200000}}, V2, {"cpu.max": "50000 100000"}) == [("cpu.max", "50000 200000")]
    assert writes({"cpu": {"period": 200000}}, V2) == [("cpu.max", "max 200000")]


@pytest.mark.parametrize(("shares", "weight"), [(2, 1), (1024, 39), (262144, 10000)])
def test_weight_follows_the_classical_formula(shares: int, weight: int) -> None:
    assert limits_v2.cpu_weight(shares) == weight


def test_oom_killer_is_touched_only_when_it_changes() -> None:
    off = {"memory.oom_control": "oom_kill_disable 1\nunder_oom 0"}
    assert writes({"memory": {"disableOOMKiller": False}}, V1, {"memory.oom_control": "oom_kill_disable 0"}) == []
    assert writes({"memory": {"disableOOMKiller": False}}, V1, off) == [("memory.oom_control", "0")]
    assert writes({"memory": {"disableOOMKiller": True}}, V1) == [("memory.oom_control", "1")]


@pytest.mark.parametrize(
    ("wanted", "option", "controller"),
    [
        ({"memory": {"limit": M}}, "memory.limit", "memory"),
        ({"cpu": {"shares": 512}}, "cpu.shares", "cpu"),
        ({"cpu": {"cpus": "0"}}, "cpu.cpus", "cpuset"),
        ({"pids": {"limit": 5}}, "pids.limit", "pids"),
        ({"blockIO": {"weight": 500}}, "blockIO.weight", "blkio"),
        ({"hugepageLimits": [{"pageSize": "2MB", "limit": 1}]}, "hugepageLimits.2MB", "hugetlb"),
        ({"network": {"classID": 1}}, "network.classID", "net_cls"),
        ({"network": {"priorities": [{"name": "lo", "priority": 1}]}}, "network.priorities", "net_prio"),
        ({"rdma": {"mlx5_1": {"hcaHandles": 3}}}, "rdma.mlx5_1", "rdma"),
    ],
)
def test_a_missing_controller_is_named_with_the_option(wanted: t.Dict[str, t.Any], option: str, controller: str) -> None:
    with pytest.raises(Unsupported) as caught:
        writes(wanted, {})
    assert option in str(caught.value) and controller in str(caught.value)


@pytest.mark.parametrize("key", ["swappiness", "disableOOMKiller", "kernel", "kernelTCP"])
def test_what_v2_cannot_hold_is_refused(key: str) -> None:
    with pytest.raises(Unsupported, match="memory." + key):
        writes({"memory": {key: 1}}, V2)


@pytest.mark.parametrize(
    "wanted",
    [
        {"memory": {"limit": "64M"}}, {"memory": {"limit": True}}, {"memory": {"swappiness": 101}}, {"memory": {"typo": 1}},
        {"cpu": {"shares": 1}}, {"cpu": {"shares": 262145}}, {"cpu": {"period": 999}}, {"cpu": {"quota": 10}}, {"cpu": {"cpus": "all"}},
        {"cpu": {"quota": 5000, "burst": 6000}}, {"cpu": {"typo": 1}}, {"blockIO": {"weight": 5}}, {"blockIO": {"typo": 1}},
    ],
)
def test_bad_values_are_refused_before_the_first_write(wanted: t.Dict[str, t.Any]) -> None:
    with pytest.raises(Invalid):
        writes(wanted, V1)


def test_unknown_sections_are_not_ignored() -> None:
    with pytest.raises(Unsupported, match="intelRdt"):
        writes({"intelRdt": {}}, V1)


def test_unified_files_are_written_as_they_are() -> None:
    assert writes({"unified": {"memory.high": "5000", "cpu.idle": "1"}}, V2) == [("cpu.idle", "1"), ("memory.high", "5000")]


@pytest.mark.parametrize("name", ["cgroup.procs", "../memory.max", "memory"])
def test_unified_takes_control_files_only(name: str) -> None:
    with pytest.raises(Invalid):
        writes({"unified": {name: "1"}}, V2)


def test_unified_needs_a_controller_on_v2() -> None:
    with pytest.raises(Unsupported, match="bound to cgroup v1"):
        writes({"unified": {"memory.high": "1"}}, V1)


def test_each_controller_speaks_the_dialect_of_its_own_hierarchy() -> None:
    hybrid = dict(V1, hugetlb=2)
    wanted = {"memory": {"limit": M}, "hugepageLimits": [{"pageSize": "2MB", "limit": -1}]}
    assert writes(wanted, hybrid) == [(LIMIT, "1048576"), ("hugetlb.2MB.max", "max")]


@pytest.mark.parametrize(
    ("controller", "value", "text", "good"),
    [
        ("cpuset", "0-2", "0,1,2", True), ("cpuset", "0-3", "0-1", False),
        ("memory", "5000", "4096", True), ("memory", "67108864", "1048576", False),
    ],
)
def test_what_is_read_back_is_compared_by_meaning(controller: str, value: str, text: str, good: bool) -> None:
    assert limits.holds(limits.Setting(controller, "file", value, "option"), text) is good
