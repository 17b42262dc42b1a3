# SPDX-License-Identifier: GPL-3.0-or-later
"""The limits of a container."""
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_container, parse_limits
from ansible_collections.cocker.engine.plugins.module_utils.model.container import DeviceRate, Ulimit
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

Limits = t.Callable[..., t.Dict[str, t.Any]]
MIB = 1 << 20


@pytest.fixture
def limits(filled: t.Callable[..., t.Dict[str, t.Any]]) -> Limits:
    return lambda **given: parse_limits.limits(filled(args_container.SPEC.options, {"name": "web", "image": "debian", **given}))


@pytest.mark.parametrize(("given", "name", "value"), [
    ({}, "memory", None),
    ({"memory": "64M"}, "memory", 64 * MIB),
    ({"memory": "6M"}, "memory", 6 * MIB),
    ({"memory": "67108864"}, "memory", 64 * MIB),
    ({"memory": "0"}, "memory", -1),
    ({"memory": "-1"}, "memory", -1),
    ({"memory": "64M", "memory_swap": "64M"}, "memory_swap", 64 * MIB),
    ({"memory": "64M", "memory_swap": "1G"}, "memory_swap", 1024 * MIB),
    ({"memory_swap": "-1"}, "memory_swap", -1),
    ({"memory": "64M", "memory_swap": "unlimited"}, "memory_swap", -1),
    ({"image": None, "memory_swap": "1G"}, "memory_swap", 1024 * MIB),
    ({"cpus": 0.5}, "nano_cpus", 500000000),
    ({"cpus": 0.01}, "nano_cpus", 10000000),
    ({"cpus": 2.0}, "nano_cpus", 2000000000),
    ({"cpus": 0.0}, "nano_cpus", 0),
    ({"cpu_shares": 0}, "cpu_shares", 1024),
    ({"cpu_period": 0}, "cpu_period", 100000),
    ({"cpuset_cpus": "1,0"}, "cpuset_cpus", "0-1"),
    ({"cpu_shares": 2}, "cpu_shares", 2),
    ({"cpu_shares": 262144}, "cpu_shares", 262144),
    ({"pids_limit": 50}, "pids_limit", 50),
    ({"pids_limit": 0}, "pids_limit", -1),
    ({"pids_limit": -1}, "pids_limit", -1),
    ({"memory": "64M", "memory_reservation": "32M"}, "memory_reservation", 32 * MIB),
    ({"memory_reservation": "-1"}, "memory_reservation", -1),
    ({"memory_reservation": "0"}, "memory_reservation", -1),
    ({"memory_swappiness": 0}, "memory_swappiness", 0),
    ({"oom_killer": True}, "oom_killer", True),
    ({"oom_score_adj": -1000}, "oom_score_adj", -1000),
    ({"cpu_period": 1000}, "cpu_period", 1000),
    ({"cpu_quota": 0}, "cpu_quota", -1),
    ({"cpu_quota": 1000}, "cpu_quota", 1000),
    ({"cpuset_mems": "1,0"}, "cpuset_mems", "0-1"),
    ({"blkio_weight": 1000}, "blkio_weight", 1000),
    ({"device_read_bps": []}, "device_read_bps", ()),
    ({"device_read_bps": [{"path": "/dev//sdb", "rate": "1M"}, {"path": "/dev/sda", "rate": "512k"}]}, "device_read_bps",
     (DeviceRate("/dev/sda", 512 << 10), DeviceRate("/dev/sdb", MIB))),
    ({"device_write_iops": [{"path": "/dev/sda", "rate": 100}]}, "device_write_iops", (DeviceRate("/dev/sda", 100),)),
    ({"ulimits": []}, "ulimits", ()),
    ({"ulimits": ["nofile:1024:2048"]}, "ulimits", (Ulimit("nofile", 1024, 2048),)),
    ({"ulimits": ["NOFILE=1024:2048"]}, "ulimits", (Ulimit("nofile", 1024, 2048),)),
    ({"ulimits": ["core:0"]}, "ulimits", (Ulimit("core", 0, 0),)),
    ({"ulimits": ["memlock:-1"]}, "ulimits", (Ulimit("memlock", -1, -1),)),
    ({"ulimits": ["memlock:64:unlimited"]}, "ulimits", (Ulimit("memlock", 64, -1),)),
    ({"ulimits": ["nproc:5", "core:0", "nproc:5:5"]}, "ulimits", (Ulimit("core", 0, 0), Ulimit("nproc", 5, 5))),
])
def test_a_limit_means(limits: Limits, given: t.Dict[str, t.Any], name: str, value: t.Any) -> None:
    assert limits(**given)[name] == value


@pytest.mark.parametrize(("option", "given"), [
    ("memory_reservation", {"memory": "64M", "memory_reservation": "65M"}),
    ("memory_swappiness", {"memory_swappiness": 101}),
    ("oom_score_adj", {"oom_score_adj": 1001}),
    ("cpu_period", {"cpu_period": 999}),
    ("cpu_quota", {"cpu_quota": 999}),
    ("cpu_quota", {"cpu_quota": -2}),
    ("cpuset_mems", {"cpuset_mems": "all"}),
    ("blkio_weight", {"blkio_weight": 9}),
    ("device_read_bps", {"device_read_bps": [{"path": "sda", "rate": "1M"}]}),
    ("device_read_bps", {"device_read_bps": [{"path": "/dev/sda", "rate": "unlimited"}]}),
    ("device_read_iops", {"device_read_iops": [{"path": "/dev/sda", "rate": 0}]}),
    ("device_read_iops", {"device_read_iops": [{"path": "/dev/sda", "rate": 1}, {"path": "/dev/sda/", "rate": 2}]}),
    ("memory", {"memory": "lots"}),
    ("memory", {"memory": "64"}),
    ("memory", {"memory": "5M"}),
    ("memory", {"memory": "-2"}),
    ("memory_swap", {"memory": "64M", "memory_swap": "32M"}),
    ("memory_swap", {"memory": "64M", "memory_swap": "0"}),
    ("memory_swap", {"memory_swap": "64M"}),
    ("memory_swap", {"memory": "unlimited", "memory_swap": "64M"}),
    ("cpus", {"cpus": -1.0}),
    ("cpus", {"cpus": 0.001}),
    ("cpus", {"cpus": float("nan")}),
    ("cpuset_cpus", {"cpuset_cpus": ""}),
    ("cpuset_cpus", {"cpuset_cpus": "all"}),
    ("cpu_shares", {"cpu_shares": 1}),
    ("cpu_shares", {"cpu_shares": 262145}),
    ("pids_limit", {"pids_limit": -2}),
    ("ulimits", {"ulimits": ["nofile"]}),
    ("ulimits", {"ulimits": ["nofile:"]}),
    ("ulimits", {"ulimits": ["nofile:1:2:3"]}),
    ("ulimits", {"ulimits": ["nofile:2:1"]}),
    ("ulimits", {"ulimits": ["nofile:-1:1"]}),
    ("ulimits", {"ulimits": ["files:1"]}),
    ("ulimits", {"ulimits": ["nofile:many"]}),
    ("ulimits", {"ulimits": ["nofile:1", "nofile:2"]}),
])
def test_a_bad_limit_is_refused_and_the_option_is_named(limits: Limits, option: str, given: t.Dict[str, t.Any]) -> None:
    with pytest.raises(Invalid) as caught:
        limits(**given)
    assert caught.value.subject == option


def test_a_forgotten_unit_gets_a_hint(limits: Limits) -> None:
    with pytest.raises(Invalid, match="without a unit is bytes"):
        limits(memory="512")
