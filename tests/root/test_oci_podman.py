# SPDX-License-Identifier: GPL-3.0-or-later
"""podman with `cocker-runtime` as its runtime: what people do with it, on a store of the test's own."""
from __future__ import annotations

import errno
import json
import os
import pathlib
import pty
import shutil
import signal
import subprocess
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import mounts
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import tolerate
from ansible_collections.cocker.engine.tests.root import ocilab
from ansible_collections.cocker.engine.tests.root.runtimelab import until

pytestmark = [pytest.mark.root, pytest.mark.skipif(not shutil.which("podman") or not shutil.which("conmon"), reason="podman is not installed")]
CONTAINERS = """
[engine]
cgroup_manager="cgroupfs"
events_logger="file"
runtime="cocker-runtime"
runtime_supports_json=["cocker-runtime"]
tmp_dir="%(base)s/tmp"
[engine.runtimes]
cocker-runtime=["%(program)s"]
[containers]
default_ulimits=[]
netns="none"
"""
STORAGE = '[storage]\ndriver="vfs"\ngraphroot="%(base)s/graph"\nrunroot="%(base)s/run"\n'


class Podman:
    """Each call is a podman of its own, without network."""

    def __init__(self, base: pathlib.Path, program: str) -> None:
        self.env = {
            "PATH": os.environ["PATH"], "HOME": str(base), "COCKER_HOME": os.path.dirname(program),
            "CONTAINERS_CONF": str(base / "containers.conf"), "CONTAINERS_STORAGE_CONF": str(base / "storage.conf"),
        }
        words = {"base": base, "program": self._wrapped(base, program)}
        (base / "containers.conf").write_text(CONTAINERS % words)
        (base / "storage.conf").write_text(STORAGE % words)
        (base / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        self._policy = ("--signature-policy", str(base / "policy.json"))

    def _wrapped(self, base: pathlib.Path, program: str) -> pathlib.Path:
        """podman and conmon pass no environment on."""
        path = base / "cocker-runtime"
        path.write_text('#!/bin/sh\nCOCKER_HOME=%s exec %s "$@"\n' % (self.env["COCKER_HOME"], program))
        path.chmod(0o755)
        return path

    def __call__(self, *words: str, stdin: t.Optional[str] = None) -> ocilab.Done:
        done = subprocess.run(["podman", *words], env=self.env, input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
                              capture_output=True, text=True, timeout=60, check=False)
        return ocilab.Done(done.returncode, done.stdout, done.stderr)

    def load(self, rootfs: pathlib.Path) -> None:
        archive = rootfs.with_suffix(".tar")
        subprocess.run(["tar", "-C", str(rootfs), "-cf", str(archive), "."], check=True)
        done = self("import", *self._policy, str(archive), "box")
        assert done.code == 0, done

    def build(self, folder: pathlib.Path) -> ocilab.Done:
        runtime = self.env["COCKER_HOME"] + "/cocker-runtime"
        return self("build", *self._policy, "--isolation", "oci", "--network", "none", "--runtime", runtime, "-t", "made", str(folder))


@pytest.fixture(scope="module")
def podman(tmp_path_factory):
    base = tmp_path_factory.mktemp("podman")
    (base / "program").mkdir()
    program = ocilab.pack(base / "program" / "cocker-runtime")
    found = Podman(base, program)
    found.load(ocilab.make_rootfs(tmp_path_factory.mktemp("image") / "rootfs"))
    yield found
    for name in ("graph/vfs", "graph"):
        with tolerate(errno.EINVAL, errno.ENOENT):      # podman makes some directories mounts
            mounts.umount(str(base / name), detach=True)


@pytest.fixture(autouse=True)
def nothing_of_podman_stays(podman):
    yield
    podman("pod", "rm", "-af", "-t", "0")
    podman("rm", "-af", "-t", "0")
    for top, _folders, _files in os.walk("/sys/fs/cgroup", topdown=False):
        if "/libpod_parent" in top:
            until(lambda path=top: ocilab.removed(path))


def test_a_container_that_stays_is_looked_at_entered_limited_and_paused(podman):
    done = podman("run", "-d", "--name", "web", "-m", "64m", "--pids-limit", "50", "--stop-signal", "KILL", "box",
                  "sh", "-c", "echo out; echo err >&2; sleep 1000")
    assert done.code == 0, done
    assert podman("exec", "web", "sh", "-c", "echo $0; exit 3", stdin="") == (3, "sh\n", "")
    done = podman("exec", "-i", "-u", "app", "-w", "/tmp", "-e", "A=b", "web", "sh", "-c", "cat; id -un; pwd; echo $A", stdin="in\n")
    assert done.out == "in\napp\n/tmp\nb\n"
    assert podman("exec", "web", "nosuch").code == 127
    assert podman("logs", "web")[1:] == ("out\n", "err\n")
    assert podman("exec", "web", "cat", "/sys/fs/cgroup/memory/memory.limit_in_bytes").out.strip() in (str(64 << 20), "")
    stats = json.loads(podman("stats", "--no-stream", "--format", "json", "web").out)[0]
    assert stats["name"] == "web" and stats["pids"] == "1" and "67.11MB" in stats["mem_usage"]
    assert podman("pause", "web").code == 0
    assert podman("inspect", "web", "--format", "{{.State.Status}} {{.OCIRuntime}}").out == "paused cocker-runtime\n"
    assert podman("unpause", "web").code == 0
    assert "sleep 1000" in podman("top", "web").out
    assert podman("stop", "-t", "5", "web").code == 0
    assert podman("inspect", "web", "--format", "{{.State.Status}} {{.State.ExitCode}}").out == "exited 137\n"
    assert podman("start", "web").code == 0


@pytest.mark.parametrize("words,code", [(("true",), 0), (("sh", "-c", "exit 7"), 7), (("nosuch",), 127), (("/etc/passwd",), 126)])
def test_exit_codes(podman, words, code):
    done = podman("run", "--rm", "box", *words)
    assert done.code == code, done


def test_a_terminal_with_run_and_exec(podman):
    podman("run", "-d", "--name", "web", "box", "sleep", "1000")
    for words in (("run", "--rm", "-it", "box"), ("exec", "-it", "web")):
        pid, master = pty.fork()
        if pid == 0:
            os.execvpe("podman", ["podman", *words, "sh", "-c", "tty; exit 5"], podman.env)
        said = b""
        try:
            while True:
                said += os.read(master, 1000)
        except OSError:
            pass
        os.close(master)
        assert (os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), b"/dev/pts/0" in said) == (5, True), said


def test_what_a_container_is_given(podman):
    words = ("--read-only", "--tmpfs", "/tmp", "--sysctl", "net.ipv4.ip_forward=1", "--cap-drop", "all", "--cap-add", "net_raw", "-v", "/etc/hostname:/h:ro",
             "--cpus", "0.5", "--shm-size", "1m")
    done = podman("run", "--rm", *words, "box", "sh", "-c",
                  "touch /tmp/x && cat /proc/sys/net/ipv4/ip_forward; grep CapEff /proc/self/status; touch /x || wc -l </h")
    assert done.out.split() == ["1", "CapEff:", "0000000000002000", "1"], done
    assert "priv" in podman("run", "--rm", "--privileged", "--pid", "host", "box", "echo", "priv").out
    assert podman("run", "--rm", "--tmpfs", "/etc", "box", "cat", "/etc/group").out.startswith("root:")


def test_a_user_namespace(podman):
    maps = ("--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536")
    podman("run", "-d", "--name", "web", *maps, "box", "sleep", "1000")
    done = podman("exec", "web", "sh", "-c", "id -u; cat /proc/self/uid_map; touch /tmp/x; echo >/dev/null")
    assert done.out.split() == ["0", "0", "100000", "65536"], done
    assert podman("run", "--rm", *maps, "--pid", "host", "box", "echo", "of all").out == "of all\n"
    assert podman("run", "--rm", *maps, "--privileged", "box", "echo", "privileged").out == "privileged\n"
    assert "nothing may be mounted on /proc" in podman("run", "--rm", "-v", "/etc:/proc", "box", "true").err


def test_a_pod_shares_namespaces(podman):
    podman("pod", "create", "--name", "pod", "--infra-image", "box", "--infra-command", "sleep 1000", "--share", "ipc,uts")
    assert podman("run", "--rm", "--pod", "pod", "box", "hostname").out == "pod\n"


def test_build(podman, tmp_path):
    (tmp_path / "Containerfile").write_text('FROM box\nRUN echo built >/made\nCMD ["cat", "/made"]\n')
    done = podman.build(tmp_path)
    assert done.code == 0, done
    assert podman("run", "--rm", "made").out == "built\n"


def test_kill_ends_it_with_the_signal(podman):
    podman("run", "-d", "--name", "web", "box", "sh", "-c", "trap 'exit 9' USR1; echo ready; while :; do sleep 0.1; done")
    until(lambda: podman("logs", "web").out == "ready\n")
    podman("kill", "-s", signal.SIGUSR1.name, "web")
    assert podman("wait", "web").out == "9\n"
