# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import libc, poll, process
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

LATER = 10.0


@pytest.fixture
def sleeper() -> t.Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as child:
        yield child
        child.kill()


@pytest.fixture(params=["pidfd", "pid"])
def _kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "pid":
        monkeypatch.setitem(libc._known, "pidfd_open", False)


def identity_of(pid: int) -> process.Identity:
    found = process.find(pid)
    assert found is not None
    return found


def test_running_process_is_found_and_alive(sleeper: subprocess.Popen[bytes]) -> None:
    identity = identity_of(sleeper.pid)
    assert identity.pid == sleeper.pid
    assert identity.alive()


def test_same_pid_with_another_start_time_is_another_process(sleeper: subprocess.Popen[bytes]) -> None:
    identity = identity_of(sleeper.pid)
    assert not identity._replace(start_time=identity.start_time - 1).alive()


def test_no_process_is_found_under_an_unused_pid() -> None:
    assert process.find(2**22 - 1) is None


def test_zombie_is_dead(sleeper: subprocess.Popen[bytes]) -> None:
    identity = identity_of(sleeper.pid)
    os.kill(sleeper.pid, signal.SIGKILL)
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not identity.alive()
    assert process.find(sleeper.pid) is None


def test_command_with_brackets_and_blanks_does_not_confuse() -> None:
    program = "import ctypes,sys; ctypes.CDLL(None).prctl(15, b'a) R 1 (b'); print('ready', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdin is not None
        child.stdout.readline()
        identity = process.find(child.pid)
        child.stdin.close()
    assert identity is not None and identity.start_time > 100


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the number of exit(2) is that of x86_64")
def test_process_whose_first_thread_ended_is_alive() -> None:
    program = "import ctypes,threading,time; threading.Thread(target=time.sleep, args=(60,)).start(); ctypes.CDLL(None).syscall(60, 0)"
    with subprocess.Popen([sys.executable, "-c", program]) as child:
        def is_zombie() -> bool:
            with open("/proc/%d/stat" % child.pid) as stream:
                return ") Z " in stream.read()

        shown = poll.until(is_zombie, timeout=LATER)
        identity = process.find(child.pid)
        child.kill()
    assert shown and identity is not None


@pytest.mark.usefixtures("_kernel")
def test_signal_reaches_the_process(sleeper: subprocess.Popen[bytes]) -> None:
    assert process.signal(identity_of(sleeper.pid), signal.SIGTERM)
    assert sleeper.wait(LATER) == -signal.SIGTERM


@pytest.mark.usefixtures("_kernel")
def test_signal_spares_a_process_that_got_the_same_pid(sleeper: subprocess.Popen[bytes]) -> None:
    identity = identity_of(sleeper.pid)
    assert not process.signal(identity._replace(start_time=identity.start_time - 1), signal.SIGKILL)
    assert identity.alive()


@pytest.mark.usefixtures("_kernel")
def test_signal_to_a_dead_process_is_no_error(sleeper: subprocess.Popen[bytes]) -> None:
    identity = identity_of(sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    assert not process.signal(identity, signal.SIGTERM)


@pytest.mark.usefixtures("_kernel")
def test_wait_ends_with_the_process_though_nobody_reaped_it(sleeper: subprocess.Popen[bytes]) -> None:
    identity = identity_of(sleeper.pid)
    os.kill(sleeper.pid, signal.SIGKILL)
    assert process.wait_gone(identity, LATER)


@pytest.mark.usefixtures("_kernel")
def test_wait_gives_up_at_its_deadline(sleeper: subprocess.Popen[bytes]) -> None:
    assert not process.wait_gone(identity_of(sleeper.pid), 0.05)


@pytest.mark.usefixtures("_kernel")
def test_wait_for_a_process_that_is_gone_returns_at_once(sleeper: subprocess.Popen[bytes]) -> None:
    identity = identity_of(sleeper.pid)
    assert process.wait_gone(identity._replace(start_time=identity.start_time - 1), 0)


def test_pidfd_is_closed_by_exec_and_refused_for_another_process(sleeper: subprocess.Popen[bytes]) -> None:
    identity = identity_of(sleeper.pid)
    fd = identity.pidfd()
    inherited = os.get_inheritable(fd)
    os.close(fd)
    assert not inherited
    with pytest.raises(ProcessLookupError):
        identity._replace(start_time=1).pidfd()


def test_start_time_in_seconds_is_now_for_a_new_process(sleeper: subprocess.Popen[bytes]) -> None:
    assert abs(process.start_time_seconds(identity_of(sleeper.pid)) - time.time()) < LATER


def test_boot_id_is_a_uuid() -> None:
    assert len(process.boot_id()) == 36


def in_child(action: t.Callable[[], None], then: t.Sequence[str]) -> str:
    """Standard output of a program that was exec'd after the action."""
    return subprocess.run(then, preexec_fn=action, check=True, stdout=subprocess.PIPE, text=True).stdout


def status(text: str, key: str) -> str:
    return next(line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith(key + ":"))


def test_signals_are_reset_for_what_is_executed() -> None:
    def mess_up() -> None:
        for number in (signal.SIGPIPE, signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 60))
        ignore = (ctypes.c_ulong * 8)(1)        # make(1) leaves 32 and 33 so, which no function of the C library touches
        libc.syscall(libc.NR["rt_sigaction"], 32, ctypes.byref(ignore), None, 8, op="ignore")
        process.reset_signals()

    text = in_child(mess_up, ["cat", "/proc/self/status"])
    assert (int(status(text, "SigIgn"), 16), int(status(text, "SigBlk"), 16)) == (0, 0)


def test_no_new_privileges_holds_for_what_is_executed() -> None:
    assert status(in_child(process.set_no_new_privileges, ["cat", "/proc/self/status"]), "NoNewPrivs") == "1"


def test_name_is_cut_to_what_the_kernel_keeps() -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        process.set_name("a-name-that-is-too-long")
        with open("/proc/self/comm", "rb") as stream:
            os.write(writer, stream.read())
        os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with open(reader, "rb") as stream:
        assert stream.read() == b"a-name-that-is-\n"


def test_process_that_is_not_dumpable_says_so() -> None:
    pid = os.fork()
    if pid == 0:
        process.set_dumpable(dumpable=False)
        os._exit(libc.prctl(3, op="get dumpable"))
    assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 0


def test_orphan_comes_to_the_subreaper() -> None:
    pid = os.fork()
    if pid == 0:
        process.set_subreaper()
        child = os.fork()
        if child == 0:
            if os.fork() == 0:
                os._exit(7)
            os._exit(0)
        os.waitpid(child, 0)
        os._exit(os.WEXITSTATUS(os.wait()[1]))
    assert os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 7


def test_child_dies_with_its_parent() -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        if os.fork() == 0:
            process.set_parent_death_signal(signal.SIGKILL)
            os.write(writer, b"ready")
            time.sleep(60)
        os.close(writer)
        os.read(reader, 5)
        os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    ended = poll.wait_readable(reader, LATER) and os.read(reader, 5) == b""
    os.close(reader)
    assert ended


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ("TERM", 15), ("SIGTERM", 15), ("sigkill", 9), (" hup ", 1), ("15", 15), (2, 2), ("CLD", 17), ("RTMIN", 34),
        ("SIGRTMIN+3", 37), ("RTMAX-1", 63), ("SIGRTMAX", 64), ("64", 64),
    ],
)
def test_signal_numbers(given: t.Union[str, int], number: int) -> None:
    assert process.signal_number(given) == number


@pytest.mark.parametrize("given", ["", "SIG", "NOPE", "0", "65", "-1", "1_5", "\u0661", "RTMIN+99", "RTMIN-1", "RTMAX+1", "RTMIN+", 0, 65])
def test_what_is_no_signal(given: t.Union[str, int]) -> None:
    with pytest.raises(Invalid):
        process.signal_number(given)


@pytest.mark.parametrize("number", range(1, 65))
def test_name_of_a_signal_leads_back_to_its_number(number: int) -> None:
    assert process.signal_number(process.signal_name(number)) == number


def test_names_agree_with_the_running_system() -> None:
    named = {member.name: int(member) for member in signal.Signals if "RT" not in member.name}
    assert {name: process.signal_number(name) for name in named} == named
