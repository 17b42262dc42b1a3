# SPDX-License-Identifier: GPL-3.0-or-later
"""Traps about what a container may use and do. Each row was a defect of an engine, or of a collection that people know."""
from __future__ import annotations

import typing as t

import pytest

pytest.importorskip("ansible.module_utils.common.arg_spec")

from ansible_collections.cocker.engine.tests.trapbench import SAME, Bench, Case, box, ids

ULIMITS: t.List[Case] = [
    ("one number is both", box(ulimits=["nofile:1024"]), box(ulimits=["nofile=1024:1024"]), SAME),
    ("case", box(ulimits=["NOFILE:1024"]), box(ulimits=["nofile:1024"]), SAME),
    ("the order", box(ulimits=["core:0", "nofile:9:9"]), box(ulimits=["nofile:9", "core:0:0"]), SAME),
    ("two words for no limit", box(ulimits=["core:-1"]), box(ulimits=["core:unlimited:unlimited"]), SAME),
    ("the host's are none that are compared", box(ulimits=[]), box(), SAME),
    ("what is not said is the host's, whatever that is", box(ulimits=["core:0"]), box(ulimits=["core:0", "nofile:1024"]), "ulimits restart"),
    ("one that is gone", box(ulimits=["core:0"]), box(), "ulimits restart"),
    ("one twice, in two ways", box(ulimits=["core:0", "core:1"]), box(), "refused ulimits"),
    ("soft above hard", box(ulimits=["nofile:2:1"]), box(), "refused ulimits"),
]

NUMBERS: t.List[Case] = [
    ("no limit of processes in two ways", box(pids_limit=-1), box(pids_limit=0), SAME),
    ("no limit of processes, and nothing said", box(pids_limit=-1), box(), SAME),
    ("a limit of processes as text", box(pids_limit="100"), box(pids_limit=100), SAME),
    ("a limit of processes and none", box(pids_limit=100), box(pids_limit=-1), "pids_limit update"),
    ("a limit of processes that is gone", box(pids_limit=100), box(), "pids_limit update"),
    ("swappiness that is the host's", box(memory_swappiness=-1), box(), SAME),
    ("swappiness 0 is none at all", box(memory_swappiness=0), box(), "memory_swappiness update"),
    ("no quota in two ways", box(cpu_quota=0), box(cpu_quota=-1), SAME),
    ("no quota, and nothing said", box(cpu_quota=-1), box(), SAME),
    ("the usual period", box(cpu_period=0), box(cpu_period=100000), SAME),
    ("the usual period, and nothing said", box(cpu_period=100000), box(), SAME),
    ("no limit of CPUs", box(cpus=0), box(), SAME),
    ("CPUs with a fraction and without", box(cpus=1), box(cpus=1.0), SAME),
    ("the usual shares", box(cpu_shares=0), box(cpu_shares=1024), SAME),
    ("lists of CPUs", box(cpuset_cpus="0,1,2"), box(cpuset_cpus="0-2"), SAME),
    ("the order of CPUs", box(cpuset_cpus="1,0"), box(cpuset_cpus="0,1"), SAME),
    ("CPUs that are gone", box(cpuset_cpus="0"), box(), "cpuset_cpus update"),
    ("the killer stays", box(oom_killer=False), box(), SAME),
    ("a rate with a unit", box(device_read_bps=[{"path": "/dev/sda", "rate": "1m"}]), box(device_read_bps=[{"path": "/dev//sda", "rate": "1024k"}]), SAME),
]

MEMORY: t.List[Case] = [
    ("units", box(memory="1g"), box(memory="1024M"), SAME),
    ("units with a b", box(memory="64mb"), box(memory="64M"), SAME),
    ("bytes", box(memory="67108864"), box(memory="64M"), SAME),
    ("a number of YAML", box(memory=67108864), box(memory="64m"), SAME),
    ("a fraction", box(memory="1.5g"), box(memory="1536m"), SAME),
    ("no limit in three ways", box(memory="-1"), box(memory="unlimited"), SAME),
    ("0 is no limit, as with docker", box(memory="0"), box(memory="-1"), SAME),
    ("no limit, and nothing said", box(memory="-1"), box(), SAME),
    ("a limit that is gone", box(memory="64m"), box(), "memory update"),
    ("swap that is said, and swap that follows", box(memory="1g", memory_swap="2g"), box(memory="1g"), "memory_swap update"),
    ("without a word about swap there is none", box(memory="1g", memory_swap="1g"), box(memory="1g"), "memory_swap update"),
    ("memory that outgrows the swap there was", box(memory="64m", memory_swap="64m"), box(memory="256m", memory_swap="512m"),
     "memory update + memory_swap update"),
    ("no reservation, and nothing said", box(memory_reservation="0"), box(), SAME),
    ("swap that is less than memory", box(memory="1g", memory_swap="512m"), box(), "refused memory_swap"),
    ("swap without memory", box(memory_swap="512m"), box(), "refused memory_swap"),
    ("a reservation that is more than memory", box(memory="64m", memory_reservation="65m"), box(), "refused memory_reservation"),
    ("a number that forgot its unit", box(memory="512"), box(), "refused memory"),
]

CAPABILITIES: t.List[Case] = [
    ("with and without the beginning, in any case", box(capabilities=["CAP_NET_ADMIN"]), box(capabilities=["net_admin"]), SAME),
    ("the order, and one twice", box(cap_drop=["KILL", "CHOWN", "CAP_KILL"]), box(cap_drop=["CHOWN", "KILL"]), SAME),
    ("all", box(cap_drop=["all"]), box(cap_drop=["ALL"]), SAME),
    ("podman's word", box(cap_add=["KILL"]), box(capabilities=["KILL"]), SAME),
    ("one that is gone", box(capabilities=["KILL", "CHOWN"]), box(capabilities=["CHOWN"]), "capabilities restart"),
    ("all that are gone, with the option", box(cap_drop=["KILL"]), box(), "cap_drop restart"),
    ("none, and nothing said", box(capabilities=[], cap_drop=[]), box(), SAME),
    ("not privileged, and nothing said", box(privileged=False), box(), SAME),
    ("privileged", box(privileged=True), box(), "privileged restart"),
    ("security options with a colon", box(security_opts=["no-new-privileges:true"]), box(security_opts=["no-new-privileges"]), SAME),
    ("security options that hold anyway", box(security_opts=["seccomp=default", "label:disable", "no-new-privileges:false"]), box(), SAME),
    ("letters of permissions", box(devices=["/dev/fuse:/dev/fuse:mrw"]), box(devices=["/dev/fuse"]), SAME),
    ("what may be done to a device", box(devices=["/dev/fuse:/dev/fuse:r"]), box(devices=["/dev/fuse"]), "devices restart"),
    ("no such capability", box(capabilities=["NOTHING"]), box(), "refused capabilities"),
]

OPTION_STRINGS: t.List[Case] = [
    ("tmpfs: options in another order, and the usual one", box(tmpfs=["/tmp:mode=1777,size=64m"]), box(tmpfs={"/tmp": "rw,size=65536k,mode=1777"}), SAME),
    ("tmpfs: flags that hold anyway", box(tmpfs=["/tmp:nosuid,nodev,exec"]), box(tmpfs=["/tmp"]), SAME),
    ("tmpfs: in the long form", box(tmpfs=["/tmp:noexec"]), box(mounts=[{"type": "tmpfs", "target": "/tmp", "tmpfs_options": [{"noexec": None}]}]), SAME),
    ("tmpfs: a mode with zeros", box(tmpfs=["/tmp:mode=0755"]), box(tmpfs=["/tmp:mode=755"]), SAME),
    ("tmpfs: one word", box(tmpfs="/tmp"), box(tmpfs=["/tmp"]), SAME),
    ("tmpfs: a dictionary with nothing said", box(tmpfs={"/tmp": ""}), box(tmpfs=["/tmp/"]), SAME),
    ("tmpfs: another size", box(tmpfs=["/tmp:size=64m"]), box(tmpfs=["/tmp:size=32m"]), "mounts restart"),
    ("tmpfs: gone", box(tmpfs=["/tmp"]), box(), "mounts restart"),
    ("tmpfs: none, and nothing said", box(tmpfs=[]), box(), SAME),
    ("sysctls: a number", box(sysctls={"net.core.somaxconn": 1024}), box(sysctls={"net.core.somaxconn": "1024"}), SAME),
    ("sysctls: several numbers", box(sysctls={"net.ipv4.ping_group_range": "0\t5"}), box(sysctls={"net.ipv4.ping_group_range": "0 5"}), SAME),
    ("sysctls: separators", box(sysctls={"net/core/somaxconn": 1}), box(sysctls={"net.core.somaxconn": 1}), SAME),
    ("sysctls: another value", box(sysctls={"net.core.somaxconn": 1}), box(sysctls={"net.core.somaxconn": 2}), "sysctls restart"),
    ("sysctls: none, and nothing said", box(sysctls={}), box(), SAME),
    ("sysctls: a boolean", box(sysctls={"net.core.somaxconn": True}), box(), "refused sysctls"),
    ("tmpfs: no such option", box(tmpfs=["/tmp:nothing"]), box(), "refused tmpfs"),
    ("a file system that can be written, and nothing said", box(read_only=False), box(), SAME),
]


@pytest.mark.parametrize("_what,first,second,cost", ULIMITS, ids=ids(ULIMITS))
def test_ulimits(bench: Bench, _what: str, first: t.Any, second: t.Any, cost: str) -> None:
    assert bench.judged(first, second) == cost


@pytest.mark.parametrize("_what,first,second,cost", NUMBERS, ids=ids(NUMBERS))
def test_pids_limit_swappiness_and_other_numbers(bench: Bench, _what: str, first: t.Any, second: t.Any, cost: str) -> None:
    assert bench.judged(first, second) == cost


@pytest.mark.parametrize("_what,first,second,cost", MEMORY, ids=ids(MEMORY))
def test_memory(bench: Bench, _what: str, first: t.Any, second: t.Any, cost: str) -> None:
    assert bench.judged(first, second) == cost


@pytest.mark.parametrize("_what,first,second,cost", CAPABILITIES, ids=ids(CAPABILITIES))
def test_capabilities(bench: Bench, _what: str, first: t.Any, second: t.Any, cost: str) -> None:
    assert bench.judged(first, second) == cost


@pytest.mark.parametrize("_what,first,second,cost", OPTION_STRINGS, ids=ids(OPTION_STRINGS))
def test_tmpfs_and_sysctls(bench: Bench, _what: str, first: t.Any, second: t.Any, cost: str) -> None:
    assert bench.judged(first, second) == cost


def test_storage_opts_are_refused_by_name(bench: Bench) -> None:
    with pytest.raises(ValueError, match="storage_opts"):
        bench.cost(box(storage_opts={"size": "1G"}))
