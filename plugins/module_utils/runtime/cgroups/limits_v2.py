# SPDX-License-Identifier: BSD-2-Clause
"""Pure: memory, cpu and block I/O limits as cgroup v2 spells them (Documentation/admin-guide/cgroup-v2.rst)."""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import limits
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups.limits import Current, Section, Setting

MEMORY = ("limit", "swap", "reservation", "swappiness", "disableOOMKiller", "kernel", "kernelTCP", "useHierarchy")
CPU = ("shares", "quota", "period", "burst", "idle", "realtimeRuntime", "realtimePeriod")
V1_ONLY = "cgroup v2 has no such control"


def memory(section: Section, current: Current) -> t.List[Setting]:
    limits.refuse_unknown(section, MEMORY, prefix="memory")
    for key in ("kernel", "kernelTCP", "disableOOMKiller"):
        if section.get(key):
            raise Unsupported("limit", "memory." + key, V1_ONLY)
    if section.get("swappiness") is not None:
        raise Unsupported("limit", "memory.swappiness", V1_ONLY)
    found = _limit_and_swap(section, current)
    reservation = limits.nonzero(section, "reservation", option="memory.reservation", low=-1)
    if reservation is not None:
        found.append(Setting("memory", "memory.low", str(max(reservation, 0)), "memory.reservation"))
    return found


def _limit_and_swap(section: Section, current: Current) -> t.List[Setting]:
    """OCI's swap is memory plus swap, memory.swap.max is swap alone."""
    limit = limits.nonzero(section, "limit", option="memory.limit", low=-1)
    swap = limits.nonzero(section, "swap", option="memory.swap", low=-1)
    if limit is None and swap is not None and current.get("memory.max", "").isdigit():
        base: t.Optional[int] = int(current["memory.max"])
    else:
        base = limit
    limits.check_swap(base, swap)
    if swap is None and limit is not None and limit < 0:
        swap = limit
    found = []
    if swap is not None:
        if swap >= 0 and base is None:
            raise Invalid("memory.swap", "memory plus swap needs a memory limit")
        alone = swap if swap < 0 else swap - (base or 0)
        found.append(
            Setting("memory", "memory.swap.max", _bytes(alone), "memory.swap", optional=alone < 0, hint=limits.SWAP_HINT)
        )
    if limit is not None:
        found.append(Setting("memory", "memory.max", _bytes(limit), "memory.limit", verify="memory.max"))
    return found


def _bytes(value: int) -> str:
    return "max" if value < 0 else str(value)


def cpu_weight(shares: int) -> int:
    """The OCI runtimes' classical formula (crun's crun.1, "Cgroup v2"; runc's ConvertCPUSharesToCgroupV2Value)."""
    return 1 + ((shares - 2) * 9999) // 262142


def cpu(section: Section, current: Current) -> t.List[Setting]:
    limits.refuse_unknown(section, CPU, prefix="cpu")
    for key in ("realtimeRuntime", "realtimePeriod"):
        if section.get(key):
            raise Unsupported("limit", "cpu." + key, V1_ONLY)
    values = limits.cpu_values(section)
    found = []
    if values["shares"] is not None:
        found.append(Setting("cpu", "cpu.weight", str(cpu_weight(values["shares"])), "cpu.shares"))
    found += _bandwidth(values, current)
    idle = limits.number(section, "idle", option="cpu.idle", low=0, high=1)
    if idle is not None:
        found.append(Setting("cpu", "cpu.idle", str(idle), "cpu.idle", optional=not idle))
    return found


def _bandwidth(values: t.Mapping[str, t.Optional[int]], current: Current) -> t.List[Setting]:
    found = []
    quota, period, burst = values["quota"], values["period"], values["burst"]
    if quota is not None or period is not None:
        quota_now = (current.get("cpu.max", "").split() or ["max"])[0]
        share = quota_now if quota is None else "max" if quota < 0 else str(quota)
        # A quota alone leaves the period as it is.
        value = share if period is None else "%s %d" % (share, period)
        option = "cpu.period" if quota is None else "cpu.quota"
        found.append(Setting("cpu", "cpu.max", value, option))
    if burst is not None:
        burst_now = int(current.get("cpu.max.burst") or 0)
        setting = Setting("cpu", "cpu.max.burst", str(burst), "cpu.burst", optional=not burst)
        found.insert(0 if burst <= burst_now else len(found), setting)
    return found


def io_weight(weight: int) -> int:
    """From blkio's 10..1000 to io.weight's 1..10000, linear as the OCI runtimes do it."""
    return 1 + (weight - 10) * 9999 // 990


def block_io(section: Section) -> t.List[Setting]:
    limits.refuse_unknown(section, limits.BLOCK_IO, prefix="blockIO")
    if section.get("leafWeight"):
        raise Unsupported("limit", "blockIO.leafWeight", V1_ONLY)
    found = []
    if section.get("weight") == limits.USUAL_WEIGHT:
        found.append(Setting("io", "io.weight", "default 100", "blockIO.weight", instead=(("io.bfq.weight", "default 100"),)))
        section = {key: value for key, value in section.items() if key != "weight"}
    weight = limits.nonzero(section, "weight", option="blockIO.weight", low=10, high=1000)
    if weight is not None:
        found.append(_weight("default", weight, option="blockIO.weight"))
    for entry in section.get("weightDevice") or []:
        weight = limits.nonzero(entry, "weight", option="blockIO.weightDevice", low=10, high=1000)
        if weight is not None:
            found.append(_weight(limits.device(entry, option="blockIO.weightDevice"), weight, option="blockIO.weightDevice"))
    for key, _v1_name, name in limits.THROTTLES:
        for entry in section.get(key) or []:
            rate = limits.number(entry, "rate", option="blockIO." + key, low=0)
            value = "%s %s=%s" % (limits.device(entry, option="blockIO." + key), name, rate or "max")
            found.append(Setting("io", "io.max", value, "blockIO." + key))
    return found


def _weight(place: str, weight: int, *, option: str) -> Setting:
    # io.weight is iocost's, io.bfq.weight BFQ's own with blkio's range.
    other = (("io.bfq.weight", "%s %d" % (place, weight)),)
    hint = "neither iocost nor bfq is in this kernel"
    return Setting("io", "io.weight", "%s %d" % (place, io_weight(weight)), option, instead=other, hint=hint)
