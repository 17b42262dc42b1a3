# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes: the top directory's owner and mode, their data in archives and back."""
from __future__ import annotations

import os
import pathlib
import socket
import subprocess
import typing as t
import unittest.mock

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import volume_archive, volumes
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Damaged, Invalid, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.volume import VolumeSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import RESTORE, VolumeArchiveWish, VolumeWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import decompress, treecopy, volumes as store
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

pytestmark = pytest.mark.root

Outcome = t.Any


class Lab:
    def __init__(self, top: pathlib.Path) -> None:
        self.top = top
        self.home = str(top / "home")
        self.layout = Layout(self.home)

    def ensure(self, name: str = "data", *, check: bool = False, **said: t.Any) -> Outcome:
        return volumes.ensure(open_host(self.home, dry_run=check), VolumeWish(VolumeSpec(name, **said)))

    def backup(self, file: str, *, check: bool = False, name: str = "data", **said: t.Any) -> Outcome:
        return volume_archive.ensure(open_host(self.home, dry_run=check), VolumeArchiveWish(name, str(self.top / file), **said))

    def restore(self, file: str, name: str = "copy", **said: t.Any) -> Outcome:
        return self.backup(file, name=name, operation=RESTORE, **said)

    def data(self, name: str = "data") -> pathlib.Path:
        return pathlib.Path(self.layout.volume_data(name))


@pytest.fixture
def lab(tmp_path: pathlib.Path) -> Lab:
    return Lab(tmp_path)


def top(path: pathlib.Path) -> t.Tuple[int, int, int]:
    facts = path.stat()
    return facts.st_uid, facts.st_gid, facts.st_mode & 0o7777


def filled(lab: Lab) -> pathlib.Path:
    """One of everything that an archive can hold."""
    lab.ensure(owner=7, mode=0o2750)
    data = lab.data()
    (data / "dir").mkdir(0o700)
    (data / "dir/file").write_bytes(b"precious")
    os.chown(data / "dir/file", 1000, 1001)
    os.link(data / "dir/file", data / "second")
    os.symlink("dir/../../outside", data / "link")
    os.mkfifo(data / "fifo")
    os.mknod(data / "null", 0o20666, os.makedev(1, 3))
    os.mknod(data / "hidden", 0o20600, os.makedev(0, 0))
    (data / ".wh.name").write_bytes(b"")
    (data / b"n\xc3\xa4me \xff".decode("utf-8", "surrogateescape")).write_bytes(b"x")
    os.setxattr(data / "dir/file", "user.note", b"kept")
    os.setxattr(data / "dir/file", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
    with open(data / "sparse", "wb") as sparse:
        sparse.truncate(8 << 20)
        sparse.seek(4 << 20)
        sparse.write(b"middle")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(data / "socket"))
    return data


def described(path: pathlib.Path) -> t.Dict[bytes, t.Any]:
    found = {}
    for visit in treecopy.walk(str(path)):
        if visit.event == treecopy.LEAVE or visit.name == b"socket":
            continue
        full, facts = os.path.join(os.fsencode(path), visit.path), visit.facts
        content = open(full, "rb").read() if os.path.isfile(full) and not os.path.islink(full) else b""
        size = 0 if os.path.isdir(full) else facts.st_size
        found[visit.path] = (facts.st_mode, facts.st_uid, facts.st_gid, size, facts.st_mtime_ns, facts.st_rdev, content, fs.xattrs(full))
    return found


def test_owner_group_and_mode_are_those_of_the_top_only(lab: Lab) -> None:
    foreseen = lab.ensure(owner=7, mode=0o750, check=True)
    made = lab.ensure(owner=7, mode=0o750)
    assert foreseen.actions == made.actions and foreseen.diff == made.diff and top(lab.data()) == (7, 0, 0o750)
    assert made.result["volume"]["Options"] == {"owner": "7", "mode": "0750"}
    (lab.data() / "file").write_bytes(b"precious")
    foreseen = lab.ensure(owner=8, group=9, mode=0o1777, check=True)
    assert top(lab.data()) == (7, 0, 0o750)
    done = lab.ensure(owner=8, group=9, mode=0o1777)
    assert foreseen.diff == done.diff == {
        "before": {"owner": 7, "group": 0, "mode": "0750"}, "after": {"owner": 8, "group": 9, "mode": "1777"}}
    assert top(lab.data()) == (8, 9, 0o1777) and top(lab.data() / "file")[:2] == (0, 0)
    assert not lab.ensure(owner=8, group=9, mode=0o1777).changed and not lab.ensure().changed
    os.chown(lab.data(), 0, 0)
    assert lab.ensure(owner=8, group=9).plan["reasons"] == ["owner changed", "group changed"]


def test_the_same_data_is_the_same_bytes(lab: Lab) -> None:
    filled(lab)
    foreseen = lab.backup("one.tar", check=True)
    assert not (lab.top / "one.tar").exists()
    made = lab.backup("one.tar")
    assert made.changed and foreseen.actions == made.actions and foreseen.diff == made.diff
    content = (lab.top / "one.tar").read_bytes()
    os.utime(lab.top / "one.tar", (1, 1))
    for check in (True, False):
        assert not lab.backup("one.tar", check=check).changed
    assert os.stat(lab.top / "one.tar").st_mode & 0o7777 == 0o600
    names = subprocess.run(["tar", "-tf", str(lab.top / "one.tar")], check=True, capture_output=True).stdout.split(b"\n")
    assert b"./" in names and b"dir/file" in names and b"socket" not in names
    (lab.data() / "dir/file").write_bytes(b"another")
    assert lab.backup("one.tar", check=True).plan["action"] == "replace" and (lab.top / "one.tar").read_bytes() == content
    assert lab.backup("one.tar").changed and (lab.top / "one.tar").read_bytes() != content
    assert sorted(os.listdir(lab.top)) == ["home", "one.tar"]


@pytest.mark.parametrize("kind", ["plain", "gzip", pytest.param("zstd", marks=pytest.mark.skipif(not decompress.zstd_program(), reason="no zstd"))])
def test_what_comes_back_is_what_was_there(lab: Lab, kind: str) -> None:
    data = filled(lab)
    lab.backup("a", compression=kind)
    foreseen = lab.restore("a", check=True)
    assert store.find(lab.layout, "copy") is None
    done = lab.restore("a")
    assert foreseen.actions == done.actions and foreseen.diff == done.diff
    assert described(lab.data("copy")) == described(data) and top(lab.data("copy")) == top(data)
    assert os.stat(lab.data("copy") / "sparse").st_blocks < 100
    for check in (True, False):
        assert not lab.restore("a", check=check).changed
    assert not lab.backup("a", name="copy", compression=kind).changed
    store.save(lab.layout, store.Volume("copy", "now"))
    assert not lab.restore("a").changed, "it is known by its content, whoever restored it"
    assert sorted(os.listdir(lab.layout.volume("copy"))) == ["_data", "volume.json"]


def test_other_data_is_replaced_only_by_force(lab: Lab) -> None:
    filled(lab)
    lab.backup("a")
    lab.ensure("copy", mode=0o711)
    (lab.data("copy") / "mine").write_bytes(b"precious")
    for check in (True, False):
        with pytest.raises(Conflict, match="force"):
            lab.restore("a", check=check)
        assert not lab.restore("a", check=check, force=False).changed
    assert os.listdir(lab.data("copy")) == ["mine"]
    assert lab.restore("a", force=True).changed and not lab.restore("a").changed
    assert "mine" not in os.listdir(lab.data("copy")) and top(lab.data("copy")) == (7, 0, 0o711), "the mode is managed, the owner is not"
    (lab.data("copy") / "dir/file").write_bytes(b"PRECIOUS")
    with pytest.raises(Conflict):
        lab.restore("a")


def test_an_archive_of_others(lab: Lab) -> None:
    (lab.top / "tree/below").mkdir(parents=True)
    (lab.top / "tree/below/file").write_bytes(b"1")
    subprocess.run(["tar", "-C", str(lab.top / "tree"), "-cJf", str(lab.top / "a.tar.xz"), "below"], check=True)
    assert lab.restore("a.tar.xz").changed and (lab.data("copy") / "below/file").read_bytes() == b"1"
    assert not lab.restore("a.tar.xz").changed and top(lab.data("copy")) == (0, 0, 0o755)


def test_what_fails_leaves_the_data(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(lab)
    lab.backup("good")
    (lab.top / "bad").write_bytes((lab.top / "good").read_bytes()[:-3000])
    with pytest.raises(NotFound):
        lab.restore("nothing")
    with pytest.raises(Damaged):
        lab.restore("bad")
    assert os.listdir(lab.layout.volumes) == ["data"]
    lab.ensure("copy")
    with pytest.raises(Damaged):
        lab.restore("bad")
    monkeypatch.setattr(store, "save", unittest.mock.Mock(side_effect=OSError(28, "made up")))
    with pytest.raises(OSError, match="made up"):
        lab.restore("good")
    assert os.listdir(lab.data("copy")) == [] and sorted(os.listdir(lab.layout.volume("copy"))) == ["_data", "volume.json"]
    with pytest.raises(NotFound):
        lab.backup("x", name="nothing")
    for path in ("no/where", "home", os.path.join(lab.data("copy"), "x")):
        with pytest.raises(Invalid, match="path"):
            lab.backup(path, name="copy")


def test_two_names_change_places_also_where_the_kernel_cannot(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for numbers in (fs.NR, {}):
        monkeypatch.setattr(fs, "NR", numbers)
        for name in ("one", "other"):
            (tmp_path / name).mkdir(exist_ok=True)
        before = os.stat(tmp_path / "one").st_ino, os.stat(tmp_path / "other").st_ino
        fs.exchange(str(tmp_path / "one"), str(tmp_path / "other"))
        assert (os.stat(tmp_path / "other").st_ino, os.stat(tmp_path / "one").st_ino) == before
        assert sorted(os.listdir(tmp_path)) == ["one", "other"]
