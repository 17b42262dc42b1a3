# SPDX-License-Identifier: BSD-2-Clause
"""What a container wrote, read back from its log: the last lines, or those since a time. Reads from the end, changes nothing.

Not here: writing it (init/logs.py), and where it lies (storage/layout.py).
"""
from __future__ import annotations

import contextlib
import json
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model import logdriver
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerRecord
from ansible_collections.cocker.engine.plugins.module_utils.model.container_fields import record_from_json
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import NotFound, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.storage import records

FILE = "container.log"
STREAMS = ("stdout", "stderr")
_BLOCK = 1 << 16
_TIME = slice(-33, -3)      # of `..."time":"2026-01-02T03:04:05.000000000Z"}\n`


class Line(t.NamedTuple):
    """`content` with its newline, if it had one; a line above 16 KiB comes in pieces without. `time` is RFC 3339, in UTC."""

    stream: str
    time: str
    content: bytes


def read(
    host: Host, name: str, *, tail: t.Optional[int] = None, since: t.Optional[str] = None, streams: t.Collection[str] = STREAMS
) -> t.List[Line]:
    """Oldest first. `since` as `time` is written. Raises NotFound for no such container, Unsupported where the log is not kept in files."""
    record = records.load(host.layout.spec(name), record_from_json)
    if record is None:
        raise NotFound("container", name, "it does not exist")
    driver = record.spec.log_driver or logdriver.JSON_FILE
    found = read_files(folder(host, name), tail=tail, since=since, streams=streams, files=kept_files(record))
    if not found and driver == logdriver.JOURNALD:
        raise Unsupported("read log of", name, "it goes to the host's journal", hint="journalctl CONTAINER_NAME=%s" % name)
    return found


def folder(host: Host, name: str) -> str:
    return os.path.join(host.layout.container(name), "logs")


def kept_files(record: ContainerRecord) -> t.Optional[int]:
    """How many there are at most. None where another driver's options say nothing about what was written to files before."""
    if record.spec.log_driver not in (None, logdriver.JSON_FILE):
        return None
    return int((record.spec.log_options or {}).get(logdriver.MAX_FILE, logdriver.DEFAULT_FILES))


def read_files(
    folder: str, *, tail: t.Optional[int], since: t.Optional[str], streams: t.Collection[str] = STREAMS, files: t.Optional[int] = None
) -> t.List[Line]:
    """At most the newest `files` are read."""
    found: t.List[Line] = []
    with contextlib.ExitStack() as stack:
        for raw in _newest_first(folder, files, stack):
            if tail is not None and len(found) >= tail:
                break
            line = _parsed(raw) if since is None or raw[_TIME] >= since.encode() else None
            if line is not None and line.stream in streams:
                found.append(line)
    return found[::-1]


def _parsed(raw: bytes) -> t.Optional[Line]:
    """None for what is no entry: the log of a host that lost power may end in the middle of one."""
    try:
        entry = json.loads(raw)
        return Line(str(entry["stream"]), str(entry["time"]), str(entry["log"]).encode("utf-8", "surrogateescape"))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _newest_first(folder: str, files: t.Optional[int], stack: contextlib.ExitStack) -> t.Iterator[bytes]:
    for fd in _opened(folder, stack)[:files]:
        yield from _backwards(fd)


def _opened(folder: str, stack: contextlib.ExitStack) -> t.List[int]:
    """All files before the first is read; one that is put aside meanwhile is met a second time under its new name."""
    found: t.List[int] = []
    seen: t.Set[int] = set()
    path = os.path.join(folder, FILE)
    while True:
        try:
            fd = os.open("%s.%d" % (path, len(found)) if found else path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return [fd for fd in found if fd >= 0]
        stack.callback(os.close, fd)
        inode = os.fstat(fd).st_ino
        found.append(-1 if inode in seen else fd)
        seen.add(inode)


def _backwards(fd: int) -> t.Iterator[bytes]:
    """Whole lines with their newline, last first; what is being written right now is left out."""
    place, rest = os.fstat(fd).st_size, b""
    ended = False
    while place > 0:
        start = max(0, place - _BLOCK)
        block = os.pread(fd, place - start, start) + rest
        place = start
        if not ended:
            block, ended = block[:block.rfind(b"\n") + 1], b"\n" in block
        lines = block.splitlines(keepends=True) if ended else []
        rest = lines[0] if lines and place else b""
        yield from reversed(lines[1:] if place else lines)
