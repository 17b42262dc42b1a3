# SPDX-License-Identifier: BSD-2-Clause
"""PID 1 of a container with `init`: starts the command, passes signals on, buries orphans, sleeps in between.

It is a fork of the supervisor that never execs: nothing of it has to be in the image. Confined like its container, down to
the one capability it needs. Not here: the command's own way to exec (runtime/command.py).
"""
from __future__ import annotations

import dataclasses
import errno
import os
import signal
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import process
from ansible_collections.cocker.engine.plugins.module_utils.model import oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime import child, command, credentials, streams, sync, users

FORWARDED = ("TERM", "INT", "HUP", "USR1", "USR2", "QUIT", "WINCH", "CONT", "PWR")
STOPPING = ("TERM", "INT", "QUIT", "PWR")
# What this process does after its filter is in place; a filter that lacks one of them would kill PID 1.
NEEDED = (
    "brk", "close", "exit_group", "futex", "getdents64", "kill", "mmap", "mprotect", "munmap", "openat", "prctl", "read",
    "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "wait4", "write",
)
_NAME = b"cocker-init"
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


def run(plan: child.Plan) -> t.NoReturn:
    """Does little itself: what it touches after the fork is memory that this container does not share with the others.

    A helper in the same namespaces builds the file system; its pivot_root moves our root along (pivot_root(2)).
    The command gives up its privileges by itself, but only after PID 1 has given up its own.
    """
    try:
        signals = _signals(plan.bundle.settings)
        signal.pthread_sigmask(signal.SIG_BLOCK, signals | {signal.SIGCHLD})
        streams.set_name(_NAME)
        child.enter(plan)
        _build(plan)
        gate, opener = os.pipe()
        main = os.fork() if plan.bundle.process.args else 0
        if plan.bundle.process.args and main == 0:
            _run_command(plan, gate=gate, opener=opener)
        _confine(plan)
        command.die_with_parent(plan.report)
    except BaseException as error:  # nothing may return into the code of the supervisor, of which this is a copy
        sync.send(plan.report, sync.describe("start", error))
        os._exit(1)
    streams.take((0, 0, 0))     # the container's own are the command's alone
    streams.close_all()         # the report pipe too: from here on the supervisor waits for the command
    _watch(main, signals)


def _build(plan: child.Plan) -> None:
    helper = os.fork()
    if helper == 0:
        try:
            child.build(plan)
        except BaseException as error:
            sync.send(plan.report, sync.describe("start", error))
            os._exit(1)
        os._exit(0)
    if os.waitpid(helper, 0)[1]:
        os._exit(1)


def _signals(settings: oci.Settings) -> t.Set[int]:
    numbers = {process.SIGNALS[name] for name in FORWARDED}
    number = process.signal_number(settings.stop_signal)
    return numbers | ({number} if number not in (signal.SIGKILL, signal.SIGSTOP) else set())


def _run_command(plan: child.Plan, *, gate: int, opener: int) -> t.NoReturn:
    try:
        os.close(opener)
        os.setsid()
        os.read(gate, 1)        # until PID 1 is confined, or gone
        command.execute(plan.bundle.process, syscalls=plan.syscalls, report=plan.report)
    except BaseException as error:  # a copy of PID 1 must not go on as a second one
        sync.send(plan.report, sync.describe("start", error))
        os._exit(1)
    os._exit(1)


def _confine(plan: child.Plan) -> None:
    """User 0, so that it may be asked by nobody; of the container's capabilities the one to signal other users' processes."""
    sets = plan.bundle.process.capabilities
    few = tuple(name for name in sets.permitted if name == "CAP_KILL")
    limited = dataclasses.replace(
        plan.bundle.process, capabilities=oci.Capabilities(bounding=sets.bounding, effective=few, permitted=few))
    credentials.assume(users.User(0, 0), limited, syscalls=plan.syscalls if plan.confine_init else None)
    process.set_dumpable(dumpable=False)


def _watch(main: int, signals: t.Set[int]) -> t.NoReturn:
    while True:
        found = signal.sigwaitinfo(signals | {signal.SIGCHLD}).si_signo
        if found == signal.SIGCHLD:
            status = _bury(main)
            if status is not None:
                os._exit(status)
        elif main:
            with tolerate(errno.ESRCH, errno.EPERM):
                os.kill(main, found)
        elif found in {process.SIGNALS[name] for name in STOPPING} | signals - {process.SIGNALS[name] for name in FORWARDED}:
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
