# SPDX-License-Identifier: GPL-3.0-or-later
"""The leak check sees what it is for. Everything is made in namespaces of a child process."""
from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import typing as t

import leakcheck
import pytest

pytestmark = pytest.mark.root

SAVE_AND_CHECK = """
set -e
mount -t tmpfs tmpfs /run
%(check)s save %(file)s
%(leak)s
%(check)s check %(file)s 0
"""


@pytest.mark.parametrize(("leak", "kind"), [
    ("mount -t tmpfs tmpfs /mnt", "mounts: new: tmpfs on /mnt"),
    ("ip link add cockertest type bridge", "links and addresses: new:"),
    ("ip address add 10.9.9.9/32 dev lo", "10.9.9.9"),
    ("ip link set lo up; ip route add 10.9.9.0/24 dev lo", "routes: new:"),
    ("nft add table inet cocker", "nft rules: new:"),
    ("ip netns add nnsTEST", "namespace pins: new: nnsTEST"),
    ("mkdir /run/cocker && touch /run/cocker/x", "state files: new: /run/cocker/x"),
    ("(exec -a cocker:test sleep 30) & trap 'kill $!; wait' EXIT", "processes: new:"),
    (":", "nothing leaked"),
])
def test_a_leak_is_named(leak: str, kind: str, tmp_path: pathlib.Path) -> None:
    check = "%s -S %s" % (sys.executable, leakcheck.__file__)
    script = SAVE_AND_CHECK % {"check": check, "file": tmp_path / "before", "leak": leak}
    done = subprocess.run(["unshare", "--mount", "--net", "--propagation", "private", "bash", "-c", script],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert kind in done.stdout
    assert done.returncode == (0 if leak == ":" else 1)


def test_counters_and_handles_are_no_leak() -> None:
    rule = {"rule": {"handle": 7, "expr": [{"counter": {"packets": 3, "bytes": 180}}]}}
    assert leakcheck.stripped(rule) == {"rule": {"expr": [{"counter": {}}]}}


def test_what_vanished_is_reported_too() -> None:
    before: leakcheck.Snapshot = {"mounts": ["tmpfs on /a", "tmpfs on /a"]}
    assert leakcheck.compare(before, {"mounts": ["tmpfs on /a"]}) == ["mounts: gone: tmpfs on /a"]


@pytest.fixture()
def own_cgroup() -> t.Iterator[str]:
    parent = "/sys/fs/cgroup/%s" % ("unified" if os.path.isdir("/sys/fs/cgroup/unified") else "")
    path = os.path.join(parent, "cockertest%d" % os.getpid(), "child")
    os.makedirs(path)
    yield path
    os.rmdir(path)
    os.rmdir(os.path.dirname(path))


def test_a_cgroup_below_a_parent_of_ours_counts(own_cgroup: str) -> None:
    assert own_cgroup in leakcheck.cgroups()
