# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import mountinfo

TEXT = b"""\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,errors=remount-ro
36 22 0:31 /sub /mnt/with\\040blank ro,nosuid,nodev shared:7 master:2 propagate_from:2 - tmpfs tm\\134pfs rw,size=4k
37 36 0:32 / /mnt/with\\040blank/a/b rw - overlay overlay rw,lowerdir=/a\\072b,upperdir=/c
38 22 0:4 net:[4026532000] /run/netns/x rw - nsfs nsfs rw
39 22 0:33 / /mnt/withblank rw - tmpfs  rw
40 36 0:34 / /mnt/with\\040blank rw - tmpfs none rw
41 22 0:35 / /mnt/caf\xc3\xa9\xff rw - tmpfs none rw
"""


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> t.List[mountinfo.Entry]:
    found = mountinfo.parse(TEXT)
    monkeypatch.setattr(mountinfo, "entries", lambda: found)
    return found


def test_fields_of_a_line(told: t.List[mountinfo.Entry]) -> None:
    assert told[1] == mountinfo.Entry(
        mount_id=36, parent_id=22, device="0:31", root="/sub", mount_point="/mnt/with blank",
        options=("ro", "nosuid", "nodev"), optional=("shared:7", "master:2", "propagate_from:2"),
        fstype="tmpfs", source="tm\\pfs", super_options=("rw", "size=4k"),
    )


def test_line_without_optional_fields(told: t.List[mountinfo.Entry]) -> None:
    assert told[3].optional == ()
    assert (told[3].fstype, told[3].root) == ("nsfs", "net:[4026532000]")


def test_empty_source(told: t.List[mountinfo.Entry]) -> None:
    assert (told[4].source, told[4].super_options) == ("", ("rw",))


def test_name_that_is_not_utf8_survives(told: t.List[mountinfo.Entry]) -> None:
    assert told[6].mount_point.encode("utf-8", "surrogateescape") == b"/mnt/caf\xc3\xa9\xff"


def test_shared_mount_is_known_by_its_optional_field(told: t.List[mountinfo.Entry]) -> None:
    assert [entry.is_shared for entry in told[:4]] == [True, True, False, False]


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [("a\\040b", "a b"), ("a\\011\\012b", "a\t\nb"), ("\\134040", "\\040"), ("a\\043", "a#"), ("plain", "plain"), ("", "")],
)
def test_escapes(escaped: str, plain: str) -> None:
    assert mountinfo.unescape(escaped) == plain


def test_mounts_below_come_deepest_and_latest_first(told: t.List[mountinfo.Entry]) -> None:
    assert [entry.mount_id for entry in mountinfo.below("/mnt/with blank")] == [37, 40, 36]


def test_sibling_with_the_same_beginning_is_not_below(told: t.List[mountinfo.Entry]) -> None:
    assert [entry.mount_id for entry in mountinfo.below("/mnt/withblank")] == [39]


def test_everything_is_below_the_root(told: t.List[mountinfo.Entry]) -> None:
    assert len(mountinfo.below("/")) == len(told)
    assert mountinfo.below("/")[-1].mount_point == "/"


@pytest.mark.parametrize(("path", "expected"), [("/mnt/with blank", True), ("/mnt", False), ("/", True), ("/mnt/with blank/a/b/", True)])
def test_is_mountpoint(told: t.List[mountinfo.Entry], path: str, expected: bool) -> None:
    assert mountinfo.is_mountpoint(path) is expected


def test_the_kernel_of_this_machine_is_understood() -> None:
    found = mountinfo.entries()
    assert any(entry.mount_point == "/" for entry in found)
    assert any(entry.fstype == "proc" for entry in mountinfo.entries("self"))
