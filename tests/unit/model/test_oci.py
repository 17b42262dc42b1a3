# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading config.json: what is honoured, and that nothing else passes."""
from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model import oci, settings as settings_
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Invalid, Unsupported

CONFIG: t.Dict[str, t.Any] = {
    "ociVersion": "1.2.0",
    "root": {"path": "rootfs", "readonly": True},
    "process": {
        "args": ["sh", "-c", "true"], "env": ["A=b=c"], "cwd": "/srv", "user": {"uid": 5, "gid": 6, "additionalGids": [7]},
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 2**64 - 1}], "noNewPrivileges": True, "oomScoreAdj": -5,
        "capabilities": {"bounding": ["CAP_KILL"]},
    },
    "hostname": "h",
    "mounts": [{"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid"]}],
    "annotations": {"org.other": "kept", "cocker.init": "true", "cocker.user": "app:web", "cocker.log.max-size": "100"},
    "linux": {
        "namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "uts"}, {"type": "network", "path": "/run/netns/x"}],
        "devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 438}],
        "sysctl": {"net.ipv4.ip_forward": "1"}, "maskedPaths": ["/proc/kcore"], "resources": {"pids": {"limit": 5}},
    },
}


def changed(path: str, value: t.Any) -> t.Dict[str, t.Any]:
    config = copy.deepcopy(CONFIG)
    *folders, name = path.split("/")
    place = config
    for folder in folders:
        place = place.setdefault(folder, {})
    place[name] = value
    return config


def test_everything_is_read() -> None:
    found = oci.parse(CONFIG)
    assert (found.root, found.read_only, found.hostname) == ("rootfs", True, "h")
    process = found.process
    assert (process.args, process.env, process.cwd, process.user) == (("sh", "-c", "true"), ("A=b=c",), "/srv", "app:web")
    assert (process.uid, process.gid, process.groups, process.oom_score_adj) == (5, 6, (7,), -5)
    assert process.rlimits == (oci.Rlimit("NOFILE", 64, oci.INFINITY),)
    assert process.capabilities.bounding == ("CAP_KILL",) and process.no_new_privileges
    assert found.namespace("network") == oci.Namespace("network", "/run/netns/x") and found.namespace("ipc") is None
    assert found.devices == (oci.Device("/dev/fuse", "c", 10, 229, 0o666),)
    assert found.settings == settings_.Settings(init=True, log_size=100)
    assert found.overlay() is None and found.propagation == "rprivate"


@pytest.mark.parametrize(("path", "value", "named"), [
    ("linux/intelRdt", {"closID": "x"}, "linux.intelRdt"),
    ("linux/uidMappings", [{"containerID": 0, "hostID": 1, "size": 1}], "linux.uidMappings"),
    ("linux/mountLabel", "system_u", "linux.mountLabel"),
    ("hooks", {"prestart": [{"path": "/x"}]}, "hooks"),
    ("process/apparmorProfile", "p", "process.apparmorProfile"),
    ("process/selinuxLabel", "l", "process.selinuxLabel"),
    ("process/scheduler", {"policy": "SCHED_FIFO"}, "process.scheduler"),
    ("unknownField", 1, "unknownField"),
    ("ociVersion", "2.0.0", "ociVersion"),
    ("linux/namespaces", [{"type": "pid"}, {"type": "mount"}, {"type": "time"}], "linux.namespaces[2].type"),
    ("linux/namespaces", [{"type": "pid"}], "linux.namespaces"),
    ("linux/namespaces", [{"type": "pid"}, {"type": "mount", "path": "/proc/1/ns/mnt"}], "linux.namespaces[1].path"),
    ("linux/namespaces", [{"type": "pid", "path": "ns/pid"}, {"type": "mount"}], "linux.namespaces[0].path"),
    ("annotations", {"cocker.hook": "x"}, "annotations[cocker.hook]"),
    ("annotations", {"cocker.init": "true", "cocker.log.driver": "syslog"}, "annotations[cocker.log.driver]"),
])
def test_what_is_not_honoured_is_refused_by_name(path: str, value: t.Any, named: str) -> None:
    with pytest.raises(Unsupported) as caught:
        oci.parse(changed(path, value))
    assert named in str(caught.value)


@pytest.mark.parametrize("path", ["linux/intelRdt", "linux/timeOffsets", "hooks", "process/apparmorProfile", "process/terminal"])
@pytest.mark.parametrize("value", [None, {}, [], "", False])
def test_an_empty_field_says_nothing(path: str, value: t.Any) -> None:
    if path != "process/terminal" or value in (None, False) and value != "":
        oci.parse(changed(path, value))


@pytest.mark.parametrize(("path", "value", "named"), [
    ("process/args", "sh", "process.args"), ("process/args", ["a\0b"], "process.args[0]"), ("process/args", [1], "process.args[0]"),
    ("process/cwd", "srv", "process.cwd"), ("process/env", ["A"], "process.env"), ("process/env", ["=b"], "process.env"),
    ("process/user/uid", -1, "process.user.uid"), ("process/user/uid", 2**32 - 1, "process.user.uid"),
    ("process/user/uid", True, "process.user.uid"), ("process/user/additionalGids", ["0"], "process.user.additionalGids"),
    ("process/rlimits", [{"type": "NOFILE", "soft": 1, "hard": 1}], "process.rlimits[0].type"),
    ("process/rlimits", [{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}], "process.rlimits[0]"),
    ("process/oomScoreAdj", 1001, "process.oomScoreAdj"), ("mounts", [{"destination": "proc"}], "mounts[0].destination"),
    ("mounts", {}, "mounts"), ("linux/maskedPaths", ["kcore"], "linux.maskedPaths"),
    ("linux/namespaces", [{"type": "pid"}, {"type": "pid"}], "linux.namespaces[1].type"),
    ("linux/devices", [{"path": "/dev/x", "type": "z"}], "linux.devices[0].type"),
    ("linux/rootfsPropagation", "loud", "linux.rootfsPropagation"), ("root", [], "root"),
    ("annotations", {"cocker.init": "yes"}, "annotations[cocker.init]"),
    ("annotations", {"cocker.init": "true", "cocker.log.max-file": "0"}, "annotations[cocker.log.max-file]"),
])
def test_a_wrong_value_is_named(path: str, value: t.Any, named: str) -> None:
    with pytest.raises(Invalid) as caught:
        oci.parse(changed(path, value))
    assert caught.value.subject == named


@pytest.mark.parametrize("value", [None, [], "x", 5, {"ociVersion": "1.0.0"}])
def test_no_config_at_all_is_an_error_of_ours(value: t.Any) -> None:
    with pytest.raises(CockerError):
        oci.parse(value)


def test_only_our_own_pid_1_needs_no_command() -> None:
    assert oci.parse(changed("process/args", [])).process.args == ()
    config = changed("process/args", [])
    config["annotations"] = {}
    with pytest.raises(Invalid):
        oci.parse(config)


MAPS = [{"containerID": 0, "hostID": 100000, "size": 1000}]


def test_maps_of_a_user_namespace() -> None:
    config = changed("linux/uidMappings", MAPS)
    config["linux"]["gidMappings"] = MAPS
    config["linux"]["namespaces"].append({"type": "user"})
    maps = oci.parse(config).process.maps
    assert maps is not None and maps.root == (100000, 100000)


@pytest.mark.parametrize("uids,gids,user", [(MAPS, MAPS, False), ([], [], True), (MAPS, [], True), ([{**MAPS[0], "containerID": 1}], MAPS, True)])
def test_maps_and_the_namespace_go_together(uids: t.Any, gids: t.Any, user: bool) -> None:
    config = changed("linux/uidMappings", uids)
    config["linux"]["gidMappings"] = gids
    config["linux"]["namespaces"] += [{"type": "user"}] if user else []
    with pytest.raises((Invalid, Unsupported)):
        oci.parse(config)
