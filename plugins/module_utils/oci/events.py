# SPDX-License-Identifier: BSD-2-Clause
"""`events`: the counters of a container's cgroup, once or again and again, in runc's JSON; and when memory ran out in it.

Not here: the counters of cocker's own containers (runtime/cgroups/stats.py, of which the sums come).
"""
from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, poll
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.oci import records
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import factory, stats
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups.group import Cgroup

Say = t.Callable[[str], None]
Json = t.Dict[str, t.Any]
_UNLIMITED = 2**64 - 1
_LOOK = 0.1         # seconds between two looks whether it has ended


def show(root: str, name: str, say: Say, *, interval: float, once: bool) -> None:
    """To the end of the container, unless `once`. `interval` in seconds. Raises CockerError for one that does not run."""
    record = records.get(root, name)
    if not record.lives():
        raise CockerError("container with id %s is not running" % name)
    cgroup = factory.from_paths(record.cgroups)
    say(_line("stats", name, data(cgroup)))
    kills = cgroup.oom_kills()
    while not once:
        if poll.until(lambda: not record.lives(), timeout=interval, interval=_LOOK):
            return
        before, kills = kills, cgroup.oom_kills()
        say(_line("oom", name) * (kills > before) + _line("stats", name, data(cgroup)))


def _line(kind: str, name: str, found: t.Optional[Json] = None) -> str:
    return json.dumps(dict({"type": kind, "id": name}, **({} if found is None else {"data": found})), separators=(",", ":")) + "\n"


def data(cgroup: Cgroup) -> Json:
    """In the words of runc's `events`."""
    found = cgroup.stats()
    return {
        "cpu": _cpu(cgroup, found), "memory": _memory(cgroup, found),
        "pids": _given({"current": found.pids_current, "limit": found.pids_limit}), "blkio": _block_io(cgroup),
        "hugetlb": _huge_pages(cgroup),
    }


def _given(values: t.Mapping[str, t.Any]) -> Json:
    return {key: value for key, value in values.items() if value is not None}


def _cpu(cgroup: Cgroup, found: stats.Stats) -> Json:
    directory, version = cgroup.directory("cpuacct")
    usage = {"total": found.cpu_ns or 0, "kernel": found.cpu_system_ns or 0, "user": found.cpu_user_ns or 0}
    each = cgroupfs.find(directory, "cpuacct.usage_percpu") if version == 1 else None
    if each:
        usage["percpu"] = [int(word) for word in each.split()]  # type: ignore[assignment]
    directory, version = cgroup.directory("cpu")
    counted = cgroupfs.keyed(cgroupfs.find(directory, "cpu.stat")) if version else {}
    nanoseconds = counted.get("throttled_time", counted.get("throttled_usec", 0) * 1000)
    throttling = {"periods": counted.get("nr_periods", 0), "throttledPeriods": counted.get("nr_throttled", 0), "throttledTime": nanoseconds}
    return {"usage": usage, "throttling": {key: value for key, value in throttling.items() if value}}


def _memory(cgroup: Cgroup, found: stats.Stats) -> Json:
    directory, version = cgroup.directory("memory")
    raw = cgroupfs.keyed(cgroupfs.find(directory, "memory.stat")) if version else {}
    usage = _given({
        "limit": found.memory_limit if found.memory_limit is not None else _UNLIMITED, "usage": found.memory_usage,
        "max": found.memory_max_usage, "failcnt": _number(directory, "memory.failcnt", version, 1),
    })
    answer = {"cache": raw.get("cache" if version == 1 else "file", 0), "usage": usage, "raw": raw}
    if version == 1:
        for key, prefix in (("swap", "memory.memsw"), ("kernel", "memory.kmem"), ("kernelTCP", "memory.kmem.tcp")):
            names = {"limit": "limit_in_bytes", "usage": "usage_in_bytes", "max": "max_usage_in_bytes", "failcnt": "failcnt"}
            part = _given({field: _number(directory, "%s.%s" % (prefix, name), version, 1) for field, name in names.items()})
            answer.update({key: part} if part else {})
    return answer


def _number(directory: str, name: str, version: int, wanted: int) -> t.Optional[int]:
    text = cgroupfs.find(directory, name) if version == wanted else None
    return int(text) if text and text.isdigit() else None


def _block_io(cgroup: Cgroup) -> Json:
    """Bytes and requests of each device."""
    directory, version = cgroup.directory("blkio")
    if version == 1:
        names = {"ioServiceBytesRecursive": "io_service_bytes_recursive", "ioServicedRecursive": "io_serviced_recursive"}
        found = {key: _entries_v1(cgroupfs.find(directory, "blkio.throttle." + name) or "") for key, name in names.items()}
    else:
        text = cgroupfs.find(directory, "io.stat") or "" if version else ""
        pairs = {"ioServiceBytesRecursive": ("rbytes", "wbytes"), "ioServicedRecursive": ("rios", "wios")}
        found = {key: _entries_v2(text, pair) for key, pair in pairs.items()}
    return {key: entries for key, entries in found.items() if entries}


def _entries_v1(text: str) -> t.List[Json]:
    rows = (line.split() for line in text.splitlines())
    return [_entry(row[0], row[1], row[2]) for row in rows if len(row) == 3 and ":" in row[0]]


def _entries_v2(text: str, names: t.Tuple[str, str]) -> t.List[Json]:
    found = []
    for device, *words in (line.split() for line in text.splitlines() if line.strip()):
        values = dict(t.cast("t.Tuple[str, str]", tuple(word.split("=", 1))) for word in words if "=" in word)
        found += [_entry(device, what, values[name]) for what, name in zip(("Read", "Write"), names) if name in values]
    return found


def _entry(device: str, what: str, value: str) -> Json:
    major, _colon, minor = device.partition(":")
    return {"major": int(major), "minor": int(minor), "op": what, "value": int(value)}


def _huge_pages(cgroup: Cgroup) -> Json:
    directory, version = cgroup.directory("hugetlb")
    found: Json = {}
    for name in os.listdir(directory) if version and os.path.isdir(directory) else ():
        size, dot, rest = name[len("hugetlb."):].partition(".")
        if not name.startswith("hugetlb.") or not dot or rest != ("usage_in_bytes" if version == 1 else "current"):
            continue
        prefix = "hugetlb." + size
        names = {"usage": rest, "max": "max_usage_in_bytes", "failcnt": "failcnt"}
        part = {field: _number(directory, "%s.%s" % (prefix, file), version, version) for field, file in names.items()}
        found.update({size: _given(part)} if any(part.values()) else {})
    return found


def seconds(text: t.Optional[str]) -> float:
    """`5s`, `500ms`, `1m30s`, as Go writes a duration; default 5 s. Raises CockerError."""
    left, total, units = text or "5s", 0.0, {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    while left:
        digits = left[:len(left) - len(left.lstrip("0123456789."))]
        rest = left[len(digits):]
        unit = next((unit for unit in units if rest.startswith(unit)), "")
        if not unit or not digits.replace(".", "", 1).isdigit():
            raise CockerError("duration", text or "", "a number and one of ms, s, m, h is wanted")
        total, left = total + float(digits) * units[unit], rest[len(unit):]
    if total <= 0:
        raise CockerError("duration interval must be greater than 0")
    return total
