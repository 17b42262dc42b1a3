# SPDX-License-Identifier: GPL-3.0-or-later
"""`cocker-runtime` on bundles of others: the life of a container as the OCI runtime spec has it, said as runc says it."""
from __future__ import annotations

import hashlib
import json
import os
import pathlib
import pty
import shutil
import signal
import socket
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, fds, mounts, process
from ansible_collections.cocker.engine.tests.root import ocilab
from ansible_collections.cocker.engine.tests.root.runtimelab import until

pytestmark = pytest.mark.root
ALL_PTRACE = ("CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH")
WITH_RUNC = pytest.mark.skipif(ocilab.RUNC is None, reason="runc is not installed")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return ocilab.pack(tmp_path_factory.mktemp("program") / "cocker-runtime")


@pytest.fixture(scope="module")
def rootfs(tmp_path_factory):
    return ocilab.make_rootfs(tmp_path_factory.mktemp("image") / "rootfs")


@pytest.fixture
def bundle(tmp_path, rootfs):
    return ocilab.Bundle(tmp_path / "bundle", rootfs)


@pytest.fixture
def runtime(program, tmp_path, bundle):
    found = ocilab.Runtime(program, tmp_path, bundle)
    yield found
    found.close()


@pytest.fixture
def runc(tmp_path, bundle):
    found = ocilab.Runtime(ocilab.RUNC or "", tmp_path, bundle)
    yield found
    found.close()


def test_the_life_of_a_container_from_create_to_delete(runtime, tmp_path):
    pid_file = tmp_path / "pid"
    assert runtime.create("web", "--pid-file", str(pid_file)) == (0, "", "")
    made = runtime.state("web")
    assert {key: made[key] for key in ("id", "status", "bundle", "pid")} == {
        "id": "web", "status": "created", "bundle": str(runtime.bundle.path), "pid": int(pid_file.read_text())}
    assert runtime("start", "web") == (0, "", "")
    assert pathlib.Path("/proc/%d/cmdline" % made["pid"]).read_bytes() == b"sleep\x001000\0"
    assert runtime.state("web")["status"] == "running"
    assert runtime("delete", "web").code == 1
    assert runtime("kill", "web", "0") == (0, "", "") and runtime("kill", "web", "65").code == 1
    assert runtime("kill", "web", "KILL") == (0, "", "")
    until(lambda: runtime.state("web")["status"] == "stopped")
    assert runtime.state("web")["pid"] == 0
    assert runtime("delete", "web") == (0, "", "")
    assert (runtime("state", "web").code, runtime("delete", "web").code, runtime("delete", "--force", "web").code) == (1, 1, 0)
    assert list(runtime.root.iterdir()) == []


def scenario(runtime: ocilab.Runtime) -> t.List[t.Tuple[t.Any, ...]]:
    """Exit codes and messages of wrong calls in each state; what differs by nature is taken out."""
    said: t.List[t.Tuple[t.Any, ...]] = []

    def note(done: ocilab.Done) -> None:
        text = done.err.split("msg=", 1)[-1].replace("cocker-runtime", "runc").replace("runc start failed: ", "").strip()
        said.append((done.code, text))

    note(runtime("start", "x"))
    runtime.create("x")
    note(runtime.create("x"))
    note(runtime("resume", "x"))
    runtime("start", "x")
    for words in (("start", "x"), ("delete", "x"), ("exec", "x", "nosuch"), ("exec", "x", "/nosuch"), ("exec", "x", "/etc/passwd"),
                  ("exec", "x", "sh", "-c", "exit 3"), ("exec", "x")):
        note(runtime(*words))
    runtime("pause", "x")
    note(runtime("exec", "x", "true"))
    said.append((runtime.state("x")["status"],))
    runtime("resume", "x")
    runtime("kill", "x", "9")
    until(lambda: runtime.state("x")["status"] == "stopped")
    for words in (("kill", "x"), ("exec", "x", "true"), ("start", "x"), ("list", "-q"), ("delete", "x"), ("delete", "x"), ("delete", "-f", "x")):
        note(runtime(*words))
    return said


@WITH_RUNC
def test_wrong_calls_are_answered_as_runc_answers_them(runtime, runc):
    assert scenario(runtime) == scenario(runc)


INSIDE = (
    "id; hostname; pwd; env | sort; umask; ulimit -n; ulimit -Hn; grep -E 'Cap|NoNewPrivs|Seccomp|Groups' /proc/self/status;"
    " awk '{print $2, $3}' /proc/mounts | sort; ls -l /dev | grep -v kcore | awk '{print $1, $3, $4, $NF}'; ls /proc/self/fd | wc -l;"
    " echo 1 2>&1 >/proc/sys/kernel/msgmax; head -c1 /proc/keys | wc -c; cat /proc/1/cmdline | head -c 2; readlink /proc/self/cwd"
)


@WITH_RUNC
@pytest.mark.parametrize("change", ["plain", "user", "readonly", "limits"])
def test_inside_all_is_as_with_runc(runtime, runc, bundle, change):
    bundle.args("sh", "-c", INSIDE)
    if change == "user":
        bundle.process.update({"user": {"uid": 1000, "gid": 1001, "additionalGids": [5, 2000], "umask": 0o27}, "cwd": "/tmp", "noNewPrivileges": True})
    if change == "readonly":
        bundle.config["root"]["readonly"] = True
    if change == "limits":
        bundle.linux["resources"].update({"memory": {"limit": 64 << 20}, "pids": {"limit": 50}, "cpu": {"shares": 300}})
    ours, theirs = runtime("run", "a"), runc("run", "b")
    assert ours == theirs and ours.code == 0 and "bundle" in ours.out


@WITH_RUNC
def test_state_and_list_have_the_fields_of_runc(runtime, runc):
    for one in (runtime, runc):
        assert one.create("x").code == 0
    ours, theirs = runtime.state("x"), runc.state("x")
    assert list(ours) == list(theirs)
    assert {key: ours[key] for key in ours if key not in ("pid", "created", "ociVersion")} == {
        key: theirs[key] for key in theirs if key not in ("pid", "created", "ociVersion")}
    rows = [json.loads(one("list", "--format", "json").out) for one in (runtime, runc)]
    assert [sorted(row) for row in rows[0]] == [sorted(row) for row in rows[1]]
    assert [one("list").out.splitlines()[0].split() for one in (runtime,)] == [runc("list").out.splitlines()[0].split()]
    assert json.loads(runtime("ps", "--format", "json", "x").out) == [ours["pid"]]
    assert runtime("ps", "x").out.splitlines()[1].split()[1] == str(ours["pid"])


def test_run_gives_output_input_and_exit_code(runtime, bundle):
    bundle.args("sh", "-c", "cat; echo no >&2; exit 7")
    assert runtime("run", "x", stdin="in\n") == (7, "in\n", "no\n")
    bundle.args("sh", "-c", "kill -9 $$")
    bundle.linux["namespaces"] = [space for space in bundle.linux["namespaces"] if space["type"] != "pid"]
    assert runtime("run", "x").code == 137
    assert runtime("list", "-q").out == ""


@pytest.mark.parametrize("args,reason", [
    (["nosuch"], 'exec: "nosuch": executable file not found in $PATH'),
    (["/nosuch"], 'exec: "/nosuch": stat /nosuch: no such file or directory'),
    (["/etc"], 'exec: "/etc": is a directory'),
    (["/etc/passwd"], 'exec: "/etc/passwd": permission denied'),
])
def test_a_program_that_is_not_there_fails_create_and_nothing_is_left(runtime, bundle, args, reason):
    bundle.args(*args)
    log = bundle.path / "log"
    bundle.write("x")
    done = subprocess.run(
        [runtime.program, "--root", str(runtime.root), "--log", str(log), "--log-format", "json", "create", "x"],
        cwd=bundle.path, capture_output=True, text=True, check=False, env=runtime.env)
    assert done.returncode == 1 and reason in done.stderr
    entry = json.loads(log.read_text())
    assert entry["level"] == "error" and entry["msg"].endswith("unable to start container process: " + reason)
    assert list(runtime.root.iterdir()) == []


def test_the_process_belongs_to_whoever_is_the_subreaper_of_the_caller(runtime, bundle):
    """What conmon and a shim rely on: no process of ours in between."""
    bundle.args("sh", "-c", "exit 5")
    pid = os.fork()
    if pid == 0:
        try:
            process.set_subreaper()
            assert runtime.create("x").code == 0
            init = runtime.state("x")["pid"]
            assert runtime("start", "x").code == 0
            os._exit(os.waitstatus_to_exitcode(os.waitpid(init, 0)[1]))
        finally:
            os._exit(100)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5


def test_a_terminal_goes_through_the_socket(runtime, bundle, tmp_path):
    bundle.process.update({"terminal": True, "consoleSize": {"height": 11, "width": 77}})
    bundle.args("sh", "-c", "tty; stty size; readlink /proc/self/fd/2; read word; echo got $word")
    console = ocilab.Console(tmp_path / "tty")
    assert runtime.create("x").code == 1
    assert runtime.create("x", "--console-socket", console.path) == (0, "", "")
    master = console.take()
    runtime("start", "x")
    os.write(master, b"it\n")
    said = b""
    while b"got" not in said:
        said += os.read(master, 1000)
    assert said.decode().replace("\r", "").split("\n")[:3] == ["/dev/pts/0", "11 77", "/dev/pts/0"] or b"it" in said
    assert b"/dev/pts/0" in said and b"11 77" in said and b"got it" in said
    os.close(master)


def test_run_and_exec_have_the_terminal_of_the_caller(runtime, bundle):
    bundle.process["terminal"] = True
    bundle.args("sh", "-c", "test -t 0 && test -t 1 && echo yes; exit 4")
    bundle.write("x")
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(bundle.path)
        os.execve(runtime.program, runtime.command("run", "x"), runtime.env)
    said = b""
    try:
        while True:
            said += os.read(master, 1000)
    except OSError:
        pass
    os.close(master)
    assert (os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said) == (4, b"yes\r\n")


def test_hooks_get_the_state_at_their_points_in_order(runtime, bundle, tmp_path, rootfs):
    told = tmp_path / "told"
    script = "(printf '%%s ' %s; cat; echo) >> %s"
    bundle.config["annotations"] = {"some": "thing"}
    bundle.config["hooks"] = {
        stage: [{"path": "/bin/sh", "args": ["sh", "-c", script % (stage, told)], "env": ["PATH=/bin:/usr/bin"]}]
        for stage in ("poststop", "createRuntime", "createContainer", "prestart", "poststart")}
    inside = script % ("startContainer", "/told")
    bundle.config["hooks"]["startContainer"] = [{"path": "/bin/sh", "args": ["sh", "-c", inside], "env": ["PATH=/bin"]}]
    runtime.create("x")
    pid = runtime.state("x")["pid"]
    runtime("start", "x")
    runtime("delete", "--force", "x")
    found = [line.partition(" ")[::2] for line in told.read_text().splitlines()]
    assert [stage for stage, _text in found] == ["prestart", "createRuntime", "createContainer", "poststart", "poststop"]
    states = {stage: json.loads(text) for stage, text in found}
    assert {stage: (value["status"], value["pid"]) for stage, value in states.items()} == {
        "prestart": ("creating", pid), "createRuntime": ("creating", pid), "createContainer": ("creating", pid),
        "poststart": ("running", pid), "poststop": ("stopped", 0)}
    assert states["prestart"]["annotations"] == {"some": "thing"} and states["prestart"]["id"] == "x"
    inner = rootfs / "told"
    assert json.loads(inner.read_text().partition(" ")[2])["status"] == "created"
    inner.unlink()


@pytest.mark.parametrize("stage", ["prestart", "createRuntime", "createContainer"])
def test_a_hook_that_fails_undoes_the_creation(runtime, bundle, tmp_path, stage):
    after = tmp_path / "after"
    bundle.config["hooks"] = {
        stage: [{"path": "/bin/sh", "args": ["sh", "-c", "echo broken; exit 3"]}],
        "poststop": [{"path": "/bin/touch", "args": ["touch", str(after)]}]}
    done = runtime.create("x")
    assert done.code == 1 and "error running %s hook #0" % stage in done.err and "exit status 3" in done.err and "broken" in done.err
    assert list(runtime.root.iterdir()) == [] and after.exists()


@pytest.mark.parametrize("verb", ["start", "run"])
@pytest.mark.parametrize(("version", "goes"), [("1.2.0", False), ("1.3.0", True)])
def test_a_hook_that_fails_after_the_start_ends_it_since_1_3(runtime, bundle, tmp_path, verb, version, goes):
    after = tmp_path / "after"
    bundle.config.update(ociVersion=version, hooks={
        "poststart": [{"path": "/bin/sh", "args": ["sh", "-c", "echo broken; exit 3"]}],
        "poststop": [{"path": "/bin/touch", "args": ["touch", str(after)]}]})
    if verb == "start":
        assert runtime.create("x").code == 0
        done = runtime("start", "x")
        assert done.code == int(goes) and "error running poststart hook #0" in done.err and "broken" in done.err
    else:
        bundle.write(runtime.root.name)
        done = subprocess.run(runtime.command("run", "--detach", "x"), cwd=bundle.path, env=runtime.env, timeout=30, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert done.returncode == int(goes)
    assert (runtime.state("x")["status"] == "running", after.exists()) == (not goes, goes)


def test_a_limit_of_no_process_is_one_since_1_3(runtime, bundle):
    bundle.linux["resources"]["pids"] = {"limit": 0}
    bundle.args("sh", "-c", "true | cat; echo $?")
    assert runtime("run", "x") == (0, "0\n", "")
    bundle.config["ociVersion"] = "1.3.0"
    done = runtime("run", "x")
    assert done.code != 0 and "fork" in done.err
    assert runtime.create("y").code == 0
    assert runtime("start", "y").code == 0      # what runs stays: it is further ones that there are none of


def test_a_hook_has_its_time(runtime, bundle):
    bundle.config["hooks"] = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "100"], "timeout": 1}]}
    done = runtime.create("x")
    assert done.code == 1 and "did not end within 1 s" in done.err


def test_descriptors_that_are_to_stay_and_those_of_listeners(runtime, bundle, tmp_path):
    bundle.args("sh", "-c", "cat <&3; cat <&4; echo $LISTEN_FDS $LISTEN_PID; ls /proc/self/fd | wc -l")
    bundle.write("x")
    for name in ("one", "two"):
        (tmp_path / name).write_text(name + "\n")
    command = "exec 3<%s 4<%s 5<%s 6<&0; exec \"$@\"" % (tmp_path / "one", tmp_path / "two", tmp_path / "two")
    done = subprocess.run(["bash", "-c", command, "sh", *runtime.command("run", "--preserve-fds", "1", "x")], cwd=bundle.path,
                          capture_output=True, text=True, check=False, env=dict(runtime.env, LISTEN_FDS="1"))
    assert (done.stdout, done.returncode) == ("one\ntwo\n1 1\n6\n", 0)


def test_namespaces_of_others_are_joined_by_their_paths(runtime, bundle):
    runtime.create("x")
    owner = runtime.state("x")["pid"]
    for space in bundle.linux["namespaces"]:
        if space["type"] in ("network", "ipc", "uts", "pid"):
            space["path"] = "/proc/%d/ns/%s" % (owner, {"network": "net"}.get(space["type"], space["type"]))
    bundle.suffix = "-y"
    bundle.args("sh", "-c", "for kind in net ipc uts pid mnt; do readlink /proc/self/ns/$kind; done")
    found = runtime("run", "y").out.split()
    held = [os.readlink("/proc/%d/ns/%s" % (owner, kind)) for kind in ("net", "ipc", "uts", "pid", "mnt")]
    assert found[:4] == held[:4] and found[4] != held[4]


def test_exec_takes_its_options_or_a_process_file(runtime, bundle, tmp_path):
    runtime.create("x")
    runtime("start", "x")
    words = ("--env", "C=d", "--cwd", "/tmp", "--user", "1000:1001", "-g", "5", "--cap", "CAP_NET_RAW")
    done = runtime("exec", *words, "x", "sh", "-c", "id; pwd; echo $A $C; grep CapBnd /proc/self/status")
    assert done.out.splitlines()[:3] == ["uid=1000(app) gid=1001(app) groups=5,1001(app)", "/tmp", "b d"] or "uid=1000" in done.out
    assert int(done.out.split()[-1], 16) >> 13 & 1
    file = tmp_path / "process.json"
    file.write_text(json.dumps({"args": ["sh", "-c", "echo $X; ulimit -n; sleep 1000"], "env": ["PATH=/bin", "X=y"], "cwd": "/", "user": {"uid": 0, "gid": 0}}))
    pid_file = tmp_path / "pid"
    out = tmp_path / "out"
    with open(out, "wb") as stream:
        subprocess.run(runtime.command("exec", "--process", str(file), "--detach", "--pid-file", str(pid_file), "x"), check=True,
                       stdin=subprocess.DEVNULL, stdout=stream, env=runtime.env)
    until(lambda: out.read_text() == "y\n256\n")
    assert int(pid_file.read_text()) in json.loads(runtime("ps", "-f", "json", "x").out)
    os.kill(int(pid_file.read_text()), signal.SIGKILL)


def test_fields_that_are_not_honoured_are_refused_by_name(runtime, bundle):
    for path, value in (("linux.intelRdt", {"closID": "x"}), ("process.commandLine", "x"), ("windows", {"layerFolders": ["x"]}),
                        ("linux.namespaces[0].flavour", "x"), ("hooks.prestart[0].when", "x")):
        keys = path.replace("[0]", ".0").split(".")
        bundle.config.setdefault("hooks", {"prestart": [{"path": "/bin/true"}]})
        place: t.Any = bundle.config
        for key in keys[:-1]:
            place = place[int(key) if key.isdigit() else key]
        place[keys[-1]] = value
        done = runtime.create("x")
        del place[keys[-1]]
        assert done.code == 1 and path in done.err


def test_spec_writes_a_config_that_runs(runtime, bundle, tmp_path, rootfs):
    folder = tmp_path / "fresh"
    folder.mkdir()
    assert runtime("spec", "--bundle", str(folder)) == (0, "", "")
    assert runtime("spec", "--bundle", str(folder)).code == 1
    bundle.config = json.loads((folder / "config.json").read_text())
    bundle.config["root"]["path"] = str(rootfs)
    bundle.process["terminal"] = False
    assert runtime("run", "x", stdin="hostname\n") == (0, "cocker\n", "")


def test_limits_of_a_container_are_updated_and_recorded(runtime, tmp_path):
    runtime.create("x")
    assert runtime("update", "--memory", "40m", "--memory-swap", "80m", "--pids-limit", "33", "--cpu-share", "300", "x") == (0, "", "")
    paths = json.loads((runtime.root / "x" / "state.json").read_text())["cgroups"]
    where = pathlib.Path(paths.get("memory") or paths["unified"])
    assert {path.read_text().strip() for path in (where / "memory.limit_in_bytes", where / "memory.max") if path.exists()} == {str(40 << 20)}
    assert runtime("update", "--resources", "-", "x", stdin='{"memory": {"limit": 52428800}, "cpu": {"cpus": ""}}') == (0, "", "")
    resources = json.loads((runtime.root / "x" / "state.json").read_text())["config"]["linux"]["resources"]
    assert (resources["memory"], resources["pids"], resources["cpu"]["shares"]) == ({"limit": 50 << 20, "swap": 80 << 20}, {"limit": 33}, 300)
    assert runtime("update", "--resources", "-", "x", stdin='{"memory": {"nosuch": 1}}').code == 1


@WITH_RUNC
def test_events_and_features_have_the_fields_of_runc(runtime, runc):
    for one in (runtime, runc):
        one.create("x")
    ours, theirs = (json.loads(one("events", "--stats", "x").out) for one in (runtime, runc))
    assert (ours["type"], ours["id"]) == ("stats", "x")
    assert set(ours["data"]) >= {"cpu", "memory", "pids", "blkio", "hugetlb"} <= set(theirs["data"])
    assert set(ours["data"]["memory"]) - {"cache"} == set(theirs["data"]["memory"]) - {"cache"} and ours["data"]["pids"] == {"current": 1}
    assert ours["data"]["memory"]["usage"].keys() == theirs["data"]["memory"]["usage"].keys()
    able, wanted = (json.loads(one("features").out) for one in (runtime, runc))
    assert set(able["hooks"]) == set(wanted["hooks"]) and set(wanted["mountOptions"]) - set(able["mountOptions"]) == {"remount"}
    for key in ("namespaces", "capabilities"):
        assert set(able["linux"][key]) >= set(wanted["linux"][key])
    for key in ("actions", "operators", "archs"):
        assert set(able["linux"]["seccomp"][key]) >= set(wanted["linux"]["seccomp"][key]) - {"SCMP_ACT_NOTIFY"}


def test_a_tmpfs_begins_with_what_it_covers(runtime, bundle, rootfs):
    place = rootfs / "covered"
    (place / "sub").mkdir(parents=True)
    (place / "sub" / "file").write_text("content\n")
    (place / "link").symlink_to("sub/file")
    os.chown(place / "sub" / "file", 5, 6)
    os.chmod(place, 0o1777)
    bundle.config["mounts"] += [
        {"destination": "/covered", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}]
    bundle.args("sh", "-c", "cat /covered/link; stat -c '%u %g' /covered/sub/file; stat -c %a /covered; echo x >/covered/new")
    assert runtime("run", "x") == (0, "content\n5 6\n1777\n", "")
    assert not (place / "new").exists()


def test_a_user_namespace_of_its_own(runtime, bundle, rootfs, tmp_path):
    maps = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    bundle.linux.update({"uidMappings": maps, "gidMappings": maps})
    bundle.linux["namespaces"].append({"type": "user"})
    data = tmp_path / "data"
    (rootfs / "data").mkdir()
    data.mkdir()
    (data / "mine").write_text("x")
    bundle.config["mounts"].append({"destination": "/data", "type": "bind", "source": str(data), "options": ["bind", "idmap"]})
    bundle.args("sh", "-c", "id -u; cat /proc/self/uid_map; stat -c %u /data/mine; echo x >/dev/null; echo y >/data/new; hostname")
    done = runtime("run", "x")
    assert done.out.split() == ["0", "0", "100000", "65536", "0", "bundle"], done
    assert os.stat(data / "new").st_uid == 0        # through the map: the owner of the directory's files on the host
    bundle.args("sleep", "1000")
    assert runtime.create("y").code == 0
    runtime("start", "y")
    assert runtime("exec", "y", "sh", "-c", "id -u; cat /proc/self/gid_map").out.split() == ["0", "0", "100000", "65536"]


def test_priorities_personality_and_time(runtime, bundle):
    bundle.process.update({"scheduler": {"policy": "SCHED_BATCH", "nice": 5}, "ioPriority": {"class": "IOPRIO_CLASS_IDLE", "priority": 0},
                           "oomScoreAdj": 300})
    bundle.linux.update({"personality": {"domain": "LINUX32"}, "timeOffsets": {"boottime": {"secs": 1000000000, "nanosecs": 0}}})
    bundle.linux["namespaces"].append({"type": "time"})
    bundle.args("sh", "-c", "uname -m; ionice; cat /proc/self/oom_score_adj; awk '{print $18 + 0, $19, $41}' /proc/self/stat; cut -d. -f1 /proc/uptime")
    found = runtime("run", "x").out.split()
    assert found[0] != "x86_64" and found[1] == "idle" and found[-5:-1] == ["300", "25", "5", "3"] and int(found[-1]) > 10**9, found


def test_cpus_of_a_process_that_enters(runtime, bundle):
    """Not of the first one."""
    bundle.process["execCPUAffinity"] = {"initial": "0"}
    bundle.args("sleep", "1000")
    assert runtime.create("x").code == 0
    runtime("start", "x")
    pid = runtime.state("x")["pid"]
    assert os.sched_getaffinity(pid) == os.sched_getaffinity(0)
    assert "Cpus_allowed_list:\t0\n" in runtime("exec", "--cap", "CAP_SYS_NICE", "x", "cat", "/proc/self/status").out
    last = max(os.sched_getaffinity(0))
    text = {"args": ["cat", "/proc/self/status"], "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0},
            "execCPUAffinity": {"initial": "0", "final": str(last)}}
    file = bundle.path / "process.json"
    file.write_text(json.dumps(text))
    assert "Cpus_allowed_list:\t%d\n" % last in runtime("exec", "--process", str(file), "x").out
    text["execCPUAffinity"] = {"final": "8191"}
    file.write_text(json.dumps(text))
    done = runtime("exec", "--process", str(file), "x")
    assert done.code == 255 and "process.execCPUAffinity.final" in done.err


def test_nodes_of_memory(runtime, bundle):
    bundle.linux["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}
    bundle.args("sleep", "1000")
    assert runtime.create("x").code == 0
    runtime("start", "x")
    until(lambda: " bind=static:0 " in pathlib.Path("/proc/%d/numa_maps" % runtime.state("x")["pid"]).read_text())
    assert " bind=static:0 " in runtime("exec", "x", "cat", "/proc/self/numa_maps").out
    runtime("delete", "--force", "x")
    bundle.linux["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "1000"}
    done = runtime.create("y")
    assert done.code == 1 and "linux.memoryPolicy" in done.err


def ip(*words):
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def link():
    """A device with addresses, up; its peer stays."""
    ip("link", "add", "moved0", "type", "veth", "peer", "name", "stays0")
    for words in (("addr", "add", "10.9.8.1/24", "brd", "10.9.8.255"), ("addr", "add", "fd00:9::1/64", "nodad")):
        ip(*words, "dev", "moved0")
    for name in ("moved0", "stays0"):
        ip("link", "set", name, "up")
    yield "moved0"
    subprocess.run(["ip", "link", "del", "stays0"], check=False, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize(("wanted", "inside"), [({}, "moved0"), ({"name": "eth7"}, "eth7"), ({"name": "net%d"}, "net0")])
def test_a_network_device_is_moved(runtime, bundle, link, wanted, inside):
    bundle.linux["netDevices"] = {link: wanted}
    bundle.args("sleep", "1000")
    assert runtime.create("x") == (0, "", "")
    assert "moved0" not in ip("-o", "link", "show")
    pid = str(runtime.state("x")["pid"])
    found = subprocess.run(["nsenter", "-t", pid, "-n", "ip", "-o", "addr", "show", "dev", inside], check=True, capture_output=True, text=True).stdout
    assert "inet 10.9.8.1/24 brd 10.9.8.255 scope global" in found and "inet6 fd00:9::1/64 scope global" in found
    flags = subprocess.run(["nsenter", "-t", pid, "-n", "ip", "-o", "link", "show", "dev", inside], check=True, capture_output=True, text=True).stdout
    assert ",UP" in flags


def test_a_network_device_moves_into_a_user_namespace(runtime, bundle, link):
    bundle.linux["namespaces"].append({"type": "user"})
    for key in ("uidMappings", "gidMappings"):
        bundle.linux[key] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    bundle.linux["netDevices"] = {link: {"name": "eth0"}}
    bundle.args("ls", "/sys/class/net")
    done = runtime("run", "x")
    assert done.code == 0 and set(done.out.split()) == {"eth0", "lo"}, done


def test_a_network_device_that_cannot_be_moved_stays(runtime, bundle, link):
    """With all others: what has been moved comes back, with its addresses."""
    for devices, said in (({link: {"name": "lo"}}, "a device lo already"), ({link: {}, "nosuch0": {}}, "nosuch0"), ({link: {"name": "a b"}}, "a b")):
        bundle.linux["netDevices"] = devices
        done = runtime.create("x")
        assert done.code == 1 and said in done.err, done
        found = ip("-o", "addr", "show", "dev", link)
        assert "inet 10.9.8.1/24 brd 10.9.8.255" in found and "inet6 fd00:9::1/64" in found and ",UP" in ip("-o", "link", "show", link)
    bundle.linux["namespaces"] = [space for space in bundle.linux["namespaces"] if space["type"] != "network"]
    bundle.linux["netDevices"] = {link: {}}
    assert "linux.netDevices" in runtime.create("x").err


def test_a_namespace_path_that_is_none_is_named(runtime, bundle):
    bundle.linux["namespaces"][1]["path"] = "/proc/nosuch"
    done = runtime.create("x")
    assert done.code == 1 and "network namespace /proc/nosuch" in done.err


def test_a_service_manager_hears_that_the_process_is_ready(runtime, bundle, rootfs, tmp_path):
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "manager"))
    manager.settimeout(20)
    runtime.env["NOTIFY_SOCKET"] = str(tmp_path / "manager")
    (rootfs / "run").mkdir(exist_ok=True)
    bundle.args("sh", "-c", "echo $NOTIFY_SOCKET >/tmp/path; sleep 1000")
    assert runtime.create("x") == (0, "", "")
    init = runtime.state("x")["pid"]
    with subprocess.Popen(runtime.command("start", "x"), env=runtime.env) as starting:
        path = until(lambda: (rootfs / "tmp" / "path").exists() and (rootfs / "tmp" / "path").read_text().strip())
        assert starting.poll() is None
        inside = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        inside.connect("/proc/%d/root%s" % (init, path))
        inside.send(b"STATUS=almost")
        inside.send(b"STATUS=done\nREADY=1")
        assert manager.recv(100) == b"MAINPID=%d\nREADY=1\n" % init
        barrier, received = fds.recv_fds(manager, 100, 1)
        assert barrier == b"BARRIER=1"
        os.close(received[0])
        assert starting.wait(20) == 0
    (rootfs / "tmp" / "path").unlink()


def test_an_agent_decides_about_system_calls(runtime, bundle, tmp_path):
    """SCMP_ACT_NOTIFY: the agent gets the descriptor and the state, for the first process and for one of exec."""
    agent = socket.socket(socket.AF_UNIX)
    agent.bind(str(tmp_path / "agent"))
    agent.listen(2)
    agent.settimeout(20)
    bundle.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "listenerPath": str(tmp_path / "agent"), "listenerMetadata": "m",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}]}
    runtime.create("x")
    pid = runtime.state("x")["pid"]
    for status, wanted in (("creating", pid), ("running", None)):
        if wanted is None:
            runtime("start", "x")
            bundle.write("x")
            done = subprocess.Popen(runtime.command("exec", "x", "sleep", "0"), env=runtime.env, cwd=bundle.path)
        channel, _peer = agent.accept()
        told, received = fds.recv_fds(channel, 1 << 16, 1)
        value = json.loads(told)
        assert (value["fds"], value["metadata"], value["state"]["status"], value["state"]["id"]) == (["seccompFd"], "m", status, "x")
        assert value["pid"] == wanted or wanted is None
        assert os.readlink("/proc/self/fd/%d" % received[0]) == "anon_inode:seccomp notify"
        os.close(received[0])
        channel.close()
    assert done.wait(20) == 0
    bundle.linux["seccomp"]["syscalls"][0]["names"].append("write")
    assert "SCMP_ACT_NOTIFY cannot be for" in runtime.create("y").err


def test_names_and_propagation_of_the_root(runtime, bundle, rootfs):
    """Both as a user namespace may set them."""
    maps = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    bundle.config["domainname"] = "example.org"
    bundle.linux.update({"uidMappings": maps, "gidMappings": maps, "rootfsPropagation": "shared"})
    bundle.linux["namespaces"].append({"type": "user"})
    bundle.args("sh", "-c", "cat /proc/sys/kernel/domainname; "
                "grep ' / / ' /proc/self/mountinfo | grep -c shared: || grep -c ' / .* shared:' /proc/self/mountinfo")
    done = runtime("run", "x")
    assert done.out.split()[0] == "example.org" and int(done.out.split()[-1]) >= 1, done


def test_what_a_killed_creation_leaves_can_be_removed(runtime, bundle):
    bundle.config["hooks"] = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "2"]}]}
    bundle.write("x")
    with subprocess.Popen(runtime.command("create", "x"), cwd=bundle.path, env=runtime.env, stdin=subprocess.DEVNULL) as creating:
        until(lambda: runtime.state("x")["status"] == "creating")
        paths = json.loads((runtime.root / "x" / "state.json").read_text())["cgroups"]
        until(lambda: any(cgroupfs.pids(path) for path in paths.values()))
        assert (runtime("start", "x").code, runtime("exec", "x", "true").code, runtime("delete", "x").code) == (1, 255, 1)
        creating.kill()
    assert runtime("delete", "--force", "x") == (0, "", "")
    assert [path for path in paths.values() if os.path.exists(path)] == [] and list(runtime.root.iterdir()) == []


def program_of(runtime, name):
    """What the container's process runs from before its program does."""
    assert runtime.create(name).code == 0
    try:
        return os.readlink("/proc/%d/exe" % runtime.state(name)["pid"])
    finally:
        runtime("delete", "--force", name)


def mounted(runtime):
    """The mount of this interpreter's folder, which the first call makes."""
    python = os.path.realpath(sys.executable)
    program_of(runtime, "first")
    return pathlib.Path("/run/cocker/python" + python)


def test_the_second_command_starts_from_a_mount_that_nobody_can_write(runtime):
    python = mounted(runtime)
    assert os.path.ismount(python.parent) and program_of(runtime, "web") == str(python)
    assert os.statvfs(python).f_flag & os.ST_RDONLY


def test_a_mount_of_an_interpreter_that_was_replaced_is_made_anew(runtime, tmp_path):
    python = mounted(runtime)
    mounts.umount(str(python.parent))
    mounts.mount("none", str(python.parent), fstype="tmpfs")
    shutil.copy(os.path.realpath(sys.executable), python)      # another file of the same name
    assert program_of(runtime, "web").startswith(("/memfd:", "/python"))
    assert program_of(runtime, "next") == str(python)


@pytest.mark.parametrize("by_mount", [True, False])
def test_the_interpreter_cannot_be_changed_from_inside(runtime, bundle, tmp_path, rootfs, by_mount):
    """CVE-2019-5736: a program that is the runtime itself, and others that wait for it to come in."""
    python = mounted(runtime)
    if not by_mount:
        mounts.umount(str(python.parent))
    real = pathlib.Path(os.path.realpath(sys.executable))
    before = hashlib.sha256(real.read_bytes()).hexdigest()
    mine = tmp_path / "mine"
    shutil.copytree(rootfs, mine, symlinks=True)
    (mine / "entry").write_text("#!/proc/self/exe\n")
    (mine / "entry").chmod(0o755)
    bundle.config["root"]["path"] = str(mine)
    bundle.process["capabilities"] = dict.fromkeys(("bounding", "effective", "permitted", "inheritable"), ["CAP_SYS_ADMIN", *ALL_PTRACE])
    bundle.args("/entry")
    runtime("run", "self")
    bundle.args("sh", "-c", "while true; do for p in /proc/[0-9]*; do echo x >> $p/exe; mount -o remount,bind,rw $p/exe; done; done 2>/dev/null")
    assert runtime.create("web").code == 0 and runtime("start", "web").code == 0
    for _again in range(5):
        assert runtime("exec", "web", "true").code == 0
    runtime("exec", "web", "/entry")
    assert hashlib.sha256(real.read_bytes()).hexdigest() == before
