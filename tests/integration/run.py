# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs integration targets (tests/integration/targets/NAME/, laid out as ansible-test wants them) through the INSTALLED collection.

Each target has mount, network and pid namespaces of its own that play the host: lo is up, there is no uplink, the directories of PRIVATE
are empty; and a state directory of its own (variable cocker_home). It must leave nothing behind.

    python tests/integration/run.py [--report FILE] [TARGET...]        (by itself installs nothing: `make targets` does)
"""
from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import typing as t
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGETS = ROOT / "tests" / "integration" / "targets"
COLLECTIONS = ROOT / ".build" / "collections"
PLAYBOOK = pathlib.Path(sys.executable).parent / "ansible-playbook"
LOCK = "/run/lock/cocker-targets"
HOST_PYTHON = "/usr/bin/python3"
BASE_IMAGE_CACHE = ROOT / ".build" / "base_image"
# What the engine and the role `host` write to outside the state directory: empty, and seen by the tests only.
PRIVATE = ("/run/netns", "/run/cocker", "/etc/sysctl.d", "/etc/modules-load.d", "/usr/local/lib/cocker", "/usr/local/bin", "/var/cocker", "/srv",
           "/run/sshd")
# Namespaces of its own; bash is PID 1 and reaps; what a failed target leaves running ends with it.
HOST = ("unshare", "--mount", "--net", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc",
        "bash", "-c", '"$@"; exit $?', "bash")
# A sysfs shows the links of the namespace in which it was mounted; the cgroup hierarchies below it stay the machine's.
SHOW_OWN_LINKS = """
mkdir -p /run/netns/cgroup
mount --rbind /sys/fs/cgroup /run/netns/cgroup
mount -t sysfs sysfs /sys
mount --rbind /run/netns/cgroup /sys/fs/cgroup
umount -l /run/netns/cgroup
rmdir /run/netns/cgroup
"""

sys.path.insert(0, str(ROOT / "tests"))

import leakcheck  # noqa: E402


@dataclasses.dataclass(frozen=True)
class Outcome:
    target: str
    seconds: float
    failed: bool


def names() -> t.List[str]:
    """A directory with tasks that no other target only depends on: `setup_*` and `disabled` are not run by themselves."""
    return sorted(path.parent.parent.name for path in TARGETS.glob("*/tasks/main.yml")
                  if not path.parent.parent.name.startswith("setup_") and "disabled" not in aliases(path.parent.parent))


def aliases(target: pathlib.Path) -> t.List[str]:
    path = target / "aliases"
    return path.read_text(encoding="utf-8").split() if path.exists() else []


@contextlib.contextmanager
def playing_the_host() -> t.Iterator[None]:
    made = [path for path in PRIVATE if not os.path.isdir(path)]
    for path in PRIVATE:
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", path], check=True)
    subprocess.run(["sh", "-ec", SHOW_OWN_LINKS], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n", encoding="ascii")
    try:
        yield
    finally:
        for path in made:
            subprocess.run(["umount", "--lazy", path], check=True)
            os.rmdir(path)


def play(target: str, home: str) -> t.List[t.Dict[str, t.Any]]:
    return [{
        "name": target,
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {"group/cocker.engine.cocker": {"cocker_home": home}},
        "vars": {
            "cocker_home": home,
            "output_dir": os.path.dirname(home),
            "base_image_cache": str(BASE_IMAGE_CACHE),
            "ansible_python_interpreter": HOST_PYTHON,
        },
        "roles": [{"role": str(TARGETS / target)}],
    }]


def environment(home: str) -> t.Dict[str, str]:
    return {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_ROLES_PATH": str(TARGETS),
        "ANSIBLE_CONFIG": os.path.join(os.path.dirname(home), "ansible.cfg"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_DISPLAY_OK_HOSTS": "false",
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        "COCKER_HOME": home,
    }


def run_inside(target: str) -> int:
    """In the namespaces already: plays the target and looks for leaks."""
    with playing_the_host(), tempfile.TemporaryDirectory(prefix="cocker-%s-" % target) as directory:
        home = os.path.join(directory, "home")
        playbook = pathlib.Path(directory, "playbook.yml")
        playbook.write_text(json.dumps(play(target, home)), encoding="utf-8")
        pathlib.Path(directory, "ansible.cfg").touch()
        before = leakcheck.snapshot()
        code = subprocess.run([str(PLAYBOOK), str(playbook)], env=environment(home), check=False).returncode
        leaks = leakcheck.settled(before)
    for leak in leaks:
        print("left behind: %s" % leak, flush=True)
    return 1 if code or leaks else 0


def run_target(target: str) -> Outcome:
    print("\n--- target %s" % target, flush=True)
    started = time.monotonic()
    code = subprocess.run([*HOST, sys.executable, __file__, "--inside", target], check=False).returncode
    return Outcome(target, time.monotonic() - started, code != 0)


def write_report(path: pathlib.Path, outcomes: t.Sequence[Outcome]) -> None:
    """JUnit, as pytest writes it."""
    suite = xml.Element("testsuite", name="targets", tests=str(len(outcomes)), errors="0", skipped="0",
                        failures=str(sum(outcome.failed for outcome in outcomes)))
    for outcome in outcomes:
        case = xml.SubElement(suite, "testcase", name=outcome.target, time="%.1f" % outcome.seconds)
        if outcome.failed:
            xml.SubElement(case, "failure", message="failed or left something behind")
    path.parent.mkdir(parents=True, exist_ok=True)
    xml.ElementTree(suite).write(str(path))


def main(arguments: t.Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--report", type=pathlib.Path)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    options = parser.parse_args(arguments)
    unknown = set(options.targets) - set(names())
    if unknown:
        parser.error("no such target: %s; there are: %s" % (", ".join(sorted(unknown)), ", ".join(names())))
    if options.inside:
        return run_inside(options.targets[0])
    with open(LOCK, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)        # two runs at once would take the directories of PRIVATE away from each other
        outcomes = [run_target(target) for target in options.targets or names()]
    if options.report:
        write_report(options.report, outcomes)
    failed = [outcome.target for outcome in outcomes if outcome.failed]
    print("\n%d passed, %d failed%s" % (len(outcomes) - len(failed), len(failed), ": " + ", ".join(failed) if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
