# SPDX-License-Identifier: BSD-2-Clause
"""What a look from outside tells of a container beside its records: processes, counters, output. Nothing of the container is run.

Not here: the records (info.py).
"""
from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import execs, logs, written
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import process
from ansible_collections.cocker.engine.plugins.module_utils.model.container import HOST, ContainerState
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainerQuery
from ansible_collections.cocker.engine.plugins.module_utils.runtime import state as run_state
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import factory

Shown = t.Dict[str, t.Any]

_LONGEST_COMMAND = 1 << 16
_NETWORK = ("rx_bytes", "rx_packets", "rx_errors", "rx_dropped", "tx_bytes", "tx_packets", "tx_errors", "tx_dropped")
_COLUMNS = (0, 1, 2, 3, 8, 9, 10, 11)       # of /proc/PID/net/dev, behind the name (proc(5))


def gathered(host: Host, found: ContainerState, query: ContainerQuery) -> Shown:
    told: Shown = {}
    for kind in query.gather:
        told.update(_KINDS[kind](host, found, query))
    return told


def _processes(_host: Host, found: ContainerState, _query: ContainerQuery) -> Shown:
    if found.running is None:
        return {"Processes": []}
    pids = factory.from_paths(found.running.cgroups).procs()
    seen = [_process(pid) for pid in sorted(pids)]
    return {"Processes": [each for each in seen if each is not None]}


def _process(pid: int) -> t.Optional[Shown]:
    """None for one that has just ended."""
    identity = process.find(pid)
    try:
        status = _keyed("/proc/%d/status" % pid)
        with open("/proc/%d/cmdline" % pid, "rb") as stream:
            words = stream.read(_LONGEST_COMMAND).rstrip(b"\0").split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return None
    if identity is None:
        return None
    command = [os.fsdecode(word) for word in words if words != [b""]]
    return {
        "PID": pid,
        "PPID": int(status["PPid"]),
        "ContainerPID": int(status["NSpid"].split()[-1]) if "NSpid" in status else pid,
        "UID": int(status["Uid"].split()[1]),
        "GID": int(status["Gid"].split()[1]),
        "Name": status["Name"],
        "State": status["State"][:1],
        "Threads": int(status["Threads"]),
        "RSS": int(status.get("VmRSS", "0").split()[0]) * 1024,
        "StartedAt": run_state.stamp(int(process.start_time_seconds(identity) * 10**9)),
        "Command": command,
    }


def _keyed(path: str) -> t.Dict[str, str]:
    with open(path, "rb") as stream:
        lines = [os.fsdecode(line).partition(":") for line in stream.read().splitlines()]
    return {key: value.strip() for key, _colon, value in lines}


def _stats(_host: Host, found: ContainerState, _query: ContainerQuery) -> Shown:
    if found.running is None:
        return {"Stats": None}
    seen = factory.from_paths(found.running.cgroups).stats()
    spec = found.record.spec if found.record else None
    return {"Stats": {
        "read": run_state.now(),
        "cpu_stats": {"cpu_usage": {
            "total_usage": seen.cpu_ns, "usage_in_usermode": seen.cpu_user_ns, "usage_in_kernelmode": seen.cpu_system_ns}},
        "memory_stats": {
            "usage": seen.memory_usage, "max_usage": seen.memory_max_usage, "limit": seen.memory_limit,
            "stats": {"inactive_file": seen.memory_inactive_file}, "oom_kills": seen.oom_kills},
        "pids_stats": {"current": seen.pids_current, "limit": seen.pids_limit},
        "blkio_stats": {"read_bytes": seen.io_read_bytes, "write_bytes": seen.io_write_bytes},
        "networks": {} if spec is not None and spec.network_mode == HOST else _networks(found.running.pid),
    }}


def _networks(pid: int) -> t.Dict[str, t.Dict[str, int]]:
    """Of the network namespace that the process is in, as the container sees it."""
    found = {}
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, OSError), open("/proc/%d/net/dev" % pid, encoding="ascii") as stream:
        for line in stream.read().splitlines()[2:]:
            name, _colon, text = line.partition(":")
            numbers = [int(word) for word in text.split()]
            found[name.strip()] = dict(zip(_NETWORK, (numbers[column] for column in _COLUMNS)))
    return {name: counters for name, counters in found.items() if name != "lo"}


def _logs(host: Host, found: ContainerState, query: ContainerQuery) -> Shown:
    try:
        lines = logs.read(host, found.name, tail=query.tail, since=query.since)
    except Unsupported as error:
        return {"Logs": {"stdout": "", "stderr": "", "lines": [], "note": str(error)}}
    return {"Logs": {
        **{stream: b"".join(line.content for line in lines if line.stream == stream) for stream in logs.STREAMS},
        "lines": [{"stream": line.stream, "time": line.time, "log": line.content} for line in lines],
    }}


def _execs(host: Host, found: ContainerState, query: ContainerQuery) -> Shown:
    kept = [execs.get(host, found.name, query.exec_id)] if query.exec_id else execs.listed(host, found.name)
    return {"Execs": [execs.shown(each, tail=query.tail, since=query.since) for each in kept]}


_KINDS: t.Dict[str, t.Callable[[Host, ContainerState, ContainerQuery], Shown]] = {
    "processes": _processes, "stats": _stats, "logs": _logs, "execs": _execs,
    "size": lambda host, found, _query: written.size(host, found), "diff": lambda host, found, _query: written.diff(host, found),
}
