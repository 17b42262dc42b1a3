# SPDX-License-Identifier: BSD-2-Clause
"""Pure: OCI `linux.resources` -> the control files to write, in order, for controllers bound to v1 or v2.

Not here: writing them (group.py), device rules (devices.py). The values themselves are the caller's decision.
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import limits_v1, limits_v2
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups.limits import (
    Current,
    Section,
    Setting,
    number,
    size,
)

Versions = t.Mapping[str, int]
Resources = t.Mapping[str, t.Any]

SECTIONS = ("memory", "cpu", "pids", "blockIO", "hugepageLimits", "network", "rdma", "unified")
KNOWN = SECTIONS + ("devices",)
CPU_FILES = ("cpus", "mems")
# Whether a write is allowed, and in which order, depends on what these say now.
CURRENT_FILES = {
    ("memory", 1): ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.oom_control"),
    ("memory", 2): ("memory.max",),
    ("cpu", 1): ("cpu.cfs_period_us", "cpu.cfs_burst_us"),
    ("cpu", 2): ("cpu.max", "cpu.max.burst"),
}


def settings(resources: Resources, *, versions: Versions, current: Current) -> t.List[Setting]:
    """`versions` says where each controller of this host is bound (1 or 2), `current` what CURRENT_FILES contain.

    Raises Invalid for a bad value, Unsupported for a limit that this host cannot hold: none is dropped silently.
    """
    unknown = sorted(key for key in resources if key not in KNOWN and resources[key] is not None)
    if unknown:
        raise Unsupported("limit", unknown[0], "not known to this engine")
    found: t.List[Setting] = []
    for key in SECTIONS:
        value = resources.get(key)
        if value:
            found += _SECTIONS[key](value, versions, current)
    return found


def controllers(resources: Resources) -> t.List[str]:
    """The controllers whose CURRENT_FILES `settings` wants to know."""
    return [key for key in ("memory", "cpu") if resources.get(key)]


def _bound(controller: str, option: str, versions: Versions) -> int:
    version = versions.get(controller, 0)
    if not version:
        raise Unsupported("limit", option, "this host has no cgroup controller %s" % controller)
    return version


def _memory(memory: Section, versions: Versions, current: Current) -> t.List[Setting]:
    wanted = {key: value for key, value in memory.items() if value is not None and key != "checkBeforeUpdate"}
    if not wanted:
        return []
    version = _bound("memory", "memory." + sorted(wanted)[0], versions)
    return limits_v1.memory(wanted, current) if version == 1 else limits_v2.memory(wanted, current)


def _cpu(cpu: Section, versions: Versions, current: Current) -> t.List[Setting]:
    found: t.List[Setting] = []
    time = {key: value for key, value in cpu.items() if value is not None and key not in CPU_FILES}
    if time:
        version = _bound("cpu", "cpu." + sorted(time)[0], versions)
        found += limits_v1.cpu(time, current) if version == 1 else limits_v2.cpu(time, current)
    for key in CPU_FILES:
        if cpu.get(key):
            option = "cpu." + key
            text = str(cpu[key])
            if not all(part.strip().replace("-", "", 1).isdigit() for part in text.split(",")):
                raise Invalid(option, "%r is not a list such as 0-2,4" % text)
            version = _bound("cpuset", option, versions)
            effective = "cpuset.effective_" + key if version == 1 else "cpuset.%s.effective" % key
            found.append(Setting("cpuset", "cpuset." + key, text.replace(" ", ""), option, verify=effective))
    return found


def _pids(pids: Section, versions: Versions, _current: Current) -> t.List[Setting]:
    limit = number(pids, "limit", option="pids.limit")
    if limit is None:
        return []
    if limit < 0 and not versions.get("pids"):
        return []  # unlimited is what it is
    _bound("pids", "pids.limit", versions)
    return [Setting("pids", "pids.max", str(limit) if limit >= 0 else "max", "pids.limit")]


def _block_io(block_io: Section, versions: Versions, _current: Current) -> t.List[Setting]:
    wanted = {key: value for key, value in block_io.items() if value}
    if not wanted:
        return []
    option = "blockIO." + sorted(wanted)[0]
    if versions.get("io"):
        return limits_v2.block_io(wanted)
    _bound("blkio", option, versions)
    return limits_v1.block_io(wanted)


def _huge_pages(limits: t.Sequence[Section], versions: Versions, _current: Current) -> t.List[Setting]:
    found = []
    for limit in limits:
        page, room = str(limit.get("pageSize", "")), size(limit, "limit", option="hugepageLimits.limit")
        option = "hugepageLimits.%s" % page
        version = _bound("hugetlb", option, versions)
        name = "hugetlb.%s.%s" % (page, "limit_in_bytes" if version == 1 else "max")
        if not page or "/" in page or room is None:
            raise Invalid("hugepageLimits", "pageSize and limit are required")
        found.append(Setting("hugetlb", name, _unlimited(room, version), option))
    return found


def _unlimited(room: int, version: int) -> str:
    return "max" if room < 0 and version == 2 else str(room)


def _network(network: Section, versions: Versions, _current: Current) -> t.List[Setting]:
    """These two exist on v1 only; on v2 packets are matched by cgroup path instead."""
    found = []
    class_id = number(network, "classID", option="network.classID")
    if class_id is not None:
        _bound("net_cls", "network.classID", versions)
        found.append(Setting("net_cls", "net_cls.classid", str(class_id), "network.classID"))
    for priority in network.get("priorities") or []:
        _bound("net_prio", "network.priorities", versions)
        value = "%s %s" % (priority["name"], number(priority, "priority", option="network.priorities"))
        found.append(Setting("net_prio", "net_prio.ifpriomap", value, "network.priorities"))
    return found


def _rdma(rdma: t.Mapping[str, Section], versions: Versions, _current: Current) -> t.List[Setting]:
    found = []
    for device in sorted(rdma):
        option = "rdma.%s" % device
        _bound("rdma", option, versions)
        pairs = (("hca_handle", "hcaHandles"), ("hca_object", "hcaObjects"))
        limits = [(name, number(rdma[device], key, option=option)) for name, key in pairs]
        text = " ".join("%s=%d" % (name, limit) for name, limit in limits if limit is not None)
        found.append(Setting("rdma", "rdma.max", "%s %s" % (device, text), option))
    return found


def _unified(unified: t.Mapping[str, str], versions: Versions, _current: Current) -> t.List[Setting]:
    """Files of cgroup v2 by name, as they are; the escape hatch for what has no option."""
    found = []
    for name in sorted(unified):
        option = "unified.%s" % name
        controller = name.partition(".")[0]
        if "/" in name or "." not in name or controller == "cgroup":
            raise Invalid("unified", "%r is not a control file of a controller" % name)
        if _bound(controller, option, versions) != 2:
            raise Unsupported("limit", option, "the controller %s is bound to cgroup v1 here" % controller)
        found.append(Setting(controller, name, str(unified[name]), option))
    return found


_SECTIONS: t.Dict[str, t.Callable[[t.Any, Versions, Current], t.List[Setting]]] = {
    "memory": _memory, "cpu": _cpu, "pids": _pids, "blockIO": _block_io, "hugepageLimits": _huge_pages, "network": _network,
    "rdma": _rdma, "unified": _unified,
}
