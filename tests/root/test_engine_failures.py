# SPDX-License-Identifier: GPL-3.0-or-later
"""A start that fails, on purpose and at each step: one clear error, and everything as it was before."""
from __future__ import annotations

import os
import shutil
import socket

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine.refused import LONGEST_WORD
from ansible_collections.cocker.engine.plugins.module_utils.model.container import Attachment, Device, Ulimit
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import (
    CockerError,
    Conflict,
    Damaged,
    Invalid,
    NotFound,
    StartFailed,
)
from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import Mount
from ansible_collections.cocker.engine.tests.root import enginelab, netlab

pytestmark = pytest.mark.root

# Every call on the way from the plan to the running process that can fail.
STEPS = [
    "storage.intents.declare", "storage.snapshots.create", "storage.snapshots._make_layer", "storage.records.write",
    "engine.networks.ensure_up", "network.bridge.ensure", "network.endpoint.prepare", "kernel.namespaces.pin_netns", "engine.endpoints._take",
    "network.leases.save", "engine.networks.refresh", "kernel.nft.run", "kernel.nftbatch.run", "network.endpoint.attach", "network.endpoint._pair",
    "network.endpoint._configuration", "engine.hostnames.write", "runtime.spec.compile_config", "kernel.fs.write_atomic",
    "engine.bundle.install", "runtime.launcher.Launcher.start", "runtime.launcher._spawn", "engine.lifecycle._launch",
    "engine.hostnames.introduce", "engine.hostnames.follow",
]
WITHOUT_NETWORK = ("storage.intents.declare", "storage.snapshots.create", "storage.records.write", "engine.networks.ensure_up", "network.bridge.ensure")
LATE = ["storage.snapshots.create", "storage.records.write", "network.bridge.ensure", "network.endpoint.prepare", "engine.endpoints._take",
        "network.leases.save", "network.endpoint.attach", "engine.hostnames.write", "engine.lifecycle._write_bundle", "engine.hostnames.follow"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_first_start_that_fails_leaves_nothing(engine, after):
    before = engine.snapshot()
    for step in LATE if after else STEPS:
        with pytest.raises((CockerError, OSError), match="made to fail"):
            engine.start(published_ports=["18080:8080"], before=enginelab.failing(step, after=after))
        if step in WITHOUT_NETWORK:
            assert engine.snapshot() == before, step
        else:
            engine.network("cocker0", "absent")
            assert engine.snapshot() == before, step
    assert engine.start(published_ports=["18080:8080"]).changed
    assert not engine.start(published_ports=["18080:8080"]).changed


REPLACING = [
    "engine.lifecycle.stop", "storage.snapshots.keep_record", "storage.records.write", "network.leases.save", "engine.endpoints._take",
    "network.endpoint.attach", "engine.hostnames.write", "engine.lifecycle._write_bundle", "engine.lifecycle._launch",
    "runtime.launcher.Launcher.start", "engine.hostnames.follow",
]


@pytest.mark.parametrize("change", [{"env": {"A": "2"}}, {"images": ("box", "top"), "env": {"A": "1"}}], ids=["restart", "recreate"])
def test_a_replacement_that_fails_brings_the_old_container_back(engine, change):
    options = {"env": {"A": "1"}, "published_ports": ["18080:8080"]}
    engine.start(**options)
    engine.read("web", "echo mine > /kept")
    address = engine.find("web")["NetworkSettings"]["IPAddress"]
    for step in [*REPLACING, "storage.snapshots.keep_layer"] if "images" in change else REPLACING:
        with pytest.raises((CockerError, OSError), match="made to fail"):
            engine.start(**{**options, **change}, before=enginelab.failing(step))
        assert engine.read("web", "cat /kept; echo $A") == "mine\n1", step
        assert engine.find("web")["NetworkSettings"]["IPAddress"] == address, step
        assert not engine.start(**options).changed, step
        assert [path for path in engine.files()["home"] if "previous" in path or "dropped" in path] == [], step


def test_a_replacement_whose_command_is_bad_brings_the_old_container_back(engine):
    engine.start(env={"A": "1"})
    engine.read("web", "echo mine > /kept")
    engine.read("web", "printf '#!/bin/nope\\n' > /script; chmod 755 /script")      # the one that is not there is found before
    with pytest.raises(StartFailed, match="/script"):
        engine.start(env={"A": "2"}, command=("/script",))
    assert engine.read("web", "cat /kept; echo $A") == "mine\n1"
    assert not engine.start(env={"A": "1"}).changed


# What the kernel would refuse at the start.
REFUSED = [
    ({"sysctls": {"net.ipv4.no_such": "1"}}, "option sysctls: net.ipv4.no_such is no parameter that this kernel has for a container"),
    ({"sysctls": {"net/ipv4/conf/eth0/no_such": "1"}}, "option sysctls: net/ipv4/conf/eth0/no_such is no"),
    ({"sysctls": {"net.ipv4.conf": "1"}}, "option sysctls: net.ipv4.conf: Is a directory"),
    ({"sysctls": {"net.ipv4.conf.eth0.forwarding": "1"}, "network_mode": "none"}, "option sysctls: net.ipv4.conf.eth0.forwarding is no"),
    ({"env": {"LONG": "x" * (LONGEST_WORD - len("LONG="))}}, "option env: LONG is 131072 bytes long; the kernel accepts up to 131071"),
    ({"command": ("echo", "\u20ac" * (LONGEST_WORD // 3 + 1))}, "option command: a word is 13107. bytes long"),
    ({"env": {"MANY%d" % number: "x" * 10000 for number in range(250)}}, "option env: the command and its environment take 25"),
    ({"env": {"MANY%d" % number: "x" * 10000 for number in range(30)}, "ulimits": (Ulimit("stack", 1 << 20, 1 << 23),)}, "accepts up to 262144"),
]


BAD = [
    # options, error, what it must say
    ({"command": ("/bin/nope",)}, StartFailed, "/bin/nope"),
    ({"command": ("/etc/passwd",)}, StartFailed, "/etc/passwd"),
    ({"user": "nobody-here"}, CockerError, "user.*nobody-here"),
    ({"working_dir": "/bin/busybox"}, CockerError, "/bin/busybox"),
    ({"images": ("unknown",)}, NotFound, "image unknown"),
    ({"images": ("box:7",)}, NotFound, "versions there: 1"),
    ({"networks": (Attachment("nowhere"),)}, NotFound, "network nowhere"),
    ({"networks": (Attachment("cocker0", "10.9.9.9"),)}, Invalid, "networks.ipv4_address.*outside"),
    ({"networks": (Attachment("cocker0", "10.166.88.1"),)}, Invalid, "networks.ipv4_address.*gateway"),
    ({"networks": (), "published_ports": ["80:80"]}, Invalid, "published_ports"),
    ({"mounts": (Mount("bind", "/no/such/path", "/data"),)}, Invalid, "volumes.*/no/such/path"),
    ({"devices": (Device("/dev/nope", "/dev/nope"),)}, Invalid, "devices.*/dev/nope"),
    ({"devices": (Device("/etc/passwd", "/dev/nope"),)}, Invalid, "devices.*not a device"),
    ({"cpuset_cpus": "63"}, Invalid, "cpuset_cpus"),
    ({"memory_swap": 1 << 30}, Invalid, "memory_swap"),
    ({"sysctls": {"kernel.core_pattern": "x"}}, Invalid, "option sysctls: .*kernel"),
    *[(said, Invalid, text) for said, text in REFUSED],
    ({"ulimits": (Ulimit("nofile", 1, 1 << 40),)}, Invalid, "option ulimits: nofile: .* fs.nr_open"),
    ({"ulimits": (Ulimit("nofile", -1, -1),)}, Invalid, "option ulimits: nofile: .* fs.nr_open"),
]


def test_what_is_bad_is_named_and_nothing_is_left(engine):
    engine.start("other")
    before = engine.snapshot()
    for said, error, text in BAD:
        with pytest.raises(error, match=text):
            engine.start(**said)
        assert engine.snapshot() == before, said


def test_what_the_kernel_would_refuse_is_refused_in_check_mode_too(engine):
    for said, text in REFUSED:
        with pytest.raises(Invalid, match=text):
            engine.start(**{"network_mode": "none", **said}, check=True)


def test_what_the_kernel_just_accepts_is_not_refused(engine):
    """As many bytes as fit: 2 MiB, a quarter of the usual stack, hold these."""
    engine.start(
        sysctls={"net.ipv4.conf.eth0.forwarding": "0", "net.ipv4.ip_unprivileged_port_start": "80", "kernel.msgmax": "8192", "fs.mqueue.msg_max": "20"},
        env={"LONG": "x" * (LONGEST_WORD - 1 - len("LONG=")), **{"N%d" % number: "x" * 100000 for number in range(17)}})
    assert engine.state("web")["Running"]


def test_a_port_of_another_container_is_refused_and_its_owner_named(engine):
    engine.start("other", published_ports=["18080:8080"])
    before = engine.snapshot()
    with pytest.raises(Conflict, match="published_ports.*container other"):
        engine.start(published_ports=["127.0.0.1:18080:80"])
    assert engine.snapshot() == before
    engine.start("other", published_ports=["18080:8080"], state="stopped")
    assert engine.start(published_ports=["127.0.0.1:18080:80"]).changed


def test_a_port_of_a_process_is_refused_and_the_process_named(engine):
    def listening():
        sock = socket.socket()
        sock.bind(("127.0.0.1", 18081))
        sock.listen()
        listening.held = sock
    with pytest.raises(Conflict, match="published_ports.*18081/tcp is in use on the host by"):
        engine.start(published_ports=["18081:80"], before=listening)
    assert engine.find("web") is None


def test_a_leased_address_is_refused_and_its_owner_named(engine):
    engine.start("other", networks=(Attachment("cocker0", "10.166.88.9"),))
    with pytest.raises(Conflict, match="container other has it"):
        engine.start(networks=(Attachment("cocker0", "10.166.88.9"),))
    assert engine.find("web") is None


def test_a_volume_made_for_a_start_that_fails_goes_again_and_one_that_was_there_stays(engine):
    engine.volume("old")
    mounts = (Mount("volume", "new", "/new"), Mount("volume", "old", "/old"))
    with pytest.raises(StartFailed):
        engine.start(command=("/bin/nope",), mounts=mounts)
    assert engine.layout.volume_names() == ["old"]


def test_a_mount_below_a_container_stops_its_removal_before_anything_is_lost(engine):
    engine.start(state="present")
    place = engine.layout.container("web") + "/upper"

    def mounted():
        netlab._libc.mount(b"tmpfs", place.encode(), b"tmpfs", 0, None)
    with pytest.raises(CockerError, match="is mounted"):
        engine.ensure("web", state="absent", before=mounted)
    assert engine.find("web") is not None
    engine.lab.call("umount", place)


def test_stopping_needs_nothing_that_has_gone(engine, tmp_path):
    source = tmp_path / "data"
    source.mkdir()
    engine.start(mounts=(Mount("bind", str(source), "/data"),))
    source.rmdir()
    assert engine.start(mounts=(Mount("bind", str(source), "/data"),), state="stopped").changed


def test_a_record_that_is_damaged_is_named_and_can_be_removed(engine):
    engine.start()
    with open(engine.layout.spec("web"), "w") as record:
        record.write("{")
    with pytest.raises(CockerError, match="spec.json"):
        engine.start()
    assert engine.start("other").changed
    assert engine.ensure("web", state="absent").changed


@pytest.mark.parametrize("state", ["present", "stopped", "started"])
@pytest.mark.parametrize("gone", [("upper",), ("upper", "work")], ids="+".join)
def test_a_writable_layer_that_somebody_removed_is_said_and_made_anew_when_it_is_wanted(engine, state, gone):
    engine.start(network_mode="none", state="started" if state == "stopped" else state)
    engine.start(network_mode="none", state=state)
    for part in gone:
        shutil.rmtree(os.path.join(engine.layout.container("web"), part))
    before = engine.state("web")
    for check in (True, False):
        with pytest.raises(Damaged, match="web: somebody has removed its writable layer .*recreate: true"):
            engine.start(network_mode="none", restart=state == "started", check=check)
    assert engine.state("web") == before
    foreseen = engine.start(network_mode="none", recreate=True, check=True)
    done = engine.start(network_mode="none", recreate=True)
    assert done.plan == foreseen.plan and done.plan["action"] == "recreate"
    engine.read("web", "echo again > /kept")
    assert not engine.start(network_mode="none").changed and engine.ensure("web", state="absent").changed


def test_the_work_directory_alone_is_no_loss(engine):
    engine.start(network_mode="none")
    engine.read("web", "echo mine > /kept")
    engine.start(network_mode="none", state="stopped")
    shutil.rmtree(os.path.join(engine.layout.container("web"), "work"))
    assert engine.start(network_mode="none").changed and engine.read("web", "cat /kept") == "mine"


def test_a_container_without_its_writable_layer_can_be_removed(engine):
    engine.start(network_mode="none")
    shutil.rmtree(os.path.join(engine.layout.container("web"), "upper"))
    assert engine.ensure("web", state="absent").changed and engine.find("web") is None
