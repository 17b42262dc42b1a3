# SPDX-License-Identifier: BSD-2-Clause
"""`exec`: one more process in a container. A child of the caller, inherited by its parent or subreaper where nobody waits for it.

Not here: its last steps (command.py), staying with it (terminal.py).
"""
from __future__ import annotations

import _socket
import errno
import os
import signal
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fds, fs, namespaces, process, scheduling, seccomp
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, KernelError, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.oci import (
    command,
    config,
    console,
    filters,
    machine,
    records,
    spaces,
    talk,
    terminal,
)
from ansible_collections.cocker.engine.plugins.module_utils.runtime import command as engine_command, streams, sync

# The host's paths go with the mount namespace, our privileges over the others with the user namespace.
_ORDER = ("cgroup", "network", "ipc", "uts", "user", "mount")
_FOR_CHILDREN = ("pid", "time")
_FAILED = "unable to start container process"
_INHERITED = ("capabilities", "rlimits", "apparmorProfile", "oomScoreAdj", "execCPUAffinity")
_START_TIMEOUT = 60.0
_PIECE = 1 << 16


class Request(t.NamedTuple):
    """`process` is a process.json as it was read, or None for the container's own with `changes` (fields of config.json's process)."""

    id: str
    root: str
    process: t.Optional[t.Dict[str, t.Any]]
    changes: t.Mapping[str, t.Any]
    pid_file: str
    console: t.Optional[str]
    detach: bool
    keep: int
    ignore_paused: bool


class _Target(t.NamedTuple):
    record: records.Record
    wanted: config.Process
    syscalls: t.Optional[seccomp.Prepared]
    spaces: t.Mapping[str, int]
    personality: t.Optional[int]
    agent: t.Optional[t.Dict[str, t.Any]]
    memory: t.Optional[machine.MemoryPolicy]


def execute(request: Request) -> int:
    """The exit code of the process; 0 when it is not waited for. Raises CockerError when it could not be started."""
    target = _target(request)
    console.check(request.console, terminal=target.wanted.terminal, detached=request.detach)
    fds.close_range_cloexec(3)
    watch = None if request.detach else terminal.Watch(terminal=target.wanted.terminal)
    channel = console.connect(request.console) if request.console else watch.channel if watch else None
    master = slave = -1
    if target.wanted.terminal:
        root = os.open("/proc/%d/root" % target.record.init.pid, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        master, slave = console.make(root, rows=target.wanted.rows, columns=target.wanted.columns)
        os.close(root)
    pid = _launch(target, request, slave)
    if request.pid_file:
        fs.write_atomic(request.pid_file, b"%d" % pid, mode=0o644, durable=False)
    if channel is not None:
        os.close(slave)
        console.hand_over(os.dup(channel.fileno()), master)
    return 0 if watch is None else watch.wait(pid)


def _target(request: Request) -> _Target:
    record = records.get(request.root, request.id)
    found = records.status(request.root, record)
    if not record.lives():
        raise CockerError("cannot exec in a stopped container")
    if found == records.PAUSED and not request.ignore_paused:
        raise CockerError("cannot exec in a paused container (use --ignore-paused to override)")
    own = record.config["process"]
    text = _changed(own, request.changes) if request.process is None else _completed(own, request.process)
    linux = record.config.get("linux") or {}
    seccomp_ = linux.get("seccomp") or {}
    personality = (linux.get("personality") or {}).get("domain")
    return _Target(
        record, config.parse_process(text), filters.prepare(seccomp_ or None), _foreign_spaces(record),
        config.PERSONALITIES[personality] if personality else None, seccomp_ if seccomp_.get("listenerPath") else None,
        machine.memory_policy(linux.get("memoryPolicy") or {}, "linux.memoryPolicy"))


def _completed(own: t.Mapping[str, t.Any], given: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
    """What a process.json leaves out is as with the container's own process, where that concerns its rights and limits."""
    return {**{key: own[key] for key in _INHERITED if own.get(key)}, **{key: value for key, value in given.items() if value is not None}}


def _changed(own: t.Mapping[str, t.Any], changes: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """`env` and `capabilities` are added to, the rest is replaced; `user` within."""
    found = dict(own, **changes)
    found["env"] = [*(own.get("env") or []), *changes.get("env", [])]
    found["user"] = dict(own.get("user") or {}, **changes.get("user", {}))
    added = list(changes.get("capabilities", []))
    sets = own.get("capabilities") or {}
    found["capabilities"] = {name: [*(sets.get(name) or []), *(added if name in ("bounding", "effective", "permitted") else [])]
                             for name in ("bounding", "effective", "permitted", "inheritable", "ambient")}
    return found


def _foreign_spaces(record: records.Record) -> t.Dict[str, int]:
    """Those of its first process that are not ours, held open; it is the very process of the record."""
    found = {}
    try:
        for kind in (*_ORDER, *_FOR_CHILDREN):
            name = namespaces.KINDS[kind].proc
            if os.path.exists("/proc/self/ns/" + name) and not _is_same(record.init.pid, name):
                found[kind] = namespaces.open_of(record.init.pid, kind)
    except (FileNotFoundError, ProcessLookupError) as error:
        raise CockerError("cannot exec in a stopped container") from error
    if not record.init.alive():
        raise CockerError("cannot exec in a stopped container")
    return found


def _is_same(pid: int, name: str) -> bool:
    return os.readlink("/proc/%d/ns/%s" % (pid, name)) == os.readlink("/proc/self/ns/" + name)


def _launch(target: _Target, request: Request, slave: int) -> int:
    """Returns when the program runs."""
    channel, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC, 0)
    heard, report = channel.fileno(), theirs.fileno()
    seat = spaces.open_seat(target.record.cgroups)
    for kind in _FOR_CHILDREN:
        if kind in target.spaces:
            namespaces.setns(target.spaces[kind], kind)
    affinity = target.wanted.affinity
    if affinity.initial:        # we only wait from here on
        scheduling.set_cpus(affinity.initial, option="process.execCPUAffinity.initial")
    seat, pid = _fork(target, seat)
    if pid == 0:
        _become(target, request, slave, report, seat)
    theirs.close()
    for fd in seat.held():
        os.close(fd)
    if target.agent:
        _introduce(target, pid, channel)
    failure = sync.receive(heard, timeout=_START_TIMEOUT)
    channel.close()
    if failure is not None:
        with tolerate(errno.ESRCH, errno.ECHILD):
            os.kill(pid, signal.SIGKILL)        # our child, not waited for: the number is still its
            os.waitpid(pid, 0)
        raise CockerError(_FAILED, "", failure.reason)
    return pid


def _fork(target: _Target, seat: spaces.Seat) -> t.Tuple[spaces.Seat, int]:
    """A container that has made cgroups below its own cannot have processes in that one (v2): then where its first process is."""
    try:
        return seat, spaces.fork_seated(seat)
    except KernelError as error:
        if error.errno != errno.EBUSY or seat.unified < 0:
            raise
    from ansible_collections.cocker.engine.plugins.module_utils.oci import place
    beside = seat._replace(unified=place.open_unified_of(target.record.init.pid))
    os.close(seat.unified)
    return beside, spaces.fork_seated(beside)


def _introduce(target: _Target, pid: int, channel: _socket.socket) -> None:
    """The agent gets what it listens on; a process that has failed before says that instead, and it is left to be read."""
    if channel.recv(1, _socket.MSG_PEEK) != talk.LISTENER:
        return
    told = records.describe(target.record, records.RUNNING)
    filters.tell_agent(target.agent or {}, told, pid, int(os.read(channel.fileno(), _PIECE)[1:]))
    os.write(channel.fileno(), talk.GO)


def _tell(report: int, listener: int) -> None:
    os.write(report, talk.LISTENER + b"%d" % listener)
    if os.read(report, _PIECE) != talk.GO:
        os._exit(1)


def _become(target: _Target, request: Request, slave: int, report: int, seat: spaces.Seat) -> t.NoReturn:
    """Nothing may return into the code of the caller, of which this is a copy."""
    try:
        signal.set_wakeup_fd(-1)
        engine_command.forget_host()
        kept = {*range(3 + request.keep), *target.spaces.values(), report} | ({slave} if slave >= 0 else set())
        streams.close_all(keep=kept)
        process.set_dumpable(dumpable=False)
        os.setsid()
        if target.wanted.affinity.final:
            scheduling.set_cpus(target.wanted.affinity.final, option="process.execCPUAffinity.final")
        core = target.wanted.core
        if core.oom_score_adj is not None:
            process.set_oom_score(core.oom_score_adj)
        if slave >= 0:
            console.take(slave)
        for kind in _ORDER:
            if kind in target.spaces:
                namespaces.setns(target.spaces[kind], kind)
        for fd in target.spaces.values():
            os.close(fd)
        if "user" in target.spaces:
            os.setgroups(())
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
            process.set_dumpable(dumpable=False)
        command.join_keyring(request.id)
        env = command.settle(
            target.wanted, syscalls=target.syscalls, personality=target.personality, memory=target.memory,
            tell=lambda listener: _tell(report, listener))
        command.become(command.find_program(core.args[0], env), core.args, env, keep=request.keep)
    except BaseException as error:
        sync.send(report, sync.describe("exec", error))
        os._exit(1)
