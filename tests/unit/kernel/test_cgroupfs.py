# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the hierarchies of v1, hybrid and v2 hosts, and control files as plain files."""
from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, libc
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, KernelError, Unsupported

V1_MOUNTS = """\
25 30 0:23 / /sys rw,nosuid - sysfs sysfs rw
31 25 0:27 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
34 31 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
40 31 0:37 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:11 - cgroup cgroup rw,cpu,cpuacct
41 31 0:38 / /sys/fs/cgroup/memory rw,relatime shared:12 - cgroup cgroup rw,memory
"""
V1_MEMBERSHIP = "4:memory:/user.slice\n3:cpu,cpuacct:/\n2:pids:/\n1:name=systemd:/user.slice\n"
V2_MOUNT = "35 25 0:28 / %s rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"


def test_co_mounted_controllers_share_a_mount_point() -> None:
    v1, unified = cgroupfs.hierarchies(V1_MOUNTS, V1_MEMBERSHIP)
    assert v1 == {
        "cpu": "/sys/fs/cgroup/cpu,cpuacct",
        "cpuacct": "/sys/fs/cgroup/cpu,cpuacct",
        "memory": "/sys/fs/cgroup/memory",
        "name=systemd": "/sys/fs/cgroup/systemd",
    }
    assert unified == ""


def test_mount_options_are_not_taken_for_controllers() -> None:
    v1, _unified = cgroupfs.hierarchies(V1_MOUNTS, V1_MEMBERSHIP)
    assert "xattr" not in v1 and "rw" not in v1


def test_a_bind_of_a_part_loses_against_the_whole() -> None:
    part = "90 25 0:38 /docker/abc /mnt/part rw - cgroup cgroup rw,memory\n"
    for text in (part + V1_MOUNTS, V1_MOUNTS + part):
        assert cgroupfs.hierarchies(text, V1_MEMBERSHIP)[0]["memory"] == "/sys/fs/cgroup/memory"


def test_a_part_is_taken_where_nothing_else_is_visible() -> None:
    part = "90 25 0:38 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    assert cgroupfs.hierarchies(part, V1_MEMBERSHIP)[0] == {"memory": "/sys/fs/cgroup/memory"}


def test_escaped_mount_points_are_read() -> None:
    assert cgroupfs.hierarchies(V2_MOUNT % "/a\\040b", "0::/\n") == ({}, "/a b")


def host(tmp_path: pathlib.Path, mounts: str, membership: str) -> str:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "mountinfo").write_text(mounts)
    (tmp_path / "proc" / "cgroup").write_text(membership)
    return str(tmp_path / "proc")


def unified(tmp_path: pathlib.Path, controllers: str) -> str:
    (tmp_path / "v2").mkdir()
    (tmp_path / "v2" / "cgroup.controllers").write_text(controllers + "\n")
    return str(tmp_path / "v2")


def test_v2_host_binds_every_controller_to_the_unified_hierarchy(tmp_path: pathlib.Path) -> None:
    point = unified(tmp_path, "cpu memory pids")
    layout = cgroupfs.layout(host(tmp_path, V2_MOUNT % point, "0::/init.scope\n"))
    assert layout.mode == "v2"
    assert layout.controllers == {"cpu": point, "memory": point, "pids": point}
    assert layout.version("memory") == 2 and layout.version("freezer") == 0


def test_hybrid_host_keeps_v1_controllers_and_adds_what_v2_has(tmp_path: pathlib.Path) -> None:
    point = unified(tmp_path, "hugetlb")
    layout = cgroupfs.layout(host(tmp_path, V1_MOUNTS + V2_MOUNT % point, V1_MEMBERSHIP + "0::/\n"))
    assert layout.mode == "hybrid"
    assert (layout.version("memory"), layout.version("hugetlb")) == (1, 2)


def test_v1_host_has_no_unified_hierarchy(tmp_path: pathlib.Path) -> None:
    layout = cgroupfs.layout(host(tmp_path, V1_MOUNTS, V1_MEMBERSHIP))
    assert (layout.mode, layout.unified) == ("v1", "")


def test_host_without_cgroups_is_said_so(tmp_path: pathlib.Path) -> None:
    with pytest.raises(Unsupported, match="no cgroup hierarchy"):
        cgroupfs.layout(host(tmp_path, "", ""))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b", "a\nb", "x" * 256])
def test_names_that_are_no_file_names_are_refused(name: str) -> None:
    with pytest.raises(Invalid):
        cgroupfs.check_name(name)


@pytest.mark.parametrize("name", ["web", "a b", "100%25", "-x", "größe"])
def test_any_plain_file_name_is_accepted(name: str) -> None:
    assert cgroupfs.check_name(name) == name


def test_a_missing_control_file_is_not_created(tmp_path: pathlib.Path) -> None:
    with pytest.raises(KernelError, match="write '5' to .*pids.max: No such file"):
        cgroupfs.write(str(tmp_path), "pids.max", "5")
    assert not os.listdir(str(tmp_path))


def test_find_says_none_for_a_missing_file(tmp_path: pathlib.Path) -> None:
    assert cgroupfs.find(str(tmp_path), "memory.peak") is None


def test_keyed_files_are_read_as_mappings() -> None:
    assert cgroupfs.keyed("oom 1\noom_kill 2\nbad line here\nname x\n") == {"oom": 1, "oom_kill": 2}


def test_pids_of_other_namespaces_are_left_out(tmp_path: pathlib.Path) -> None:
    (tmp_path / "cgroup.procs").write_text("0\n12\n0\n7\n")
    assert cgroupfs.pids(str(tmp_path)) == [12, 7]


def test_subtree_lists_children_before_parents(tmp_path: pathlib.Path) -> None:
    for path in ("a/b/c", "a/d", "e"):
        (tmp_path / path).mkdir(parents=True)
    found = cgroupfs.subtree(str(tmp_path))
    assert len(found) == 6 and found[-1] == str(tmp_path)
    for path in found[:-1]:
        assert found.index(path) < found.index(os.path.dirname(path))


def test_subtree_of_a_gone_cgroup_is_empty(tmp_path: pathlib.Path) -> None:
    assert cgroupfs.subtree(str(tmp_path / "gone")) == []


@pytest.mark.parametrize("number", [libc.NR["clone3"], 9999])
def test_a_sibling_is_born_with_and_without_clone3(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(libc.NR, "clone3", number)
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            sibling = cgroupfs.fork_as(cgroupfs.CLONE_PARENT)
            if sibling == 0:
                os.write(told, b"%d" % os.getppid())
        finally:
            os._exit(0)
    assert {os.wait()[0], os.wait()[0]} > {child}
    assert int(os.read(heard, 20)) == os.getpid()
    os.close(heard)
    os.close(told)
