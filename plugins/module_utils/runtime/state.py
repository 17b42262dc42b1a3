# SPDX-License-Identifier: BSD-2-Clause
"""The two records of a container's run: state.json while it runs (volatile), exit.json when it has ended (durable).

Not here: who writes them when (init/supervisor.py).
"""
from __future__ import annotations

import errno
import json
import os
import time
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, process
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, tolerate

SCHEMA = 1
STATE, EXIT, STOPPING, HEALTH = "state.json", "exit.json", "stopping", "health.json"
SOCKET = "control"      # the supervisor's (init/control.py)
ENGINE = "engine"       # a link that names engine and interpreter of a supervisor that forks launchers
_OCI_VERSION = "1.2.0"
_LARGEST = 1 << 20


class Ending(t.NamedTuple):
    """`exit_code` is 128 + signal for one that was killed. `error` is what failed in cleaning up; `log_lost` counts bytes.

    `stopped`: by somebody's wish; `with_host`: the host, or systemd, asked its supervisor to end; `restart_count`: how often it was
    started again in this life.
    """

    exit_code: int
    signal: t.Optional[int]
    oom_killed: bool
    started_at: str
    finished_at: str
    error: str = ""
    log_lost: int = 0
    restart_count: int = 0
    stopped: bool = False
    with_host: bool = False


class State(t.NamedTuple):
    """`boot_id` says whether the pids mean anything. `restarting`: PID 1 has ended and the supervisor waits to start the next one.

    `last` is how the run before ended, if the supervisor started this one.
    """

    name: str
    init: process.Identity
    supervisor: process.Identity
    started_at: str
    bundle: str
    cgroups: t.Mapping[str, str]
    boot_id: str
    restarting: bool = False
    restart_count: int = 0
    last: t.Optional[Ending] = None

    def is_running(self) -> bool:
        return self.boot_id == process.boot_id() and self.init.alive()

    def lives(self) -> bool:
        """Whether there is a process of it, or will be."""
        return self.is_running() or self.is_restarting()

    def is_restarting(self) -> bool:
        return self.restarting and self.boot_id == process.boot_id() and self.supervisor.alive()


def now() -> str:
    """RFC 3339, to the nanosecond, UTC."""
    return stamp(time.time_ns())


def stamp(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 10**9)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".%09dZ" % rest


def write(state_dir: str, state: State) -> None:
    record = {
        "schema": SCHEMA, "ociVersion": _OCI_VERSION, "id": state.name, "status": "running",
        "pid": state.init.pid, "start_time": state.init.start_time,
        "supervisor": {"pid": state.supervisor.pid, "start_time": state.supervisor.start_time},
        "started_at": state.started_at, "bundle": state.bundle, "cgroups": dict(state.cgroups), "boot_id": state.boot_id,
        "restarting": state.restarting, "restart_count": state.restart_count, "last": state.last._asdict() if state.last else None,
    }
    _write(os.path.join(state_dir, STATE), record, durable=False)


def find(state_dir: str) -> t.Optional[State]:
    """None when nothing runs by this record. Damaged when it is not ours."""
    value = _read(os.path.join(state_dir, STATE))
    if value is None:
        return None
    try:
        supervisor = value["supervisor"]
        return State(
            name=str(value["id"]), init=process.Identity(int(value["pid"]), int(value["start_time"])),
            supervisor=process.Identity(int(supervisor["pid"]), int(supervisor["start_time"])),
            started_at=str(value["started_at"]), bundle=str(value["bundle"]),
            cgroups={str(key): str(path) for key, path in value["cgroups"].items()}, boot_id=str(value["boot_id"]),
            restarting=bool(value.get("restarting")), restart_count=int(value.get("restart_count", 0)),
            last=_ending(value["last"]) if value.get("last") else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Damaged("read", os.path.join(state_dir, STATE), "not a state record: %r" % error) from error


def remove(state_dir: str) -> None:
    """With the supervisor's socket. Idempotent."""
    for name in (ENGINE, SOCKET, STATE, HEALTH):
        with tolerate(errno.ENOENT):
            os.unlink(os.path.join(state_dir, name))


def write_exit(bundle: str, ending: Ending) -> None:
    _write(os.path.join(bundle, EXIT), dict(ending._asdict(), schema=SCHEMA), durable=True)


def remove_exit(bundle: str) -> None:
    """Idempotent."""
    with tolerate(errno.ENOENT):
        os.unlink(os.path.join(bundle, EXIT))


def find_exit(bundle: str) -> t.Optional[Ending]:
    """None when the last run left no record: it never ran, or its supervisor died."""
    value = _read(os.path.join(bundle, EXIT))
    if value is None:
        return None
    try:
        return _ending(value)
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged("read", os.path.join(bundle, EXIT), "not an exit record: %r" % error) from error


def _ending(value: t.Mapping[str, t.Any]) -> Ending:
    number = value["signal"]
    return Ending(
        exit_code=int(value["exit_code"]), signal=None if number is None else int(number), oom_killed=bool(value["oom_killed"]),
        started_at=str(value["started_at"]), finished_at=str(value["finished_at"]), error=str(value["error"]),
        log_lost=int(value.get("log_lost", 0)), restart_count=int(value.get("restart_count", 0)), stopped=bool(value.get("stopped")),
        with_host=bool(value.get("with_host")),
    )


class Probe(t.NamedTuple):
    """One run of the health check. `exit_code` is -1 for one that took too long or could not be run."""

    start: str
    end: str
    exit_code: int
    output: str


class Health(t.NamedTuple):
    """What became of the health check `check` (model/healthcheck.py, as JSON) in this run. `streak` counts failures in a row."""

    check: str
    status: str
    streak: int = 0
    log: t.Tuple[Probe, ...] = ()


def write_health(state_dir: str, health: Health) -> None:
    record = dict(health._asdict(), schema=SCHEMA, log=[probe._asdict() for probe in health.log])
    _write(os.path.join(state_dir, HEALTH), record, durable=False)


def remove_health(state_dir: str) -> None:
    """Idempotent."""
    with tolerate(errno.ENOENT):
        os.unlink(os.path.join(state_dir, HEALTH))


def find_health(state_dir: str) -> t.Optional[Health]:
    """None before the first result. Raises Damaged."""
    value = _read(os.path.join(state_dir, HEALTH))
    if value is None:
        return None
    try:
        log = (Probe(str(each["start"]), str(each["end"]), int(each["exit_code"]), str(each["output"])) for each in value["log"])
        return Health(str(value["check"]), str(value["status"]), int(value["streak"]), tuple(log))
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged("read", os.path.join(state_dir, HEALTH), "not a record of health: %r" % error) from error


def write_exec_start(folder: str, *, command: t.Optional[process.Identity] = None) -> None:
    """Of a command that nobody waits for: by the process that does so in their place, which is named here."""
    pid = os.getpid()
    own = process.find(pid)
    record = {
        "schema": SCHEMA, "started_at": now(), "pid": pid, "start_time": own.start_time if own else 0, "boot_id": process.boot_id(),
        "command": None if command is None else [command.pid, command.start_time],
    }
    _write(os.path.join(folder, STATE), record, durable=False)


def write_exec_end(folder: str, *, rc: int, timed_out: bool) -> None:
    """A container that was removed meanwhile has taken the directory with it."""
    with tolerate(errno.ENOENT):
        _write(os.path.join(folder, EXIT), {"schema": SCHEMA, "rc": rc, "timed_out": timed_out, "finished_at": now()}, durable=False)


class Exec(t.NamedTuple):
    """A command that nobody waits for. `rc` is None while it runs, and for one whose end nobody saw. `pid` is its own while it runs."""

    is_running: bool
    started_at: str
    finished_at: str = ""
    rc: t.Optional[int] = None
    timed_out: bool = False
    pid: int = 0


def find_exec(folder: str) -> t.Optional[Exec]:
    """None where none was started. Raises Damaged."""
    begun, ended = _read(os.path.join(folder, STATE)), _read(os.path.join(folder, EXIT))
    if begun is None:
        return None
    try:
        if ended is not None:
            return Exec(False, str(begun["started_at"]), str(ended["finished_at"]), int(ended["rc"]), bool(ended["timed_out"]))
        alive = begun["boot_id"] == process.boot_id() and process.Identity(int(begun["pid"]), int(begun["start_time"])).alive()
        command = process.Identity(*(int(word) for word in begun.get("command") or (0, 0)))
        return Exec(alive, str(begun["started_at"]), pid=command.pid if alive and command.pid and command.alive() else 0)
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged("read", folder, "not a record of a command: %r" % error) from error


def _write(path: str, record: t.Mapping[str, t.Any], *, durable: bool) -> None:
    fs.write_atomic(path, json.dumps(record, sort_keys=True).encode() + b"\n", mode=0o600, durable=durable)


def _read(path: str) -> t.Any:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with open(fd, "rb") as stream:
        content = stream.read(_LARGEST)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Damaged("read", path, str(error)) from error
