# SPDX-License-Identifier: BSD-2-Clause
"""PID 1 of a container with `init`: starts the command, passes signals on, buries orphans, sleeps in between.

It is a fork of the supervisor that never execs: nothing of it has to be in the image. Confined like its container, down to
the one capability it needs. Here is what it is told, its child that becomes the command, and what it does about signals; not here: what it
runs before and in between (resident.py), and the command's own way to exec (runtime/command.py).
"""
from __future__ import annotations

import errno
import marshal
import os
import signal
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.init import orders
from ansible_collections.cocker.engine.plugins.module_utils.kernel import confine, consts, fds, process, seccomp
from ansible_collections.cocker.engine.plugins.module_utils.model import oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime import child, command, credentials, relay, streams, sync

FORWARDED = ("TERM", "INT", "HUP", "USR1", "USR2", "QUIT", "WINCH", "CONT", "PWR")
# Without a command, these mean nothing; the others, and the container's own stop signal, mean the end.
PASSED_OVER = frozenset(process.SIGNALS[name] for name in ("HUP", "USR1", "USR2", "WINCH", "CONT"))
# What this process does after its filter is in place; a filter that lacks one of them would kill PID 1.
NEEDED = (
    "brk", "close", "exit_group", "futex", "getdents64", "kill", "mmap", "mprotect", "munmap", "openat", "prctl", "read",
    "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "wait4", "write",
)
PRCTL, CAPSET, FILTER, FILTER_WITH = range(4)       # kinds of steps
DOING = ("confine by prctl", "set capabilities", "load filter", "load filter")
UNIFIED = b"u"
_GIVEN = 3
_STEP = 0.05


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


class Shape(t.NamedTuple):
    """Which of the descriptors are what: places among those that are handed over, or -1. `spaces` are namespaces, with their flags."""

    unified: int
    user: int
    console: int
    stdio: t.Tuple[int, int, int]
    joins: t.Tuple[int, ...]
    spaces: t.Tuple[t.Tuple[int, int], ...]


def program(plan: child.Plan, links: child.Links) -> t.Tuple[bytes, t.List[int]]:
    """What PID 1 does (resident.py), in plain numbers, and the descriptors for it: where it reports, this program, and others. CockerError.

    It is user 0, so that it may be asked by nobody; of the container's capabilities it has the one to signal other users' processes.
    """
    bundle = plan.bundle
    pids = bundle.namespace("pid")
    if pids is None or pids.path:       # of others it knows nothing, and yet it signals all that there are
        raise CockerError("start", "init", "it is not the first process of a namespace of its own")
    stop = process.signal_number(bundle.settings.stop_signal)
    signals = {process.SIGNALS[name] for name in FORWARDED} | ({stop} - {int(signal.SIGKILL), int(signal.SIGSTOP)})
    awaited = confine.signal_set({*signals, int(signal.SIGCHLD)})
    filtered = plan.syscalls if can_live_under(bundle.seccomp) else None
    shape, given = _shape(links)
    words = (
        tuple(shape), awaited, shape.joins, shape.spaces, plan.new_spaces, bundle.process.oom_score_adj, shape.user,
        seccomp.code(filtered) if filtered else b"", _steps(bundle.process, filtered), awaited, bool(bundle.process.args),
    )
    fd = fds.memfd("init")
    os.write(fd, marshal.dumps(t.cast(t.Any, words)))
    os.lseek(fd, 0, os.SEEK_SET)
    return (UNIFIED if links.unified >= 0 else b""), [links.report, fd, links.alive, *given]


def _shape(links: child.Links) -> t.Tuple[Shape, t.List[int]]:
    """And the descriptors from the third place on. The v2 cgroup, if there is one, is the last."""
    given: t.List[int] = []

    def placed(fd: int) -> int:
        given.append(fd)
        return _GIVEN + len(given) - 1

    stdio = tuple(placed(fd) if fd > 2 else -1 for fd in links.stdio)
    joins = tuple(map(placed, links.joins))
    spaces = tuple((placed(fd), flag) for fd, flag in links.spaces)
    user, console, unified = [placed(fd) if fd >= 0 else -1 for fd in (links.user, links.console, links.unified)]
    return Shape(unified, user, console, (stdio[0], stdio[1], stdio[2]), joins, spaces), given


def _steps(wanted: oci.Process, filtered: t.Optional[seccomp.Prepared]) -> t.List[t.Tuple[int, t.Tuple[t.Any, ...]]]:
    """As credentials.assume does it for a command: a filter needs CAP_SYS_ADMIN or no_new_privs."""
    few = tuple(name for name in wanted.capabilities.permitted if name == "CAP_KILL")
    held = credentials.permitted(oci.Capabilities(bounding=wanted.capabilities.bounding, permitted=few))
    limits = confine.prepare(bounding=held.bounding, permitted=held.permitted)
    steps: t.List[t.Tuple[int, t.Tuple[t.Any, ...]]] = [
        *[(PRCTL, (consts.PR_CAPBSET_DROP, number, 0, 0, 0)) for number in limits.dropped],
        (PRCTL, (consts.PR_CAP_AMBIENT, consts.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)),
        (CAPSET, (limits.header, limits.words)),
        (PRCTL, (consts.PR_SET_DUMPABLE, 0, 0, 0, 0)),
        (PRCTL, (consts.PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)),
    ]
    load: t.List[t.Tuple[int, t.Tuple[t.Any, ...]]] = []
    if filtered is not None and filtered.flags:
        load.append((FILTER_WITH, (filtered.number, seccomp.SET_MODE_FILTER, filtered.flags)))
    elif filtered is not None:
        load.append((FILTER, (seccomp.PR_SET_SECCOMP, seccomp.MODE_FILTER)))
    if not wanted.no_new_privileges:
        return [*load, *steps]
    return [*steps, (PRCTL, (consts.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)), *load]


def links(shape: t.Sequence[t.Any], got: t.Sequence[int]) -> child.Links:
    """Of the process that becomes the command: what it has from PID 1."""
    unified, user, console, stdio, _joins, _spaces = shape
    of = {-1: -1, **dict(enumerate(got))}
    stdin, out, err = [max(of[place], 0) for place in stdio]
    return child.Links([], [], of[unified], of[user], (stdin, out, err), got[0], of[console], alive=got[2])


def become_main(source: orders.Source, given: child.Links, *, building: int, gate: int) -> t.NoReturn:
    """The command, or nothing after the file system is there."""
    try:
        streams.take(given.stdio)
        ticket = orders.ticket_of(source)
        plan = orders.read(ticket if ticket.config >= 0 else orders.opened(ticket)).plan
        child.build(plan, given.user)
        os.write(building, b"1")
        if not plan.bundle.process.args:
            os._exit(0)
        os.setsid()
        if given.console >= 0:
            relay.become_terminal(given.console)
        os.read(gate, 1)        # until PID 1 is confined, or gone
        command.execute(plan.bundle.process, syscalls=plan.syscalls, report=given.parent(), user_space=given.user)
    except BaseException as error:  # a copy of PID 1 must not go on as a second one
        sync.send(given.report, sync.describe("start", error))
        os._exit(1)
    os._exit(1)


def heed(main: int, signum: int) -> None:
    """A signal to PID 1 that is not about a child."""
    if main:
        with tolerate(errno.ESRCH, errno.EPERM):
            os.kill(main, signum)
    elif signum not in PASSED_OVER:
        _stop_all()


def _stop_all() -> t.NoReturn:
    """Asks all others to end and follows them; whoever stops the container has the patience and the SIGKILL."""
    for signum in (signal.SIGTERM, signal.SIGCONT):
        with tolerate(errno.ESRCH, errno.EPERM):
            os.kill(-1, signum)
    while _others_live():
        signal.sigtimedwait({signal.SIGCHLD}, _STEP)
        _bury()
    os._exit(0)


def _bury() -> None:
    with tolerate(errno.ECHILD):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _others_live() -> bool:
    """Sessions that were started from outside are nobody's child in here, so they are asked for, not waited for."""
    try:
        os.kill(-1, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
