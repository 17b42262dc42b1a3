# SPDX-License-Identifier: BSD-2-Clause
"""Pure: one control file to write, and the checks of values that v1 and v2 share.

Not here: what each limit becomes (limits_v1.py, limits_v2.py) and the table of sections (resources.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

Section = t.Mapping[str, t.Any]
Current = t.Mapping[str, str]

SWAP_HINT = "this kernel does not account swap; boot it with swapaccount=1, or leave memory_swap unset"
LARGEST_PAGE = 65536
CPU_SHARES = (2, 262144)
PERIOD = (1000, 1000000)
USUAL_WEIGHT = -1  # ours: back to what the kernel gives a new cgroup
THROTTLES = (
    ("throttleReadBpsDevice", "read_bps", "rbps"), ("throttleWriteBpsDevice", "write_bps", "wbps"),
    ("throttleReadIOPSDevice", "read_iops", "riops"), ("throttleWriteIOPSDevice", "write_iops", "wiops"),
)
BLOCK_IO = ("weight", "leafWeight", "weightDevice") + tuple(row[0] for row in THROTTLES)


class Setting(t.NamedTuple):
    """`value` goes to `file`; where that is missing to the first of `instead` that is there, else it is an error.

    `optional`: the file may be missing, because the limit then holds anyway. `verify`: the file that tells what the kernel made of it.
    """

    controller: str
    file: str
    value: str
    option: str
    optional: bool = False
    instead: t.Tuple[t.Tuple[str, str], ...] = ()
    verify: str = ""
    hint: str = ""


def number(section: Section, key: str, *, option: str, low: int = -1, high: int = 2**63 - 1) -> t.Optional[int]:
    """None when it is not given."""
    value = section.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Invalid(option, "%r is not a number from %d to %d" % (value, low, high))
    return int(value)


def size(section: Section, key: str, *, option: str) -> t.Optional[int]:
    """Bytes; -1 is unlimited."""
    return number(section, key, option=option)


def nonzero(section: Section, key: str, *, option: str, low: int = 0, high: int = 2**63 - 1) -> t.Optional[int]:
    """As `number`, where OCI's 0 stands for "not given"."""
    value = section.get(key)
    return None if value == 0 and not isinstance(value, bool) else number(section, key, option=option, low=low, high=high)


def holds(setting: Setting, text: str) -> bool:
    """Whether what was read back is what was asked for: sizes up to a page, lists of CPUs as sets."""
    if setting.controller == "cpuset":
        return members(setting.value) == members(text)
    if not setting.value.isdigit() or not text.isdigit():
        return setting.value == text
    return abs(int(setting.value) - int(text)) < LARGEST_PAGE


def members(text: str) -> t.Set[int]:
    """The numbers of a list such as 0-2,4 (cpuset(7), "List format")."""
    found: t.Set[int] = set()
    for part in text.split(","):
        low, _dash, high = part.strip().partition("-")
        if low:
            found.update(range(int(low), int(high or low) + 1))
    return found


def cpu_values(cpu: Section) -> t.Dict[str, t.Optional[int]]:
    """The numbers of OCI's cpu section, checked before the first write."""
    shares = nonzero(cpu, "shares", option="cpu.shares", low=CPU_SHARES[0], high=CPU_SHARES[1])
    period = nonzero(cpu, "period", option="cpu.period", low=PERIOD[0], high=PERIOD[1])
    quota = nonzero(cpu, "quota", option="cpu.quota", low=-1)
    if quota is not None and 0 < quota < PERIOD[0]:
        raise Invalid("cpu.quota", "%d is below the smallest share of %d microseconds" % (quota, PERIOD[0]))
    burst = number(cpu, "burst", option="cpu.burst", low=0)
    if burst and quota is not None and 0 < quota < burst:
        raise Invalid("cpu.burst", "%d is above the quota %d" % (burst, quota))
    return {"shares": shares, "period": period, "quota": quota, "burst": burst}


def check_swap(limit: t.Optional[int], swap: t.Optional[int]) -> None:
    if swap is None or swap < 0 or limit is None:
        return
    if limit < 0 or limit > swap:
        raise Invalid("memory.swap", "memory plus swap (%d) is below memory (%s)" % (swap, limit if limit >= 0 else "unlimited"))


def refuse_unknown(section: Section, known: t.Sequence[str], *, prefix: str) -> None:
    for key in sorted(section):
        if key not in known:
            raise Invalid("%s.%s" % (prefix, key), "not one of %s" % ", ".join(known))


def device(entry: Section, *, option: str) -> str:
    major, minor = (number(entry, key, option=option, low=0) for key in ("major", "minor"))
    if major is None or minor is None:
        raise Invalid(option, "major and minor are required")
    return "%d:%d" % (major, minor)
