# SPDX-License-Identifier: BSD-2-Clause
"""Commands that were started in a container and not waited for: each has a directory with its log, its start and its end.

They go with the container. Not here: starting them (exec.py).
"""
from __future__ import annotations

import os
import secrets
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import logs
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ExecWish
from ansible_collections.cocker.engine.plugins.module_utils.runtime import state
from ansible_collections.cocker.engine.plugins.module_utils.storage import records

KEPT = 50           # that have ended; the oldest beyond go when another one is started
_COMMAND = "command.json"


class Kept(t.NamedTuple):
    id: str
    folder: str


def _place(host: Host, container: str) -> str:
    return os.path.join(host.layout.container(container), "execs")


def create(host: Host, wish: ExecWish) -> Kept:
    place = _place(host, wish.container)
    os.makedirs(place, mode=0o700, exist_ok=True)
    _forget_oldest(host, wish.container)
    identifier = secrets.token_hex(32)
    kept = Kept(identifier, os.path.join(place, identifier))
    os.mkdir(kept.folder, 0o700)
    records.write(os.path.join(kept.folder, _COMMAND), {"command": list(wish.argv), "user": wish.user or ""}, durable=False)
    return kept


def _forget_oldest(host: Host, container: str) -> None:
    ended = [kept for kept in listed(host, container) if not _is_running(kept)]
    for kept in ended[:-KEPT]:
        remove(kept)


def _is_running(kept: Kept) -> bool:
    found = state.find_exec(kept.folder)
    return found is not None and found.is_running


def remove(kept: Kept) -> None:
    """Idempotent."""
    fs.remove_tree(kept.folder)


def listed(host: Host, container: str) -> t.List[Kept]:
    """Oldest first."""
    place = _place(host, container)
    names = os.listdir(place) if os.path.isdir(place) else []
    found = [Kept(name, os.path.join(place, name)) for name in names]
    return sorted(found, key=lambda kept: (os.stat(kept.folder).st_ctime_ns if os.path.isdir(kept.folder) else 0, kept.id))


def get(host: Host, container: str, identifier: str) -> Kept:
    """A unique beginning of the id is enough. Raises NotFound."""
    found = [kept for kept in listed(host, container) if kept.id.startswith(identifier)]
    if len(found) != 1:
        raise NotFound("command", identifier, "%d of container %s have this id" % (len(found), container))
    return found[0]


def shown(kept: Kept, *, tail: t.Optional[int] = None, since: t.Optional[str] = None) -> t.Dict[str, t.Any]:
    """As C(docker inspect) of an exec, with its output."""
    record = records.load(os.path.join(kept.folder, _COMMAND), dict) or {}
    found = state.find_exec(kept.folder)
    lines = logs.read_files(kept.folder, tail=tail, since=since)
    return {
        "ID": kept.id,
        "Running": found is not None and found.is_running,
        "Pid": found.pid if found else 0,
        "ExitCode": found.rc if found else None,
        "TimedOut": found is not None and found.timed_out,
        "StartedAt": found.started_at if found else "",
        "FinishedAt": found.finished_at if found else "",
        "Command": list(record.get("command", ())),
        "User": record.get("user", ""),
        "stdout": b"".join(line.content for line in lines if line.stream == "stdout"),
        "stderr": b"".join(line.content for line in lines if line.stream == "stderr"),
    }
