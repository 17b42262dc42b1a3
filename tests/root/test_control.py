# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor's control socket: who may ask, what a bad peer can do, and launchers that a supervisor forks. On the real kernel."""
from __future__ import annotations

import contextlib
import errno
import functools
import os
import pathlib
import resource
import signal
import socket
import stat
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.init import orders
from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, process
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import NotFound, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.runtime import control, launcher, state
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import factory
from ansible_collections.cocker.engine.tests.root import runtimelab

pytestmark = pytest.mark.root
Make = t.Callable[..., runtimelab.Box]
layer, make, until = runtimelab.layer, runtimelab.make, runtimelab.until       # fixtures, and a helper
SLEEP = ("sleep", "1000")


def up(make: Make, name: str) -> runtimelab.Box:
    box = make(name, args=SLEEP)
    assert box.start().error == ""
    return box


def beside(box: runtimelab.Box) -> launcher.Launcher:
    return launcher.Launcher(engine=runtimelab.TREE, python=box.python, beside=str(box.state_dir.parent))


def forked(ready: launcher.Launcher) -> bool:
    return ready._launched.forked is not None


def status(pid: int, name: str) -> str:
    lines = pathlib.Path("/proc/%d/status" % pid).read_text().splitlines()
    return next(line.split(":")[1].strip() for line in lines if line.startswith(name + ":"))


@contextlib.contextmanager
def elsewhere() -> t.Iterator[str]:
    """This process is in cgroups of its own, one of each version that there is; what /proc/self/cgroup says."""
    layout, pid, moved = cgroupfs.layout(), str(os.getpid()), []
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _id, names, path = line.split(":", 2)
        if names in ("", "pids"):
            moved.append((layout.controllers["pids"] if names else layout.unified) + path.rstrip("/"))
    for folder in moved:
        os.mkdir(folder + "/elsewhere")
        cgroupfs.write(folder + "/elsewhere", "cgroup.procs", pid)
    try:
        yield pathlib.Path("/proc/self/cgroup").read_text()
    finally:
        for folder in moved:
            cgroupfs.write(folder, "cgroup.procs", pid)
            until(functools.partial(_is_removed, folder + "/elsewhere"))


def _is_removed(folder: str) -> bool:
    """What ends in it may need a moment."""
    try:
        os.rmdir(folder)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return False
    return True


def private(pid: int) -> int:
    """Kilobytes that it shares with nobody."""
    lines = pathlib.Path("/proc/%d/smaps_rollup" % pid).read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty:"))


class TestForkedLauncher:
    @pytest.fixture()
    def two(self, make: Make) -> t.Tuple[runtimelab.Box, runtimelab.Box]:
        """The second one's supervisor came from a launcher that the first one's forked."""
        one, two = up(make, "one"), make("two", args=SLEEP)
        with beside(one) as ready:
            assert forked(ready)
            assert ready.start([two.request()])[0].error == ""
        return one, two

    def test_has_nothing_of_the_container_that_it_came_from(self, two: t.Tuple[runtimelab.Box, runtimelab.Box]) -> None:
        first, second = (box.state().supervisor.pid for box in two)
        assert int(status(second, "PPid")) not in (first, os.getpid()) and os.getsid(second) == second
        for name in ("cgroup", "oom_score_adj", "limits"):
            assert pathlib.Path("/proc/%d/%s" % (second, name)).read_bytes() == pathlib.Path("/proc/self/%s" % name).read_bytes()
        mine, others = ({os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid)} for pid in (second, first))
        assert mine & others == {"/dev/null"} and len(mine) == 6       # pipes: two of the log, one of signals, both ends; config.json
        assert not any(os.path.exists("/proc/self/fd/%s" % name) and os.readlink("/proc/self/fd/%s" % name) in mine - {"/dev/null"}
                       for name in os.listdir("/proc/self/fd"))

    def test_outlives_the_supervisor_that_forked_it(self, two: t.Tuple[runtimelab.Box, runtimelab.Box]) -> None:
        one, other = two
        process.signal(one.state().supervisor, signal.SIGKILL)
        assert process.wait_gone(one.state().init, 5)
        assert other.state().is_running() and other.state().supervisor.alive()
        assert other.exec("true").rc == 0
        cgroup = factory.from_paths(one.state().cgroups)
        cgroup.kill()
        cgroup.remove()

    def test_the_first_container_ends_as_ever(self, two: t.Tuple[runtimelab.Box, runtimelab.Box]) -> None:
        one, other = two
        process.signal(other.state().init, signal.SIGKILL)
        assert other.wait().exit_code == 137
        assert one.state().is_running()
        process.signal(one.state().init, signal.SIGKILL)
        assert one.wait().exit_code == 137

    def test_loops_that_go_on_need_no_deeper_stack(self, make: Make) -> None:
        """After some generations a launcher is exec'd again, whose supervisors fork the next ones."""
        former, kinds = up(make, "g0"), []
        for number in range(1, orders.GENERATIONS + 2):
            box = make("g%d" % number, args=SLEEP)
            with beside(former) as ready:
                kinds.append(forked(ready))
                assert ready.start([box.request()])[0].error == ""
            former.kill()
            former = box
        assert kinds == [True] * orders.GENERATIONS + [False]

    def test_failed_starts_are_undone(self, make: Make) -> None:
        one, bad = up(make, "one"), make("bad", args=("/no/such",))
        with beside(one) as ready:
            assert forked(ready) and "No such file" in ready.start([bad.request()])[0].error
            assert ready.start([bad.request()])[0].step != ""
        assert not bad.state_dir.exists() and bad.cgroup_directories() == []

    def test_ends_with_its_task(self, make: Make) -> None:
        one = up(make, "one")
        ready = beside(one)
        found = t.cast(process.Identity, ready._launched.forked)
        assert found.alive()
        assert ready._exchange is not None
        ready._exchange.close()         # as the kernel does for a task that is killed
        assert process.wait_gone(found, 5)

    def test_its_death_is_told(self, make: Make) -> None:
        one, two = up(make, "one"), make("two", args=SLEEP)
        with beside(one) as ready:
            process.signal(t.cast(process.Identity, ready._launched.forked), signal.SIGKILL)
            assert "broke down" in ready.start([two.request()])[0].error

    def test_for_whom_stands_elsewhere_one_is_execd(self, make: Make) -> None:
        one = up(make, "one")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))
        try:
            with beside(one) as ready:
                assert not forked(ready)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    def test_it_is_in_the_cgroups_of_its_task(self, make: Make) -> None:
        one, two = up(make, "one"), make("two", args=SLEEP)
        with elsewhere() as mine:
            with beside(one) as ready:
                assert forked(ready) and ready.start([two.request()])[0].error == ""
            supervisor, former = (pathlib.Path("/proc/%d/cgroup" % box.state().supervisor.pid).read_text() for box in (two, one))
            two.kill()
        assert supervisor == mine and former != mine

    def test_a_supervisor_that_hangs_is_not_waited_for(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(launcher, "_FORK_TIMEOUT", 0.2)
        one = up(make, "one")
        process.signal(one.state().supervisor, signal.SIGSTOP)
        try:
            with beside(one) as ready:
                assert not forked(ready)
        finally:
            process.signal(one.state().supervisor, signal.SIGCONT)
        assert one.exec("true").rc == 0     # and the late answer harms nobody

    def test_another_interpreter_is_execd(self, make: Make) -> None:
        one = up(make, "one")
        other = "/usr/bin/python3" if os.path.realpath("/usr/bin/python3") != os.path.realpath(one.python) else "/bin/sh"
        assert launcher.key_of(runtimelab.TREE, other) != os.readlink(one.state_dir / state.ENGINE)
        with pytest.raises(Unsupported, match="another engine"):
            control.ask(str(one.state_dir), {"verb": "launch", "key": launcher.key_of(runtimelab.TREE, other)}, timeout=2)


def test_a_supervisor_that_forks_stays_small(make: Make) -> None:
    one, two = up(make, "one"), make("two", args=SLEEP)
    with beside(one) as ready:
        assert forked(ready) and ready.start([two.request()])[0].error == ""
    pid = one.state().supervisor.pid
    before = private(pid)
    for _each in range(3):
        assert one.exec("true").rc == 0
    assert private(pid) < before + 400       # one that has read a message itself: a thousand


class TestForkedExec:
    @pytest.fixture()
    def one(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> runtimelab.Box:
        """Once it is up, no interpreter is started any more."""
        box = up(make, "one")
        monkeypatch.delattr(launcher, "_spawn")
        return box

    def test_streams_and_codes_are_the_commands(self, one: runtimelab.Box) -> None:
        result = one.exec("sh", "-c", "cat; echo err >&2; exit 7", stdin=b"in\0put")
        assert (result.rc, result.stdout, result.stderr) == (7, b"in\0put", b"err\n")

    def test_nothing_of_the_supervisor_is_in_it(self, one: runtimelab.Box) -> None:
        result = one.exec("sh", "-c", "ls /proc/self/fd; grep -E 'SigIgn|SigBlk|SigCgt' /proc/self/status; cat /proc/self/cgroup | head -1")
        lines = result.stdout.decode().splitlines()
        assert lines[:4] == ["0", "1", "2", "3"]        # the last is the listing's own
        assert [line.split()[1].strip("0") for line in lines[4:7]] == ["", "", ""] and lines[7].endswith(":/")

    def test_time_runs_out(self, one: runtimelab.Box) -> None:
        assert one.exec("sleep", "100", timeout=0.2).timed_out

    def test_many_at_once(self, one: runtimelab.Box) -> None:
        for number in range(40):
            assert one.exec("sh", "-c", "exit %d" % number).rc == number
        assert one.state().supervisor.alive()


class TestSocket:
    def test_is_for_root_alone_and_goes_with_the_container(self, make: Make) -> None:
        one = up(make, "one")
        path = one.state_dir / state.SOCKET
        assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(one.state_dir.stat().st_mode) == 0o700
        process.signal(one.state().init, signal.SIGKILL)
        one.wait()
        assert not path.exists() and not os.path.lexists(one.state_dir / state.ENGINE)
        with pytest.raises(NotFound):
            control.ask(str(one.state_dir), {"verb": "launch"}, timeout=2)

    @pytest.mark.parametrize("message", [b"x", b"[]", b"{}", b'{"verb": []}', b'{"verb": "no"}', b"[" * 60000, b"\xff" * 100])
    def test_nonsense_is_answered_and_harms_nobody(self, make: Make, message: bytes) -> None:
        one = up(make, "one")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
            peer.connect(str(one.state_dir / state.SOCKET))
            socket.send_fds(peer, [message], [0, 1])
            assert b"does not know" in peer.recv(65536)
        assert one.exec("true").rc == 0

    def test_peers_that_say_nothing_hold_nobody_up(self, make: Make) -> None:
        one = up(make, "one")
        peers = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _each in range(20)]
        for peer in peers:
            peer.connect(str(one.state_dir / state.SOCKET))
        assert one.exec("true").rc == 0
        for peer in peers:
            peer.close()
        assert one.exec("true").rc == 0
        files = os.listdir("/proc/%d/fd" % one.state().supervisor.pid)
        assert until(lambda: len(os.listdir("/proc/%d/fd" % one.state().supervisor.pid)) <= 9), files
