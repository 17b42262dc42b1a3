# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container's own files lack is found before the process that runs is stopped, and in check mode."""
from __future__ import annotations

import os

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import Mount, parse_tmpfs

pytestmark = pytest.mark.root

LACKING = [
    ("user", {"user": "nobody-here"}),
    ("user", {"user": "web:nobody-here"}),
    ("groups", {"groups": ("nobody-here",)}),
    ("command", {"command": ("/bin/nope",)}),
    ("command", {"command": ("nope", "1")}),
    ("command", {"command": ("/etc/passwd",)}),
    ("command", {"command": ("/etc",)}),
    ("command", {"command": ("./nope",), "working_dir": "/bin"}),
    ("command", {"command": ("sleep", "1"), "env": {"PATH": "/www:/etc"}}),
    ("entrypoint", {"entrypoint": ("/bin/nope",)}),
    ("working_dir", {"working_dir": "/etc/passwd"}),
    ("working_dir", {"working_dir": "/etc/passwd/below"}),
]


@pytest.mark.parametrize("option,said", LACKING, ids=[repr(said) for _option, said in LACKING])
def test_what_is_not_there_stops_nobody(engine, option, said):
    with pytest.raises(Invalid, match="option %s: " % option):
        engine.start(network_mode="none", check=True, **said)
    engine.start(network_mode="none")
    pid = engine.state("web")["Pid"]
    for check in (True, False):
        with pytest.raises(Invalid, match="option %s: " % option):
            engine.start(network_mode="none", check=check, **said)
    assert engine.state("web")["Pid"] == pid


@pytest.mark.parametrize("said", [
    {"command": ("sleep", "1000")},
    {"command": ("./sleep", "1000"), "working_dir": "/bin"},
    {"command": ("/made/two/sleep", "1000")},
    {"working_dir": "/made/around/made/new/one"},
    {"command": ("/made/../made/around/made/two/sleep", "1000")},
    {"user": "made", "groups": ("extra", "9")},
    {"user": "4000:5000"},
    {"command": ("/mnt/sleep", "1000"), "mounts": (Mount("bind", "/bin/busybox", "/mnt/sleep", read_only=True),)},
    {"command": (), "user": "web"},
], ids=repr)
def test_what_is_there_is_found(engine, said):
    """What the container has written itself, too, behind links that lead around in it."""
    engine.start(network_mode="none")
    engine.read("web", "mkdir /made /made/two; ln -s ../../../bin/sleep /made/sleep; ln -s /made/around/made/sleep /made/two/sleep; ln -s .. /made/around;"
                       "echo made:x:3000:3000::/:/bin/sh >> /etc/passwd")
    foreseen = engine.start(network_mode="none", check=True, **said)
    assert engine.start(network_mode="none", **said).actions == foreseen.actions
    assert engine.state("web")["Running"]


def test_what_was_written_counts_until_it_goes(engine):
    engine.start(network_mode="none")
    engine.read("web", "ln /bin/busybox /bin/mine; rm /bin/true")
    assert engine.start(network_mode="none", command=("/bin/mine", "sleep", "1000"), check=True).plan["action"] == "restart"
    with pytest.raises(Invalid, match="command: /bin/mine: there is no such program"):
        engine.start(network_mode="none", command=("/bin/mine", "sleep", "1000"), recreate=True)
    with pytest.raises(Invalid, match="command: /bin/true: there is no such program"):
        engine.start(network_mode="none", command=("/bin/true",))
    assert engine.start(network_mode="none", command=("/bin/true",), recreate=True, check=True).plan["action"] == "recreate"


def test_what_lies_on_a_mount_is_left_to_the_start(engine):
    """A volume may have it, and an empty one has what the image has there."""
    volume = (Mount("volume", "programs", "/bin"),)
    engine.start(network_mode="none")
    assert engine.start(network_mode="none", mounts=volume, check=True).changed and engine.start(network_mode="none", mounts=volume).changed
    with pytest.raises(Exception, match="exec /fast/nope: No such file"):
        engine.start(network_mode="none", command=("/fast/nope",), mounts=parse_tmpfs(["/fast"]))
    assert engine.read("web", "ls /bin/sleep") == "/bin/sleep"


def test_a_passwd_that_is_a_link_is_left_to_the_start(engine):
    engine.start(network_mode="none")
    engine.read("web", "cp /etc/passwd /etc/real; ln -sf real /etc/passwd")
    assert os.path.islink(os.path.join(engine.layout.container("web"), "upper/etc/passwd"))
    with pytest.raises(Exception, match="it is a link in this image"):
        engine.start(network_mode="none", user="web")
    assert engine.state("web")["Running"]
