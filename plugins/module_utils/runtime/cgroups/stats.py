# SPDX-License-Identifier: BSD-2-Clause
"""Counters of a cgroup: CPU time, memory, processes, block I/O, OOM kills; None where this host does not count."""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs

# A controller -> (directory, version); version 0 without it.
Locate = t.Callable[[str], t.Tuple[str, int]]

V1_UNLIMITED = 1 << 62


class Stats(t.NamedTuple):
    """`memory_limit` and `pids_limit` are None when unlimited; `memory_inactive_file` is cache that costs nothing to drop."""

    cpu_ns: t.Optional[int] = None
    cpu_user_ns: t.Optional[int] = None
    cpu_system_ns: t.Optional[int] = None
    memory_usage: t.Optional[int] = None
    memory_limit: t.Optional[int] = None
    memory_max_usage: t.Optional[int] = None
    memory_inactive_file: t.Optional[int] = None
    pids_current: t.Optional[int] = None
    pids_limit: t.Optional[int] = None
    io_read_bytes: t.Optional[int] = None
    io_write_bytes: t.Optional[int] = None
    oom_kills: int = 0


def read(locate: Locate) -> Stats:
    """All of them; a cgroup that is gone has none."""
    pids, _version = locate("pids")
    return Stats(
        pids_current=_number(pids, "pids.current"),
        pids_limit=_number(pids, "pids.max"),
        oom_kills=oom_kills(locate),
        **_cpu(locate), **_memory(locate), **_io(locate),
    )


def oom_kills(locate: Locate) -> int:
    directory, version = locate("memory")
    name = "memory.oom_control" if version == 1 else "memory.events"
    return cgroupfs.keyed(_text(directory, name)).get("oom_kill", 0)


def _cpu(locate: Locate) -> t.Dict[str, t.Optional[int]]:
    directory, version = locate("cpuacct")
    if version == 1:
        names = {"cpu_ns": "cpuacct.usage", "cpu_user_ns": "cpuacct.usage_user", "cpu_system_ns": "cpuacct.usage_sys"}
        return {field: _number(directory, name) for field, name in names.items()}
    counters = cgroupfs.keyed(_text(directory, "cpu.stat"))
    fields = {"cpu_ns": "usage_usec", "cpu_user_ns": "user_usec", "cpu_system_ns": "system_usec"}
    return {field: counters[key] * 1000 if key in counters else None for field, key in fields.items()}


def _memory(locate: Locate) -> t.Dict[str, t.Optional[int]]:
    directory, version = locate("memory")
    if version == 1:
        names = ("memory.usage_in_bytes", "memory.limit_in_bytes", "memory.max_usage_in_bytes")
    else:
        names = ("memory.current", "memory.max", "memory.peak")  # memory.peak: Linux 5.19
    usage, limit, peak = (_number(directory, name) for name in names)
    key = "total_inactive_file" if version == 1 else "inactive_file"
    return {
        "memory_usage": usage,
        "memory_limit": None if limit is None or limit >= V1_UNLIMITED else limit,
        "memory_max_usage": peak,
        "memory_inactive_file": cgroupfs.keyed(_text(directory, "memory.stat")).get(key),
    }


def _io(locate: Locate) -> t.Dict[str, t.Optional[int]]:
    directory, version = locate("blkio")
    if version == 1:
        text = _text(directory, "blkio.throttle.io_service_bytes_recursive")  # Linux 4.18
    else:
        text = _text(directory, "io.stat")
    if text is None:
        return {"io_read_bytes": None, "io_write_bytes": None}
    read_bytes, write_bytes = io_bytes(text)
    return {"io_read_bytes": read_bytes, "io_write_bytes": write_bytes}


def io_bytes(text: str) -> t.Tuple[int, int]:
    """Sums of all devices. v1: `8:0 Read 4096`; v2: `8:0 rbytes=4096 wbytes=0 ...`."""
    totals = {"r": 0, "w": 0}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[1] in ("Read", "Write"):
            totals[words[1][0].lower()] += int(words[2])
        for word in words:
            key, _equals, value = word.partition("=")
            if key in ("rbytes", "wbytes"):
                totals[key[0]] += int(value)
    return totals["r"], totals["w"]


def _text(directory: str, name: str) -> t.Optional[str]:
    return cgroupfs.find(directory, name) if directory else None


def _number(directory: str, name: str) -> t.Optional[int]:
    text = _text(directory, name) or ""
    return int(text) if text.isdigit() else None
