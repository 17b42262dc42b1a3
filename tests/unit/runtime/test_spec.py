# SPDX-License-Identifier: GPL-3.0-or-later
"""From a wish to config.json, and that our own reader takes every one."""
from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model import idmap, oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.runtime import defaults, mount_options, spec


def config(**wish: t.Any) -> t.Dict[str, t.Any]:
    wish.setdefault("args", ("true",))
    return spec.compile_config(spec.RuntimeWish(name="web", lower=("/l/2", "/l/1"), upper="/c/upper", work="/c/work", **wish))


def test_the_same_wish_gives_the_same_config() -> None:
    one = config(env={"B": "2", "A": "1"}, sysctls={"net.b": "1", "net.a": "2"})
    other = config(env={"A": "1", "B": "2"}, sysctls={"net.a": "2", "net.b": "1"})
    assert json.dumps(one) == json.dumps(other)


def test_the_root_is_the_overlay_topmost_first() -> None:
    assert config()["mounts"][0] == {
        "destination": "/", "type": "overlay", "source": "cocker",
        "options": ["lowerdir+=/l/2", "lowerdir+=/l/1", "upperdir=/c/upper", "workdir=/c/work"]}


def test_environment_has_defaults_that_yield() -> None:
    assert config(hostname="h", env={"A": "1"})["process"]["env"] == ["A=1", "HOSTNAME=h", "PATH=" + defaults.PATH]
    assert config(env={"PATH": "/bin"})["process"]["env"] == ["PATH=/bin"]


@pytest.mark.parametrize(("network", "space"), [
    (None, {"type": "network"}), ("/run/netns/x", {"type": "network", "path": "/run/netns/x"}), (spec.HOST, None)])
def test_networks(network: t.Optional[str], space: t.Optional[t.Dict[str, str]]) -> None:
    found = [item for item in config(network=network)["linux"]["namespaces"] if item["type"] == "network"]
    assert found == ([space] if space else [])


@pytest.mark.parametrize(("pids", "space"), [("/proc/9/ns/pid", {"type": "pid", "path": "/proc/9/ns/pid"}), (spec.HOST, None)])
def test_processes_of_others(pids: str, space: t.Optional[t.Dict[str, str]]) -> None:
    found = [item for item in config(shared={"pid": pids})["linux"]["namespaces"] if item["type"] == "pid"]
    assert found == ([space] if space else [])
    for said in ({"init": True}, {"init": True, "args": None}, {"own_cgroup": True}, {"maps": idmap.whole(100000)}):
        with pytest.raises(Invalid, match="option pid_mode: "):
            config(shared={"pid": pids}, **said)


def test_mounts_come_outer_before_inner_and_replace_the_standard_ones() -> None:
    mounts = (spec.MountWish("bind", "/a/b/c", "/x"), spec.MountWish("volume", "/a", "/v", read_only=True),
              spec.MountWish("tmpfs", "/dev/shm", size=4096, mode=0o1777))
    found = config(mounts=mounts)["mounts"]
    places = [mount["destination"] for mount in found]
    assert places[-3:] == ["/a", "/dev/shm", "/a/b/c"] and places.count("/dev/shm") == 1
    assert found[-3]["options"] == ["rbind", "rprivate", "rro"] and found[-2]["options"] == ["nosuid", "nodev", "rw", "size=4096", "mode=1777"]


@pytest.mark.parametrize("place", ["/", "/proc", "/sys/"])
def test_nothing_covers_what_the_container_is_made_of(place: str) -> None:
    with pytest.raises(Invalid):
        config(mounts=(spec.MountWish("tmpfs", place),))


def test_whoever_has_a_cgroup_of_its_own_may_write_there_and_nowhere_else_in_sys() -> None:
    def read_only(**wish: t.Any) -> t.List[str]:
        return [mount["destination"] for mount in config(**wish)["mounts"] if "ro" in mount["options"]]

    assert read_only() == ["/sys", "/sys/fs/cgroup"]
    assert read_only(own_cgroup=True) == ["/sys"]


def test_one_destination_is_taken_once() -> None:
    with pytest.raises(Invalid):
        config(mounts=(spec.MountWish("tmpfs", "/a"), spec.MountWish("tmpfs", "/a/")))


@pytest.mark.parametrize(("add", "drop", "has", "lacks"), [
    ((), (), {"CAP_CHOWN", "CAP_KILL"}, {"CAP_SYS_ADMIN"}),
    (("net_admin",), ("KILL",), {"CAP_NET_ADMIN"}, {"CAP_KILL"}),
    ((), ("ALL",), set(), {"CAP_CHOWN"}),
    (("CHOWN",), ("all",), {"CAP_CHOWN"}, {"CAP_KILL"}),
    (("ALL",), ("CAP_SYS_ADMIN",), {"CAP_BPF", "CAP_CHOWN"}, {"CAP_SYS_ADMIN"}),
    (("ALL", "SYS_ADMIN"), ("SYS_ADMIN",), {"CAP_SYS_ADMIN"}, set()),
])
def test_capability_sets(add: t.Tuple[str, ...], drop: t.Tuple[str, ...], has: t.Set[str], lacks: t.Set[str]) -> None:
    found = set(spec.capability_set(add=add, drop=drop))
    assert has <= found and not lacks & found and "ALL" not in found


def test_fourteen_capabilities_by_default() -> None:
    assert len(spec.capability_set()) == 14


def test_privileged_means_no_filter_no_masks_all_devices() -> None:
    linux = config(privileged=True)["linux"]
    assert "seccomp" not in linux and linux["maskedPaths"] == [] == linux["readonlyPaths"]
    assert linux["resources"]["devices"] == [{"allow": True, "access": "rwm"}]


def test_devices_are_denied_first_then_allowed() -> None:
    device = spec.DeviceWish("/dev/fuse", "c", 10, 229, permissions="rw")
    linux = config(devices=(device,), resources={"pids": {"limit": 5}})["linux"]
    rules = linux["resources"]["devices"]
    assert rules[0] == {"allow": False, "access": "rwm"}
    assert rules[-1] == {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"}
    assert linux["resources"]["pids"] == {"limit": 5} and linux["devices"][0]["path"] == "/dev/fuse"


def test_foreign_annotations_cannot_be_ours() -> None:
    found = config(annotations={"cocker.init": "true", "org.x": "1"}, user="app")["annotations"]
    assert found["cocker.init"] == "false" and found["org.x"] == "1" and found["cocker.user"] == "app"


@pytest.mark.parametrize("wish", [
    {"ulimits": (spec.UlimitWish("nofiles", 1, 1),)}, {"ulimits": (spec.UlimitWish("core", 2, 1),)},
    {"sysctls": {"kernel.core_pattern": "x"}}, {"sysctls": {"net.ipv4.x": "1"}, "network": spec.HOST},
    {"cwd": "relative"}, {"args": None}, {"seccomp": "strict"}, {"devices": (spec.DeviceWish("/dev/x", "c", 1, 1, permissions="x"),)},
    {"mounts": (spec.MountWish("npipe", "/x"),)}, {"mounts": (spec.MountWish("bind", "/x", "/y", propagation="up"),)},
])
def test_bad_wishes_are_found_before_anything_is_written(wish: t.Dict[str, t.Any]) -> None:
    with pytest.raises(Invalid):
        config(**wish)


def test_unlimited() -> None:
    assert config(ulimits=(spec.UlimitWish("RLIMIT_core", -1, -1),))["process"]["rlimits"] == [
        {"type": "RLIMIT_CORE", "soft": 2**64 - 1, "hard": 2**64 - 1}]


def test_our_reader_takes_what_we_write() -> None:
    found = oci.parse(config(init=True, args=None, user="app", stop_signal="RTMIN+3", stop_timeout=0, log_driver="none"))
    assert found.settings.init and found.settings.stop_timeout == 0 and found.process.user == "app"
    assert [mount_options.parse(mount.options) for mount in found.mounts if mount.destination != "/"]
