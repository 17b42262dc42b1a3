# SPDX-License-Identifier: GPL-3.0-or-later
"""A container from its config: what it sees, what it may, how it fails, what stays. On the real kernel, without Ansible."""
from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import signal
import sys
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import process
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, StartFailed
from ansible_collections.cocker.engine.plugins.module_utils.runtime import launcher, spec, state
from ansible_collections.cocker.engine.tests.root import runtimelab

pytestmark = pytest.mark.root
Make = t.Callable[..., runtimelab.Box]
layer, make = runtimelab.layer, runtimelab.make         # fixtures
OTHER_PYTHONS = [path for path in ("/usr/bin/python3", "/root/.pyenv/versions/3.9.18/bin/python", "/root/.pyenv/versions/3.13.0/bin/python")
                 if os.path.exists(path)]


def sh(script: str, **wish: t.Any) -> t.Dict[str, t.Any]:
    return dict(args=("sh", "-c", script), **wish)


def status(text: str) -> t.Dict[str, str]:
    return {key: value.strip() for key, _colon, value in (line.partition(":") for line in text.splitlines())}


@pytest.mark.parametrize("python", OTHER_PYTHONS)
def test_a_container_runs_with_every_interpreter(make: Make, python: str) -> None:
    box = make(python=python, **sh("echo hello; exit 3"))
    assert (box.run().exit_code, box.output()) == (3, b"hello\n")


@pytest.mark.parametrize(("script", "code", "signum"), [("exit 0", 0, None), ("exit 3", 3, None), ("kill -9 $$", 0, None)])
def test_exit_code_is_recorded(make: Make, script: str, code: int, signum: t.Optional[int]) -> None:
    # PID 1 cannot kill itself: the kernel protects a namespace's first process from its own signals
    ending = make(**sh(script)).run()
    assert (ending.exit_code, ending.signal, ending.oom_killed, ending.error) == (code, signum, False, "")


def test_a_killed_container_is_137(make: Make) -> None:
    box = make(args=("sleep", "100"))
    assert box.start().error == ""
    process.signal(box.state().init, signal.SIGKILL)
    ending = box.wait()
    assert (ending.exit_code, ending.signal) == (137, 9)


def test_nothing_stays_but_the_record_and_the_log(make: Make) -> None:
    box = make(**sh("echo done"))
    box.run()
    assert box.cgroup_directories() == [] and not (box.state_dir / "state.json").exists()
    assert sorted(path.name for path in (box.bundle / "logs").iterdir()) == ["container.log"]


def test_namespaces_are_its_own(make: Make) -> None:
    box = make(**sh("for n in pid mnt uts ipc net cgroup; do readlink /proc/self/ns/$n; done; echo $$; hostname; cat /proc/self/cgroup"))
    box.run()
    lines = box.lines()
    host = {os.readlink("/proc/self/ns/" + name) for name in ("pid", "mnt", "uts", "ipc", "net", "cgroup")}
    assert host.isdisjoint(lines[:6])
    assert lines[6:8] == ["1", "one"]
    assert all(line.endswith(":/") for line in lines[8:])


def test_host_network_is_the_hosts(make: Make) -> None:
    box = make(network=spec.HOST, **sh("readlink /proc/self/ns/net"))
    box.run()
    assert box.lines() == [os.readlink("/proc/self/ns/net")]


def test_without_a_network_only_loopback_is_up(make: Make) -> None:
    box = make(**sh("ip -o addr show; ping -c 1 -W 2 127.0.0.1 > /dev/null && echo alive"))
    box.run()
    assert box.lines()[-1] == "alive" and all(" lo " in line for line in box.lines()[:-1])


def test_credentials_and_filter(make: Make) -> None:
    box = make(args=("cat", "/proc/self/status"))
    box.run()
    found = status(box.output().decode())
    assert found["CapInh"] == found["CapAmb"] == "0" * 16
    assert found["CapEff"] == found["CapPrm"] == found["CapBnd"] == "00000000a80425fb"
    assert (found["Seccomp"], found["NoNewPrivs"], found["Umask"]) == ("2", "0", "0022")
    library_signals = 1 << 31 | 1 << 32         # 32 and 33 belong to the C library, which lets nobody reset them
    assert int(found["SigIgn"], 16) & ~library_signals == 0 and int(found["SigBlk"], 16) == 0


def test_a_user_has_its_groups_and_no_capability(make: Make) -> None:
    box = make(user="app", no_new_privileges=True, **sh("cat /proc/self/status; echo HOME:$HOME; echo log > /dev/stderr"))
    box.run()
    found = status(box.output().decode())
    assert found["Uid"].split() == ["1000"] * 4 and found["Gid"].split() == ["1001"] * 4 and found["Groups"].split() == ["2000"]
    assert found["CapEff"] == found["CapPrm"] == "0" * 16 and found["CapBnd"] == "00000000a80425fb"
    assert (found["NoNewPrivs"], found["Seccomp"], found["HOME"]) == ("1", "2", "/home/app")
    assert box.output("stderr") == b"log\n"


def test_capabilities_can_be_dropped(make: Make) -> None:
    box = make(capabilities=spec.capability_set(drop=["all"], add=["net_bind_service"]), **sh("grep CapEff /proc/self/status"))
    box.run()
    assert box.output().split() == [b"CapEff:", b"0000000000000400"]


def test_environment_is_what_was_asked_for(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAKED", "1")
    box = make(env={"STAGE": "production"}, args=("env",))
    box.run()
    assert sorted(box.lines()) == [
        "HOME=/root", "HOSTNAME=one", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "STAGE=production"]


def test_only_three_descriptors_are_open(make: Make) -> None:
    held = [os.open("/", os.O_RDONLY) for _count in range(30)]
    for fd in held:
        os.set_inheritable(fd, True)
    try:
        box = make(**sh("exec ls /proc/self/fd; "), init=False)
        box.run()
    finally:
        for fd in held:
            os.close(fd)
    assert box.lines() == ["0", "1", "2", "3"]      # 3 is the directory that ls reads


def test_masked_and_read_only_paths(make: Make) -> None:
    box = make(**sh("stat -c %F:%t:%T /proc/interrupts /proc/keys; ls /sys/firmware; echo 1 > /proc/sys/kernel/panic; echo rc=$?; "
                    "echo 1 > /proc/sysrq-trigger; echo rc=$?; mkdir /sys/fs/cgroup/cpu/x; echo rc=$?"))
    box.run()
    assert box.lines() == ["character special file:1:3"] * 2 + ["rc=1"] * 3


def test_devices_are_the_standard_ones(make: Make) -> None:
    box = make(**sh("ls /dev; mknod /tmp/mem c 1 1; head -c 1 /tmp/mem; echo rc=$?; echo x > /dev/null; head -c 2 /dev/zero | wc -c"))
    box.run()
    lines = box.lines()
    assert lines[:-2] == ["core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty",
                          "urandom", "zero"]
    assert lines[-2:] == ["rc=1", "2"]
    assert b"not permitted" in box.output("stderr")


def test_a_device_can_be_given(make: Make) -> None:
    mem = spec.DeviceWish(path="/dev/nul2", kind="c", major=1, minor=3, mode=0o600, gid=7)
    box = make(devices=(mem,), **sh("stat -c %a:%g:%t:%T /dev/nul2; echo x > /dev/nul2 && echo written"))
    box.run()
    assert box.lines() == ["600:7:1:3", "written"]


def test_mounts(make: Make, tmp_path: pathlib.Path) -> None:
    volume, single, deep = tmp_path / "volume", tmp_path / "single", tmp_path / "deep"
    for folder in (volume, deep):
        folder.mkdir()
    single.write_text("one file\n")
    box = make(mounts=(
        spec.MountWish("volume", "/data", str(volume)), spec.MountWish("bind", "/data/inner", str(deep)),
        spec.MountWish("bind", "/etc/single", str(single), read_only=True),
        spec.MountWish("tmpfs", "/scratch", size=1 << 20, mode=0o700),
    ), **sh("echo kept > /data/file; echo inner > /data/inner/file; cat /etc/single; echo x > /etc/single; echo rc=$?; "
            "stat -c %a /scratch; head -c 2000000 /dev/zero > /scratch/big; echo rc=$?"))
    box.run()
    assert (volume / "file").read_text() == "kept\n" and (deep / "file").read_text() == "inner\n"
    assert box.lines() == ["one file", "rc=1", "700", "rc=1"]
    assert single.read_text() == "one file\n"


def test_a_read_only_root_takes_writes_only_in_its_mounts(make: Make) -> None:
    box = make(read_only=True, cwd="/new/place", mounts=(spec.MountWish("tmpfs", "/run"),),
               **sh("echo x > /file; echo rc=$?; echo x > /run/file; echo rc=$?; pwd"))
    box.run()
    assert box.lines() == ["rc=1", "rc=0", "/new/place"]


def test_sysctls_of_its_own_namespaces(make: Make) -> None:
    box = make(sysctls={"net.ipv4.ip_forward": "1", "kernel.shmmax": "4096"}, **sh("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax"))
    box.run()
    assert box.lines() == ["1", "4096"]


def test_ulimits(make: Make) -> None:
    box = make(ulimits=(spec.UlimitWish("nofile", 64, 128), spec.UlimitWish("core", 0, 0)), **sh("ulimit -n; ulimit -Hn; ulimit -c"))
    box.run()
    assert box.lines() == ["64", "128", "0"]


def test_memory_limit_kills_and_says_so(make: Make) -> None:
    box = make(resources={"memory": {"limit": 32 << 20}}, **sh("exec tail /dev/zero"))
    ending = box.run(30)
    assert (ending.exit_code, ending.oom_killed) == (137, True)


def test_pids_limit_holds(make: Make) -> None:
    box = make(resources={"pids": {"limit": 5}}, **sh("i=0; while [ $i -lt 10 ]; do sleep 5 & i=$((i+1)); done; echo unreachable"))
    box.run()
    assert b"can't fork" in box.output("stderr") and box.output() == b""


FAILURES: t.Dict[str, t.Tuple[t.Dict[str, t.Any], str]] = {
    "command": ({"args": ("/bin/nope",)}, "exec /bin/nope: No such file or directory"),
    "command in PATH": ({"args": ("nope",)}, "exec nope: No such file or directory"),
    "not executable": ({"args": ("/etc/passwd",)}, "exec /etc/passwd: Permission denied"),
    "user": ({"args": ("true",), "user": "nobody2"}, "user nobody2: no such name in the image's /etc/passwd"),
    "odd user": ({"args": ("true",), "user": "1_0"}, "user 1_0: no such name in the image's /etc/passwd"),
    "large user": ({"args": ("true",), "user": "4294967296"}, "option user: 4294967296 is above the highest id, 4294967294"),
    "group": ({"args": ("true",), "user": "0:nogroup2"}, "group nogroup2: no such name in the image's /etc/group"),
    "directory": ({"args": ("true",), "cwd": "/etc/passwd/x"}, "option working_dir: /etc/passwd/x: Not a directory"),
    "descriptor as directory": ({"args": ("true",), "cwd": "/proc/self/fd/3"}, "option working_dir: /proc/self/fd/3"),
    "source": ({"args": ("true",), "mounts": (spec.MountWish("bind", "/data", "/no/such/place"),)},
               "mount source /no/such/place: No such file or directory"),
    "network": ({"args": ("true",), "network": "/run/netns/no-such"}, "network namespace /run/netns/no-such: No such file or directory"),
    "below proc": ({"args": ("true",), "mounts": (spec.MountWish("tmpfs", "/proc/sys"),)}, "option mounts: nothing may be mounted on /proc/sys"),
    "ulimit": ({"args": ("true",), "ulimits": (spec.UlimitWish("nofile", 2**31, 2**31),)}, "raise ulimit nofile"),
}


@pytest.mark.parametrize("init", [False, True])
@pytest.mark.parametrize("case", FAILURES)
def test_a_failed_start_says_why_and_leaves_nothing(make: Make, case: str, init: bool) -> None:
    wish, sentence = FAILURES[case]
    box = make(init=init, **wish)
    result = box.start()
    assert result.error.startswith(sentence) and "\n" not in result.error and result.pid == 0
    assert box.cgroup_directories() == [] and not box.state_dir.exists() and not (box.bundle / "exit.json").exists()


def test_a_failed_start_keeps_the_last_exit_record(make: Make) -> None:
    box = make(**sh("exit 4"))
    box.run()
    box.config["process"]["args"] = ["/bin/nope"]
    box.write()
    assert box.start().error and state.find_exit(str(box.bundle)) == box.wait()


def test_a_running_container_is_not_started_twice(make: Make) -> None:
    box = make(args=("sleep", "100"))
    assert box.start().error == ""
    assert "it runs already" in box.start().error
    assert box.state().is_running()


@pytest.mark.parametrize("place", ["proc", "sys", "dev"])
def test_an_image_with_a_link_in_place_of_a_mount_is_refused(make: Make, layer: pathlib.Path, tmp_path: pathlib.Path, place: str) -> None:
    mine = tmp_path / "layer"
    shutil.copytree(layer, mine, symlinks=True)
    (mine / place).symlink_to("/tmp")
    box = make(layer=mine, args=("true",))
    assert box.start().error == "option mounts: /%s is not a directory in this image" % place


def test_a_destination_behind_a_link_stays_inside(make: Make, layer: pathlib.Path, tmp_path: pathlib.Path) -> None:
    mine, outside = tmp_path / "layer", tmp_path / "outside"
    shutil.copytree(layer, mine, symlinks=True)
    outside.mkdir()
    (mine / "escape").symlink_to("../../../../../.." + str(outside))
    box = make(layer=mine, mounts=(spec.MountWish("tmpfs", "/escape/deep"),), **sh("mount | grep -c deep"))
    box.run()
    assert box.lines() == ["1"] and list(outside.iterdir()) == []


@pytest.mark.parametrize("kind", ["link", "fifo", "large"])
def test_an_odd_passwd_file_neither_hangs_nor_misleads(make: Make, layer: pathlib.Path, tmp_path: pathlib.Path, kind: str) -> None:
    mine = tmp_path / "layer"
    shutil.copytree(layer, mine, symlinks=True)
    passwd = mine / "etc" / "passwd"
    passwd.unlink()
    if kind == "link":
        passwd.symlink_to("/proc/1/environ")
    elif kind == "fifo":
        os.mkfifo(passwd)
    else:
        passwd.write_bytes(b"x" * (1 << 21))
    assert make(layer=mine, args=("true",)).run().exit_code == 0
    assert make("two", layer=mine, args=("true",), user="app").start().error.startswith("read /etc/passwd: it ")


def test_the_interpreter_cannot_be_changed_from_inside(make: Make, layer: pathlib.Path, tmp_path: pathlib.Path) -> None:
    mine = tmp_path / "layer"
    shutil.copytree(layer, mine, symlinks=True)
    entry = mine / "entry"
    entry.write_text("#!/proc/self/exe\n")
    entry.chmod(0o755)
    real = pathlib.Path(os.path.realpath(sys.executable))
    before = hashlib.sha256(real.read_bytes()).hexdigest()
    box = make(layer=mine, args=("/entry",))
    box.start()
    init = make("init", layer=mine, init=True, privileged=True)
    assert init.start().error == ""
    found = init.exec("sh", "-c", "for p in /proc/[0-9]*; do echo x >> $p/exe; done; ls -l /proc/1/exe")
    assert found.rc == 0
    assert hashlib.sha256(real.read_bytes()).hexdigest() == before


def test_twenty_containers_in_one_launcher(make: Make) -> None:
    boxes = [make("n%d" % number, **sh("echo $HOSTNAME")) for number in range(20)]
    results = launcher.start([box.request() for box in boxes], engine=runtimelab.TREE, python=sys.executable)
    assert [result.error for result in results] == [""] * 20
    assert [(box.wait().exit_code, box.lines()) for box in boxes] == [(0, ["n%d" % number]) for number in range(20)]


def test_one_failure_does_not_hide_the_others(make: Make) -> None:
    boxes = [make("good", args=("true",)), make("bad", args=("/nope",)), make("fine", args=("true",))]
    (boxes[1].bundle / "config.json").write_text("{")
    results = launcher.start([box.request() for box in boxes], engine=runtimelab.TREE, python=sys.executable)
    assert [bool(result.error) for result in results] == [False, True, False]
    assert boxes[0].wait().exit_code == boxes[2].wait().exit_code == 0


def test_a_launcher_that_cannot_run_says_so(make: Make, tmp_path: pathlib.Path) -> None:
    result = launcher.start([make(args=("true",)).request()], engine=str(tmp_path), python=sys.executable)[0]
    assert result.error.startswith("the launcher broke down (exit code 1)") and "ModuleNotFoundError" in result.error


class TestExec:
    @pytest.fixture()
    def box(self, make: Make) -> runtimelab.Box:
        found = make(args=("sleep", "100"), env={"STAGE": "test"}, resources={"pids": {"limit": 50}})
        assert found.start().error == ""
        return found

    def test_streams_and_code(self, box: runtimelab.Box) -> None:
        found = box.exec("sh", "-c", "cat; echo bad >&2; exit 7", stdin=b"\x00in\xff")
        assert (found.rc, found.stdout, found.stderr, found.timed_out) == (7, b"\x00in\xff", b"bad\n", False)

    def test_large_streams_both_ways(self, box: runtimelab.Box) -> None:
        content = os.urandom(1 << 20)
        assert box.exec("cat", stdin=content).stdout == content

    def test_unread_input_is_no_fault(self, box: runtimelab.Box) -> None:
        assert box.exec("true", stdin=b"x" * (1 << 20)).rc == 0

    def test_it_is_in_the_container(self, box: runtimelab.Box) -> None:
        found = box.exec("sh", "-c", "for n in pid mnt uts ipc net cgroup; do readlink /proc/self/ns/$n; done; cat /proc/self/cgroup")
        lines = found.stdout.decode().splitlines()
        pid = box.state().init.pid
        assert lines[:6] == [os.readlink("/proc/%d/ns/%s" % (pid, name)) for name in ("pid", "mnt", "uts", "ipc", "net", "cgroup")]
        assert all(line.endswith(":/") for line in lines[6:])

    def test_confined_as_its_container(self, box: runtimelab.Box) -> None:
        found = status(box.exec("cat", "/proc/self/status").stdout.decode())
        assert found["CapEff"] == found["CapBnd"] == "00000000a80425fb" and found["CapInh"] == "0" * 16
        assert found["Seccomp"] == "2"

    def test_environment_user_directory(self, box: runtimelab.Box) -> None:
        found = box.exec("sh", "-c", "echo $STAGE $MORE $HOME; pwd; id -u; id -G", env={"MORE": "m"}, cwd="/tmp", user="app")
        assert found.stdout == b"test m /home/app\n/tmp\n1000\n1001 2000\n"

    @pytest.mark.parametrize(("args", "rc", "error"), [
        (("nope",), 127, "exec nope: No such file or directory"), (("/etc/passwd",), 126, "exec /etc/passwd: Permission denied")])
    def test_a_command_that_cannot_run(self, box: runtimelab.Box, args: t.Tuple[str, ...], rc: int, error: str) -> None:
        found = box.exec(*args)
        assert (found.rc, found.error) == (rc, error)

    def test_a_bad_user_is_an_error(self, box: runtimelab.Box) -> None:
        with pytest.raises(StartFailed, match="no such name"):
            box.exec("true", user="who")

    def test_killed_by_a_signal(self, box: runtimelab.Box) -> None:
        assert box.exec("sh", "-c", "kill -TERM $$").rc == 143

    def test_timeout_ends_the_whole_session(self, box: runtimelab.Box) -> None:
        found = box.exec("sh", "-c", "echo begun; sleep 77 & sleep 77", timeout=1.0)
        assert found.timed_out and found.stdout == b"begun\n"
        assert b"sleep 77" not in box.exec("ps").stdout

    def test_what_stays_behind_does_not_hold_the_answer(self, box: runtimelab.Box) -> None:
        assert box.exec("sh", "-c", "sleep 50 & echo done", timeout=10.0).stdout == b"done\n"

    def test_a_stopped_container_takes_none(self, make: Make) -> None:
        box = make("ended", args=("true",))
        box.run()
        with pytest.raises(Conflict, match="not running"):
            box.exec("true")
