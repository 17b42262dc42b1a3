# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays on real hosts: virtual machines with a kernel of their own, systemd and cgroup v2, over real ssh.

    python tests/hosts/run.py [--report FILE] [SCENARIO[@SUITE]...]      (default: all of ALL; `short` is the one of `make test`)

An emulated machine keeps one CPU busy: those that stand together in ALL run at the same time, and what they say is told when they end.

A program makes the hosts: FLEET names it (`up N [SUITE]`, `inventory`, `ssh HOST COMMAND`, `reset`, `down`). Where there is none, nothing is
tested, and it is said. FLEET_LIGHT: how many light hosts. FLEET_ROUNDS: how often both sides are compared.
"""
from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLEET = pathlib.Path(os.environ.get("FLEET") or ROOT.parent / "shared" / "fleet" / "fleet")
BIN = pathlib.Path(sys.executable).parent
PLAYBOOKS = pathlib.Path(__file__).parent / "playbooks"
RECAP = re.compile(r"^(\S+) +: ok=(\d+) +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", re.MULTILINE)
BOOT_SECONDS = 300
ALL = (("short@bookworm", "short@trixie"), ("host@bookworm", "host@trixie"), ("light",), ("compare@bookworm",))
PORTS = 12200               # of the machines that run beside others, a hundred for each
REGISTRY = "10.99.255.1"    # in the network that the hosts share


class Fleet:
    """Some hosts, with a directory of their own; when it ends they are gone."""

    def __init__(self, directory: str, suite: str = "") -> None:
        self.state = os.path.join(directory, "state")
        self.suite = suite.split()      # of the virtual machines, where it is not the program's own choice
        self.inventory = os.path.join(directory, "hosts.yml")
        self.said, self.lasted = "", 0.0        # the last play's words, and its seconds
        self.environ = {**os.environ, "FLEET_STATE": self.state, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "collections"),
                        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml", "ANSIBLE_HOST_KEY_CHECKING": "false", "ANSIBLE_NOCOWS": "true",
                        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false", "ANSIBLE_PIPELINING": "true"}

    def command(self, *words: str) -> str:
        return subprocess.run([sys.executable, str(FLEET), *words], env=self.environ, stdout=subprocess.PIPE, text=True, check=True).stdout

    def up(self, *words: str) -> None:
        self.command("up", *words)
        pathlib.Path(self.inventory).write_text(self.command("inventory"), encoding="utf-8")

    def play(self, playbook: str, *more: str) -> t.Dict[str, int]:
        """How much each host says to have changed; raises where anything failed."""
        print("\n--- %s %s" % (playbook, " ".join(more)), flush=True)
        started = time.monotonic()
        done = subprocess.run([str(BIN / "ansible-playbook"), "-i", self.inventory, playbook, *more], env=self.environ, cwd=ROOT,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        self.said = done.stdout
        hosts = RECAP.findall(done.stdout)
        self.lasted = lasted = time.monotonic() - started
        tasks = sum(int(host[1]) for host in hosts)
        bad = done.returncode or not hosts or any(unreachable != "0" or failed != "0" for _host, _ok, _changed, unreachable, failed in hosts)
        print(done.stdout if bad else "    %.0f s; %d tasks, %.1f a second; changed: %s" % (
            lasted, tasks, tasks / lasted, {host[0]: int(host[2]) for host in hosts}), flush=True)
        if bad:
            raise AssertionError("%s failed" % playbook)
        return {host: int(changed) for host, _ok, changed, _unreachable, _failed in hosts}

    @contextlib.contextmanager
    def playing(self, playbook: str) -> t.Iterator[t.Callable[[], bool]]:
        """Beside it something happens, and then it is ended; what it said is printed where that went wrong. Gives: is it over?"""
        with tempfile.TemporaryFile("w+") as said:
            with subprocess.Popen([str(BIN / "ansible-playbook"), "-i", self.inventory, playbook], env=self.environ, cwd=ROOT,
                                  stdout=said, stderr=subprocess.STDOUT, text=True) as process:
                try:
                    yield lambda: process.poll() is not None
                except BaseException:
                    said.seek(0)
                    print(said.read(), flush=True)
                    raise
                finally:
                    process.terminate()

    def unchanged(self, playbook: str, *more: str) -> None:
        changed = self.play(playbook, *more)
        if any(changed.values()):
            print(self.said, flush=True)
        assert not any(changed.values()), "%s changed something again: %s" % (playbook, changed)

    def ssh(self, host: str, command: str) -> str:
        return self.command("ssh", host, command)

    @contextlib.contextmanager
    def registry(self) -> t.Iterator[str]:
        """A registry without TLS in the network of the hosts: its address."""
        lan = self.command("status").split(";")[0].split()[-1]
        subprocess.run(["ip", "-n", lan, "address", "add", REGISTRY + "/16", "dev", "br0"], check=True)
        config = {"version": "0.1", "log": {"level": "error"}, "http": {"addr": REGISTRY + ":5000", "secret": "x"},
                  "storage": {"filesystem": {"rootdirectory": self.state + "-registry"}}}
        path = pathlib.Path(self.state + "-registry.yml")
        path.write_text(json.dumps(config), encoding="utf-8")
        with subprocess.Popen(["ip", "netns", "exec", lan, "docker-registry", "serve", str(path)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                yield REGISTRY + ":5000"
            finally:
                process.terminate()

    def boot_id(self, host: str) -> str:
        try:
            return self.ssh(host, "cat /proc/sys/kernel/random/boot_id")
        except subprocess.CalledProcessError:
            return ""

    def came_back(self, host: str, before: str) -> None:
        """Waits until the host has booted again, and everything that it starts at boot has been started."""
        deadline = time.monotonic() + BOOT_SECONDS
        while self.boot_id(host) in ("", before):
            assert time.monotonic() < deadline, "%s does not come back" % host
            time.sleep(1)
        self.ssh(host, "systemctl is-system-running --wait || systemctl --failed --no-legend >&2")

    def reboot(self, host: str) -> None:
        before = self.boot_id(host)
        with contextlib.suppress(subprocess.CalledProcessError):
            self.ssh(host, "systemctl reboot")
        self.came_back(host, before)

    def cut_power(self, host: str) -> t.Callable[[], None]:
        """At once: what the host had not written is lost. Returns what waits until it is back."""
        before = self.boot_id(host)

        def cut() -> None:
            with socket.socket(socket.AF_UNIX) as monitor:
                monitor.connect(os.path.join(self.state, host + ".qmp"))
                stream = monitor.makefile("rw")
                for verb in ("qmp_capabilities", "system_reset"):
                    stream.write(json.dumps({"execute": verb}) + "\n")
                    stream.flush()
                    next(answer for answer in map(json.loads, stream) if "return" in answer)
            for kept in pathlib.Path(self.state, "cp").glob("*"):        # nobody tells a connection that its other end is gone
                subprocess.run(["ssh", "-S", str(kept), "-O", "exit", "-"], stderr=subprocess.DEVNULL, check=False)
            self.came_back(host, before)

        return cut


QUICKSTART = ("cocker.engine.quickstart", "-e", "cocker_quickstart_hosts=fleet_vm")
CLEAN = ("cocker.engine.quickstart_clean", "-e", "cocker_quickstart_hosts=fleet_vm")


def short(fleet: Fleet) -> None:
    """From a bare host to a service that answers; again; and after a reboot all is there as if nothing had been."""
    fleet.up("1", *fleet.suite)
    fleet.play(*QUICKSTART)
    fleet.unchanged(*QUICKSTART)
    fleet.reboot("vm1")
    fleet.unchanged(*QUICKSTART)
    print(fleet.ssh("vm1", "cocker ps; systemctl status --no-pager cocker.service cocker.slice"))


def host(fleet: Fleet) -> None:
    """What only a kernel of its own and systemd show: scopes, limits of version 2, the end of a session, a reload, power."""
    fleet.up("1", *fleet.suite)
    prepare = str(PLAYBOOKS / "prepare.yml")
    fleet.play(prepare)
    fleet.cut_power("vm1")()
    fleet.ssh("vm1", "systemctl is-active cocker.service && cocker ps")
    fleet.unchanged(prepare)
    fleet.play(*QUICKSTART)
    fleet.play(str(PLAYBOOKS / "systemd.yml"))
    fleet.play(str(PLAYBOOKS / "machine.yml"))
    fleet.reboot("vm1")
    fleet.play(str(PLAYBOOKS / "returned.yml"))
    cut = fleet.cut_power("vm1")
    with fleet.playing(str(PLAYBOOKS / "many.yml")) as is_over:
        while "many-" not in fleet.ssh("vm1", "ls /var/cocker/containers"):
            assert not is_over(), "it ended before its power was cut"
        cut()
    fleet.play(str(PLAYBOOKS / "returned.yml"))
    fleet.play(str(PLAYBOOKS / "many.yml"))
    fleet.unchanged(str(PLAYBOOKS / "many.yml"))
    fleet.play(str(PLAYBOOKS / "many.yml"), "-e", "state=absent")
    fleet.ssh("vm1", "cocker rm --force stays")
    fleet.play(*CLEAN)
    fleet.unchanged(*CLEAN)


def light(fleet: Fleet) -> None:
    """Many hosts at once, in namespaces on this kernel: built once, pulled by all; again; a release, hosts in turn; back; a few of them."""
    count = os.environ.get("FLEET_LIGHT", "10")
    fleet.up("--ns", count)
    fleet.play(str(PLAYBOOKS / "sshd.yml"))
    play = ("cocker.engine.fleet", "--forks", "10", "-e", json.dumps({
        "cocker_fleet_hosts": "fleet_ns", "cocker_home": "/var/lib/cocker/home", "cocker_fleet_address": "{{ fleet_lan }}",
        "cocker_fleet_memory": "",       # they have no controller for it
    }))
    fleet.play(*play)
    fleet.unchanged(*play)
    release = ("-e", "cocker_fleet_release=1.1.0")
    fleet.play(*play, *release, "--check", "--diff")
    fleet.play(*play, *release, "-e", "cocker_fleet_serial=25%")
    fleet.unchanged(*play, *release, "-e", "cocker_fleet_strategy=free")
    fleet.play(*play)                                                    # back to the former one
    fleet.unchanged(*play, "--limit", "ns2,ns3")
    fleet.play(str(PLAYBOOKS / "background.yml"), "--forks", "10")
    with fleet.registry() as registry:
        pulled = ("-e", "cocker_fleet_release=2.0.0", "-e", "cocker_fleet_plain_http=true", "-e", "cocker_fleet_registry=%s/team/fleet" % registry)
        fleet.play(*play, *pulled)
        fleet.unchanged(*play, *pulled)


TURNS = (("from nothing", ()), ("again", ()), ("another environment", ("-e", "stage=other")), ("again with that", ("-e", "stage=other")))


def compare(fleet: Fleet) -> None:
    """The same small service on docker and on this engine, in turns on one machine: from nothing, again, and with the container made anew."""
    cache, collections = os.environ.get("FLEET_DOCKER_CACHE", ""), os.environ.get("FLEET_DOCKER_COLLECTIONS", "")
    if not (os.path.isdir(cache) and os.path.isdir(collections)):
        print("not compared: FLEET_DOCKER_CACHE names no image with docker, or FLEET_DOCKER_COLLECTIONS no directory with community.docker")
        return
    fleet.environ["FLEET_CACHE"] = cache
    fleet.environ["ANSIBLE_COLLECTIONS_PATH"] += ":" + collections
    fleet.up("1", *fleet.suite)
    fleet.play(str(PLAYBOOKS / "compare_prepare.yml"))
    seen: t.Dict[t.Tuple[str, str], t.List[t.Tuple[float, float, float]]] = {}
    for _round in range(int(os.environ.get("FLEET_ROUNDS", "1"))):
        for engine in ("docker", "cocker"):
            for turn, more in TURNS:
                machine, controller = machine_seconds(fleet), controller_seconds()
                changed = fleet.play(str(PLAYBOOKS / ("compare_%s.yml" % engine)), *more)["vm1"]
                assert bool(changed) is not turn.startswith("again"), "%s, %s: %d changed" % (engine, turn, changed)
                used = machine_seconds(fleet) - machine, controller_seconds() - controller
                seen.setdefault((turn, engine), []).append((fleet.lasted, *used))
            fleet.play(str(PLAYBOOKS / "compare_gone.yml"), "-e", "engine=" + engine)
    print("\nmedians: seconds, processor seconds of the machine, processor seconds of the controller; the first round")
    for (turn, engine), rounds in seen.items():
        medians = [statistics.median(column) for column in zip(*rounds)]
        print("%-20s %-8s %s; %s" % (turn, engine, *(" ".join("%5.1f" % value for value in row) for row in (medians, rounds[0]))))


def machine_seconds(fleet: Fleet) -> float:
    """Of processors, by the emulation: whatever else is done beside it."""
    pid = pathlib.Path(fleet.state, "vm1.pid").read_text(encoding="ascii").strip()
    fields = pathlib.Path("/proc", pid, "stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def controller_seconds() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


SCENARIOS: t.Dict[str, t.Callable[[Fleet], None]] = {"short": short, "host": host, "light": light, "compare": compare}


def run(name: str) -> t.Tuple[str, float, str]:
    scenario, _at, suite = name.partition("@")
    print("\n=== %s: %s" % (name, (SCENARIOS[scenario].__doc__ or "").splitlines()[0]), flush=True)
    started = time.monotonic()
    error = ""
    with tempfile.TemporaryDirectory(prefix="cocker-hosts-") as directory:
        fleet = Fleet(directory, suite)
        try:
            SCENARIOS[scenario](fleet)
        except (AssertionError, subprocess.CalledProcessError) as failure:
            error = str(failure)
            print("%s: %s" % (name, error), flush=True)
        finally:
            fleet.command("down")
    seconds = time.monotonic() - started
    print("    %s: %.0f s" % (name, seconds), flush=True)
    return name, seconds, error


def run_together(names: t.Sequence[str]) -> t.List[t.Tuple[str, float, str]]:
    """Each in a process of its own, whose processor seconds are its own."""
    def one(place: int) -> t.Tuple[str, float, str]:
        started = time.monotonic()
        done = subprocess.run([sys.executable, __file__, names[place]], env={**os.environ, "FLEET_VM_PORT": str(PORTS + 100 * place)},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        print(done.stdout, flush=True)
        return names[place], time.monotonic() - started, "failed" if done.returncode else ""

    with concurrent.futures.ThreadPoolExecutor(len(names)) as workers:
        return list(workers.map(one, range(len(names))))


def write_report(path: pathlib.Path, outcomes: t.Sequence[t.Tuple[str, float, str]]) -> None:
    suite = xml.Element("testsuite", name="hosts", tests=str(len(outcomes)), errors="0", skipped="0",
                        failures=str(sum(bool(error) for _name, _seconds, error in outcomes)))
    for name, seconds, error in outcomes:
        case = xml.SubElement(suite, "testcase", name=name, time="%.1f" % seconds)
        if error:
            xml.SubElement(case, "failure", message=error)
    path.parent.mkdir(parents=True, exist_ok=True)
    xml.ElementTree(suite).write(str(path))


def main(arguments: t.Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--report", type=pathlib.Path)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    options = parser.parse_args(arguments)
    unknown = {name for name in options.scenarios if name.partition("@")[0] not in SCENARIOS}
    if unknown:
        parser.error("no such scenario: %s; there are: %s" % (", ".join(sorted(unknown)), ", ".join(SCENARIOS)))
    if not FLEET.exists():
        print("no hosts to test on: FLEET names no program that makes them")
        return 0
    groups = [(name,) for name in options.scenarios] or ALL
    outcomes = [outcome for names in groups for outcome in (run_together(names) if names[1:] else [run(names[0])])]
    if options.report:
        write_report(options.report, outcomes)
    failed = sum(bool(error) for _name, _seconds, error in outcomes)
    print("\n%d passed, %d failed" % (len(outcomes) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
