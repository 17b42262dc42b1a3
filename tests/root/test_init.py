# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor and our own PID 1: orphans, signals, logs, ends of all kinds. On the real kernel, without Ansible."""
from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import process
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict
from ansible_collections.cocker.engine.plugins.module_utils.runtime import state
from ansible_collections.cocker.engine.plugins.module_utils.runtime.cgroups import factory
from ansible_collections.cocker.engine.tests.root import runtimelab

pytestmark = pytest.mark.root
Make = t.Callable[..., runtimelab.Box]
layer, make, until = runtimelab.layer, runtimelab.make, runtimelab.until       # fixtures, and a helper


def sh(script: str, **wish: t.Any) -> t.Dict[str, t.Any]:
    return dict(args=("sh", "-c", script), **wish)


def started(box: runtimelab.Box) -> state.State:
    assert box.start().error == ""
    return box.state()


def status_of(pid: int) -> t.Dict[str, str]:
    text = pathlib.Path("/proc/%d/status" % pid).read_text()
    return {key: value.strip() for key, _colon, value in (line.partition(":") for line in text.splitlines())}


def cpu_ticks(pid: int) -> int:
    fields = pathlib.Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


class TestReaper:
    def test_the_code_of_the_command_is_the_containers(self, make: Make) -> None:
        assert make(init=True, **sh("exit 5")).run().exit_code == 5

    def test_a_killed_command_ends_the_container(self, make: Make) -> None:
        assert make(init=True, **sh("kill -9 $$")).run().exit_code == 137

    def test_the_command_is_not_pid_1_and_leads_a_session(self, make: Make) -> None:
        box = make(init=True, **sh("cat /proc/$$/stat; cat /proc/1/comm; ls -l /proc/1/exe /proc/1/fd"))
        box.run()
        fields = box.lines()[0].split()
        assert fields[0] != "1" and fields[0] == fields[5] and fields[3] == "1"
        assert box.lines()[1] == "cocker-init"
        assert not any("->" in line for line in box.lines())        # neither its program nor its files are to be seen

    def test_orphans_are_buried(self, make: Make) -> None:
        box = make(init=True, **sh("(for i in 1 2 3 4 5 6 7 8 9 10; do (sleep 0.2 &) ; done); sleep 1; ls -d /proc/[0-9]* | wc -l"))
        box.run()
        assert box.lines() in (["3"], ["4"])     # PID 1, the shell, ls, and wc, which may be born after ls has looked

    def test_signals_reach_the_command(self, make: Make) -> None:
        box = make(init=True, **sh("trap 'echo got; exit 9' USR1; echo ready; while :; do sleep 0.1; done"))
        found = started(box)
        until(lambda: b"ready" in box.output())
        process.signal(found.init, signal.SIGUSR1)
        assert box.wait().exit_code == 9 and box.lines() == ["ready", "got"]

    def test_without_a_command_it_waits_for_the_stop_signal(self, make: Make) -> None:
        box = make(init=True)
        found = started(box)
        assert box.exec("sh", "-c", "trap 'echo bye > /said; exit' TERM; (while :; do sleep 0.1; done) & wait", timeout=0.5).timed_out
        process.signal(found.init, signal.SIGHUP)
        assert box.exec("true").rc == 0
        process.signal(found.init, signal.SIGTERM)
        assert box.wait().exit_code == 0

    def test_stopping_asks_the_others_and_waits_for_them(self, make: Make) -> None:
        box = make(init=True)
        found = started(box)
        script = "trap 'sleep 0.3; echo bye > /said; exit' TERM; echo up > /up; while :; do sleep 0.1; done"
        assert box.exec("sh", "-c", "setsid sh -c '%s' > /dev/null 2>&1 &" % script.replace("'", "'\\''")).rc == 0
        until((box.bundle / "upper" / "up").exists)
        process.signal(found.init, signal.SIGTERM)
        assert box.wait().exit_code == 0
        assert (box.bundle / "upper" / "said").read_text() == "bye\n"

    def test_it_is_confined_and_idle(self, make: Make) -> None:
        box = make(init=True)
        found = started(box)
        status = status_of(found.init.pid)
        assert status["CapEff"] == status["CapPrm"] == "%016x" % (1 << 5) and status["CapBnd"] == "00000000a80425fb"
        assert status["Seccomp"] == "2" and status["CapInh"] == status["CapAmb"] == "0" * 16
        assert sorted(os.listdir("/proc/%d/fd" % found.init.pid)) == ["0", "1", "2"]
        assert {os.readlink("/proc/%d/fd/%d" % (found.init.pid, number)) for number in range(3)} == {"/dev/null"}
        before = cpu_ticks(found.init.pid), cpu_ticks(found.supervisor.pid)
        time.sleep(1.0)
        assert (cpu_ticks(found.init.pid), cpu_ticks(found.supervisor.pid)) == before


class TestSupervisor:
    def test_it_belongs_to_nobody_and_holds_nothing(self, make: Make) -> None:
        found = started(make(args=("sleep", "100")))
        pid = found.supervisor.pid
        assert int(status_of(pid)["PPid"]) != os.getpid() and os.getsid(pid) == pid
        assert pathlib.Path("/proc/%d/comm" % pid).read_text().startswith("cocker:t")
        open_files = sorted(os.readlink("/proc/%d/fd/%s" % (pid, name)) for name in os.listdir("/proc/%d/fd" % pid))
        assert open_files.count("/dev/null") == 3
        assert [name.split(":")[0] for name in open_files].count("socket") == 1
        others = [name for name in open_files if not name.startswith(("pipe:", "socket:")) and name != "/dev/null"]
        assert len(open_files) == 9 and others == [found.bundle + "/config.json"]
        assert pathlib.Path("/proc/%d/cgroup" % pid).read_text() == pathlib.Path("/proc/self/cgroup").read_text()

    def test_its_death_ends_the_container(self, make: Make) -> None:
        for init in (False, True):
            box = make("init-%s" % init, init=init, **sh("sleep 100"))
            found = started(box)
            process.signal(found.supervisor, signal.SIGKILL)
            assert process.wait_gone(found.init, 5)
            assert state.find_exit(str(box.bundle)) is None and not box.state().is_running()
            cgroup = factory.from_paths(found.cgroups)
            cgroup.kill()
            cgroup.remove()

    @pytest.mark.parametrize("name", ["HUP", "INT", "USR1", "PIPE", "QUIT"])
    def test_it_survives(self, make: Make, name: str) -> None:
        found = started(make(args=("sleep", "100")))
        process.signal(found.supervisor, process.SIGNALS[name])
        time.sleep(0.1)
        assert found.supervisor.alive() and found.init.alive()

    def test_sigterm_stops_the_container(self, make: Make) -> None:
        box = make(**sh("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.1; done"))
        found = started(box)
        until(lambda: b"ready" in box.output())
        process.signal(found.supervisor, signal.SIGTERM)
        assert box.wait().exit_code == 0 and box.lines() == ["ready", "bye"]

    def test_sigterm_kills_one_that_does_not_listen(self, make: Make) -> None:
        box = make(stop_timeout=1, **sh("trap '' TERM; echo ready; while :; do sleep 0.1; done"))
        found = started(box)
        until(lambda: b"ready" in box.output())
        process.signal(found.supervisor, signal.SIGTERM)
        assert box.wait().exit_code == 137

    def test_reap_runs_when_the_container_ends_by_itself(self, make: Make, tmp_path: pathlib.Path) -> None:
        mark = tmp_path / "reaped"
        box = make(args=("true",))
        assert box.start(reap=["/bin/sh", "-c", "env > %s" % mark]).error == ""
        until(mark.exists)
        assert state.find_exit(str(box.bundle)) is not None
        assert "LANG" not in mark.read_text()

    def test_reap_does_not_run_when_it_is_being_stopped(self, make: Make, tmp_path: pathlib.Path) -> None:
        mark = tmp_path / "reaped"
        box = make(args=("sleep", "100"))
        assert box.start(reap=["/bin/sh", "-c", "touch %s" % mark]).error == ""
        (box.state_dir / "stopping").touch()
        process.signal(box.state().init, signal.SIGKILL)
        box.wait()
        time.sleep(0.3)
        assert not mark.exists()

    def test_a_paused_container_takes_no_command(self, make: Make) -> None:
        box = make(args=("sleep", "100"))
        cgroup = factory.from_paths(started(box).cgroups)
        cgroup.freeze()
        try:
            with pytest.raises(Conflict, match="paused"):
                box.exec("true")
        finally:
            cgroup.thaw()


class TestLog:
    def test_byte_exact_and_told_apart(self, make: Make) -> None:
        box = make(**sh(r"printf 'a\nb\r\n\0\377\303\244 no newline'; printf 'error\n' >&2"))
        box.run()
        assert box.output() == b"a\nb\r\n\0\xff\xc3\xa4 no newline" and box.output("stderr") == b"error\n"
        times = [entry["time"] for entry in box.entries()]
        assert all(len(time_) == 30 and time_.endswith("Z") for time_ in times)

    def test_long_lines_are_cut_as_docker_does(self, make: Make) -> None:
        box = make(**sh("head -c 40000 /dev/zero | tr '\\0' x; echo"))
        box.run()
        assert [len(entry["log"]) for entry in box.entries()] == [16384, 16384, 7233]
        assert [entry["log"][-1] for entry in box.entries()] == ["x", "x", "\n"]

    def test_rotation_keeps_what_was_asked_for(self, make: Make) -> None:
        box = make(log_max_size=20000, log_max_file=3, **sh("i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done"))
        box.run()
        files = sorted((box.bundle / "logs").iterdir())
        assert [path.name for path in files] == ["container.log", "container.log.1", "container.log.2"]
        assert all(path.stat().st_size <= 20000 for path in files)
        lines = box.lines()
        assert lines[-1] == "line 999" and lines == ["line %d" % number for number in range(1000 - len(lines), 1000)]

    def test_nothing_is_lost_at_the_end_of_a_burst(self, make: Make) -> None:
        box = make(log_max_size=100 << 20, **sh("seq 1 200000"))
        box.run(30)
        assert box.output() == b"".join(b"%d\n" % number for number in range(1, 200001))

    def test_a_stopped_supervisor_loses_nothing(self, make: Make) -> None:
        box = make(log_max_size=100 << 20, **sh("sleep 0.3; seq 1 50000"))
        found = started(box)
        process.signal(found.supervisor, signal.SIGSTOP)
        time.sleep(1.0)
        process.signal(found.supervisor, signal.SIGCONT)
        assert box.wait().exit_code == 0
        assert box.output() == b"".join(b"%d\n" % number for number in range(1, 50001))

    def test_a_full_disk_does_not_stop_the_container(self, make: Make, tmp_path: pathlib.Path) -> None:
        box = make(**sh("seq 1 20000; echo done > /done"))
        logs = box.bundle / "logs"
        logs.mkdir(mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(logs)], check=True)
        try:
            ending = box.run()
            assert ending.exit_code == 0 and ending.log_lost > 100000
            assert (box.bundle / "upper" / "done").exists()
            assert box.lines()[0] == "1"        # what is there is whole lines
        finally:
            subprocess.run(["umount", str(logs)], check=True)

    def test_the_driver_none_keeps_nothing(self, make: Make) -> None:
        box = make(log_driver="none", **sh("seq 1 100000"))
        box.run()
        assert not (box.bundle / "logs").exists()


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("init", [False, True])
def test_nothing_of_the_image_is_imported(make: Make, layer: pathlib.Path, tmp_path: pathlib.Path, init: bool) -> None:
    mine = tmp_path / "layer"
    shutil.copytree(layer, mine, symlinks=True)
    poison = "import os; os.close(os.open('/poisoned', os.O_CREAT | os.O_WRONLY))\n"
    for folder in sorted({os.path.dirname(os.__file__), sys.prefix + "/lib/python3", runtimelab.TREE}):
        for name in ("encodings/idna.py", "encodings/ascii.py", "json/encoder.py", "stat.py", "ansible_collections/__init__.py"):
            path = mine / folder.lstrip("/") / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(poison)
    box = make(layer=mine, init=init, python="/usr/bin/python3", hostname="one", args=("/b\xe4d\udcff",))
    trace = tmp_path / "trace"
    script = (
        "import sys; sys.path.insert(0, %r); from ansible_collections.cocker.engine.plugins.module_utils.runtime import launcher as l;"
        " print(l.start([l.StartRequest(%r, %r, %r)], engine=%r, python='/usr/bin/python3')[0].error.encode('ascii', 'backslashreplace'))"
    ) % (runtimelab.TREE, box.name, str(box.bundle), str(box.state_dir), runtimelab.TREE)
    command = ["strace", "-f", "-s", "200", "-e", "trace=openat,open,openat2,pivot_root,execve", "-o", str(trace), "/usr/bin/python3", "-c", script]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    assert b"exec /b" in done.stdout and b"No such file" in done.stdout
    assert not (box.bundle / "upper" / "poisoned").exists()
    lines = trace.read_text(errors="replace").splitlines()
    pivoted = next(number for number, line in enumerate(lines) if "pivot_root(" in line)
    inside = {lines[pivoted].split()[0]}
    opened = [line for line in lines[pivoted:] if line.split()[0] in inside and "open" in line.split("(")[0]]
    assert [line for line in opened if ".py" in line or ".so" in line] == []
