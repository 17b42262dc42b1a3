# SPDX-License-Identifier: GPL-3.0-or-later
"""Images in archives that other engines write: the right tree and config, or a clear error that leaves nothing."""
from __future__ import annotations

import gzip
import json
import lzma
import os
import pathlib
import shutil
import subprocess
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import images
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, Invalid, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ImageWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import snapshots
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout
from ansible_collections.cocker.engine.tests.unit.storage import imagetars, tars

pytestmark = pytest.mark.root

BASE = tars.archive(tars.directory(b"etc"), tars.file(b"etc/base", b"1"), tars.file(b"etc/gone", b"1"))
TOP = tars.archive(tars.file(b"etc/.wh.gone"), tars.file(b"etc/top", b"2"))
OTHER = tars.archive(tars.file(b"other", b"3"))


class Store:
    def __init__(self, top: pathlib.Path) -> None:
        self.home = str(top / "home")
        self.layout = Layout(self.home)
        self.top = top

    def ensure(self, content: t.Union[bytes, str], name: str = "app", *, check: bool = False, **said: t.Any) -> t.Any:
        """`content` of an archive, or a path."""
        if isinstance(content, bytes):
            (self.top / "archive").write_bytes(content)
            content = str(self.top / "archive")
        return images.ensure(open_host(self.home, dry_run=check), ImageWish(name, source="archive", path=content, **said))

    def layers(self) -> t.List[str]:
        return sorted(os.listdir(self.layout.layers)) if os.path.isdir(self.layout.layers) else []

    def tree(self, outcome: t.Any) -> t.List[t.List[str]]:
        """The files of each layer, bottom first."""
        return [sorted(name for _folder, _directories, files in os.walk(self.layout.diff(layer)) for name in files)
                for layer in outcome.result["image"]["RootFS"]["Layers"]]


@pytest.fixture
def store(tmp_path: pathlib.Path) -> Store:
    return Store(tmp_path)


FORMS: t.Dict[str, bytes] = {
    "docker": imagetars.packed(imagetars.docker([BASE, TOP])),
    "oci": imagetars.packed(imagetars.oci([BASE, TOP])),
    "oci plain layers": imagetars.packed(imagetars.oci([BASE, TOP], packed=False)),
    "docker, gzip": gzip.compress(imagetars.packed(imagetars.docker([BASE, TOP]))),
    "oci, xz": lzma.compress(imagetars.packed(imagetars.oci([BASE, TOP]))),
    "docker, packed layers": imagetars.packed({
        name: gzip.compress(content) if name.endswith("layer.tar") else content for name, content in imagetars.docker([BASE, TOP]).items()}),
    "docker, reversed": imagetars.packed(dict(reversed(list(imagetars.docker([BASE, TOP]).items())))),
    "oci below ./": tars.archive(tars.directory(b"./"), *[
        tars.file(b"./" + name.encode(), content) for name, content in imagetars.oci([BASE, TOP]).items()]),
}


@pytest.mark.parametrize("content", FORMS.values(), ids=FORMS)
def test_layers_and_config_are_taken_over(store: Store, content: bytes) -> None:
    made = store.ensure(content)
    image = made.result["image"]
    assert made.changed and store.tree(made) == [["base", "gone"], ["gone", "top"]]
    assert image["Config"]["Cmd"] == ["/bin/sh"] and image["Config"]["Labels"] == {"made": "by hand"} and image["Created"] == "2024-02-03T04:05:06Z"
    assert [os.path.basename(os.path.dirname(path)) for path in snapshots.lower_dirs(store.layout, [image["RootFS"]["Layers"]])] \
        == image["RootFS"]["Layers"][::-1]
    assert not store.ensure(content).changed


def test_the_same_image_in_another_archive_changes_nothing(store: Store) -> None:
    made = store.ensure(FORMS["docker"])
    for form in FORMS:
        if form.startswith("docker"):
            again = store.ensure(FORMS[form])
            assert not again.changed and again.result["image"]["Id"] == made.result["image"]["Id"]
    assert store.ensure(imagetars.packed(imagetars.docker([BASE, TOP], author="somebody"))).changed


def test_layers_of_the_store_are_not_unpacked_again(store: Store) -> None:
    store.ensure(FORMS["docker"])
    one = store.layers()
    other = store.ensure(imagetars.packed(imagetars.oci([BASE, OTHER])), "other")
    assert len(set(store.layers()) - set(one)) == 1 and other.result["image"]["RootFS"]["Layers"][0] in one


def test_the_same_layer_twice_in_an_image_is_there_twice(store: Store) -> None:
    made = store.ensure(imagetars.packed(imagetars.docker([BASE, TOP, BASE])))
    assert store.tree(made) == [["base", "gone"], ["gone", "top"], ["base", "gone"]] and len(store.layers()) == 3
    again = store.ensure(imagetars.packed(imagetars.docker([BASE, TOP, BASE], author="x")), "again")
    assert sorted(again.result["image"]["RootFS"]["Layers"]) == sorted(store.layers()) and store.tree(again) == store.tree(made)
    assert sorted(made.result["image"]["RootFS"]["Layers"]) == sorted(store.layers())       # either may lie where the other did


def test_a_replaced_image_leaves_no_layers(store: Store) -> None:
    store.ensure(FORMS["docker"])
    made = store.ensure(imagetars.packed(imagetars.docker([OTHER])))
    assert store.layers() == made.result["image"]["RootFS"]["Layers"]


def test_a_layout_in_a_directory(store: Store) -> None:
    for name, content in imagetars.oci([BASE, TOP]).items():
        (store.top / "layout" / name).parent.mkdir(parents=True, exist_ok=True)
        (store.top / "layout" / name).write_bytes(content)
    made = store.ensure(str(store.top / "layout"))
    assert store.tree(made) == [["base", "gone"], ["gone", "top"]] and not store.ensure(str(store.top / "layout")).changed
    blobs = store.top / "layout/blobs/sha256"
    victim = next(path for path in blobs.iterdir() if path.stat().st_size > 100)
    shutil.move(str(victim), str(store.top / "outside"))
    os.symlink(store.top / "outside", victim)
    with pytest.raises(Damaged):
        store.ensure(str(store.top / "layout"), "other")


def several() -> bytes:
    return imagetars.packed(imagetars.merged(
        imagetars.docker([BASE], names=("one:1", "one:2")), imagetars.docker([OTHER], names=("two:1",)), imagetars.docker([TOP], names=())))


@pytest.mark.parametrize("wanted, files", [("one:1", ["base", "gone"]), ("one:2", ["base", "gone"]), ("two:1", ["other"]), ("two", ["other"]),
                                           (imagetars.sha(imagetars.config([TOP])), ["gone", "top"])])
def test_one_of_several_images(store: Store, wanted: str, files: t.List[str]) -> None:
    made = store.ensure(several(), archive_image=wanted)
    assert store.tree(made) == [files] and not store.ensure(several(), archive_image=wanted).changed


@pytest.mark.parametrize("wanted, text", [(None, "holds 3 images, say which.*one:1 = one:2.*two:1"), ("three", "no such image"), ("", "no such")])
def test_which_of_several_has_to_be_said(store: Store, wanted: t.Optional[str], text: str) -> None:
    for check in (True, False):
        with pytest.raises(Invalid, match="archive_image.*" + text):
            store.ensure(several(), archive_image=wanted, check=check)
    assert store.layers() == []


def test_another_one_of_the_same_archive_is_another_image(store: Store) -> None:
    store.ensure(several(), archive_image="one:1")
    assert store.ensure(several(), archive_image="two:1").changed
    assert not store.ensure(several(), archive_image="two").changed


def platforms(*, nested: bool) -> bytes:
    files: imagetars.Files = {}
    entries = [imagetars.platform(imagetars.oci_manifest(files, [layer], architecture=name), name)
               for layer, name in ((BASE, "amd64"), (OTHER, "arm64"))]
    return imagetars.packed(imagetars.layout(files, imagetars.index(files, *entries)) if nested else imagetars.layout(files, *entries))


@pytest.mark.parametrize("nested", [True, False])
def test_platforms(store: Store, nested: bool) -> None:
    assert store.tree(store.ensure(platforms(nested=nested), platform="linux/arm64")) == [["other"]]
    assert store.tree(store.ensure(platforms(nested=nested), platform="linux/amd64")) == [["base", "gone"]]
    with pytest.raises(NotFound, match="linux/s390x.*linux/amd64, linux/arm64"):
        store.ensure(platforms(nested=nested), platform="linux/s390x")


def test_names_in_a_layout(store: Store) -> None:
    files: imagetars.Files = {}
    entries = [imagetars.named(imagetars.oci_manifest(files, [layer]), name) for layer, name in ((BASE, "a:1"), (OTHER, "b:1"))]
    content = imagetars.packed(imagetars.layout(files, *entries))
    assert store.tree(store.ensure(content, archive_image="b:1")) == [["other"]]
    with pytest.raises(Invalid, match="a:1.*b:1"):
        store.ensure(content)


def test_roots_that_look_a_little_like_images_are_roots(store: Store) -> None:
    made = store.ensure(tars.archive(tars.file(b"manifest.json", b"[]"), tars.file(b"bin")), format="rootfs")
    assert store.tree(made) == [["bin", "manifest.json"]]
    assert store.tree(store.ensure(tars.archive(tars.directory(b"blobs"), tars.file(b"bin")))) == [["bin"]]


def test_a_cockerimage_keeps_what_it_hides(store: Store) -> None:
    content = tars.archive(
        tars.directory(b"d"), tars.header(b"d/gone", kind=b"3"), tars.file(b".dot", b"x"),
        tars.pax([(b"SCHILY.xattr.trusted.overlay.opaque", b"y")]), tars.directory(b"o"))
    (store.top / "x.cockerimage").write_bytes(gzip.compress(content))
    made = store.ensure(str(store.top / "x.cockerimage"))
    top = store.layout.diff(made.result["image"]["RootFS"]["Layers"][0])
    assert os.getxattr(top + "/o", "trusted.overlay.opaque") == b"y" and os.stat(top + "/d/gone").st_rdev == 0
    assert os.path.exists(top + "/.dot") and os.getxattr(top + "/d", "trusted.overlay.origin") == b""


@pytest.mark.skipif(not shutil.which("skopeo"), reason="no skopeo")
@pytest.mark.parametrize("form", ["docker-archive", "oci-archive", "oci"])
def test_what_skopeo_writes_is_read(store: Store, form: str) -> None:
    (store.top / "from.tar").write_bytes(FORMS["docker"])
    target = "%s:%s:app:1.0" % (form, store.top / "to")
    subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", "docker-archive:%s" % (store.top / "from.tar"), target], check=True)
    made = store.ensure(str(store.top / "to"))
    assert store.tree(made) == [["base", "gone"], ["gone", "top"]] and made.result["image"]["Config"]["Env"] == ["A=b"]
    assert store.ensure(FORMS["docker"], "other").result["image"]["RootFS"]["Layers"] == made.result["image"]["RootFS"]["Layers"]


def with_manifest(change: t.Callable[[t.Dict[str, t.Any]], object]) -> bytes:
    files = imagetars.docker([BASE, TOP])
    value = json.loads(files["manifest.json"])
    change(value[0])
    return imagetars.packed({**files, "manifest.json": imagetars.dump(value)})


def without(files: imagetars.Files, which: t.Callable[[str], bool]) -> bytes:
    return imagetars.packed({name: content for name, content in files.items() if not which(name)})


def bent(files: imagetars.Files, which: t.Callable[[str], bool], how: t.Callable[[bytes], bytes]) -> bytes:
    return imagetars.packed({name: how(content) if which(name) else content for name, content in files.items()})


def is_layer(name: str) -> bool:
    return name.endswith("layer.tar")
