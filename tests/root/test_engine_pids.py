# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers among the processes of the host or of another container: what is done to them reaches nobody else."""
from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.idmap import AUTO
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root

# Whatever signal it hears, it writes down; of SIGKILL and SIGSTOP its parent hears.
BYSTANDER = """
import os, signal, sys
log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, lambda heard, _frame: os.write(log, b"%d " % heard))
os.write(log, b"ready ")
while True:
    signal.pause()
"""
# The command, and others that it has left behind: in its session, and in one of their own.
FAMILY = ("/bin/sh", "-c", "sleep 7001 & setsid sleep 7002 & (setsid sleep 7003 &) ; exec sleep 7000")
LEFT = ("7000", "7001", "7002", "7003")


@pytest.fixture
def bystander(tmp_path: pathlib.Path) -> t.Iterator[None]:
    """A process of the host that hears no signal, whatever the test does."""
    log = tmp_path / "heard"
    process = subprocess.Popen([sys.executable, "-c", BYSTANDER, str(log)], start_new_session=True)
    try:
        assert poll.until(lambda: log.exists() and log.read_text() == "ready ", timeout=20)
        yield
        assert process.poll() is None and log.read_text() == "ready "
        with open("/proc/%d/stat" % process.pid) as stream:
            assert stream.read().rpartition(")")[2].split()[0] == "S"
    finally:
        process.kill()
        process.wait()


def running() -> t.List[str]:
    """Which of the family there are, wherever they are."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = pathlib.Path("/proc/%s/cmdline" % pid).read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"sleep"):
            found.append(words[1].decode())
    return sorted(found)


def family(engine: enginelab.Engine, **said: t.Any) -> t.Any:
    outcome = engine.start(command=FAMILY, network_mode="none", **{"pid_mode": "host", **said})
    assert poll.until(lambda: running() == list(LEFT), timeout=20)
    return outcome


def space(engine: enginelab.Engine, name: str) -> str:
    return os.readlink("/proc/%d/ns/pid" % engine.state(name)["Pid"])


def test_it_sees_the_hosts_processes_and_is_seen(engine: enginelab.Engine, bystander: None) -> None:
    family(engine)
    assert space(engine, "web") == os.readlink("/proc/self/ns/pid")
    assert engine.find("web")["HostConfig"]["PidMode"] == "host"
    assert engine.read("web", "readlink /proc/%d/exe >/dev/null; echo $?; readlink /proc/self" % os.getpid()).split()[0].isdigit()
    assert not engine.start(command=FAMILY, network_mode="none", pid_mode="host").changed


@pytest.mark.parametrize("state", ["stopped", "absent"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_whoever_stops_it_reaches_its_processes_only(
    engine: enginelab.Engine, bystander: None, state: str, number: signal.Signals,
) -> None:
    family(engine, stop_signal=int(number))
    engine.ensure("web", state=state)
    assert running() == []


def test_what_its_command_leaves_behind_ends_with_it(engine: enginelab.Engine, bystander: None) -> None:
    family(engine)
    os.kill(engine.state("web")["Pid"], signal.SIGKILL)
    assert poll.until(lambda: engine.state("web")["Status"] == "exited" and not running(), timeout=20)
    assert engine.state("web")["ExitCode"] == 137


def test_pause_restart_and_exec_reach_its_processes_only(engine: enginelab.Engine, bystander: None) -> None:
    family(engine)
    engine.ensure("web", state="paused")
    engine.ensure("web", state="started")
    result = engine.exec("web", "/bin/sh", "-c", "setsid sleep 7004 & exec sleep 7005", timeout=0.2)
    assert result["timed_out"] if "timed_out" in result else result["rc"]
    engine.ensure("web", restart=True)
    assert poll.until(lambda: running() == list(LEFT), timeout=20)


def guards() -> t.List[int]:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if pathlib.Path("/proc/%s/comm" % pid).read_text() == "cocker-guard\n":
                found.append(int(pid))
    return found


@pytest.mark.parametrize("state", ["running", "paused"])
def test_its_supervisor_dies_and_all_of_it_ends(engine: enginelab.Engine, bystander: None, state: str) -> None:
    family(engine)
    engine.exec("web", "/bin/sh", "-c", "setsid sleep 7004 & :")
    engine.ensure("web", state={"running": "started"}.get(state, state))
    parent = int(pathlib.Path("/proc/%d/stat" % engine.state("web")["Pid"]).read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    assert poll.until(lambda: not running() and not guards(), timeout=20)
    assert engine.state("web")["Status"] == "exited"
    engine.ensure("web", state="started")
    assert poll.until(lambda: running() == list(LEFT), timeout=20)


def test_each_run_has_its_guard_and_leaves_none(engine: enginelab.Engine, bystander: None) -> None:
    family(engine, restart_policy="always")
    first = engine.state("web")["Pid"]
    assert len(guards()) == 1
    os.kill(first, signal.SIGKILL)
    assert poll.until(lambda: engine.state("web")["Pid"] not in (0, first) and running() == list(LEFT), timeout=20)
    assert poll.until(lambda: len(guards()) == 1, timeout=20)
    engine.ensure("web", state="absent")
    assert poll.until(lambda: not guards(), timeout=20)


def test_a_command_that_is_not_there_leaves_nobody(engine: enginelab.Engine, bystander: None) -> None:
    with pytest.raises(Exception, match="nothing-here"):
        engine.start(command=("/nothing-here",), network_mode="none", pid_mode="host")
    assert engine.layout.container_names() == []


def test_the_processes_of_another_container(engine: enginelab.Engine, bystander: None) -> None:
    engine.start("other", network_mode="none")
    said = {"command": ("/bin/sleep", "7000"), "network_mode": "none", "pid_mode": "container:other"}
    engine.start(**said)
    assert space(engine, "web") == space(engine, "other") != os.readlink("/proc/self/ns/pid")
    assert "sleep 7000" in engine.read("other", "ps") and engine.read("web", "cat /proc/1/comm") == "sleep"
    assert guards() and "guard" not in engine.read("other", "ps; cat /proc/*/comm")
    assert not engine.start(**said).changed
    engine.start(**said, restart=True)
    assert engine.state("other")["Running"]
    engine.ensure("web", state="stopped")
    assert engine.state("other")["Running"] and running() == ["1000"]
    engine.ensure("web", state="started")
    engine.ensure("other", state="stopped")
    assert poll.until(lambda: engine.state("web")["Status"] == "exited", timeout=20)
    with pytest.raises(Conflict, match="container other, whose processes it shares, is not running"):
        engine.ensure("web", state="started")


@pytest.mark.parametrize("said, error, reason", [
    ({"init": True}, Invalid, "pid_mode: with the processes of others there is no init of the container's own"),
    ({"command": None}, Invalid, "pid_mode: with the processes of others there is no init of the container's own"),
    ({"userns_mode": AUTO}, Invalid, "pid_mode: it does not go with users of the container's own"),
    ({"pid_mode": "container:none"}, NotFound, "container none: pid_mode of web names it, and it does not exist"),
    ({"pid_mode": "container:web"}, Invalid, "container:web is the container itself"),
])
@pytest.mark.parametrize("check", [True, False])
def test_what_does_not_go_with_it(
    engine: enginelab.Engine, said: t.Dict[str, t.Any], error: t.Type[Exception], reason: str, check: bool,
) -> None:
    with pytest.raises(error, match=reason):
        engine.start(**{"network_mode": "none", "pid_mode": "host", **said}, check=check)
    assert engine.layout.container_names() == []
