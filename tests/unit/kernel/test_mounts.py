# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, libc, mounts
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, KernelError

RO, NOSUID, NODEV, NOATIME, STRICT = (
    consts.MOUNT_ATTR_RDONLY, consts.MOUNT_ATTR_NOSUID, consts.MOUNT_ATTR_NODEV, consts.MOUNT_ATTR_NOATIME,
    consts.MOUNT_ATTR_STRICTATIME,
)
ATIME = consts.MOUNT_ATTR__ATIME


@pytest.mark.parametrize(
    ("options", "set_", "clear", "flags"),
    [
        (("rw", "relatime"), RO, 0, consts.MS_RDONLY | consts.MS_RELATIME),
        (("ro", "nosuid", "relatime"), 0, RO, consts.MS_NOSUID | consts.MS_RELATIME),
        (("rw", "nosuid", "nodev", "noexec", "noatime"), RO, 0, 1 | 2 | 4 | 8 | consts.MS_NOATIME),
        (("rw",), RO, 0, consts.MS_RDONLY | consts.MS_STRICTATIME),
        (("rw", "relatime", "nodiratime"), NOSUID, 0, consts.MS_NOSUID | consts.MS_RELATIME | consts.MS_NODIRATIME),
        (("rw", "relatime"), NOATIME, ATIME, consts.MS_NOATIME),
        (("rw", "noatime"), STRICT, ATIME, consts.MS_STRICTATIME),
        (("rw", "noatime"), 0, ATIME, consts.MS_RELATIME),
        (("ro", "nosymfollow", "relatime"), RO, RO, consts.MS_RDONLY | consts.MS_NOSYMFOLLOW | consts.MS_RELATIME),
        (("rw", "nodev", "relatime"), RO | NOSUID, NODEV, consts.MS_RDONLY | consts.MS_NOSUID | consts.MS_RELATIME),
    ],
)
def test_remount_repeats_what_is_not_changed(options: t.Tuple[str, ...], set_: int, clear: int, flags: int) -> None:
    assert mounts.remount_flags(options, set_=set_, clear=clear) == flags


@pytest.mark.parametrize(
    ("lower", "upper", "work"), [([], "/u", "/w"), (["/l"], "/u", None), (["/l"], None, "/w")]
)
def test_stack_that_makes_no_sense_is_refused(lower: t.List[str], upper: t.Optional[str], work: t.Optional[str]) -> None:
    with pytest.raises(Invalid):
        mounts.overlay("/nowhere", lower=lower, upper=upper, work=work)


def test_target_may_be_a_path_or_a_descriptor() -> None:
    assert (mounts.path_of("/a"), mounts.path_of(7)) == ("/a", "/proc/self/fd/7")


def test_failure_of_a_mount_says_what_and_where() -> None:
    with pytest.raises(KernelError) as caught:
        mounts.mount("none", "/nonexistent/target", fstype="tmpfs")
    assert str(caught.value).startswith("mount tmpfs /nonexistent/target: ")


def test_path_with_a_zero_byte_is_not_cut_short() -> None:
    with pytest.raises(KernelError):
        mounts.umount("/proc\0x")


@pytest.mark.parametrize(
    ("name", "kept"),
    [("plain-1.0_x", True), ("a:colon", False), ("a,comma", False), ("a\\backslash", False), ("a blank", False), ("x" * 250, False)],
)
def test_layer_is_named_by_its_path_where_overlayfs_reads_it_as_it_is(tmp_path: t.Any, name: str, kept: bool) -> None:
    path = str(tmp_path / name)
    os.mkdir(path)
    with mounts._Layers() as layers:
        shown = layers.name(path)
        assert (shown == path) is kept
        assert os.path.samefile(shown, path)


def test_layers_are_closed_again(tmp_path: t.Any) -> None:
    before = set(os.listdir("/proc/self/fd"))
    with mounts._Layers() as layers:
        layers.open(str(tmp_path))
    assert set(os.listdir("/proc/self/fd")) == before


def test_kernel_without_fsopen_takes_no_single_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(libc._known, "fsopen", False)
    mounts._found.clear()
    try:
        assert not mounts.takes_single_layers()
    finally:
        mounts._found.clear()


KNOWN, UNKNOWN = "No such file or directory", "Invalid argument: e overlay: Unknown parameter"


@pytest.mark.parametrize(
    ("option", "nonsense", "expected"),
    [(KNOWN, UNKNOWN, True), ("", UNKNOWN, True), (UNKNOWN, UNKNOWN, False), ("", "", False)],
    ids=["Linux 6.7", "a path that exists", "Linux 6.5", "older"],
)
def test_single_layers_are_taken_where_only_nonsense_is_unknown(
    monkeypatch: pytest.MonkeyPatch, option: str, nonsense: str, expected: bool
) -> None:
    """An old kernel swallows every word until the file system is made."""
    def configure(_fd: int, key: str, _value: str) -> None:
        reason = option if key == "lowerdir+" else nonsense
        if reason:
            error = KernelError("fsconfig", key, 22)
            error.reason = reason
            raise error

    monkeypatch.setitem(libc._known, "fsopen", True)
    monkeypatch.setattr(mounts, "fsopen", lambda _fstype: os.open("/dev/null", os.O_RDONLY))
    monkeypatch.setattr(mounts, "fsconfig_string", configure)
    mounts._found.clear()
    try:
        assert mounts.takes_single_layers() is expected
    finally:
        mounts._found.clear()
