# SPDX-License-Identifier: BSD-2-Clause
"""Pure: memory, cpu and block I/O limits as cgroup v1 spells them (Documentation/admin-guide/cgroup-v1)."""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import limits
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups.limits import Current, Section, Setting

MEMORY = ("limit", "swap", "reservation", "swappiness", "disableOOMKiller", "kernel", "kernelTCP", "useHierarchy")
CPU = ("shares", "quota", "period", "burst", "idle", "realtimeRuntime", "realtimePeriod")
LIMIT, SWAP = "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"


def memory(section: Section, current: Current) -> t.List[Setting]:
    limits.refuse_unknown(section, MEMORY, prefix="memory")
    found = _limit_and_swap(section, current)
    for key, file in (
        ("reservation", "memory.soft_limit_in_bytes"), ("kernel", "memory.kmem.limit_in_bytes"),
        ("kernelTCP", "memory.kmem.tcp.limit_in_bytes"),
    ):
        value = limits.nonzero(section, key, option="memory." + key, low=-1)
        if value is not None:
            found.append(Setting("memory", file, str(value), "memory." + key))
    swappiness = limits.number(section, "swappiness", option="memory.swappiness", low=0, high=100)
    if swappiness is not None:
        found.append(Setting("memory", "memory.swappiness", str(swappiness), "memory.swappiness"))
    disabled = bool(section.get("disableOOMKiller"))
    if disabled or "oom_kill_disable 1" in current.get("memory.oom_control", ""):
        found.append(Setting("memory", "memory.oom_control", str(int(disabled)), "memory.disableOOMKiller"))
    return found


def _limit_and_swap(section: Section, current: Current) -> t.List[Setting]:
    """The kernel wants limit <= memory+swap after every single write, so the order depends on the direction."""
    limit = limits.nonzero(section, "limit", option="memory.limit", low=-1)
    swap = limits.nonzero(section, "swap", option="memory.swap", low=-1)
    limits.check_swap(limit, swap)
    now = int(current[SWAP]) if current.get(SWAP, "").isdigit() else None
    if limit is not None and swap is None and now is not None:
        if limit > now:
            raise Invalid("memory.limit", "%d is above memory plus swap (%d)" % (limit, now), hint="set memory_swap too")
        if limit < 0:
            swap = limit
    found = []
    if limit is not None:
        found.append(Setting("memory", LIMIT, str(limit), "memory.limit", verify=LIMIT if limit > 0 else ""))
    if swap is not None:
        grows = swap < 0 or (now is not None and swap >= now)
        setting = Setting("memory", SWAP, str(swap), "memory.swap", optional=swap < 0, hint=limits.SWAP_HINT)
        found.insert(0 if grows else len(found), setting)
    return found


def cpu(section: Section, current: Current) -> t.List[Setting]:
    limits.refuse_unknown(section, CPU, prefix="cpu")
    values = limits.cpu_values(section)
    found = []
    if values["shares"] is not None:
        found.append(Setting("cpu", "cpu.shares", str(values["shares"]), "cpu.shares", verify="cpu.shares"))
    found += _bandwidth(values, current)
    for key, file, low in (
        ("idle", "cpu.idle", 0), ("realtimePeriod", "cpu.rt_period_us", 1), ("realtimeRuntime", "cpu.rt_runtime_us", -1),
    ):
        value = limits.nonzero(section, key, option="cpu." + key, low=low)
        if value is not None:
            found.append(Setting("cpu", file, str(value), "cpu." + key))
    return found


def _bandwidth(values: t.Mapping[str, t.Optional[int]], current: Current) -> t.List[Setting]:
    """In an order in which quota/period is never above both the old and the new ratio (a parent may limit it)."""
    names = {"quota": "cpu.cfs_quota_us", "period": "cpu.cfs_period_us", "burst": "cpu.cfs_burst_us"}
    period_now, burst_now = (int(current.get(names[key]) or 0) for key in ("period", "burst"))
    order = ["period", "quota"] if (values["period"] or 0) >= period_now else ["quota", "period"]
    order.insert(0 if (values["burst"] or 0) <= burst_now else 2, "burst")
    return [
        Setting("cpu", names[key], str(values[key]), "cpu." + key, optional=key == "burst" and not values[key])
        for key in order
        if values[key] is not None
    ]


def block_io(section: Section) -> t.List[Setting]:
    limits.refuse_unknown(section, limits.BLOCK_IO, prefix="blockIO")
    found = []
    if section.get("weight") == limits.USUAL_WEIGHT:
        found.append(Setting("blkio", "blkio.weight", "500", "blockIO.weight", instead=(("blkio.bfq.weight", "100"),)))
        section = {key: value for key, value in section.items() if key != "weight"}
    for key, file in (("weight", "weight"), ("leafWeight", "leaf_weight")):
        weight = limits.nonzero(section, key, option="blockIO." + key, low=10, high=1000)
        if weight is not None:
            found.append(_weight(file, str(weight), option="blockIO." + key))
    for entry in section.get("weightDevice") or []:
        for key, file in (("weight", "weight_device"), ("leafWeight", "leaf_weight_device")):
            weight = limits.nonzero(entry, key, option="blockIO.weightDevice", low=10, high=1000)
            if weight is not None:
                place = limits.device(entry, option="blockIO.weightDevice")
                found.append(_weight(file, "%s %d" % (place, weight), option="blockIO.weightDevice"))
    for key, name, _v2_name in limits.THROTTLES:
        for entry in section.get(key) or []:
            rate = limits.number(entry, "rate", option="blockIO." + key, low=0)
            value = "%s %d" % (limits.device(entry, option="blockIO." + key), rate or 0)
            found.append(Setting("blkio", "blkio.throttle.%s_device" % name, value, "blockIO." + key))
    return found


def _weight(file: str, value: str, *, option: str) -> Setting:
    # CFQ went away in Linux 5.0; BFQ has the same files under its own name.
    hint = "no I/O scheduler of this kernel has weights; load bfq"
    return Setting("blkio", "blkio." + file, value, option, instead=(("blkio.bfq." + file, value),), hint=hint)
