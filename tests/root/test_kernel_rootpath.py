# SPDX-License-Identifier: GPL-3.0-or-later
"""Rooted paths against somebody who changes the root meanwhile, and what takes root to do."""
from __future__ import annotations

import contextlib
import os
import pathlib
import stat
import time
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import libc, mounts, rootpath, sysctl
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Unsupported
from ansible_collections.cocker.engine.tests.root import kernel_sandbox as sandbox

pytestmark = pytest.mark.root

SECONDS = 0.5


@pytest.fixture(params=["openat2", "walk"])
def _kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "walk":
        monkeypatch.setitem(libc._known, "openat2", False)


RENAME_EXCHANGE = 2


def swap_for_ever(top: pathlib.Path) -> None:
    """The directory `a/b` and a link to the outside take each other's place, with no moment in between."""
    folder, link = os.fsencode(top / "root/a/b"), os.fsencode(top / "root/a/link")
    while True:
        libc.libc.renameat2(-100, folder, -100, link, RENAME_EXCHANGE)


@pytest.mark.usefixtures("_kernel")
def test_swapping_a_directory_for_a_link_leads_nobody_outside(tmp_path: pathlib.Path) -> None:
    def action() -> t.List[t.Any]:
        (tmp_path / "root/a/b").mkdir(parents=True)
        (tmp_path / "outside").mkdir()
        (tmp_path / "root/a/link").symlink_to(tmp_path / "outside")
        child = os.fork()
        if child == 0:
            swap_for_ever(tmp_path)
        try:
            rounds = make_things(rootpath.open_root(str(tmp_path / "root")))
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
        return [rounds > 10, os.listdir(str(tmp_path / "outside"))]

    assert sandbox.run(action, flags=0) == [True, []]


def make_things(root: int) -> int:
    """What fails is fine, as long as it fails inside."""
    rounds, end = 0, time.monotonic() + SECONDS
    while time.monotonic() < end:
        rounds += 1
        with contextlib.suppress(OSError):
            rootpath.ensure_dir(root, "a/b/c%d/d" % rounds)
        with contextlib.suppress(OSError):
            rootpath.ensure_file(root, "a/b/file%d" % rounds)
        with contextlib.suppress(OSError):
            os.close(rootpath.open_in(root, "a/b/other%d" % rounds, os.O_WRONLY | os.O_CREAT, 0o644))
    return rounds


@pytest.mark.usefixtures("_kernel")
def test_devices_are_made_whatever_the_umask(tmp_path: pathlib.Path) -> None:
    before, root = os.umask(0o077), rootpath.open_root(str(tmp_path))
    rootpath.mknod(root, "/dev/null", mode=stat.S_IFCHR | 0o666, device=os.makedev(1, 3))
    os.close(root)
    os.umask(before)
    found = (tmp_path / "dev/null").stat()
    assert (found.st_rdev, stat.S_IMODE(found.st_mode)) == (os.makedev(1, 3), 0o666)


@pytest.mark.usefixtures("_kernel")
def test_mounts_below_the_root_are_crossed(tmp_path: pathlib.Path) -> None:
    def action() -> bool:
        (tmp_path / "mnt").mkdir()
        mounts.mount("none", str(tmp_path / "mnt"), fstype="tmpfs")
        rootpath.ensure_file(rootpath.open_root(str(tmp_path)), "mnt/a/b")
        return (tmp_path / "mnt/a/b").exists()

    assert sandbox.run(action)


def test_sysctl_is_written_in_the_own_namespace_only() -> None:
    def action() -> t.List[str]:
        before = sysctl.read("net.ipv4.ip_default_ttl")
        sysctl.write("net.ipv4.ip_default_ttl", 77)
        return [before, sysctl.read("net/ipv4/ip_default_ttl")]

    before = sysctl.read("net.ipv4.ip_default_ttl")
    assert sandbox.run(action)[1] == "77"
    assert sysctl.read("net.ipv4.ip_default_ttl") == before


def test_sysctl_does_not_go_through_a_mount_that_looks_like_it() -> None:
    def action() -> str:
        mounts.mount("none", "/proc/sys", fstype="tmpfs")
        with pytest.raises(Unsupported):
            sysctl.write("net.ipv4.ip_default_ttl", 77)
        mounts.umount("/proc/sys")
        mounts.mount("none", "/proc/sys/net", fstype="tmpfs")
        pathlib.Path("/proc/sys/net/prepared").write_text("")
        with pytest.raises(OSError):
            sysctl.write("net.prepared", "1")
        return pathlib.Path("/proc/sys/net/prepared").read_text()

    assert sandbox.run(action) == ""
