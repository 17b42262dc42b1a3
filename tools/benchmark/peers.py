# SPDX-License-Identifier: GPL-3.0-or-later
"""docker and podman, where they are installed: started in the lab, all their state in the benchmark's directory, nothing pulled."""
from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
import typing as t

from benchmark.stage import CPUS, MEMORY, PEER_IMAGE, PIDS, SERVER, Stage

from ansible_collections.cocker.engine.tests.root import netlab

_PATIENCE = 30.0
_CGROUPS = "/sys/fs/cgroup"

# As TESTING.md wants it: no systemd, a hybrid cgroup layout, no CAP_SYS_RESOURCE.
_CONTAINERS_CONF = """
[containers]
default_ulimits = []
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
network_cmd_path = ""
static_dir = "{0}/libpod"
tmp_dir = "{0}/tmp"
volume_path = "{0}/volumes"
[network]
network_backend = "netavark"
network_config_dir = "{0}/networks"
"""
_STORAGE_CONF = """
[storage]
driver = "overlay"
runroot = "{0}/run"
graphroot = "{0}/storage"
"""
_POLICY = {"default": [{"type": "insecureAcceptAnything"}]}


class Peer:
    """A container engine with docker's command line. `monitor` is the name of the process that it keeps for each container."""

    name = ""
    monitor = ""
    cgroup_parents: t.Tuple[str, ...] = ()
    programs: t.Tuple[str, ...] = ()
    collection = ""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.directory = stage.path(self.name)
        self.env = dict(os.environ)
        os.mkdir(self.directory)

    @classmethod
    def missing(cls) -> str:
        """Why it cannot be compared with; empty if it can."""
        absent = [program for program in cls.programs if shutil.which(program) is None]
        return "not installed (%s)" % ", ".join(absent) if absent else ""

    def start(self) -> None:
        raise NotImplementedError

    def stop_all(self) -> None:
        """After the last container; what it leaves in the cgroup hierarchies goes."""
        for where, _below, _files in list(os.walk(_CGROUPS, topdown=False)):
            if any(part in self.cgroup_parents for part in where[len(_CGROUPS):].split("/")):
                with contextlib.suppress(OSError):      # the root's own files cannot be removed, and go with it
                    os.rmdir(where)

    def command(self, *words: str) -> t.List[str]:
        raise NotImplementedError

    def run(self, name: str, *, port: t.Optional[int] = None) -> t.List[str]:
        limits = ["--memory", str(MEMORY), "--cpus", CPUS, "--pids-limit", str(PIDS)]
        network = ["--publish", "%d:8080" % port] if port else ["--network", "none"]
        return self.command("run", "--detach", "--name", name, *limits, *network, PEER_IMAGE, *SERVER)

    def stop(self, name: str) -> t.List[str]:
        return self.command("stop", "--time", "0", name)

    def remove(self, name: str) -> t.List[str]:
        return self.command("rm", "--force", name)

    def exec(self, name: str, *argv: str) -> t.List[str]:
        return self.command("exec", name, *argv)

    def import_archive(self, archive: str, image: str) -> t.List[str]:
        return self.command("import", archive, image)

    def pull(self, image: str) -> t.List[str]:
        return self.command("pull", "--quiet", image)

    def timed(self, argv: t.Sequence[str]) -> float:
        """In the lab. Raises LabError with what the command said."""
        started = time.perf_counter()
        done = subprocess.run(argv, env=self.env, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        elapsed = (time.perf_counter() - started) * 1000
        if done.returncode:
            raise netlab.LabError("%s: %s" % (" ".join(argv), done.stdout.decode(errors="replace").strip()))
        return elapsed

    def monitors(self) -> t.List[int]:
        """The pids of the processes that it keeps for containers; its state directory is in their arguments."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                with open("/proc/%s/cmdline" % pid, "rb") as stream:
                    words = stream.read().split(b"\0")
                if self.monitor in os.fsdecode(words[0]) and any(os.fsencode(self.directory) in word for word in words[1:]):
                    found.append(int(pid))
        return found


class Docker(Peer):
    name = "docker"
    monitor = "containerd-shim"
    cgroup_parents = ("docker",)
    programs = ("dockerd", "docker", "containerd", "runc")
    collection = "community.docker"

    def start(self) -> None:
        place = self.directory
        self.socket = "unix://%s/socket" % place
        self.stage.lab.call("mount", "-t", "tmpfs", "etc", "/etc/docker")       # of the lab: the daemon writes a key there
        config = os.path.join(place, "daemon.json")
        with open(config, "w", encoding="utf-8") as stream:
            stream.write("{}")
        self._log = open(os.path.join(place, "log"), "wb")      # closed with the daemon
        self._daemon = self.stage.lab.spawn(
            ["dockerd", "--data-root", place + "/data", "--exec-root", place + "/run", "--pidfile", place + "/pid", "--host", self.socket,
             "--config-file", config, "--group", "root"],
            stdout=self._log, stderr=subprocess.STDOUT)
        self.env.update(DOCKER_HOST=self.socket, DOCKER_CONFIG=place)
        deadline = time.monotonic() + _PATIENCE
        while subprocess.run(self.command("version"), env=self.env, check=False, capture_output=True).returncode:
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                with open(self._log.name, encoding="utf-8", errors="replace") as stream:
                    raise netlab.LabError("dockerd does not start: " + stream.read()[-1000:])
            time.sleep(0.1)
        self.stage.lab.run(self.timed, self.import_archive(self.stage.root_archive, PEER_IMAGE))

    def stop_all(self) -> None:
        if self._daemon.poll() is None:
            left = subprocess.run(self.command("ps", "-aq"), env=self.env, check=False, capture_output=True, text=True).stdout.split()
            if left:
                subprocess.run(self.command("rm", "--force", *left), env=self.env, check=False, capture_output=True)
            self._daemon.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._daemon.wait(_PATIENCE)
        self.stage.lab.end(self._daemon)
        self._log.close()
        super().stop_all()

    def command(self, *words: str) -> t.List[str]:
        return ["docker", *words]


class Podman(Peer):
    name = "podman"
    monitor = "conmon"
    cgroup_parents = ("libpod_parent",)
    programs = ("podman", "conmon", "runc")
    collection = "containers.podman"

    def start(self) -> None:
        for variable, text in (("CONTAINERS_CONF", _CONTAINERS_CONF), ("CONTAINERS_STORAGE_CONF", _STORAGE_CONF)):
            self.env[variable] = os.path.join(self.directory, variable)
            with open(self.env[variable], "w", encoding="utf-8") as stream:
                stream.write(text.format(self.directory))
        self._policy = os.path.join(self.directory, "policy.json")
        with open(self._policy, "w", encoding="utf-8") as stream:
            json.dump(_POLICY, stream)
        self.stage.lab.call("mount", "-t", "tmpfs", "shm", "/dev/shm")       # of the lab: podman's locks are there
        self.stage.lab.run(self.timed, self.import_archive(self.stage.root_archive, PEER_IMAGE))

    def import_archive(self, archive: str, image: str) -> t.List[str]:
        return self.command("import", "--signature-policy", self._policy, archive, image)

    def pull(self, image: str) -> t.List[str]:
        return self.command("pull", "--quiet", "--tls-verify=false", "--signature-policy", self._policy, image)

    def stop_all(self) -> None:
        self.stage.lab.run(self.timed, self.command("rm", "--force", "--all", "--time", "0"))
        with contextlib.suppress(netlab.LabError):
            self.stage.lab.call("umount", "--recursive", self.directory)
        self.stage.lab.call("umount", "/dev/shm")
        super().stop_all()

    def command(self, *words: str) -> t.List[str]:
        return ["podman", *words]

    def remove(self, name: str) -> t.List[str]:
        return self.command("rm", "--force", "--time", "0", name)


KINDS: t.Tuple[t.Type[Peer], ...] = (Docker, Podman)


@contextlib.contextmanager
def started(stage: Stage, kinds: t.Iterable[t.Type[Peer]]) -> t.Iterator[t.List[Peer]]:
    with contextlib.ExitStack() as stack:
        found = []
        for kind in kinds:
            peer = kind(stage)
            peer.start()
            stack.callback(peer.stop_all)
            found.append(peer)
        yield found
