# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib
import shutil
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged
from ansible_collections.cocker.engine.plugins.module_utils.storage import treecheck


@pytest.fixture
def layer(tmp_path: pathlib.Path) -> pathlib.Path:
    diff = tmp_path / "layer/diff"
    (diff / "etc/empty").mkdir(parents=True)
    (diff / "etc/name").write_text("a name\n")
    (diff / "etc/link").symlink_to("name")
    (diff / os.fsdecode(b"\xff")).write_text("no UTF-8")
    treecheck.record(str(tmp_path / "layer"))
    return tmp_path / "layer"


def found(layer: pathlib.Path) -> t.List[t.Tuple[str, str, t.List[str]]]:
    return [(each.path, each.what, sorted(each.details)) for each in treecheck.findings(str(layer)) or ()]


def rewritten(path: pathlib.Path) -> None:
    """The same size, the same times: what only the inode tells."""
    facts = path.stat()
    path.write_text("a game\n")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def relinked(path: pathlib.Path) -> None:
    path.unlink()
    path.symlink_to("other")


def swapped(path: pathlib.Path) -> None:
    facts = path.stat()
    path.rename(path.parent.parent.parent / "away")
    path.write_text("a game\n")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


@pytest.mark.parametrize(("path", "damage", "what"), [
    ("etc/name", rewritten, ("changed", ["ctime"])),
    ("etc/name", swapped, ("changed", ["ctime", "inode"])),
    ("etc/name", lambda path: os.truncate(path, 2), ("changed", ["ctime", "mtime", "size"])),
    ("etc/name", lambda path: path.chmod(0o600), ("changed", ["ctime", "mode"])),
    ("etc/name", lambda path: path.unlink(), ("missing", [])),
    ("etc/new", lambda path: path.touch(), ("added", [])),
    ("etc/empty", lambda path: path.rmdir(), ("missing", [])),
    ("etc/empty", lambda path: path.chmod(0o700), ("changed", ["mode"])),
], ids=["content", "another file", "truncated", "mode", "removed", "added", "directory removed", "directory mode"])
def test_damage_is_found(layer: pathlib.Path, path: str, damage: t.Callable[[pathlib.Path], t.Any], what: t.Any) -> None:
    assert found(layer) == []
    damage(layer / "diff" / path)
    assert found(layer) == [(path, *what)]


def test_a_link_that_leads_elsewhere_is_found(layer: pathlib.Path) -> None:
    relinked(layer / "diff/etc/link")
    assert [(path, what, "target" in details) for path, what, details in found(layer)] == [("etc/link", "changed", True)]


def test_a_layer_that_is_gone_is_found(layer: pathlib.Path) -> None:
    shutil.rmtree(layer / "diff")
    assert ("", "missing", []) in found(layer)


def test_a_store_that_was_copied_is_whole(layer: pathlib.Path, tmp_path: pathlib.Path) -> None:
    shutil.copytree(layer, tmp_path / "copy", symlinks=True)
    assert found(tmp_path / "copy") == []
    os.truncate(tmp_path / "copy/diff/etc/name", 1)
    assert [path for path, _what, _details in found(tmp_path / "copy")] == ["etc/name"]


def test_without_a_list_nothing_is_known(layer: pathlib.Path) -> None:
    (layer / treecheck.LIST).unlink()
    assert treecheck.findings(str(layer)) is None


def test_a_list_that_cannot_be_read_is_named(layer: pathlib.Path) -> None:
    (layer / treecheck.LIST).write_bytes(b"x")
    with pytest.raises(Damaged, match="force: true"):
        treecheck.findings(str(layer))


def test_a_file_with_two_names_is_counted_once(layer: pathlib.Path) -> None:
    os.link(layer / "diff/etc/name", layer / "diff/etc/again")
    assert treecheck.size(str(layer / "diff")) == len("a name\n") + len("no UTF-8")
    assert treecheck.size(str(layer / "nothing")) == 0
