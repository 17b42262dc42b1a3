# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_container that limit what it may use, read.

Not here: what a limit means for a cgroup file (runtime/cgroups/resources.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import values
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import units
from ansible_collections.cocker.engine.plugins.module_utils.model.container import DeviceRate, Ulimit
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

LEAST_MEMORY = 6 << 20  # docker's, and for the same reason: less does not even start a process
LEAST_CPUS = 10 ** 7  # the kernel's smallest quota is 1 ms of a period of 100 ms
_RANGES = {
    "oom_score_adj": range(-1000, 1001),
    "cpu_shares": range(2, 262145),  # cgroups v1
    "cpu_period": range(1000, 1000001),
    "blkio_weight": range(10, 1001),
}
_USUAL = {"cpu_shares": 1024, "cpu_period": 100000}    # the kernel's; 0 is docker's word for it
_SWAPPINESS = range(0, 101)
_SETS = ("cpuset_cpus", "cpuset_mems")
_RATES = ("device_read_bps", "device_write_bps", "device_read_iops", "device_write_iops")
LEAST_QUOTA = 1000  # microseconds
RLIMITS = (  # getrlimit(2)
    "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue",
    "nice", "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
)


def limits(params: Params) -> t.Dict[str, t.Any]:
    """The keyword arguments of ContainerSpec. Raises Invalid."""
    memory, swap = _memory(params["memory"]), _memory_swap(params["memory_swap"])
    _refuse_swap_below_memory(params, memory, swap)
    return {
        "memory": memory,
        "memory_swap": swap,
        "memory_reservation": _memory_reservation(params["memory_reservation"], memory),
        "oom_killer": params["oom_killer"],
        "nano_cpus": _cpus(params["cpus"]),
        "cpu_quota": _cpu_quota(params["cpu_quota"]),
        "pids_limit": _pids_limit(params["pids_limit"]),
        **{option: _within(_USUAL.get(option, 0) if params[option] == 0 else params[option], accepted, option)
           for option, accepted in _RANGES.items()},
        "memory_swappiness": _swappiness(params["memory_swappiness"]),
        **{option: None if params[option] is None else units.parse_cpuset(params[option], option) for option in _SETS},
        **{option: _rates(params[option], option) for option in _RATES},
        "ulimits": _ulimits(params["ulimits"]),
    }


def _memory(value: t.Optional[str]) -> t.Optional[int]:
    """0 is docker's word for no limit."""
    if value is None:
        return None
    size = units.parse_size(value, "memory")
    if size in (0, units.UNLIMITED):
        return units.UNLIMITED
    if size < LEAST_MEMORY:
        raise Invalid("memory", "%r is less than 6M, the smallest that is accepted" % value, hint="a number without a unit is bytes")
    return size


def _memory_swap(value: t.Optional[str]) -> t.Optional[int]:
    if value is None:
        return None
    size = units.parse_size(value, "memory_swap")
    if size == 0:
        raise Invalid("memory_swap", "0 is neither a size, memory and swap together, nor unlimited")
    return size


def _refuse_swap_below_memory(params: Params, memory: t.Optional[int], swap: t.Optional[int]) -> None:
    if swap is None or swap == units.UNLIMITED:
        return
    is_partial = params["image"] is None and params["images"] is None
    if memory == units.UNLIMITED or (memory is None and not is_partial):
        raise Invalid("memory_swap", "it limits memory and swap together, so memory must be limited too")
    if memory is not None and swap < memory:
        raise Invalid("memory_swap", "%s is less than memory, which it includes" % params["memory_swap"])


def _cpus(value: t.Optional[float]) -> t.Optional[int]:
    """0 is no limit, as with the peers."""
    if not value:
        return None if value is None else 0
    cpus = units.parse_cpus(value, "cpus")
    if cpus < LEAST_CPUS:
        raise Invalid("cpus", "%s is less than 0.01, the smallest that is accepted" % value)
    return cpus


def _within(value: t.Optional[int], accepted: range, option: str) -> t.Optional[int]:
    if value is not None and value not in accepted:
        raise Invalid(option, "%d is not from %d to %d" % (value, accepted[0], accepted[-1]))
    return value


def _swappiness(value: t.Optional[int]) -> t.Optional[int]:
    """-1 is the host's, as docker and podman have it."""
    return None if value == -1 else _within(value, _SWAPPINESS, "memory_swappiness")


def _cpu_quota(value: t.Optional[int]) -> t.Optional[int]:
    """0 and -1 are both no limit."""
    if value in (None, 0, units.UNLIMITED):
        return None if value is None else units.UNLIMITED
    return values.at_least(value, LEAST_QUOTA, "cpu_quota")


def _memory_reservation(value: t.Optional[str], memory: t.Optional[int]) -> t.Optional[int]:
    if value is None:
        return None
    size = units.parse_size(value, "memory_reservation") or units.UNLIMITED
    if memory is not None and memory != units.UNLIMITED and size > memory:
        raise Invalid("memory_reservation", "%s is more than memory, within which it is" % value)
    return size


def _rates(given: t.Optional[t.Sequence[t.Mapping[str, t.Any]]], option: str) -> t.Optional[t.Tuple[DeviceRate, ...]]:
    """Of each device one, sorted by path."""
    if given is None:
        return None
    found: t.Dict[str, DeviceRate] = {}
    for each in given:
        path = values.absolute(each["path"], option) or ""
        rate = units.parse_size(each["rate"], option)
        if rate < 1:
            raise Invalid(option, "%r for %s is not a number above 0" % (each["rate"], path))
        if found.setdefault(path, DeviceRate(path, rate)).rate != rate:
            raise Invalid(option, "%s is given twice" % path)
    return tuple(found[path] for path in sorted(found))


def _pids_limit(value: t.Optional[int]) -> t.Optional[int]:
    """0 and -1 are both no limit, as with the peers."""
    if value is None:
        return None
    return values.at_least(value, units.UNLIMITED, "pids_limit") or units.UNLIMITED


def _ulimits(given: t.Optional[t.Sequence[str]]) -> t.Optional[t.Tuple[Ulimit, ...]]:
    if given is None:
        return None
    found: t.Dict[str, Ulimit] = {}
    for ulimit in (_ulimit(value) for value in given):
        if found.setdefault(ulimit.name, ulimit) != ulimit:
            raise Invalid("ulimits", "%s is given twice" % ulimit.name)
    return tuple(found[name] for name in sorted(found))


def _ulimit(value: str) -> Ulimit:
    name, *numbers = value.replace("=", ":", 1).split(":")
    if not 1 <= len(numbers) <= 2:
        raise Invalid("ulimits", "%r is not NAME:SOFT or NAME:SOFT:HARD, such as nofile:1024:2048" % value)
    if name.lower() not in RLIMITS:
        raise Invalid("ulimits", "%r in %r is not one of %s" % (name, value, ", ".join(RLIMITS)))
    soft, hard = (_rlimit(number, value) for number in (numbers[0], numbers[-1]))
    if hard != units.UNLIMITED and (soft == units.UNLIMITED or soft > hard):
        raise Invalid("ulimits", "%r has a soft limit above its hard limit" % value)
    return Ulimit(name.lower(), soft, hard)


def _rlimit(number: str, value: str) -> int:
    if number in ("-1", "unlimited"):
        return units.UNLIMITED
    if not (number.isascii() and number.isdigit()):
        raise Invalid("ulimits", "%r in %r is neither a number nor unlimited" % (number, value))
    return int(number)
