# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes that take a certain size and no more, on a btrfs of their own; and what is said where the file system cannot."""
from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import volume_archive, volumes
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, projects
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import Mount
from ansible_collections.cocker.engine.plugins.module_utils.model.volume import VolumeSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT, RESTORE, VolumeArchiveWish, VolumeWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import quotas, volumes as store
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root

MIB = 1 << 20
ENGLISH = {**os.environ, "LC_ALL": "C"}


# What makes each with quotas of directories, and mounts it so.
MAKE = {"btrfs": ("-q",), "ext4": ("-q", "-O", "quota,project", "-E", "quotatype=prjquota"), "xfs": ("-q",)}
MOUNT = {"btrfs": "loop", "ext4": "loop,prjquota", "xfs": "loop,prjquota"}


@pytest.fixture(scope="module", params=sorted(MAKE))
def disk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[pathlib.Path]:
    """Skips what this kernel cannot."""
    with mounted(tmp_path_factory.mktemp(request.param), request.param, MAKE[request.param], MOUNT[request.param]) as place:
        if request.param == "btrfs":
            run("btrfs", "quota", "enable", str(place))
        elif projects.lacking(str(place)):
            pytest.skip("no project quotas in this kernel")
        yield place


def run(*argv: str) -> None:
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def mounted(folder: pathlib.Path, fstype: str, make: t.Sequence[str] = ("-q",), options: str = "loop") -> t.Iterator[pathlib.Path]:
    place, image = folder / "disk", folder / "image"
    place.mkdir()
    image.touch()
    os.truncate(image, 320 * MIB)
    if not shutil.which("mkfs." + fstype):
        pytest.skip("no mkfs." + fstype)
    run("mkfs." + fstype, *make, str(image))
    done = subprocess.run(["mount", "-o", options, "-t", fstype, str(image), str(place)], check=False, stderr=subprocess.DEVNULL)
    if done.returncode:
        pytest.skip("this kernel mounts no %s with %s" % (fstype, options))
    try:
        yield place
    finally:
        run("umount", str(place))
        image.unlink()


class Lab:
    def __init__(self, home: pathlib.Path) -> None:
        self.home, self.layout = str(home), Layout(str(home))

    def ensure(self, *, check: bool = False, state: str = "present", name: str = "data", **said: t.Any) -> t.Any:
        return volumes.ensure(open_host(self.home, dry_run=check), VolumeWish(VolumeSpec(name, **said), state))

    def archive(self, file: pathlib.Path, **said: t.Any) -> t.Any:
        return volume_archive.ensure(open_host(self.home, dry_run=False), VolumeArchiveWish("data", str(file), **said))

    @property
    def data(self) -> pathlib.Path:
        return pathlib.Path(self.layout.volume_data("data"))

    def write(self, name: str, size: int) -> str:
        """As a container may; empty, or what is said if it does not fit. All that was written is on the disk, and counted, at the end."""
        words = ["setpriv", "--bounding-set", "-sys_resource", "dd", "if=/dev/zero", "bs=1M", "count=%d" % (size // MIB), "conv=fsync"]
        done = subprocess.run([*words, "of=%s" % (self.data / name)], check=False, stderr=subprocess.PIPE, text=True, env=ENGLISH)
        fs.sync_filesystem(str(self.data))
        assert not done.returncode or re.search("quota|No space", done.stderr), done.stderr
        return done.stderr if done.returncode else ""


@pytest.fixture
def lab(disk: pathlib.Path) -> t.Iterator[Lab]:
    found = Lab(disk / "home")
    yield found
    for name in found.layout.volume_names():
        store.remove(found.layout, name)
    shutil.rmtree(found.home)


def test_a_volume_takes_its_size_and_no_more(lab: Lab) -> None:
    foreseen = lab.ensure(size=8 * MIB, owner=7, check=True)
    made = lab.ensure(size=8 * MIB, owner=7)
    assert foreseen.actions == made.actions and foreseen.diff == made.diff and made.diff["after"]["size"] == 8 * MIB
    assert made.result["volume"]["Options"] == {"owner": "7", "size": str(8 * MIB)}
    assert not lab.ensure(size=8 * MIB, owner=7).changed and not lab.ensure().changed
    assert lab.write("much", 16 * MIB) and lab.data.stat().st_uid == 7
    assert lab.ensure(state=ABSENT).changed and not os.path.lexists(lab.data)


def test_another_size_leaves_the_data(lab: Lab) -> None:
    lab.ensure(size=8 * MIB)
    assert not lab.write("file", 4 * MIB)
    before = (lab.data / "file").read_bytes()
    for size in (32 * MIB, 6 * MIB, 0, 24 * MIB):
        foreseen = lab.ensure(size=size, check=True)
        done = lab.ensure(size=size)
        assert foreseen.diff == done.diff == {"before": done.diff["before"], "after": {"size": size}}
        assert done.plan["reasons"] == ["size changed"] and not lab.ensure(size=size).changed
    assert not lab.write("more", 16 * MIB) and (lab.data / "file").read_bytes() == before


def test_less_than_it_holds_is_refused(lab: Lab) -> None:
    lab.ensure(size=8 * MIB)
    assert not lab.write("file", 4 * MIB)
    for check in (True, False):
        with pytest.raises(Invalid, match="size: 2097152 is less than the volume data holds"):
            lab.ensure(size=2 * MIB, check=check)
    assert not lab.ensure(size=8 * MIB).changed


def test_a_limit_that_somebody_took_comes_back(lab: Lab) -> None:
    lab.ensure(size=8 * MIB)
    quotas.limit(str(lab.data), 0)
    assert lab.ensure(size=8 * MIB, check=True).diff == {"before": {"size": 0}, "after": {"size": 8 * MIB}}
    assert lab.ensure(size=8 * MIB).changed and not lab.ensure(size=8 * MIB).changed


def test_a_volume_that_was_made_without_gets_none(lab: Lab) -> None:
    lab.ensure()
    assert not lab.ensure(size=0).changed
    for check in (True, False):
        with pytest.raises(Conflict, match="it was made without size"):
            lab.ensure(size=8 * MIB, check=check)


def test_what_is_restored_has_the_size_of_the_volume(lab: Lab, tmp_path: pathlib.Path) -> None:
    lab.ensure(size=8 * MIB)
    assert not lab.write("file", 6 * MIB)
    lab.archive(tmp_path / "data.tar")
    (lab.data / "file").write_bytes(b"other")
    lab.archive(tmp_path / "data.tar", operation=RESTORE, force=True)
    assert (lab.data / "file").stat().st_size == 6 * MIB and not lab.ensure(size=8 * MIB).changed
    assert lab.write("much", 16 * MIB)
    lab.ensure(size=64 * MIB)
    assert not lab.write("much", 32 * MIB)
    lab.archive(tmp_path / "large.tar")
    lab.ensure(state=ABSENT)
    lab.ensure(size=8 * MIB)
    with pytest.raises(Exception, match="[Qq]uota|No space|do not fit"):
        lab.archive(tmp_path / "large.tar", operation=RESTORE)
    assert os.listdir(lab.data) == [] and sorted(os.listdir(lab.layout.volume("data"))) == ["_data", "volume.json"]


def test_a_container_fills_it_and_no_more_and_it_grows_while_it_runs(disk: pathlib.Path) -> None:
    with enginelab.host(str(disk / "engine")) as lab, enginelab.clean(lab) as engine:
        data = pathlib.Path(engine.layout.volume_data("data"))
        engine.volume("data", size=8 * MIB)
        engine.start(mounts=(Mount("volume", "data", "/www"),))
        assert os.listdir(data) == ["index.html"], "what the image has"
        fill = "head -c 16777216 /dev/zero > /www/much; ls -l /www/much | awk '{ print $5 }'"
        assert int(engine.read("web", fill)) < 8 * MIB
        engine.volume("data", size=64 * MIB)
        assert int(engine.read("web", fill)) == 16 * MIB
    shutil.rmtree(disk / "engine")


def test_without_quotas_it_is_said_before_the_first_effect(tmp_path: pathlib.Path) -> None:
    plain = Lab(tmp_path / "home")
    for check in (True, False):
        with pytest.raises(Unsupported, match="option size: .* quotas"):
            plain.ensure(size=8 * MIB, check=check)
    assert not plain.layout.volume_names() and not plain.ensure(size=0).diff["after"].get("size")


@pytest.mark.parametrize("fstype, said", [
    ("btrfs", "is on btrfs, and its quotas are not enabled .btrfs quota enable"), ("ext4", "is on ext4, and it has no project quotas .tune2fs"),
    ("xfs", "is on xfs, and it has no project quotas .mount it with"),
])
def test_quotas_that_are_off(tmp_path: pathlib.Path, fstype: str, said: str) -> None:
    with mounted(tmp_path, fstype) as place, pytest.raises(Unsupported, match=said):
        Lab(place / "home").ensure(size=8 * MIB)
