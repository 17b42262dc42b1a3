# SPDX-License-Identifier: GPL-3.0-or-later
"""A docker daemon with `cocker-runtime` as one of its runtimes: through containerd's shim, on a directory of the test's own, without network."""
from __future__ import annotations

import json
import os
import pathlib
import pty
import shutil
import subprocess
import typing as t

import pytest

from ansible_collections.cocker.engine.tests.root import ocilab
from ansible_collections.cocker.engine.tests.root.runtimelab import until

UNPACKED = ocilab.ROOT / ".build" / "docker"      # tools/docker_files.sh
PATH = os.pathsep.join([str(UNPACKED / "usr/bin"), str(UNPACKED / "usr/sbin"), os.environ["PATH"]])
PROGRAMS = ("docker", "dockerd", "containerd", "containerd-shim-runc-v2", "runc")
FOUND = {name: shutil.which(name, path=PATH) for name in PROGRAMS}
pytestmark = [pytest.mark.root, pytest.mark.skipif(not all(FOUND.values()), reason="docker is not there")]
# The daemon writes a key into /etc/docker.
DAEMON = """
mount -t tmpfs tmpfs "$1" && mkdir "$1/upper" "$1/work" && mount -t overlay -o lowerdir=/etc,upperdir="$1/upper",workdir="$1/work" overlay /etc || exit 1
shift
exec "$@"
"""
NAME = "cocker"


class Docker:
    """The daemon, and its command."""

    def __init__(self, base: pathlib.Path, program: str) -> None:
        self.base = base
        wrapper = base / "cocker-runtime"       # neither the daemon nor its shim passes an environment on
        wrapper.write_text('#!/bin/sh\nCOCKER_HOME=%s exec %s "$@"\n' % (os.path.dirname(program), program))
        wrapper.chmod(0o755)
        libraries = os.pathsep.join(map(str, (UNPACKED / "lib").glob("*-linux-*")))
        self.env = dict(os.environ, PATH=PATH, LD_LIBRARY_PATH=libraries, DOCKER_HOST="unix://%s/socket" % base, DOCKER_BUILDKIT="0", HOME=str(base))
        words = ["--data-root", base / "data", "--exec-root", base / "exec", "--pidfile", base / "pid", "-H", self.env["DOCKER_HOST"], "--bridge", "none",
                 "--iptables=false", "--ip6tables=false", "--storage-driver", "vfs", "--add-runtime", "%s=%s" % (NAME, wrapper), "--default-runtime", NAME]
        (base / "etc").mkdir()
        apart = ["unshare", "--mount", "--propagation", "private", "sh", "-c", DAEMON, "sh", str(base / "etc")]
        self._log = open(base / "log", "wb")
        self.daemon = subprocess.Popen([*apart, FOUND["dockerd"], *map(str, words)], stdout=self._log, stderr=subprocess.STDOUT, env=self.env)

    def wait(self) -> None:
        until(lambda: self.daemon.poll() is not None or self("version").code == 0, timeout=60)
        assert self.daemon.poll() is None, (self.base / "log").read_text()[-2000:]

    def __call__(self, *words: str, stdin: t.Optional[str] = None) -> ocilab.Done:
        done = subprocess.run([FOUND["docker"], *words], env=self.env, input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
                              capture_output=True, text=True, timeout=60, check=False)
        return ocilab.Done(done.returncode, done.stdout, done.stderr)

    def load(self, rootfs: pathlib.Path) -> None:
        archive = rootfs.with_suffix(".tar")
        subprocess.run(["tar", "-C", str(rootfs), "-cf", str(archive), "."], check=True)
        assert self("import", str(archive), "box").code == 0

    def clean(self) -> None:
        names = self("ps", "-aq").out.split()
        if names:
            self("rm", "-f", *names)

    def close(self) -> None:
        self.daemon.terminate()
        self.daemon.wait(60)
        self._log.close()
        for top, _folders, _files in os.walk("/sys/fs/cgroup", topdown=False):
            if os.path.basename(top) == "docker":
                until(lambda path=top: ocilab.removed(path))


@pytest.fixture(scope="module")
def docker(tmp_path_factory):
    base = tmp_path_factory.mktemp("docker")
    (base / "program").mkdir()
    found = Docker(base, ocilab.pack(base / "program" / "cocker-runtime"))
    try:
        found.wait()
        found.load(ocilab.make_rootfs(tmp_path_factory.mktemp("image") / "rootfs"))
        yield found
        found.clean()
    finally:
        found.close()


@pytest.fixture(autouse=True)
def nothing_leaks(request: pytest.FixtureRequest, docker) -> t.Iterator[None]:
    """In place of the general check, which would find the daemon: no container is left, and none of its cgroups."""
    yield
    docker.clean()
    until(lambda: not [top for top, _folders, _files in os.walk("/sys/fs/cgroup") if os.path.basename(os.path.dirname(top)) == "docker"])


def test_a_container_that_stays_is_looked_at_entered_limited_and_paused(docker):
    done = docker("run", "-d", "--name", "web", "-m", "64m", "--pids-limit", "50", "box", "sh", "-c", "echo out; echo err >&2; sleep 1000")
    assert done.code == 0, done
    assert docker("exec", "web", "sh", "-c", "echo $0; exit 3") == (3, "sh\n", "")
    done = docker("exec", "-i", "-u", "app", "-w", "/tmp", "-e", "A=b", "web", "sh", "-c", "cat; id -un; pwd; echo $A", stdin="in\n")
    assert done.out == "in\napp\n/tmp\nb\n"
    assert docker("exec", "web", "nosuch").code in (126, 127)
    until(lambda: docker("logs", "web")[1:] == ("out\n", "err\n"), timeout=60)
    stats = json.loads(docker("stats", "--no-stream", "--format", "{{json .}}", "web").out)
    assert stats["PIDs"] == "1" and stats["MemUsage"].endswith("64MiB")
    assert docker("update", "-m", "32m", "--memory-swap", "64m", "web").code == 0
    assert docker("stats", "--no-stream", "--format", "{{.MemUsage}}", "web").out.endswith("32MiB\n")
    assert docker("pause", "web").code == 0
    assert "Paused" in docker("ps", "--format", "{{.Status}}").out
    assert docker("unpause", "web").code == 0
    assert "sleep 1000" in docker("top", "web").out
    assert docker("stop", "-t", "0", "web").code == 0
    assert docker("inspect", "web", "--format", "{{.State.Status}} {{.State.ExitCode}} {{.HostConfig.Runtime}}").out == "exited 137 cocker\n"
    assert docker("start", "web").code == 0


@pytest.mark.parametrize("words,code", [(("true",), 0), (("sh", "-c", "exit 7"), 7), (("nosuch",), 127), (("/etc/passwd",), 126)])
def test_exit_codes(docker, words, code):
    done = docker("run", "--rm", "box", *words)
    assert done.code == code, done


def test_a_terminal_with_run_and_exec(docker):
    docker("run", "-d", "--name", "web", "box", "sleep", "1000")
    for words in (("run", "--rm", "-it", "box"), ("exec", "-it", "web")):
        pid, master = pty.fork()
        if pid == 0:
            os.execve(FOUND["docker"], ["docker", *words, "sh", "-c", "tty; exit 5"], docker.env)
        said = b""
        try:
            while True:
                said += os.read(master, 1000)
        except OSError:
            pass
        os.close(master)
        assert (os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), b"/dev/pts/0" in said) == (5, True), said


def test_what_a_container_is_given(docker):
    words = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "all", "--cap-add", "net_raw", "-v", "/etc/hostname:/h:ro", "--cpus", "0.5", "--shm-size", "1m")
    done = docker("run", "--rm", *words, "box", "sh", "-c", "touch /tmp/x && grep CapEff /proc/self/status; touch /x || wc -l </h")
    assert done.out.split() == ["CapEff:", "0000000000002000", "1"], done
    assert "priv" in docker("run", "--rm", "--privileged", "--pid", "host", "--ipc", "host", "box", "echo", "priv").out
    assert docker("run", "--rm", "-m", "8m", "box", "tail", "/dev/zero").code == 137


def test_build(docker, tmp_path):
    (tmp_path / "Dockerfile").write_text('FROM box\nRUN echo built >/made\nCMD ["cat", "/made"]\n')
    done = docker("build", "-t", "made", str(tmp_path))
    assert done.code == 0, done
    assert docker("run", "--rm", "made").out == "built\n"
