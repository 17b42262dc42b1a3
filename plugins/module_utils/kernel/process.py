# SPDX-License-Identifier: BSD-2-Clause
"""Processes: identity as (pid, start time), signals through pidfds, prctl(2), signal dispositions and names.

Not here: credentials (caps.py), namespaces, and starting processes (runtime).
"""
from __future__ import annotations

import ctypes
import errno
import os
import signal as dispositions
import sys
import time
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, poll, small
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import NR, call, is_missing, is_procfs, libc, prctl, syscall
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, KernelError, Unsupported, tolerate

# The numbers of every architecture that libc.py has a table for.
SIGNALS: t.Dict[str, int] = {
    "ABRT": 6, "ALRM": 14, "BUS": 7, "CHLD": 17, "CONT": 18, "FPE": 8, "HUP": 1, "ILL": 4, "INT": 2, "IO": 29,
    "KILL": 9, "PIPE": 13, "PROF": 27, "PWR": 30, "QUIT": 3, "SEGV": 11, "STKFLT": 16, "STOP": 19, "SYS": 31,
    "TERM": 15, "TRAP": 5, "TSTP": 20, "TTIN": 21, "TTOU": 22, "URG": 23, "USR1": 10, "USR2": 12, "VTALRM": 26,
    "WINCH": 28, "XCPU": 24, "XFSZ": 25,
}
_SYNONYMS = {"CLD": 17, "IOT": 6, "POLL": 29}
_NAMES = {number: "SIG" + name for name, number in SIGNALS.items()}
_RTMIN, _RTMAX = 34, 64                 # as the C library numbers them
_OF_LIBRARY = (32, 33)                  # are its own
_SIGSET_BYTES, _KERNEL_SIGSET_BYTES = 128, 8
_SIGACTION_BYTES = 64                   # struct kernel_sigaction is 32 at most
_DEAD = "ZXx"
# Fields of /proc/PID/stat after the command's closing bracket, which is field 2 (proc(5)).
_STATE, _PARENT, _THREADS, _START_TIME = 3 - 3, 4 - 3, 20 - 3, 22 - 3


class Identity(t.NamedTuple):
    """A process, not a number: `start_time` is in clock ticks since boot, so a reused pid is another process."""

    pid: int
    start_time: int

    def alive(self) -> bool:
        """Whether this process still runs; a zombie does not."""
        fields = _stat(self.pid)
        return fields is not None and int(fields[_START_TIME]) == self.start_time and not _is_dead(fields)

    def pidfd(self) -> int:
        """Descriptor of exactly this process. ProcessLookupError when it is gone."""
        fd = _pidfd_open(self.pid)
        # The descriptor cannot change its process any more, so what is checked now holds for its use.
        if not self.alive():
            os.close(fd)
            raise ProcessLookupError(3, "the process is gone", str(self.pid))
        return fd


def find(pid: int) -> t.Optional[Identity]:
    """None when there is no such process; a zombie is none."""
    fields = _stat(pid)
    return None if fields is None or _is_dead(fields) else Identity(pid, int(fields[_START_TIME]))


def of_child(pid: int) -> Identity:
    """Of one that nobody has waited for, so that its number is still its own; it may have ended."""
    return Identity(pid, int((_stat(pid) or "0" * 40)[_START_TIME]))


def parent_of(pid: int) -> int:
    """0 where there is none, or no such process."""
    fields = _stat(pid)
    return int(fields[_PARENT]) if fields else 0


def name_of(pid: int) -> str:
    """The kernel's, of at most 15 letters; empty where there is no such process."""
    try:
        return small.read("/proc/%d/comm" % pid)[:-1].decode("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _stat(pid: int) -> t.Optional[t.List[str]]:
    try:
        text = small.read("/proc/%d/stat" % pid)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(b")") + 1:].decode().split()        # the command may contain anything, brackets too


def _is_dead(fields: t.Sequence[str]) -> bool:
    """A first thread that ended alone is shown as a zombie while its process goes on."""
    return fields[_STATE] in _DEAD and int(fields[_THREADS]) <= 1


def _pidfd_open(pid: int) -> int:
    try:
        return syscall(NR["pidfd_open"], pid, 0, op="pidfd_open", subject=str(pid))     # Linux 5.3; born CLOEXEC
    except KernelError as error:
        if error.errno == 3:
            raise ProcessLookupError(3, "the process is gone", str(pid)) from error
        raise


def signal(identity: Identity, signum: int) -> bool:
    """False when the process is gone already. Never reaches another process that got the same pid."""
    if is_missing("pidfd_open") or is_missing("pidfd_send_signal"):
        return _signal_by_pid(identity, signum)
    try:
        fd = identity.pidfd()
    except ProcessLookupError:
        return False
    try:
        syscall(NR["pidfd_send_signal"], fd, signum, None, 0, op="signal %d to" % signum, subject=str(identity.pid))
    except KernelError as error:
        if error.errno != 3:
            raise
        return False
    finally:
        os.close(fd)
    return True


def _signal_by_pid(identity: Identity, signum: int) -> bool:
    """Before Linux 5.3 a pid can change hands between the check and the kill; it is the best such a kernel offers."""
    if not identity.alive():
        return False
    try:
        os.kill(identity.pid, signum)
    except ProcessLookupError:
        return False
    return True


def wait_gone(identity: Identity, timeout: float) -> bool:
    """True when the process has ended (it may still be a zombie), False when the time is up."""
    if is_missing("pidfd_open"):
        return poll.until(lambda: not identity.alive(), timeout=timeout)
    try:
        fd = identity.pidfd()
    except ProcessLookupError:
        return True
    try:
        return poll.wait_readable(fd, timeout)
    finally:
        os.close(fd)


def start_time_seconds(identity: Identity) -> float:
    """Seconds since the epoch at which the process started, as well as the clocks can tell."""
    ticks = os.sysconf("SC_CLK_TCK")
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + identity.start_time / ticks


_boot_id: t.List[str] = []      # it does not change while a process lives


def boot_id() -> str:
    """Differs after each boot; a record with another one is about processes that no longer exist."""
    if not _boot_id:
        _boot_id.append(small.read("/proc/sys/kernel/random/boot_id").decode().strip())
    return _boot_id[0]


def set_parent_death_signal(signum: int) -> None:
    """Sent when the *thread* that forked us ends. Cleared by a set-id exec; check getppid() after it, the parent may be dead already."""
    prctl(consts.PR_SET_PDEATHSIG, signum, op="set parent-death signal")


def set_subreaper() -> None:
    """Orphans below this process become its children."""
    prctl(consts.PR_SET_CHILD_SUBREAPER, 1, op="become subreaper")


def set_dumpable(*, dumpable: bool) -> None:
    """Not dumpable: /proc/PID belongs to root and nobody without CAP_SYS_PTRACE follows its links. An exec resets it."""
    prctl(consts.PR_SET_DUMPABLE, int(dumpable), op="set dumpable")


def set_no_new_privileges() -> None:
    prctl(consts.PR_SET_NO_NEW_PRIVS, 1, op="set no_new_privs")


def set_limit(number: int, soft: int, hard: int) -> None:
    """prlimit(2) of the calling process; -1 is no limit."""
    room = ctypes.create_string_buffer(b"".join((value % (1 << 64)).to_bytes(8, sys.byteorder) for value in (soft, hard)), 16)
    syscall(NR["prlimit64"], 0, number, ctypes.byref(room), None, op="set limit", subject=str(number))


def set_oom_score(value: int, pid: t.Optional[int] = None) -> None:
    """Of the calling process, or of another, which may be gone. Through the host's procfs, checked to be one. Raises Unsupported."""
    try:
        fd = os.open("/proc/%s/oom_score_adj" % (pid or "self"), os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not is_procfs(fd):
            raise KernelError("set oom_score_adj", "/proc", errno.EINVAL)
        os.write(fd, b"%d" % value)
    except ProcessLookupError:
        return
    except PermissionError as error:
        hint = "lowering it takes CAP_SYS_RESOURCE"
        raise Unsupported("set oom_score_adj", str(value), "not permitted", hint=hint) from error
    finally:
        os.close(fd)


def set_name(name: str) -> None:
    """What ps shows as the command: at most 15 bytes, the rest is cut."""
    text = ctypes.create_string_buffer(os.fsencode(name)[:15])
    prctl(consts.PR_SET_NAME, ctypes.addressof(text), op="set process name")


def reset_signals() -> None:
    """Every disposition to its default and nothing blocked: an exec keeps what is ignored, and CPython ignores SIGPIPE and SIGXFSZ.

    What has a handler the exec resets. Goes past the interpreter's own table, so only an exec or _exit may follow.
    """
    default = ctypes.create_string_buffer(_SIGACTION_BYTES)     # SIG_DFL, no flags, an empty mask
    # The C library does not let the interpreter see its own two, which make(1) leaves ignored: past it.
    ignored = [number for number in range(1, _RTMAX + 1) if dispositions.getsignal(number) == dispositions.SIG_IGN]
    for signum in (*ignored, *_OF_LIBRARY):
        with tolerate(errno.EINVAL):
            syscall(NR["rt_sigaction"], signum, ctypes.byref(default), None, _KERNEL_SIGSET_BYTES, op="reset signal", subject=str(signum))
    none = ctypes.create_string_buffer(_SIGSET_BYTES)
    call(libc.sigprocmask, consts.SIG_SETMASK, ctypes.addressof(none), None, op="unblock signals")


def signal_number(signal_: t.Union[str, int]) -> int:
    """`TERM`, `SIGTERM`, `sigterm`, `15`, 15, `RTMIN+3`, `SIGRTMAX-1`. Invalid otherwise."""
    name = str(signal_).strip().upper()
    short = name[3:] if name.startswith("SIG") else name
    number = SIGNALS.get(short) or _SYNONYMS.get(short) or _realtime(short)
    if number is None and name.isascii() and name.isdigit():
        number = int(name)
    if number is None or not 0 < number <= _RTMAX:
        raise Invalid("signal", "%r is no signal; give a name such as TERM, SIGKILL or RTMIN+3, or a number up to 64" % (signal_,))
    return number


def _realtime(name: str) -> t.Optional[int]:
    for base, start, sign in (("RTMIN", _RTMIN, "+"), ("RTMAX", _RTMAX, "-")):
        rest = name[len(base):]
        if name == base:
            return start
        if name.startswith(base + sign) and rest[1:].isascii() and rest[1:].isdigit():
            number = start + int(rest)
            return number if _RTMIN <= number <= _RTMAX else None
    return None


def signal_name(number: int) -> str:
    """`SIGTERM`; `SIGRTMIN+3`; the bare number for one without a name."""
    if _RTMIN < number <= _RTMAX:
        return "SIGRTMIN+%d" % (number - _RTMIN)
    return _NAMES.get(number) or ("SIGRTMIN" if number == _RTMIN else str(number))
