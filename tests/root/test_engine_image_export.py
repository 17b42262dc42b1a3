# SPDX-License-Identifier: GPL-3.0-or-later
"""cocker_image_export's engine: the same image gives the same bytes, others read them, and they come back as the same image."""
from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import pathlib
import shutil
import stat
import subprocess
import tarfile
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import image_export, images
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model import names
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Invalid, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.image_wishes import ExportWish
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ImageWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import decompress, writeimage
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout
from ansible_collections.cocker.engine.tests.unit.storage import imagetars, tars

pytestmark = pytest.mark.root

BASE = tars.archive(
    tars.directory(b"d", 0o750, uid=3), tars.file(b"d/a", b"1"), tars.file(b"d/gone", b"1"), tars.file(b"f", b"old"), tars.hard_link(b"g", b"f"),
    tars.directory(b"o"), tars.file(b"o/below", b"1"), tars.symlink(b"l", b"d/a"))
TOP = tars.archive(tars.file(b"d/.wh.gone"), tars.file(b"f", b"new", mode=0o4755), tars.directory(b"o"), tars.file(b"o/.wh..wh..opq"),
                   tars.file(b"o/above", b"2"), tars.file(b".wh.nothing"))


class Store:
    def __init__(self, top: pathlib.Path, name: str = "home") -> None:
        self.home = str(top / name)
        self.layout = Layout(self.home)
        self.top = top

    def fill(self, name: str, layers: t.Sequence[bytes], **said: t.Any) -> None:
        (self.top / "in.tar").write_bytes(imagetars.packed(imagetars.docker(layers, **said)))
        self.bring(str(self.top / "in.tar"), name)

    def bring(self, path: str, name: str, **said: t.Any) -> t.Any:
        ref = names.parse_image(name)
        return images.ensure(open_host(self.home, dry_run=False), ImageWish(ref.name, ref.version, source="archive", path=path, **said))

    def export(self, path: t.Any, *refs: str, check: bool = False, **said: t.Any) -> t.Any:
        wish = ExportWish(tuple(names.parse_image(ref) for ref in refs or ("app:1.0",)), str(path), **said)
        return image_export.ensure(open_host(self.home, dry_run=check), wish)


@pytest.fixture
def store(tmp_path: pathlib.Path) -> Store:
    found = Store(tmp_path)
    found.fill("app:1.0", [BASE, TOP])
    return found


needs_zstd = pytest.mark.skipif(not decompress.zstd_program(), reason="no zstd")
FORMS = [("docker-archive", "plain"), ("docker-archive", "gzip"), ("oci-archive", "plain"), ("oci-archive", "gzip"), ("rootfs", "plain"),
         ("rootfs", "gzip"), ("cockerimage", "gzip"), pytest.param("oci-archive", "zstd", marks=needs_zstd),
         pytest.param("docker-archive", "zstd", marks=needs_zstd)]


@pytest.mark.parametrize("form, compression", FORMS)
def test_the_same_image_is_the_same_bytes_wherever_it_lies(store: Store, tmp_path: pathlib.Path, form: str, compression: str) -> None:
    first = store.export(tmp_path / "one", format=form, compression=compression)
    content = (tmp_path / "one").read_bytes()
    assert first.result["digest"] == "sha256:" + hashlib.sha256(content).hexdigest() and first.result["size"] == len(content)
    store.export(tmp_path / "two", format=form, compression=compression)
    other = Store(tmp_path, "elsewhere")
    if form in ("docker-archive", "oci-archive"):
        other.bring(str(tmp_path / "one"), "app:1.0")
    else:
        other.fill("app:1.0", [BASE, TOP])
    other.export(tmp_path / "three", format=form, compression=compression)
    assert content == (tmp_path / "two").read_bytes() == (tmp_path / "three").read_bytes()


@pytest.mark.parametrize("form, compression", [("docker-archive", "plain"), ("oci-archive", "gzip"), ("rootfs", "plain"), ("cockerimage", "gzip")])
def test_second_run_changes_nothing_until_the_content_is_another_one(store: Store, tmp_path: pathlib.Path, form: str, compression: str) -> None:
    path = tmp_path / "out"
    asked = {"format": form, "compression": compression}
    checked = store.export(path, check=True, **asked)
    assert not path.exists() and not os.path.exists(store.layout.exports)
    made = store.export(path, **asked)
    assert (checked.actions, checked.plan, checked.diff) == (made.actions, made.plan, made.diff) and made.changed
    os.utime(path, (1, 1))
    for check in (True, False):
        assert not store.export(path, check=check, **asked).changed
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, (1, 1))
    checked = store.export(path, check=True, **asked)
    made = store.export(path, **asked)
    assert made.plan["action"] == "replace" and (checked.actions, checked.diff) == (made.actions, made.diff)
    assert not store.export(path, **asked).changed
    shutil.rmtree(store.layout.exports)
    for check in (True, False):
        assert not store.export(path, check=check, **asked).changed, "it is known by its content, whoever wrote it"
    store.fill("app:1.0", [BASE])
    assert store.export(path, **asked).changed
    assert os.listdir(tmp_path / "home/layers") and not [name for name in os.listdir(tmp_path / "home/layers") if name.startswith(".")]
    assert sorted(os.listdir(tmp_path)) == ["home", "in.tar", "out"]


def tree(content: bytes) -> t.Dict[str, t.Tuple[t.Any, ...]]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {entry.name: (entry.type, entry.mode, entry.uid, entry.linkname,
                             archive.extractfile(entry).read() if entry.isreg() else b"")  # type: ignore[union-attr]
                for entry in archive}


def test_a_root_file_system_is_what_the_image_shows(store: Store, tmp_path: pathlib.Path) -> None:
    store.export(tmp_path / "out", format="rootfs")
    found = tree((tmp_path / "out").read_bytes())
    assert sorted(found) == [".", "d", "d/a", "f", "g", "l", "o", "o/above"]
    assert found["f"] == (tarfile.REGTYPE, 0o4755, 0, "", b"new") and found["g"][-1] == b"old" and found["l"][3] == "d/a"
    assert found["d"][1:3] == (0o755, 0) or found["d"][1:3] == (0o750, 3)


def test_a_cockerimage_tells_what_it_hides(store: Store, tmp_path: pathlib.Path) -> None:
    store.export(tmp_path / "app.cockerimage", format="cockerimage", compression="gzip")
    found = tree(gzip.decompress((tmp_path / "app.cockerimage").read_bytes()))
    assert found["d/gone"][0] == found["nothing"][0] == tarfile.CHRTYPE
    other = Store(tmp_path, "other")
    image = other.bring(str(tmp_path / "app.cockerimage"), "app:1.0").result["image"]
    top = other.layout.diff(image["RootFS"]["Layers"][0])
    assert os.stat(top + "/d/gone").st_rdev == 0 and fs.find_xattr(top + "/o", "trusted.overlay.opaque") == b"y"
    assert sorted(os.listdir(top + "/o")) == ["above"]
    other.export(tmp_path / "again.cockerimage", format="cockerimage", compression="gzip")
    assert (tmp_path / "app.cockerimage").read_bytes() == (tmp_path / "again.cockerimage").read_bytes()


def test_a_cockerimage_in_a_directory_is_called_by_the_image(store: Store, tmp_path: pathlib.Path) -> None:
    store.fill("registry.example/team/app", [BASE])
    (tmp_path / "out").mkdir()
    store.export(tmp_path / "out", format="cockerimage", compression="gzip")
    store.export(tmp_path / "out", "registry.example/team/app", format="cockerimage", compression="gzip")
    found = sorted(os.listdir(tmp_path / "out"))
    assert found == ["app:1.0.cockerimage", "registry.example%2Fteam%2Fapp.cockerimage"]
    assert [names.in_file_name(str(tmp_path / name)) for name in found] == ["app:1.0", "registry.example/team/app"]


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
def test_config_and_history_come_back(store: Store, tmp_path: pathlib.Path, form: str) -> None:
    store.export(tmp_path / "out", format=form)
    again = Store(tmp_path, "other").bring(str(tmp_path / "out"), "app:1.0").result["image"]
    first = store.export(tmp_path / "out", format=form).result["image"]
    assert {key: again[key] for key in ("Config", "Created", "Size")} == {key: first[key] for key in ("Config", "Created", "Size")}


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
def test_several_images_share_their_layers(store: Store, tmp_path: pathlib.Path, form: str) -> None:
    store.fill("app:2.0", [BASE, TOP, BASE])
    made = store.export(tmp_path / "out", "app:1.0", "app:2.0", format=form)
    assert [image["RepoTags"] for image in made.result["images"]] == [["app:1.0"], ["app:2.0"]]
    with tarfile.open(tmp_path / "out") as archive:
        found = archive.getnames()
    assert len(found) == len(set(found)) == {"docker-archive": 2 + 2 + 1, "oci-archive": 2 + 2 * 2 + 2}[form]
    other = Store(tmp_path, "other")
    with pytest.raises(Invalid, match="app:1.0.*app:2.0"):
        other.bring(str(tmp_path / "out"), "two")
    assert len(other.bring(str(tmp_path / "out"), "two", archive_image="app:2.0").result["image"]["RootFS"]["Layers"]) == 3


@pytest.mark.skipif(not shutil.which("skopeo"), reason="no skopeo")
@pytest.mark.parametrize("form, compression", [("docker-archive", "plain"), ("oci-archive", "gzip"), ("oci-archive", "plain"),
                                               pytest.param("oci-archive", "zstd", marks=needs_zstd)])
def test_skopeo_reads_what_is_written(store: Store, tmp_path: pathlib.Path, form: str, compression: str) -> None:
    store.export(tmp_path / "out", format=form, compression=compression)
    source = "%s:%s" % (form, tmp_path / "out")
    seen = json.loads(subprocess.run(["skopeo", "inspect", "--config", source], check=True, stdout=subprocess.PIPE).stdout)
    assert seen["config"]["Cmd"] == ["/bin/sh"] and len(seen["rootfs"]["diff_ids"]) == len(seen["history"]) == 2
    subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", source, "dir:%s" % (tmp_path / "dir")], check=True)
    target = "docker-archive" if form == "oci-archive" and compression != "zstd" else "oci-archive"   # docker's knows no zstd
    subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", source, "%s:%s:app:1.0" % (target, tmp_path / "converted")], check=True)
    again = Store(tmp_path, "other")
    again.bring(str(tmp_path / "converted"), "app:1.0")
    again.export(tmp_path / "again", format=form, compression=compression)
    assert (tmp_path / "again").read_bytes() == (tmp_path / "out").read_bytes()


def test_a_file_keeps_its_mode_and_a_link_stays(store: Store, tmp_path: pathlib.Path) -> None:
    store.export(tmp_path / "new")
    assert stat.S_IMODE(os.stat(tmp_path / "new").st_mode) == 0o600
    (tmp_path / "old").write_bytes(b"x")
    os.chown(tmp_path / "old", 5, 6)
    os.chmod(tmp_path / "old", 0o644)
    os.symlink("old", tmp_path / "link")
    store.export(tmp_path / "link")
    facts = os.stat(tmp_path / "old")
    assert (tmp_path / "link").is_symlink() and (facts.st_uid, facts.st_gid, stat.S_IMODE(facts.st_mode)) == (5, 6, 0o644) and facts.st_size > 1


def test_force_writes_again(store: Store, tmp_path: pathlib.Path) -> None:
    store.export(tmp_path / "out")
    assert store.export(tmp_path / "out", force=True).plan == {"action": "replace", "reasons": ["force was asked for"]}


@pytest.mark.parametrize("path, error, text", [
    ("none/out", Invalid, "directory of .* does not exist"), ("folder", Invalid, "is not a file"), ("fifo", Invalid, "is not a file"),
    ("in.tar/out", Invalid, "Not a directory"),
])
def test_where_no_file_can_be_is_said_before_anything_is_done(store: Store, tmp_path: pathlib.Path, path: str, error: t.Any, text: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    for check in (True, False):
        with pytest.raises(error, match=text):
            store.export(tmp_path / path, check=check)


def test_an_image_that_is_not_there(store: Store, tmp_path: pathlib.Path) -> None:
    with pytest.raises(NotFound, match="versions there: 1.0"):
        store.export(tmp_path / "out", "app:3")


def test_a_failure_leaves_the_file_that_was_there_and_nothing_else(store: Store, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out").write_bytes(b"old")
    written = writeimage.write

    def fails(*args: t.Any, **more: t.Any) -> t.Any:
        written(*args, **more)
        raise CockerError("write", "out", "the disk is full")

    monkeypatch.setattr(writeimage, "write", fails)
    with pytest.raises(CockerError, match="disk is full"):
        store.export(tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"old" and sorted(os.listdir(tmp_path)) == ["home", "in.tar", "out"]


def test_what_a_killed_export_left_is_removed_by_the_next(store: Store, tmp_path: pathlib.Path) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    (tmp_path / (".out.tmp-%d-000000000000" % pid)).write_bytes(b"half")
    store.export(tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["home", "in.tar", "out"]
