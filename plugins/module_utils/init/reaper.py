# SPDX-License-Identifier: BSD-2-Clause
"""PID 1 of a container with `init`: starts the command, passes signals on, buries orphans, sleeps in between.

It is a fork of the supervisor that never execs: nothing of it has to be in the image. Confined like its container, down to
the one capability it needs. Not here: the command's own way to exec (runtime/command.py).
"""
from __future__ import annotations

import errno
import marshal
import os
import signal
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.init import orders
from ansible_collections.cocker.engine.plugins.module_utils.kernel import confine, process, seccomp, userns
from ansible_collections.cocker.engine.plugins.module_utils.model import oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime import child, command, credentials, relay, streams, sync

FORWARDED = ("TERM", "INT", "HUP", "USR1", "USR2", "QUIT", "WINCH", "CONT", "PWR")
# Without a command, these mean nothing; the others, and the container's own stop signal, mean the end.
PASSED_OVER = frozenset(process.SIGNALS[name] for name in ("HUP", "USR1", "USR2", "WINCH", "CONT"))
_CHILD_ENDED = int(signal.SIGCHLD)
# What this process does after its filter is in place; a filter that lacks one of them would kill PID 1.
NEEDED = (
    "brk", "close", "exit_group", "futex", "getdents64", "kill", "mmap", "mprotect", "munmap", "openat", "prctl", "read",
    "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "wait4", "write",
)
UNIFIED = b"u"
_NAME = b"cocker-init"
_STEP = 0.05
_MANY = 4096


def can_live_under(profile: t.Optional[oci.Object]) -> bool:
    """Pure: whether the filter lets PID 1 do its work. Where it does not, the container's other processes have it and PID 1 has not."""
    if profile is None:
        return False
    allowed: t.Set[str] = set()
    denied: t.Set[str] = set()
    for rule in profile.get("syscalls") or ():
        names = rule.get("names") or ()
        if rule.get("action") != "SCMP_ACT_ALLOW":
            denied.update(names)
        elif not rule.get("args"):
            allowed.update(names)
    if profile.get("defaultAction") == "SCMP_ACT_ALLOW":
        return denied.isdisjoint(NEEDED)
    return allowed.issuperset(NEEDED)


class Confinement(t.NamedTuple):
    """What PID 1 is held by and is told, in plain numbers, so that they can be handed over; `signals` are those that it waits for."""

    dropped: t.Tuple[int, ...]
    header: bytes
    words: bytes
    no_new_privileges: bool
    syscalls: bytes
    flags: int
    signals: t.Tuple[int, ...]
    blocked: bytes
    new_spaces: int
    oom_score_adj: t.Optional[int]
    has_command: bool


def confinement(plan: child.Plan) -> Confinement:
    """User 0, so that it may be asked by nobody; of the container's capabilities the one to signal other users' processes. CockerError."""
    bundle = plan.bundle
    pids = bundle.namespace("pid")
    if pids is None or pids.path:       # of others it knows nothing, and yet it signals all that there are
        raise CockerError("start", "init", "it is not the first process of a namespace of its own")
    sets = bundle.process.capabilities
    few = tuple(name for name in sets.permitted if name == "CAP_KILL")
    held = credentials.permitted(oci.Capabilities(bounding=sets.bounding, permitted=few))
    stop = process.signal_number(bundle.settings.stop_signal)
    signals = {process.SIGNALS[name] for name in FORWARDED} | ({stop} - {int(signal.SIGKILL), int(signal.SIGSTOP)})
    signals.add(_CHILD_ENDED)
    filtered = plan.syscalls if can_live_under(bundle.seccomp) else None
    return Confinement(
        *confine.prepare(bounding=held.bounding, permitted=held.permitted),
        no_new_privileges=bundle.process.no_new_privileges, syscalls=seccomp.code(filtered) if filtered else b"",
        flags=filtered.flags if filtered else 0, signals=tuple(sorted(signals)), blocked=confine.signal_set(signals),
        new_spaces=plan.new_spaces, oom_score_adj=bundle.process.oom_score_adj, has_command=bool(bundle.process.args),
    )


def packed(links: child.Links, limits: Confinement) -> t.Tuple[bytes, t.List[int]]:
    """For `run` in another process: words, and the descriptors that go with them: the report, the v2 cgroup if there is one, and others."""
    stdio = [fd for fd in links.stdio if fd > 2]
    single = (links.unified, links.alive, links.user, links.console)
    given = [links.report, *[fd for fd in single if fd >= 0], *stdio, *links.joins, *[fd for fd, _flag in links.spaces]]
    shape = ([fd >= 0 for fd in single], len(stdio), len(links.joins), [flag for _fd, flag in links.spaces])
    return (UNIFIED if links.unified >= 0 else b"-") + marshal.dumps((shape, tuple(limits))), given


def _unpacked(words: bytes, got: t.List[int]) -> t.Tuple[child.Links, Confinement]:
    (single, streams_, joins, flags), limits = marshal.loads(words)
    got.reverse()
    take = got.pop
    report = take()
    unified = take() if single[0] else -1
    alive = take()
    user = take() if single[2] else -1
    console = take() if single[3] else -1
    stdio = (take() if streams_ == 3 else 0, take(), take()) if streams_ else (0, 0, 0)
    got.reverse()
    links = child.Links(got[:joins], list(zip(got[joins:], flags)), unified, user, stdio, report, console, alive=alive)
    return links, Confinement(*limits)


def run(words: bytes, got: t.List[int], ticket: orders.Ticket) -> t.NoReturn:
    """Does little itself: what it touches after the fork is memory that this container does not share with the others.

    A child of its own reads the plan, builds the file system, whose pivot_root moves our root along (pivot_root(2)), and becomes the
    command. It gives up its privileges by itself, but only after PID 1 has given up its own.
    """
    links, limits = _unpacked(words, got)
    try:
        confine.block(limits.blocked)
        streams.set_name(_NAME)
        null = os.dup(0)        # before the command's own is there
        child.enter(links, new_spaces=limits.new_spaces, oom_score_adj=limits.oom_score_adj)
        built, building = os.pipe()
        gate, opener = os.pipe()
        main = os.fork()
        if main == 0:
            os.close(opener)
            _become_main(links, ticket, building=building, gate=gate)
        os.close(building)
        if not os.read(built, 1):       # it has said why
            os._exit(1)
        if links.user >= 0:
            userns.join(links.user)
        _confine(limits)
        if sync.is_parent_gone(links.alive):
            os._exit(1)
    except BaseException as error:  # nothing may return into the code of the supervisor, of which this is a copy
        sync.send(links.report, sync.describe("start", error))
        os._exit(1)
    streams.take((null, null, null))    # the container's own are the command's alone
    os.closerange(3, _MANY)     # the report pipe too: from here on the supervisor waits for the command
    _watch(main if limits.has_command else 0, limits.signals)


def _confine(limits: Confinement) -> None:
    """As credentials.assume does it for a command; a filter needs CAP_SYS_ADMIN or no_new_privs."""
    os.setgroups(())
    syscalls = seccomp.prepare(limits.syscalls, flags=limits.flags) if limits.syscalls else None
    if syscalls is not None and not limits.no_new_privileges:
        seccomp.load(syscalls)
    confine.apply(confine.Prepared(*limits[:3]), no_new_privileges=limits.no_new_privileges)
    if syscalls is not None and limits.no_new_privileges:
        seccomp.load(syscalls)


def _become_main(links: child.Links, ticket: orders.Ticket, *, building: int, gate: int) -> t.NoReturn:
    """The command, or nothing after the file system is there."""
    try:
        plan = orders.read(ticket if ticket.config >= 0 else orders.opened(ticket)).plan
        child.build(plan, links.user)
        os.write(building, b"1")
        if not plan.bundle.process.args:
            os._exit(0)
        os.setsid()
        if links.console >= 0:
            relay.become_terminal(links.console)
        os.read(gate, 1)        # until PID 1 is confined, or gone
        command.execute(plan.bundle.process, syscalls=plan.syscalls, report=links.parent(), user_space=links.user)
    except BaseException as error:  # a copy of PID 1 must not go on as a second one
        sync.send(links.report, sync.describe("start", error))
        os._exit(1)
    os._exit(1)


def _watch(main: int, signals: t.Sequence[int]) -> t.NoReturn:
    while True:
        found = signal.sigwaitinfo(signals).si_signo
        if found == _CHILD_ENDED:
            status = _bury(main)
            if status is not None:
                os._exit(status)
        elif main:
            with tolerate(errno.ESRCH, errno.EPERM):
                os.kill(main, found)
        elif found not in PASSED_OVER:
            _stop_all()


def _bury(main: int) -> t.Optional[int]:
    """Every zombie; the exit status if the command is among them."""
    ended = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        if pid == main:
            code = os.waitstatus_to_exitcode(status)
            ended = code if code >= 0 else 128 - code


def _stop_all() -> t.NoReturn:
    """Asks all others to end and follows them; whoever stops the container has the patience and the SIGKILL."""
    for signum in (signal.SIGTERM, signal.SIGCONT):
        with tolerate(errno.ESRCH, errno.EPERM):
            os.kill(-1, signum)
    while _others_live():
        signal.sigtimedwait({signal.SIGCHLD}, _STEP)
        _bury(0)
    os._exit(0)


def _others_live() -> bool:
    """Sessions that were started from outside are nobody's child in here, so they are asked for, not waited for."""
    try:
        os.kill(-1, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
