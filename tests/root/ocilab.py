# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles of others for root tests, and runtimes to run them with: ours, packed as the role `host` packs it, and runc to compare with."""
from __future__ import annotations

import contextlib
import copy
import functools
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, fds
from ansible_collections.cocker.engine.tests.root import runtimelab

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNC = shutil.which("runc")
CAPABILITIES = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_SETGID", "CAP_SETUID", "CAP_SYS_CHROOT"]
CONFIG: t.Dict[str, t.Any] = {
    "ociVersion": "1.0.2",
    "process": {
        "user": {"uid": 0, "gid": 0}, "cwd": "/", "args": ["sleep", "1000"], "env": ["PATH=/bin", "A=b"],
        "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), CAPABILITIES),
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 512, "soft": 256}],
    },
    "root": {"path": "rootfs"},
    "hostname": "bundle",
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
    ],
    "linux": {
        "resources": {"devices": [{"allow": False, "access": "rwm"}]},
        "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup")],
        "maskedPaths": ["/proc/kcore", "/proc/keys", "/sys/firmware"], "readonlyPaths": ["/proc/bus", "/proc/sys"],
    },
}


class Done(t.NamedTuple):
    code: int
    out: str
    err: str


class Bundle:
    """`config` is written anew whenever it is run."""

    def __init__(self, path: pathlib.Path, rootfs: pathlib.Path) -> None:
        self.path, self.rootfs, self.suffix = path, rootfs, ""
        path.mkdir()
        self.config = copy.deepcopy(CONFIG)
        self.config["root"]["path"] = str(rootfs)

    @property
    def process(self) -> t.Dict[str, t.Any]:
        return t.cast("t.Dict[str, t.Any]", self.config["process"])

    @property
    def linux(self) -> t.Dict[str, t.Any]:
        return t.cast("t.Dict[str, t.Any]", self.config["linux"])

    def args(self, *words: str) -> Bundle:
        self.process["args"] = list(words)
        return self

    def write(self, cgroup: str) -> None:
        self.config["linux"]["cgroupsPath"] = "/oci-test-%d/%s%s" % (os.getpid(), cgroup, self.suffix)
        fresh = self.path / "config.json.new"       # a runtime may be reading the one that is there
        fresh.write_text(json.dumps(self.config))
        fresh.replace(self.path / "config.json")


class Runtime:
    """Each call is a process of its own, with records in a directory of the test."""

    def __init__(self, program: str, base: pathlib.Path, bundle: Bundle) -> None:
        self.program, self.bundle = program, bundle
        self.root = base / ("root-" + os.path.basename(program))
        self.env = dict(os.environ, COCKER_HOME=os.path.dirname(program))

    def command(self, *words: str) -> t.List[str]:
        return [self.program, "--root", str(self.root), *words]

    def __call__(self, *words: str, stdin: str = "", **more: t.Any) -> Done:
        self.bundle.write(self.root.name)
        done = subprocess.run(self.command(*words), cwd=self.bundle.path, input=stdin, capture_output=True, text=True, timeout=30, check=False,
                              env=self.env, **more)
        return Done(done.returncode, done.stdout, done.stderr)

    def create(self, name: str, *words: str, **more: t.Any) -> Done:
        """Its streams are not ours: the container would hold them open."""
        self.bundle.write(self.root.name)
        said = self.bundle.path / "create.err"
        with open(said, "wb") as err:
            done = subprocess.run(self.command("create", *words, name), cwd=self.bundle.path, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=err, timeout=30, check=False, env=self.env, **more)
        return Done(done.returncode, "", said.read_text())

    def state(self, name: str) -> t.Dict[str, t.Any]:
        done = self("state", name)
        return t.cast("t.Dict[str, t.Any]", json.loads(done.out)) if done.code == 0 else {"status": done.err}

    def close(self) -> None:
        for name in self("list", "-q").out.split():
            self("delete", "--force", name)
        ours = "/oci-test-%d" % os.getpid()
        for top, _folders, _files in os.walk("/sys/fs/cgroup", topdown=False):
            if ours in top and not cgroupfs.pids(top):
                runtimelab.until(functools.partial(removed, top))      # busy for a moment after its last process


def removed(folder: str) -> bool:
    with contextlib.suppress(OSError):
        os.rmdir(folder)
    return not os.path.exists(folder) or bool(cgroupfs.subtree(folder)[1:])     # the other runtime's is still below it


def pack(target: pathlib.Path, python: str = os.path.realpath(sys.executable)) -> str:
    """The command under the name by which it is a runtime."""
    packer = [sys.executable, str(ROOT / "roles/host/files/pyz.py"), str(ROOT), str(target), python]
    subprocess.run(packer, check=True, stdout=subprocess.DEVNULL)
    (target.parent / "engine").mkdir(mode=0o700)        # the store of $COCKER_HOME, where the byte-compiled copy goes
    return str(target)


def make_rootfs(path: pathlib.Path) -> pathlib.Path:
    runtimelab.make_layer(path)
    for name in ("proc", "sys", "dev"):
        (path / name).mkdir()
    return path


class Console:
    """What conmon and a shim do: a socket on which they are given the terminal."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = str(path)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(1)
        self._listener.settimeout(20)

    def take(self) -> int:
        channel, _peer = self._listener.accept()
        with channel:
            _name, received = fds.recv_fds(channel, 4096, 1)
        return received[0]
