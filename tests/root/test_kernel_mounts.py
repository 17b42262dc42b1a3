# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts on the real kernel, each case in a mount namespace of its own."""
from __future__ import annotations

import os
import pathlib
import resource
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, libc, mountinfo, mounts, rootpath
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError
from ansible_collections.cocker.engine.tests.root import kernel_sandbox as sandbox

pytestmark = pytest.mark.root


@pytest.fixture(params=["new", "old"])
def interface(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[str]:
    """The mount calls of Linux 5.2 to 6.7, and what stands in for them on older kernels."""
    mounts._found.clear()
    if request.param == "old":
        for name in ("fsopen", "mount_setattr"):
            monkeypatch.setitem(libc._known, name, False)
    yield request.param
    mounts._found.clear()


def options_of(path: str) -> t.List[str]:
    return list(next(entry for entry in reversed(mountinfo.entries()) if entry.mount_point == path).options)


def make_layers(top: pathlib.Path, count: int, name: str = "layer%d") -> t.List[str]:
    """Each has a file of its own and says in `which` that it is the one on top."""
    found = []
    for number in range(count):
        path = top / "layers" / (name % number) / "diff"
        path.mkdir(parents=True)
        (path / "which").write_text(str(number))
        (path / ("file%d" % number)).write_text("")
        found.append(str(path))
    return found


def test_tmpfs_is_mounted_with_its_options_and_unmounted(tmp_path: pathlib.Path) -> None:
    def action() -> t.List[t.Any]:
        path = str(tmp_path)
        mounts.mount("none", path, fstype="tmpfs", flags=consts.MS_NOSUID | consts.MS_NODEV, data="size=64k,mode=0700")
        entry = mountinfo.below(path)[0]
        before = mountinfo.is_mountpoint(path)
        mounts.umount(path)
        return [entry.fstype, "nosuid" in entry.options, "size=64k" in entry.super_options, before, mountinfo.is_mountpoint(path)]

    assert sandbox.run(action) == ["tmpfs", True, True, True, False]


def test_busy_mount_is_refused_and_can_be_detached(tmp_path: pathlib.Path) -> None:
    def action() -> t.List[t.Any]:
        path = str(tmp_path)
        mounts.mount("none", path, fstype="tmpfs")
        with open(path + "/held", "w"):
            try:
                mounts.umount(path)
                refused = "not at all"
            except KernelError as error:
                refused = error.reason
            mounts.umount(path, detach=True)
        return [refused, mountinfo.is_mountpoint(path)]

    assert sandbox.run(action) == ["Device or resource busy", False]


def test_link_is_not_followed_when_unmounting(tmp_path: pathlib.Path) -> None:
    def action() -> bool:
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to("real")
        mounts.mount("none", str(tmp_path / "real"), fstype="tmpfs")
        with pytest.raises(KernelError):
            mounts.umount(str(tmp_path / "link"), detach=True)
        return mountinfo.is_mountpoint(str(tmp_path / "real"))

    assert sandbox.run(action)


@pytest.mark.parametrize("recursive", [True, False])
def test_bind_takes_the_mounts_below_along_if_so_asked(tmp_path: pathlib.Path, recursive: bool) -> None:
    def action() -> bool:
        (tmp_path / "a" / "sub").mkdir(parents=True)
        (tmp_path / "b").mkdir()
        mounts.mount("none", str(tmp_path / "a" / "sub"), fstype="tmpfs")
        mounts.bind(str(tmp_path / "a"), str(tmp_path / "b"), recursive=recursive)
        return mountinfo.is_mountpoint(str(tmp_path / "b" / "sub"))

    assert sandbox.run(action) is recursive


def test_bind_on_a_descriptor_lands_where_it_was_opened(tmp_path: pathlib.Path) -> None:
    def action() -> t.List[bool]:
        for name in ("source", "target", "elsewhere"):
            (tmp_path / name).mkdir()
        (tmp_path / "source" / "proof").write_text("")
        root = rootpath.open_root(str(tmp_path))
        target = rootpath.open_in(root, "target", os.O_PATH)
        (tmp_path / "target").rename(tmp_path / "moved")
        (tmp_path / "target").symlink_to("elsewhere")
        mounts.bind(str(tmp_path / "source"), target)
        return [(tmp_path / "moved" / "proof").exists(), (tmp_path / "elsewhere" / "proof").exists()]

    assert sandbox.run(action) == [True, False]


@pytest.mark.parametrize("on_descriptor", [True, False])
def test_tree_is_cloned_changed_and_attached(tmp_path: pathlib.Path, on_descriptor: bool) -> None:
    def action() -> t.List[t.Any]:
        for name in ("source", "target"):
            (tmp_path / name).mkdir()
        tree = mounts.open_tree(str(tmp_path / "source"), clone=True)
        mounts.mount_setattr(tree, set_=consts.MOUNT_ATTR_RDONLY)
        path = str(tmp_path / "target")
        mounts.move_mount(tree, os.open(path, os.O_PATH | os.O_DIRECTORY) if on_descriptor else path)
        return ["ro" in options_of(path), os.get_inheritable(tree)]

    assert sandbox.run(action) == [True, False]


def test_attributes_are_set_and_others_kept(tmp_path: pathlib.Path, interface: str) -> None:
    def action() -> t.List[t.List[str]]:
        path = str(tmp_path)
        mounts.mount("none", path, fstype="tmpfs", flags=consts.MS_NODEV | consts.MS_NOATIME)
        mounts.set_attributes(path, set_=consts.MOUNT_ATTR_RDONLY | consts.MOUNT_ATTR_NOSUID)
        both = sorted(options_of(path))
        mounts.set_attributes(path, clear=consts.MOUNT_ATTR_RDONLY)
        return [both, sorted(options_of(path))]

    assert sandbox.run(action) == [["noatime", "nodev", "nosuid", "ro"], ["noatime", "nodev", "nosuid", "rw"]]


def test_read_only_reaches_the_mounts_below_if_recursive(tmp_path: pathlib.Path, interface: str) -> None:
    def action() -> t.List[bool]:
        top, sub = str(tmp_path), str(tmp_path / "sub")
        mounts.mount("none", top, fstype="tmpfs")
        os.mkdir(sub)
        mounts.mount("none", sub, fstype="tmpfs", flags=consts.MS_NOEXEC)
        mounts.set_attributes(top, set_=consts.MOUNT_ATTR_RDONLY)
        alone = "ro" in options_of(sub)
        mounts.set_attributes(top, set_=consts.MOUNT_ATTR_RDONLY, recursive=True)
        return [alone, "ro" in options_of(sub), "noexec" in options_of(sub)]

    assert sandbox.run(action) == [False, True, True]


def test_attributes_of_what_is_no_mount_are_refused(tmp_path: pathlib.Path, interface: str) -> None:
    def action() -> str:
        with pytest.raises(KernelError) as caught:
            mounts.set_attributes(str(tmp_path), set_=consts.MOUNT_ATTR_RDONLY)
        return caught.value.reason

    assert sandbox.run(action) == "Invalid argument"


def test_access_times_are_one_choice(tmp_path: pathlib.Path, interface: str) -> None:
    def action() -> t.List[str]:
        path = str(tmp_path)
        mounts.mount("none", path, fstype="tmpfs")
        mounts.set_attributes(path, set_=consts.MOUNT_ATTR_NOATIME)
        return sorted(options_of(path))

    assert sandbox.run(action) == ["noatime", "rw"]


def test_attributes_are_set_through_a_descriptor(tmp_path: pathlib.Path, interface: str) -> None:
    def action() -> bool:
        mounts.mount("none", str(tmp_path), fstype="tmpfs")
        mounts.set_attributes(rootpath.open_root(str(tmp_path)), set_=consts.MOUNT_ATTR_RDONLY)
        return "ro" in options_of(str(tmp_path))

    assert sandbox.run(action)


def test_root_is_replaced(tmp_path: pathlib.Path) -> None:
    def action() -> t.List[str]:
        path = str(tmp_path)
        mounts.mount("none", path, fstype="tmpfs")
        (tmp_path / "only-this").mkdir()
        os.chdir(path)
        mounts.pivot_root(".", ".")
        mounts.umount(".", detach=True)
        os.chdir("/")
        return os.listdir("/")

    assert sandbox.run(action) == ["only-this"]


def mounted_stack(tmp_path: pathlib.Path, lower: t.List[str], *, writable: bool = True) -> pathlib.Path:
    for name in ("upper", "work", "merged"):
        (tmp_path / name).mkdir(exist_ok=True)
    upper, work = (str(tmp_path / "upper"), str(tmp_path / "work")) if writable else (None, None)
    mounts.overlay(str(tmp_path / "merged"), lower=lower, upper=upper, work=work)
    return tmp_path / "merged"


def test_stack_shows_the_topmost_first_and_keeps_writes_in_the_upper_layer(tmp_path: pathlib.Path, interface: str) -> None:
    def action() -> t.List[t.Any]:
        merged = mounted_stack(tmp_path, make_layers(tmp_path, 3))
        (merged / "written").write_text("new")
        (merged / "which").write_text("changed")
        lower = (tmp_path / "layers/layer0/diff/which").read_text()
        return [sorted(os.listdir(str(merged))), lower, sorted(os.listdir(str(tmp_path / "upper")))]

    assert sandbox.run(action) == [["file0", "file1", "file2", "which", "written"], "0", ["which", "written"]]


@pytest.mark.parametrize("count", [300, 500])
def test_hundreds_of_layers(tmp_path: pathlib.Path, interface: str, count: int) -> None:
    def action() -> t.List[t.Any]:
        lower = make_layers(tmp_path, count, "0123456789abcdef0123456789abcdef%d")
        if interface == "new":      # by their names no descriptor is needed
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        merged = mounted_stack(tmp_path, lower)
        return [len(os.listdir(str(merged))), (merged / "which").read_text()]

    assert sandbox.run(action) == [count + 1, "0"]


@pytest.mark.parametrize("name", ["a:b%d", "a,b%d", "a\\b%d", "a\\:b%d", "a b%d", "a=b%d", "a\"b'%d", "caf\u00e9\n%d", "x" * 120 + "%d"])
def test_layers_may_have_any_name(tmp_path: pathlib.Path, interface: str, name: str) -> None:
    def action() -> str:
        top = tmp_path / (name % 0)
        top.mkdir()
        return (mounted_stack(top, make_layers(top, 2, name)) / "which").read_text()

    assert sandbox.run(action) == "0"


@pytest.mark.parametrize("count", [1, 2])
def test_stack_without_an_upper_layer_is_read_only(tmp_path: pathlib.Path, interface: str, count: int) -> None:
    def action() -> str:
        merged = mounted_stack(tmp_path, make_layers(tmp_path, count), writable=False)
        try:
            (merged / "written").write_text("")
        except OSError as error:
            return os.strerror(error.errno or 0)
        return "written"

    assert sandbox.run(action) == "Read-only file system"


def test_relative_paths_and_the_working_directory(tmp_path: pathlib.Path, interface: str) -> None:
    def action() -> t.List[t.Any]:
        make_layers(tmp_path, 2)
        for name in ("upper", "work", "merged"):
            (tmp_path / name).mkdir()
        os.chdir(str(tmp_path))
        mounts.overlay("merged", lower=["layers/layer0/diff", "layers/layer1/diff"], upper="upper", work="work")
        return [os.getcwd() == str(tmp_path), (tmp_path / "merged" / "which").read_text()]

    assert sandbox.run(action) == [True, "0"]


def test_options_reach_the_file_system(tmp_path: pathlib.Path, interface: str) -> None:
    def action() -> t.List[bool]:
        for name in ("upper", "work", "merged"):
            (tmp_path / name).mkdir()
        mounts.overlay(str(tmp_path / "merged"), lower=make_layers(tmp_path, 1), upper=str(tmp_path / "upper"),
                       work=str(tmp_path / "work"), options=["userxattr", "index=on"])
        said = mountinfo.below(str(tmp_path / "merged"))[0].super_options
        return ["userxattr" in said, "index=on" in said]

    assert sandbox.run(action) == [True, True]


def test_refusal_carries_the_words_of_the_file_system(tmp_path: pathlib.Path) -> None:
    def action() -> str:
        (tmp_path / "merged").mkdir()
        with pytest.raises(KernelError) as caught:
            mounts.overlay(str(tmp_path / "merged"), lower=make_layers(tmp_path, 2), options=["redirect_dir=nonsense"])
        return str(caught.value)

    said = sandbox.run(action)
    assert said.startswith("fsconfig redirect_dir: Invalid argument: ")
    assert "overlay" in said.split(": ", 2)[2]


def test_failure_leaves_no_mount_and_no_descriptor(tmp_path: pathlib.Path, interface: str) -> None:
    def action() -> t.List[t.Any]:
        (tmp_path / "merged").mkdir()
        (tmp_path / "a:b").mkdir()
        before = set(os.listdir("/proc/self/fd"))
        for lower in ([str(tmp_path / "a:b"), str(tmp_path / "missing")], [str(tmp_path / "a:b")] * 600):
            with pytest.raises((KernelError, OSError)):
                mounts.overlay(str(tmp_path / "merged"), lower=lower)
        return [set(os.listdir("/proc/self/fd")) == before, mountinfo.below(str(tmp_path / "merged"))]

    assert sandbox.run(action) == [True, []]


def test_detached_stack_is_in_no_tree(tmp_path: pathlib.Path) -> None:
    def action() -> t.List[t.Any]:
        before = len(mountinfo.entries())
        fd = mounts.overlay_tree(lower=make_layers(tmp_path, 2), attributes=consts.MOUNT_ATTR_RDONLY)
        with open(os.open("which", os.O_RDONLY, dir_fd=fd)) as stream:
            return [stream.read(), os.get_inheritable(fd), len(mountinfo.entries()) - before]

    assert sandbox.run(action) == ["0", False, 0]
