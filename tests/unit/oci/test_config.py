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


# Fields of config.md and config-linux.md (OCI runtime spec 1.3) that are not honoured, one at a time; and names that no field has.
REFUSED = {
    "process.execCPUAffinity.nix": "0", "process.selinuxLabel": "x", "process.commandLine": "x", "process.user.username": "x",
    "linux.intelRdt": {"closID": "x"}, "linux.netDevices.eth0.nix": 1, "linux.memoryPolicy.nix": 1, "linux.mountLabel": "x",
    "solaris": {"milestone": "x"}, "windows": {"layerFolders": ["x"]}, "vm": {"kernel": {"path": "/x"}}, "zos": {"namespaces": [1]},
    "freebsd": {"jail": {"parent": "x"}}, "linux.personality": {"domain": "LINUX", "flags": ["x"]},
    "linux.nix": 1, "process.nix": 1, "process.user.nix": 1, "process.consoleSize.nix": 1, "process.capabilities.nix": ["x"], "root.nix": 1,
    "process.scheduler.nix": 1, "process.ioPriority.nix": 1, "hooks.nix": [{"path": "/x"}], "linux.timeOffsets.nix": 1, "nix": 1,
    "linux.resources.nix": 1, "linux.resources.memory.nix": 1, "linux.resources.cpu.nix": 1, "linux.resources.pids.nix": 1,
    "linux.resources.network.nix": 1, "linux.resources.blockIO.nix": 1, "linux.seccomp.nix": 1,
    "linux.resources.rdma.mlx.nix": 1, "linux.resources.devices[0].nix": 1, "linux.resources.hugepageLimits[0].nix": 1,
    "linux.resources.network.priorities[0].nix": 1, "linux.resources.blockIO.weightDevice[0].nix": 1,
    "linux.resources.blockIO.throttleReadIOPSDevice[0].nix": 1, "linux.seccomp.syscalls[0].nix": 1, "linux.seccomp.syscalls[0].args[0].nix": 1,
    "mounts[0].nix": 1, "linux.namespaces[0].nix": 1, "linux.devices[0].nix": 1, "process.rlimits[0].nix": 1, "hooks.prestart[0].nix": 1,
    "linux.uidMappings[0].nix": 1,
}


def put(config_: t.Any, path: str, value: t.Any) -> t.Any:
    """With lists in the path, whose entries are made where there are none."""
    place = config_
    *outer, last = path.split(".")
    for key in outer:
        key, is_list = key.replace("[0]", ""), key.endswith("[0]")
        place = place.setdefault(key, [{}] if is_list else {})
        place = place[0] if is_list else place
    place[last] = value
    return config_


@pytest.mark.parametrize("path", list(REFUSED))
def test_no_field_is_passed_over_in_silence(folder, path):
    text = copy.deepcopy(SMALL)
    text["mounts"] = [{"destination": "/x", "type": "tmpfs", "source": "tmpfs"}]
    text["linux"]["devices"] = [{"type": "c", "path": "/dev/x", "major": 1, "minor": 3}]
    text["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2}]
    text["hooks"] = {"prestart": [{"path": "/x"}]}
    if path.startswith("process.scheduler"):
        text["process"]["scheduler"] = {"policy": "SCHED_OTHER"}
    if path.startswith("process.ioPriority"):
        text["process"]["ioPriority"] = {"class": "IOPRIO_CLASS_BE"}
    if path.startswith("linux.uidMappings"):
        text["linux"]["uidMappings"] = [{"containerID": 0, "hostID": 1, "size": 2}]
    with pytest.raises(CockerError) as caught:
        config.parse(put(text, path, REFUSED[path]), str(folder))
    name = path.partition("[")[0] if path.startswith("linux.uidMappings") else path
    assert name in str(caught.value)


@pytest.mark.parametrize("path,value", [
    ("linux.resources.memory", dict.fromkeys(("limit", "reservation", "swap", "kernel", "kernelTCP", "swappiness"), 1)),
    ("linux.resources.memory", dict.fromkeys(("disableOOMKiller", "useHierarchy", "checkBeforeUpdate"), True)),
    ("linux.resources.cpu", dict.fromkeys(("shares", "quota", "burst", "period", "realtimeRuntime", "realtimePeriod", "idle"), 1)),
    ("linux.resources.cpu", {"cpus": "0", "mems": "0"}), ("linux.resources.pids", {"limit": 1}),
    ("linux.resources.blockIO", {"weight": 1, "leafWeight": 1, "weightDevice": [{"major": 1, "minor": 1, "weight": 1, "leafWeight": 1}]}),
    *[("linux.resources.blockIO", {"throttle%sDevice" % kind: [{"major": 1, "minor": 1, "rate": 1}]})
      for kind in ("ReadBps", "WriteBps", "ReadIOPS", "WriteIOPS")],
    ("linux.resources.hugepageLimits", [{"pageSize": "2MB", "limit": 1}]), ("linux.resources.rdma", {"mlx": {"hcaHandles": 1, "hcaObjects": 1}}),
    ("linux.resources.network", {"classID": 1, "priorities": [{"name": "lo", "priority": 1}]}), ("linux.resources.unified", {"memory.high": "1"}),
    ("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1, "architectures": [], "flags": [], "listenerPath": "", "syscalls": [
        {"names": ["x"], "action": "SCMP_ACT_LOG", "errnoRet": 1, "args": [{"index": 0, "value": 1, "valueTwo": 2, "op": "SCMP_CMP_EQ"}]}]}),
])
def test_what_the_spec_has_of_limits_and_filters_is_passed_on(folder, path, value):
    found = config.parse(put(copy.deepcopy(SMALL), path, value), str(folder)).bundle
    passed = found.seccomp if path == "linux.seccomp" else found.resources[path.rpartition(".")[2]]
    assert passed == value
