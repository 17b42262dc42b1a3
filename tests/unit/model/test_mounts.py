# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes, host paths and tmpfs as a task writes them."""
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model import mounts
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import Mount


@pytest.mark.parametrize(("text", "mount"), [
    ("webdata:/data", Mount("volume", "webdata", "/data")),
    ("webdata:/data:ro", Mount("volume", "webdata", "/data", read_only=True)),
    ("webdata:/data:rw", Mount("volume", "webdata", "/data")),
    ("/srv/www:/var/www", Mount("bind", "/srv/www", "/var/www")),
    ("/srv/www:/var/www:ro,rslave", Mount("bind", "/srv/www", "/var/www", read_only=True, propagation="rslave")),
    ("/srv/www:/var/www:z", Mount("bind", "/srv/www", "/var/www")),
    ("/srv/www:/var/www:ro,Z", Mount("bind", "/srv/www", "/var/www", read_only=True)),
    ("/srv/www:/var/www:", Mount("bind", "/srv/www", "/var/www")),
    ("/srv/www:/var/www:noexec,nosuid,nodev", Mount("bind", "/srv/www", "/var/www", flags=("nodev", "noexec", "nosuid"))),
    ("/srv/www:/var/www:exec,suid,dev,rw", Mount("bind", "/srv/www", "/var/www")),
    ("/:/host:ro", Mount("bind", "/", "/host", read_only=True)),
    ("/dev/log:/dev/log", Mount("bind", "/dev/log", "/dev/log")),
])
def test_volumes(text: str, mount: Mount) -> None:
    assert mounts.parse_volumes([text]) == (mount,)


@pytest.mark.parametrize("text", ["/srv//www/:/var/www/", "/srv/./www:/var//www", "/srv/www/:/var/./www/."])
def test_slashes_and_dots_that_mean_nothing_make_no_difference(text: str) -> None:
    assert mounts.parse_volumes([text]) == mounts.parse_volumes(["/srv/www:/var/www"])


def test_the_order_in_the_task_makes_no_difference_and_parents_come_first() -> None:
    assert [mount.target for mount in mounts.parse_volumes(["c:/a/b/c", "a:/a", "b:/a/b"])] == ["/a", "/a/b", "/a/b/c"]


@pytest.mark.parametrize("text", [
    "", "webdata", ":/data", "webdata:", "webdata:data", "webdata:./data", "webdata:/", "webdata:/a/../b", "a:/b:ro:c",
    "./www:/var/www", "~/www:/var/www",
    "../www:/var/www", "webdata:/data:rx", "webdata:/data:ro,loop", "webdata:/data:exec,noexec",
    "webdata:/proc", "webdata:/proc/x", "webdata:/sys", "webdata:/dev",
    "webdata:/da\nta",
    "/srv\0:/data", "web/data:/data",
])
def test_what_is_no_volume_is_refused_and_the_option_is_named(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        mounts.parse_volumes([text])
    assert caught.value.subject == "volumes"


@pytest.mark.parametrize(("text", "mount"), [
    ("/run", Mount("tmpfs", "", "/run")),
    ("/run/", Mount("tmpfs", "", "/run")),
    ("/run:", Mount("tmpfs", "", "/run")),
    ("/tmp:size=64M,mode=1777", Mount("tmpfs", "", "/tmp", size=64 << 20, mode=0o1777)),
    ("/tmp:ro", Mount("tmpfs", "", "/tmp", read_only=True)),
    ("/tmp:rw,size=65536k", Mount("tmpfs", "", "/tmp", size=64 << 20)),
    ("/tmp:size=050%", Mount("tmpfs", "", "/tmp", size="50%")),
    ("/dev/shm:size=1g", Mount("tmpfs", "", "/dev/shm", size=1 << 30)),
    ("/tmp:noexec,nosuid,nodev", Mount("tmpfs", "", "/tmp", flags=("noexec",))),
    ("/tmp:dev,exec,gid=5,uid=1000", Mount("tmpfs", "", "/tmp", flags=("dev", "gid=5", "uid=1000"))),
])
def test_tmpfs(text: str, mount: Mount) -> None:
    assert mounts.parse_tmpfs([text]) == (mount,)


@pytest.mark.parametrize("text", [
    "", "run", ":size=1M", "/", "/run:size", "/run:size=", "/run:size=0", "/run:size=unlimited", "/run:size=half",
    "/run:size=%", "/run:size=0%", "/run:size=1.5%", "/run:size=1000%", "/run:size=-1%", "/run:mode=",
    "/run:mode=9", "/run:mode=rwx",
    "/run:mode=177777", "/run:colour=red", "/proc", "/run/../etc", "/ru\nn",
])
def test_what_is_no_tmpfs_is_refused_and_the_option_is_named(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        mounts.parse_tmpfs([text])
    assert caught.value.subject == "tmpfs"


@pytest.mark.parametrize("texts", [["a:/data", "b:/data"], ["a:/data", "a:/data:ro"], ["/a:/data", "/b:/data/"]])
def test_two_mounts_on_one_target_are_refused(texts: t.List[str]) -> None:
    with pytest.raises(Invalid, match="/data is mounted twice"):
        mounts.parse_volumes(texts)


def test_the_same_mount_twice_is_one() -> None:
    assert len(mounts.parse_volumes(["a:/data", "a:/data/"])) == 1


def test_a_tmpfs_on_the_target_of_a_volume_is_refused() -> None:
    with pytest.raises(Invalid, match="/data is mounted twice"):
        mounts.merge(mounts.parse_volumes(["a:/data"]), mounts.parse_tmpfs(["/data"]))


def test_volumes_and_tmpfs_are_one_sorted_list() -> None:
    merged = mounts.merge(mounts.parse_volumes(["a:/b", "c:/d"]), mounts.parse_tmpfs(["/c"]))
    assert [mount.target for mount in merged] == ["/b", "/c", "/d"]


def test_a_target_alone_is_a_volume_that_gets_its_name_later() -> None:
    assert mounts.parse_volumes(["/data"]) == (mounts.Mount("volume", "", "/data"),)


def test_a_volume_may_stay_empty_and_a_bind_without_what_is_below() -> None:
    bare, shallow = mounts.parse_volumes(["webdata:/data:nocopy", "/srv:/www:bind"])
    assert (bare.copy, shallow.recursive) == (False, False)


LONG = dict.fromkeys((
    "target", "source", "type", "read_only", "propagation", "non_recursive", "create_mountpoint", "no_copy", "labels", "tmpfs_size",
    "tmpfs_mode", "tmpfs_options", "subpath", "content", "mode", "uid", "gid", "on_change", "signal"))


def test_the_long_form_says_what_the_short_one_says() -> None:
    assert mounts.parse_mount({**LONG, "target": "/a/", "source": "data", "read_only": True}) == mounts.parse_volumes(["data:/a:ro"])[0]
    long = {**LONG, "target": "/a", "type": "tmpfs", "tmpfs_size": "1M", "tmpfs_mode": "1777"}
    assert mounts.parse_mount(long) == mounts.parse_tmpfs(["/a:size=1M,mode=1777"])[0]


@pytest.mark.parametrize("given, option", [
    ({"type": "bind"}, "mounts.source"), ({"type": "bind", "source": "data"}, "mounts.source"),
    ({"type": "tmpfs", "source": "/a"}, "mounts.source"), ({"tmpfs_size": "1M"}, "mounts.tmpfs_size"),
    ({"type": "bind", "source": "/a", "no_copy": True}, "mounts.no_copy"), ({"create_mountpoint": True}, "mounts.create_mountpoint"),
    ({"type": "bind", "source": "/a", "subpath": "b"}, "mounts.subpath"), ({"subpath": "b"}, "mounts.source"),
    *[({"source": "data", "subpath": each}, "mounts.subpath") for each in ("", ".", "/etc", "../x", "a/../../x", "a\0")],
    ({"type": "tmpfs", "tmpfs_mode": "9"}, "mounts.tmpfs_mode"), ({"type": "bind", "source": "/a", "propagation": "x"}, "mounts.propagation"),
])
def test_what_a_type_has_no_use_for_is_refused(given: t.Dict[str, t.Any], option: str) -> None:
    with pytest.raises(Invalid) as caught:
        mounts.parse_mount({**LONG, "target": "/t", **given})
    assert caught.value.subject == option
