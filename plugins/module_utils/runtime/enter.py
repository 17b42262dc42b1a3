# SPDX-License-Identifier: BSD-2-Clause
"""A command in a running container: the launcher's side of `exec`. It enters namespaces and cgroups as a member of neither.

Not here: the module process's side (launcher.py) and what every process gives up before exec (credentials.py).
"""
from __future__ import annotations

import errno
import json
import os
import select
import signal
import time
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, fds, namespaces, process, seccomp, userns
from ansible_collections.cocker.engine.plugins.module_utils.model import lent, oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import (
    CockerError,
    Conflict,
    KernelError,
    StartFailed,
    Unsupported,
    tolerate,
)
from ansible_collections.cocker.engine.plugins.module_utils.runtime import (
    command,
    control,
    defaults,
    live,
    relay,
    state,
    streams,
    sync,
    tools,
)
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import factory
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups.group import Cgroup

ANSWERS, HEAD_SIZE = 3, 10
NOT_FOUND, NOT_RUNNABLE = 127, 126
_START_TIMEOUT = 30.0
_KILL_ROUNDS = 10
_EXTENSION = 1.0
_OWN = "working_dir"    # the option that says the container's own directory
_USUAL_TERMINAL = "TERM=xterm"
# The order of entering: the mount namespace last, it takes the host's paths away.
_ORDER = ("cgroup", "ipc", "uts", "network", "mount")


class Target(t.NamedTuple):
    """The running container, with its namespaces held open."""

    name: str
    init: process.Identity
    bundle: oci.Bundle
    cgroup: Cgroup
    spaces: t.Mapping[str, int]


class Outcome(t.NamedTuple):
    rc: int = 0
    timed_out: bool = False
    reason: str = ""


class Begun(t.NamedTuple):
    """The command's process, and what is readable when it has ended."""

    pid: int
    wakeup: int


def main(open_log: relay.OpenLog) -> None:
    """`open_log` opens a log in a directory, for a command that nobody waits for."""
    request = json.loads(heard())
    if request["detach"] or request["live"]:
        with tolerate(errno.EPERM):     # it leads a session already
            os.setsid()
    try:
        outcome = run(request, open_log)
        if outcome is not None:
            _answer(_described(outcome))
    except CockerError as error:
        _answer(control.described(error))


def heard() -> bytes:
    """What is asked for. From now on nothing but the pipes is open."""
    streams.close_all(keep=(0, 1, 2, ANSWERS))
    fds.close_range_cloexec(3)
    process.set_dumpable(dumpable=False)
    process.set_name("cocker-exec")
    return _read_exactly(int(_read_exactly(HEAD_SIZE)))


def answer(line: bytes) -> None:
    with tolerate(errno.EPIPE, errno.EBADF):        # nobody waits any more
        os.write(ANSWERS, line + b"\n")


def _described(outcome: Outcome) -> control.Words:
    return dict(outcome._asdict(), kind="")


def _answer(words: control.Words) -> None:
    answer(json.dumps(words).encode())


def _read_exactly(size: int) -> bytes:
    """What follows in the pipe is the command's standard input."""
    found = b""
    while len(found) < size:
        piece = os.read(0, size - len(found))
        if not piece:
            raise CockerError("read", "request", "it ends too early")
        found += piece
    return found


def run(request: t.Mapping[str, t.Any], open_log: relay.OpenLog) -> t.Optional[Outcome]:
    """None where it has been answered before the end. CockerError: nothing was run."""
    target = _find(request["state_dir"], request["bundle"])
    wanted = _wanted(target.bundle.process, request)
    syscalls = _filter(target.bundle.seccomp, request["seccomp_cache"])
    between = _between(request, target, open_log)
    held = tools.hold(request["tools"]) if request["tools"] else -1
    heeded = live.PASSED_ON if request["live"] else ()
    begun = _begin(target, wanted, syscalls, between, held=held, heeded=heeded, cwd_option=request["cwd"] and request["cwd_option"])
    if isinstance(begun, Outcome):
        return begun
    if not request["detach"]:
        return _wait(begun, between, request["timeout"])
    state.write_exec_start(request["detach"], command=process.find(begun.pid))
    _answer(_described(Outcome()))
    os.close(ANSWERS)
    outcome = _wait(begun, between, request["timeout"])
    state.write_exec_end(request["detach"], rc=outcome.rc, timed_out=outcome.timed_out)
    return None


def run_inside(
    target: Target, args: t.Sequence[str], *, syscalls: t.Optional[seccomp.Prepared], between: relay.Pipes, timeout: float
) -> Outcome:
    """As the container's own user, by somebody who has read everything already. No time passes while it is paused. Raises StartFailed."""
    begun = _begin(target, target.bundle.process._replace(args=tuple(args)), syscalls, between)
    return begun if isinstance(begun, Outcome) else _wait(begun, between, timeout, stands_still=target.cgroup.is_frozen)


def _begin(
    target: Target, wanted: oci.Process, syscalls: t.Optional[seccomp.Prepared], between: relay.Pipes, *,
    held: int = -1, heeded: t.Iterable[int] = (), cwd_option: str = "",
) -> t.Union[Begun, Outcome]:
    """Returns when the command is exec'd, or with the outcome of one that cannot be. `heeded` are signals. Raises StartFailed."""
    heard, report = os.pipe()
    wakeup = _wake_on((signal.SIGCHLD, *heeded))
    if "pid" in target.spaces:      # else it has the host's
        namespaces.setns(target.spaces["pid"], "pid")        # for the child; we stay outside
    pid, in_unified = _fork_member(target)
    if pid == 0:
        _become(target, wanted, syscalls, between, report=report, in_unified=in_unified, held=held, cwd_option=cwd_option or _OWN)
    os.close(report)
    between.in_parent(pid)
    failure = sync.receive(heard, timeout=_START_TIMEOUT)
    if failure is None:
        return Begun(pid, wakeup)
    with tolerate(errno.ESRCH):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return _failed(failure, target.name)


def _between(request: t.Mapping[str, t.Any], target: Target, open_log: relay.OpenLog) -> relay.Pipes:
    if request["detach"]:
        state.write_exec_start(request["detach"])
        return relay.Logged(open_log(request["detach"]))
    if request["live"]:
        return live.LiveTerminal(target.init.pid, *request["live"]) if request["tty"] else live.Live()
    return relay.Terminal(target.init.pid) if request["tty"] else relay.Pipes()


def _fork_member(target: Target) -> t.Tuple[int, bool]:
    """fork(2), into the cgroup where the kernel can (v2); the second value says so, and `cgroup.join` does the rest.

    Where an init system has divided the container's cgroup, nobody may be in its top any more: then it is that of process 1.
    """
    for member in (0, target.init.pid):
        unified = target.cgroup.open_unified(member)
        if unified is None:
            break
        try:
            return cgroupfs.fork_into(unified), True
        except Unsupported:
            break
        except KernelError as error:
            if error.errno != errno.EBUSY or member:
                raise
        finally:
            os.close(unified)
    return os.fork(), False


def _find(state_dir: str, folder: str) -> Target:
    """Raises Conflict when it does not run."""
    found = state.find(state_dir)
    if found is None or not found.is_running():
        name = found.name if found else os.path.basename(os.path.normpath(folder))
        raise Conflict("exec in", name, "the container is not running")
    with open(os.path.join(folder, "config.json"), "rb") as stream:
        bundle = oci.parse(json.load(stream))
    return opened(found, bundle, factory.from_paths(found.cgroups))


def opened(found: state.State, bundle: oci.Bundle, cgroup: Cgroup) -> Target:
    """Raises Conflict when it has ended, or stands still. What is held is the very process of the record."""
    if cgroup.is_frozen():
        raise Conflict("exec in", found.name, "the container is paused")
    try:
        spaces = {namespace.kind: namespaces.open_of(found.init.pid, namespace.kind) for namespace in bundle.namespaces}
    except (FileNotFoundError, ProcessLookupError) as error:
        raise Conflict("exec in", found.name, "the container has just ended") from error
    if not found.init.alive():      # the pid may have changed hands before the first open
        raise Conflict("exec in", found.name, "the container has just ended")
    return Target(found.name, found.init, bundle, cgroup, spaces)


def _wanted(own: oci.Process, request: t.Mapping[str, t.Any]) -> oci.Process:
    added = tuple("%s=%s" % pair for pair in request["env"].items())
    if request["tools"]:
        path = [word for word in own.env + added if word.startswith("PATH=")][-1:] or ["PATH=" + defaults.PATH]
        added += (path[0] + ":" + lent.PATH,)
    if request["tty"] and not any(word.startswith("TERM=") for word in own.env + added):
        added += (_USUAL_TERMINAL,)
    user = request["user"] or own.user
    return own._replace(args=tuple(request["args"]), env=own.env + added, cwd=request["cwd"] or own.cwd, user=user)


def _filter(profile: t.Optional[oci.Object], cache: str) -> t.Optional[seccomp.Prepared]:
    if profile is None:
        return None
    os.makedirs(cache, mode=0o700, exist_ok=True)
    return seccomp.prepare(seccomp.cached(profile, cache), flags=seccomp.flags(profile))


def _wake_on(numbers: t.Iterable[int]) -> int:
    wakeup, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, lambda _signum, _frame: None)
    return wakeup


def _become(
    target: Target, wanted: oci.Process, syscalls: t.Optional[seccomp.Prepared], between: relay.Pipes, *,
    report: int, in_unified: bool, held: int, cwd_option: str,
) -> t.NoReturn:
    step = "start"
    try:
        signal.set_wakeup_fd(-1)
        command.forget_host()
        process.set_dumpable(dumpable=False)
        os.setsid()
        between.in_child()
        step = "cgroup"
        target.cgroup.join(unified=not in_unified)
        if wanted.oom_score_adj is not None:
            process.set_oom_score(wanted.oom_score_adj)
        step = "namespaces"
        for kind in _ORDER:
            if kind in target.spaces:
                namespaces.setns(target.spaces[kind], kind)
        if wanted.maps is not None:
            userns.make_files_as(*wanted.maps.root)
        if held >= 0:
            step = "tools"
            tools.show(held)
        step = "process"
        space = target.spaces.get("user", -1)
        command.execute(wanted, syscalls=syscalls, report=report, user_space=space, cwd_option=cwd_option)
    except BaseException as error:  # a copy of the launcher must not go on as a second one
        sync.send(report, sync.describe(step, error))
        os._exit(1)
    os._exit(1)


def _failed(failure: sync.Failure, name: str) -> Outcome:
    """A command that cannot be run is an outcome, as with a shell; anything else is an error."""
    if not failure.reason.startswith("exec "):
        raise StartFailed("exec in", name, failure.reason)
    rc = NOT_FOUND if failure.errno == errno.ENOENT else NOT_RUNNABLE
    return Outcome(rc=rc, reason=failure.reason)


def _wait(
    begun: Begun, between: relay.Pipes, timeout: t.Optional[float], *, stands_still: t.Callable[[], bool] = bool
) -> Outcome:
    """`stands_still` is asked when the time is up, and as long as it says so there is a little more."""
    pid, wakeup = begun
    deadline = None if timeout is None else time.monotonic() + timeout
    poller = select.poll()
    poller.register(wakeup, select.POLLIN)
    between.register(poller)
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        left = None if deadline is None else deadline - time.monotonic()
        if not found and left is not None and left <= 0 and stands_still():
            left, deadline = _EXTENSION, time.monotonic() + _EXTENSION
        if found or (left is not None and left <= 0):
            outcome = Outcome(rc=_code(status)) if found else _stop(pid)
            between.finish()
            return outcome
        for fd, _events in poller.poll(None if left is None else left * 1000 + 1):
            if fd == wakeup:
                _pass_on(wakeup, between)
            else:
                between.step(fd, poller)


def _pass_on(wakeup: int, between: relay.Pipes) -> None:
    with tolerate(errno.EAGAIN):
        for number in os.read(wakeup, 4096):
            if number != signal.SIGCHLD:
                between.signal(number)


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _stop(pid: int) -> Outcome:
    """The whole session of the command, which it leads; until a look finds nobody any more."""
    for _round in range(_KILL_ROUNDS):
        members = _session(pid)
        for identity in members:
            process.signal(identity, signal.SIGKILL)
        if not members:
            break
        for identity in members:
            process.wait_gone(identity, 1.0)
    return Outcome(rc=_code(os.waitpid(pid, 0)[1]), timed_out=True)


def _session(leader: int) -> t.List[process.Identity]:
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        identity = process.find(int(name))
        if identity is not None and _session_of(identity.pid) == leader:
            found.append(identity)
    return found


def _session_of(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return -1
