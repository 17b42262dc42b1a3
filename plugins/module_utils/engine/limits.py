# SPDX-License-Identifier: BSD-2-Clause
"""What a container may use, as OCI `linux.resources`; and what of it changes while it runs.

Not here: what a limit means for a cgroup file (runtime/cgroups/).
"""
from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import drift
from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import factory
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups.limits import USUAL_WEIGHT

OOM_SCORE = "oom_score_adj"  # of each process, not of the cgroup
CPU_PERIOD = 100000  # microseconds, the kernel's default
_LEAST_QUOTA = 1000

Resources = t.Dict[str, t.Any]

# Options that are one number of one section -> the section, its key, and what is written when the option is no longer wanted.
_PLAIN: t.Dict[str, t.Tuple[str, str, t.Any]] = {
    "memory_reservation": ("memory", "reservation", -1),
    "memory_swappiness": ("memory", "swappiness", None),
    "oom_killer": ("memory", "disableOOMKiller", False),
    "cpu_shares": ("cpu", "shares", 1024),
    "cpuset_cpus": ("cpu", "cpus", None),
    "cpuset_mems": ("cpu", "mems", None),
    "pids_limit": ("pids", "limit", -1),
    "blkio_weight": ("blockIO", "weight", USUAL_WEIGHT),
}
_THROTTLES = {
    "device_read_bps": "throttleReadBpsDevice", "device_write_bps": "throttleWriteBpsDevice",
    "device_read_iops": "throttleReadIOPSDevice", "device_write_iops": "throttleWriteIOPSDevice",
}
_BANDWIDTH = ("nano_cpus", "cpu_period", "cpu_quota")
_SIZE = ("memory", "memory_swap")


def resources(spec: ContainerSpec) -> Resources:
    """Without devices. Looks at the block devices that are named. Raises Invalid."""
    found: Resources = {"memory": _memory(spec), "cpu": _bandwidth(spec)}
    for option, (section, key, _reset) in _PLAIN.items():
        value = getattr(spec, option)
        if value is not None:
            found.setdefault(section, {})[key] = value
    for option, key in _THROTTLES.items():
        rates = getattr(spec, option)
        if rates:
            found.setdefault("blockIO", {})[key] = [dict(_block_device(rate.path, option), rate=rate.rate) for rate in rates]
    return {section: values for section, values in found.items() if values}


def _memory(spec: ContainerSpec) -> Resources:
    """Without a word about swap, `memory` is all that there is."""
    if spec.memory is None:
        if spec.memory_swap is not None:
            raise Invalid("memory_swap", "it needs memory: it is the sum of memory and swap")
        return {}
    found = {"limit": spec.memory}
    if spec.memory_swap is not None or _counts_swap():
        found["swap"] = spec.memory_swap if spec.memory_swap is not None else spec.memory
    return found


def _bandwidth(spec: ContainerSpec) -> Resources:
    if spec.nano_cpus:
        return {"quota": max(spec.nano_cpus * CPU_PERIOD // 10 ** 9, _LEAST_QUOTA), "period": CPU_PERIOD}
    said = {"quota": spec.cpu_quota, "period": spec.cpu_period}
    return {key: value for key, value in said.items() if value is not None}


def _counts_swap() -> bool:
    layout = cgroupfs.remembered()
    point = layout.controllers.get("memory")
    if point is None or layout.version("memory") == 2:
        return point is not None and os.path.exists("/proc/swaps")
    return cgroupfs.has(point, "memory.memsw.limit_in_bytes")


def _block_device(path: str, option: str) -> Resources:
    try:
        status = os.stat(path)
    except OSError as error:
        raise Invalid(option, "%s: %s" % (path, error.strerror)) from error
    if not stat.S_ISBLK(status.st_mode):
        raise Invalid(option, "%s is not a block device" % path)
    return {"major": os.major(status.st_rdev), "minor": os.minor(status.st_rdev)}


def changed(spec: ContainerSpec, options: t.Collection[str], former: t.Sequence[ContainerSpec] = ()) -> Resources:
    """The limits among `options` as they are wanted now; what is no longer wanted goes back to none, of devices in `former` too."""
    wanted, found = resources(spec), {}  # type: Resources, Resources
    for option, (section, key, reset) in _PLAIN.items():
        if option in options:
            value = wanted.get(section, {}).get(key, reset)
            found.setdefault(section, {})[key] = _as_new(option) if value is None else value
    if not set(_BANDWIDTH).isdisjoint(options):
        found.setdefault("cpu", {}).update({"quota": -1, "period": CPU_PERIOD, **_bandwidth(spec)})
    if not set(_SIZE).isdisjoint(options):
        swap = {"swap": -1} if spec.memory_swap is not None or _counts_swap() else {}
        found.setdefault("memory", {}).update({"limit": -1, **swap, **_memory(spec)})
    for option, key in _THROTTLES.items():
        if option in options:
            found.setdefault("blockIO", {})[key] = _rates(option, wanted.get("blockIO", {}).get(key, []), former)
    return found


def in_force(name: str, spec: ContainerSpec) -> t.List[drift.Kept]:
    """What the kernel says of those that are wanted."""
    wanted = resources(spec)
    found = factory.open_cgroup(name).read_back(wanted) if wanted else ()
    return [drift.Kept(_said_by(spec, option), controller, file, drift.said(file, text)) for option, controller, file, text in found]


def _said_by(spec: ContainerSpec, subject: str) -> str:
    option = _option(subject)
    return "nano_cpus" if spec.nano_cpus and option in _BANDWIDTH else option


def _as_new(option: str) -> t.Union[int, str]:
    """What a cgroup has of itself: the host's."""
    if option == "memory_swappiness":
        with open("/proc/sys/vm/swappiness") as file:
            return int(file.read())
    if option == "cpuset_mems":
        with open("/sys/devices/system/node/online") as file:
            return file.read().strip()
    return "0-%d" % ((os.cpu_count() or 1) - 1)


def _rates(option: str, wanted: t.List[Resources], former: t.Sequence[ContainerSpec]) -> t.List[Resources]:
    """0 takes a limit away."""
    kept = {(each["major"], each["minor"]) for each in wanted}
    places = [_block_device(rate.path, option) for spec in former for rate in getattr(spec, option) or () if os.path.exists(rate.path)]
    return [*wanted, *[dict(place, rate=0) for place in places if (place["major"], place["minor"]) not in kept]]


def check(name: str, spec: ContainerSpec) -> None:
    """Whether this host can hold them, before the first effect. Raises Invalid or Unsupported that name the option."""
    wanted = resources(spec)
    try:
        factory.open_cgroup(name).check(wanted)
    except Unsupported as error:
        raise Unsupported("option", _option(error.subject), error.reason, hint=error.hint) from error
    except Invalid as error:
        raise Invalid(_option(error.subject), error.reason, hint=error.hint) from error
    _check_members(spec.cpuset_cpus, "cpuset_cpus", (os.cpu_count() or 1) - 1, "CPU")


def _option(subject: str) -> str:
    """`memory.swappiness` -> memory_swappiness."""
    special = {"memory.limit": "memory", "memory.swap": "memory_swap", "cpu.quota": "cpu_quota", "cpu.period": "cpu_period"}
    names = {"%s.%s" % (section, key): option for option, (section, key, _reset) in _PLAIN.items()}
    names.update({"blockIO." + key: option for option, key in _THROTTLES.items()})
    return names.get(subject) or special.get(subject) or subject


def _check_members(given: t.Optional[str], option: str, last: int, what: str) -> None:
    if given is not None and int(given.replace("-", ",").split(",")[-1]) > last:
        raise Invalid(option, "%s names a %s beyond the last one of this host, %d" % (given, what, last))
