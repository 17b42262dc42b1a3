# SPDX-License-Identifier: GPL-3.0-or-later
"""`features`: it has the form that the runtime spec 1.3 gives it, and what it says is so."""
from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model import oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.oci import config, features
from ansible_collections.cocker.engine.tests.unit.oci.test_config import changed

ENABLED: t.Dict[str, t.Any] = {"enabled": bool}
# As schema/features-schema.json and features-linux.json of the spec: a type, a list of words of a form, or an object with no other keys.
SHAPE: t.Dict[str, t.Any] = {
    "ociVersionMin": r"1\.[0-9]+\.[0-9]+", "ociVersionMax": r"1\.[0-9]+\.[0-9]+", "hooks": [r"[a-zA-Z]+"], "mountOptions": [r"[a-z]+"],
    "annotations": dict, "potentiallyUnsafeConfigAnnotations": [r".+"],
    "linux": {
        "namespaces": ["mount|pid|network|uts|ipc|user|cgroup|time"], "capabilities": ["CAP_[A-Z_]+"],
        "cgroup": dict.fromkeys(("v1", "v2", "systemd", "systemdUser", "rdma"), bool),
        "seccomp": {
            "enabled": bool, "actions": ["SCMP_ACT_[A-Z_]+"], "operators": ["SCMP_CMP_[A-Z_]+"], "archs": ["SCMP_ARCH_[A-Z0-9_]+"],
            "knownFlags": ["SECCOMP_FILTER_FLAG_[A-Z_]+"], "supportedFlags": ["SECCOMP_FILTER_FLAG_[A-Z_]+"],
        },
        "apparmor": ENABLED, "selinux": ENABLED, "intelRdt": {"enabled": bool, "schemata": bool, "monitoring": bool},
        "memoryPolicy": {"modes": ["MPOL_[A-Z_]+"], "flags": ["MPOL_F_[A-Z_]+"]}, "mountExtensions": {"idmap": ENABLED}, "netDevices": ENABLED,
    },
}
ABLE = features.describe()
LINUX = ABLE["linux"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rootfs").mkdir()
    return str(tmp_path)


def wrong(value: t.Any, shape: t.Any, path: str = "features") -> t.List[str]:
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [path]
        unknown = ["%s.%s" % (path, key) for key in value if key not in shape]
        return unknown + [each for key in value if key in shape for each in wrong(value[key], shape[key], "%s.%s" % (path, key))]
    if isinstance(shape, list):
        return [path] if len(set(value)) < len(value) else [each for word in value for each in wrong(word, shape[0], path)]
    if isinstance(shape, str):
        return [] if isinstance(value, str) and re.fullmatch(shape, value) else ["%s: %r" % (path, value)]
    return [] if isinstance(value, shape) else [path]


def test_it_has_the_form_of_the_spec():
    assert wrong(ABLE, SHAPE) == []
    assert all(isinstance(text, str) for text in ABLE["annotations"].values())


def test_its_versions_are_accepted_and_what_is_newer_is_a_later_minor(folder):
    assert oci.minor(ABLE["ociVersionMin"]) <= oci.minor(ABLE["ociVersionMax"]) == 3
    for key in ("ociVersionMin", "ociVersionMax"):
        config.parse(changed("ociVersion", ABLE[key]), folder)


def test_what_it_names_is_read(folder):
    def takes(path: str, value: t.Any) -> t.Any:
        return config.parse(changed(path, value), folder)

    for stage in ABLE["hooks"]:
        assert list(takes("hooks", {stage: [{"path": "/bin/true"}]}).hooks) == [stage]
    for kind in LINUX["namespaces"]:
        spaces = [{"type": each} for each in sorted({"mount", kind})]
        ids = [{"containerID": 0, "hostID": 1000, "size": 10}]
        given = changed("linux", {"namespaces": spaces, **({"uidMappings": ids, "gidMappings": ids} if kind == "user" else {})})
        assert kind in [space.kind for space in config.parse(given, folder).bundle.namespaces]
    held = takes("process.capabilities", {"bounding": LINUX["capabilities"]}).process.core.capabilities
    assert set(held.bounding) == set(LINUX["capabilities"])
    for mode in LINUX["memoryPolicy"]["modes"]:
        assert takes("linux.memoryPolicy", {"mode": mode, "flags": LINUX["memoryPolicy"]["flags"]}).memory_policy is not None
    for word in ABLE["mountOptions"]:
        mount = {"destination": "/x", "type": "tmpfs", "source": "tmpfs", "options": [word], "uidMappings": [
            {"containerID": 0, "hostID": 1, "size": 1}], "gidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]}
        assert takes("mounts", [mount]).bundle.mounts[0].destination == "/x"


def test_what_it_says_is_there_is_there_and_the_rest_refused(folder):
    given = changed("linux", {"namespaces": [{"type": "mount"}, {"type": "network"}], "netDevices": {"eth7": {}}})
    assert bool(config.parse(given, folder).net_devices) == LINUX["netDevices"]["enabled"]
    for path, value, able in (
        ("linux.intelRdt", {"schemata": ["L3:0=f"]}, LINUX["intelRdt"]), ("process.selinuxLabel", "some:label", LINUX["selinux"]),
    ):
        assert not able["enabled"]
        with pytest.raises(Unsupported):
            config.parse(changed(path, value), folder)


@pytest.mark.parametrize(("version", "limit"), [("1.0.2", -1), ("1.2.1", -1), ("1.3.0-rc.1", 0), ("1.3.0", 0), ("1.10.0", 0)])
def test_no_process_at_all_is_a_limit_since_1_3(folder, version, limit):
    given = dict(changed("linux.resources", {"pids": {"limit": 0}}), ociVersion=version)
    assert config.parse(given, folder).bundle.resources["pids"] == {"limit": limit}
