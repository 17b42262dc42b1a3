# SPDX-License-Identifier: GPL-3.0-or-later
"""What only the bundles of others have in their config.json, and what is refused there."""
from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.oci import config

SMALL: t.Dict[str, t.Any] = {
    "ociVersion": "1.0.2", "root": {"path": "rootfs"}, "process": {"args": ["sh"], "cwd": "/"},
    "linux": {"namespaces": [{"type": "mount"}]},
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rootfs").mkdir()
    return tmp_path


def changed(path: str, value: t.Any) -> t.Dict[str, t.Any]:
    found = copy.deepcopy(SMALL)
    place = found
    *outer, last = path.split(".")
    for key in outer:
        place = place.setdefault(key, {})
    place[last] = value
    return found


def test_paths_are_made_absolute(folder):
    mounts = [{"destination": "data", "source": "here", "options": ["bind"]}, {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}]
    found = config.parse(changed("mounts", mounts), str(folder))
    assert found.bundle.root == str(folder / "rootfs")
    assert [(mount.destination, mount.source) for mount in found.bundle.mounts] == [("/data", str(folder / "here")), ("/tmp", "tmpfs")]


def test_the_usual_devices_are_allowed_last(folder):
    found = config.parse(changed("linux.resources", {"devices": [{"allow": False, "access": "rwm"}]}), str(folder))
    assert found.bundle.resources["devices"][0] == {"allow": False, "access": "rwm"}
    assert {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"} in found.bundle.resources["devices"]


def test_priorities_become_the_numbers_of_the_kernel(folder):
    text = changed("process.ioPriority", {"class": "IOPRIO_CLASS_IDLE", "priority": 7})
    text["process"]["scheduler"] = {"policy": "SCHED_BATCH", "nice": 5, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}
    text["linux"]["personality"] = {"domain": "LINUX32"}
    found = config.parse(text, str(folder))
    assert found.process.io_priority == 3 << 13 | 7
    assert found.process.scheduler == (3, 5, 0, 1, 0, 0, 0)
    assert found.personality == 8


def test_ambient_capabilities_that_cannot_be_are_left_out(folder):
    sets = {"permitted": ["CAP_KILL", "CAP_CHOWN", "CAP_NOSUCH"], "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL", "CAP_CHOWN"]}
    found = config.parse(changed("process.capabilities", sets), str(folder)).process.core.capabilities
    assert (found.permitted, found.ambient) == (("CAP_KILL", "CAP_CHOWN"), ("CAP_KILL",))


@pytest.mark.parametrize("path,value", [
    ("process", None), ("process.scheduler", {"policy": "SCHED_NOSUCH"}), ("process.scheduler.deadline_", 1),
    ("process.ioPriority", {"class": "x"}), ("process.selinuxLabel", "x"), ("linux.mountLabel", "x"), ("linux.intelRdt", {"closID": "x"}),
    ("linux.personality", {"domain": "BSD"}), ("linux.uidMappings", [{"containerID": 0, "hostID": 1, "size": 2}]),
    ("linux.timeOffsets", {"boottime": {"secs": 1}}), ("linux.namespaces", [{"type": "pid"}]), ("linux.namespaces", [{"type": "x"}]),
    ("hooks", {"createRuntime": [{"path": "relative"}]}), ("hooks", {"nosuch": [{"path": "/x"}]}), ("hooks.prestart", [{"path": "/x", "timeout": 0}]),
    ("vm", {"x": 1}), ("root.path", "elsewhere"), ("root", {}),
])
def test_what_is_wrong_or_not_honoured_is_named(folder, path, value):
    (folder / "rootfs").rename(folder / "other") if path == "root" else None
    with pytest.raises(CockerError, match=path.split(".")[0]):
        config.parse(changed(path, value), str(folder))
