# SPDX-License-Identifier: GPL-3.0-or-later
"""cocker_image's engine on real files: what comes in, what a second run does, what is refused and what then remains."""
from __future__ import annotations

import hashlib
import io
import os
import tarfile
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import images
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Conflict, Damaged, Invalid, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ImageWish
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout
from ansible_collections.cocker.engine.tests.root import enginelab, netlab

pytestmark = pytest.mark.root


class Store:
    def __init__(self, lab: netlab.Lab, home: str) -> None:
        self.lab, self.home, self.layout = lab, home, Layout(home)

    def ensure(self, name: str = "debian", *, check: bool = False, **said: t.Any) -> t.Any:
        wish = ImageWish(name, **said)
        return self.lab.run(lambda: images.ensure(open_host(self.home, dry_run=check), wish))

    def layers(self) -> t.List[str]:
        return sorted(os.listdir(self.layout.layers))


@pytest.fixture
def store(tmp_path: t.Any) -> t.Iterator[Store]:
    with netlab.Lab() as lab:
        yield Store(lab, str(tmp_path / "home"))


def make_archive(path: t.Any, *, name: str = "etc/hello", text: bytes = b"hello\n", kind: str = "gz") -> str:
    with tarfile.open(path, "w:" + kind) as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    return str(path)


@pytest.mark.parametrize("kind", ["", "gz", "xz", "bz2"])
def test_an_archive_is_imported_once(store: Store, tmp_path: t.Any, kind: str) -> None:
    path = make_archive(tmp_path / "root.tar", kind=kind)
    first = store.ensure(version="12", source="archive", path=path)
    assert [action["action"] for action in first.actions] == ["import"]
    assert first.result["image"]["RepoTags"] == ["debian:12"]
    with open(os.path.join(store.layout.diff(first.result["image"]["RootFS"]["Layers"][0]), "etc/hello")) as file:
        assert file.read() == "hello\n"
    assert not store.ensure(version="12", source="archive", path=path).changed


def test_the_content_decides_and_not_the_name_of_the_file(store: Store, tmp_path: t.Any) -> None:
    path = make_archive(tmp_path / "one.tar", kind="")
    store.ensure(source="archive", path=path)
    os.rename(path, tmp_path / "two.tar")
    assert not store.ensure(source="archive", path=str(tmp_path / "two.tar")).changed
    other = store.ensure(source="archive", path=make_archive(tmp_path / "two.tar", text=b"other\n", kind=""))
    assert other.plan["action"] == "replace"
    assert store.layers() == other.result["image"]["RootFS"]["Layers"]


def test_an_archive_on_the_controller_is_only_needed_when_its_content_is_new(store: Store, tmp_path: t.Any) -> None:
    path = make_archive(tmp_path / "root.tar")
    digest = sha256(path)
    assert store.ensure(source="archive", digest=digest).result["needed"]
    store.ensure(source="archive", path=path)
    assert not store.ensure(source="archive", digest=digest).result["needed"]


def test_a_directory_is_imported_once_and_again_when_it_changed(store: Store, tmp_path: t.Any) -> None:
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/hello").write_text("hello\n")
    assert store.ensure(source="directory", path=str(tree)).changed
    assert not store.ensure(source="directory", path=str(tree)).changed
    (tree / "etc/hello").write_text("hello, you\n")
    assert store.ensure(source="directory", path=str(tree)).plan["action"] == "replace"


def test_check_mode_says_what_would_be_done_and_does_nothing(store: Store, tmp_path: t.Any) -> None:
    path = make_archive(tmp_path / "root.tar")
    checked = store.ensure(source="archive", path=path, check=True)
    assert not os.path.exists(store.home)
    assert store.ensure(source="archive", path=path).actions == checked.actions


def sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def truncated(path: str) -> None:
    os.truncate(path, os.path.getsize(path) - 40)


@pytest.mark.parametrize("said,error,text", [
    ({"source": "archive", "path": "/nowhere.tar"}, Invalid, "option path: /nowhere.tar: No such file"),
    ({"source": "archive", "path": "/"}, Invalid, "option path: / is not a file"),
    ({"source": "directory", "path": "/etc/passwd"}, Invalid, "option path: /etc/passwd is not a directory"),
    ({}, NotFound, "image debian: it is not in the store"),
])
def test_a_source_that_is_not_there_is_refused_before_the_first_effect(store: Store, said: t.Any, error: t.Any, text: str) -> None:
    with pytest.raises(error, match=text):
        store.ensure(**said)
    assert store.layout.image_names() == []


def test_a_damaged_archive_leaves_nothing(store: Store, tmp_path: t.Any) -> None:
    path = make_archive(tmp_path / "root.tar", text=os.urandom(1 << 16))
    truncated(path)
    with pytest.raises(Damaged):
        store.ensure(source="archive", path=path)
    assert (store.layout.image_names(), store.layers()) == ([], [])


def test_an_archive_that_tries_to_leave_its_directory_leaves_nothing_outside(store: Store, tmp_path: t.Any) -> None:
    path = make_archive(tmp_path / "root.tar", name="../../../../../../escaped")
    with pytest.raises(CockerError):
        store.ensure(source="archive", path=path)
    assert store.layers() == []
    assert not os.path.exists("/escaped")


def test_an_image_that_a_container_is_made_of_stays(store: Store) -> None:
    store.lab.run(enginelab.make_store, store.home)
    engine = enginelab.Engine(store.lab, store.home)
    engine.ensure("web", images=("box",), command=enginelab.SERVER, state="present")
    with pytest.raises(Conflict, match="containers are made of it: web"):
        store.ensure("box", version="1", state="absent")
    engine.ensure("web", state="absent")
    assert store.ensure("box", version="1", state="absent").changed
    assert not store.ensure("box", version="1", state="absent").changed
    assert "base" not in store.layers()


def test_an_image_of_the_hosts_own_programs_is_made_once_and_runs(store: Store) -> None:
    first = store.ensure("test", version="1.0.0", source="host")
    assert first.result["image"]["Config"]["Env"]
    assert not store.ensure("test", version="1.0.0", source="host").changed
    engine = enginelab.Engine(store.lab, store.home)
    engine.ensure("web", images=("test",), init=True, command=())
    assert engine.read("web", "python3 -c 'import http.server, ssl; print(42)'") == "42"
    engine.ensure("web", state="absent")


def test_nothing_is_kept_of_the_temporary_file_that_an_archive_was_sent_in(store: Store, tmp_path: t.Any) -> None:
    path = make_archive(tmp_path / "sent.tar")
    digest = sha256(path)
    asked = store.ensure(source="archive", digest=digest, check=True)
    done = store.ensure(source="archive", digest=digest, path=path)
    assert done.actions == asked.actions
    assert done.result["image"]["Cocker"]["Path"] == ""
    with pytest.raises(Damaged, match="the controller's is"):
        store.ensure("other", source="archive", digest="0" * 64, path=path)
