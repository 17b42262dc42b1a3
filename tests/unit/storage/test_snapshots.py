# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged
from ansible_collections.cocker.engine.plugins.module_utils.storage import snapshots
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout


@pytest.mark.parametrize("stack, order", [
    ([], []),
    ([["a"]], ["a"]),
    ([["base", "a"], ["base", "b"]], ["base", "a", "b"]),
    ([["a", "b"], ["c"]], ["a", "b", "c"]),
    ([["a"], ["a"]], ["a"]),
])
def test_shared_layers_are_there_once_where_they_are_lowest(stack: t.List[t.List[str]], order: t.List[str]) -> None:
    assert snapshots.layer_order(stack) == order


def test_overlayfs_gets_the_topmost_first(layout: Layout) -> None:
    for layer in ("a", "b", "c"):
        os.makedirs(layout.diff(layer))
    assert snapshots.lower_dirs(layout, [["a", "b"], ["c"]]) == [layout.diff(layer) for layer in "cba"]
    with pytest.raises(Damaged, match="not in the store"):
        snapshots.lower_dirs(layout, [["a"], ["gone"]])


def test_top_of_the_writable_layer_looks_like_the_image(tmp_path: pathlib.Path) -> None:
    lower = tmp_path / "lower"
    lower.mkdir()
    lower.chmod(0o711)
    snapshots.prepare(str(tmp_path), lower=[str(lower)])
    assert (tmp_path / "upper").stat().st_mode & 0o7777 == 0o711
    assert sorted(os.listdir(tmp_path)) == ["lower", "merged", "upper", "work"]


def write(path: pathlib.Path, text: str) -> None:
    (path / "upper/file").write_text(text)


def test_replacing_keeps_the_old_layer_until_it_is_forgotten(tmp_path: pathlib.Path) -> None:
    snapshots.prepare(str(tmp_path))
    write(tmp_path, "old")
    snapshots.set_aside(str(tmp_path))
    snapshots.prepare(str(tmp_path))
    write(tmp_path, "new")
    snapshots.forget(str(tmp_path))
    snapshots.forget(str(tmp_path))
    assert (tmp_path / "upper/file").read_text() == "new" and sorted(os.listdir(tmp_path)) == ["merged", "upper", "work"]


@pytest.mark.parametrize("progress", ["set aside", "again", "prepared", "half prepared"])
def test_rollback_brings_the_old_layer_back(tmp_path: pathlib.Path, progress: str) -> None:
    snapshots.prepare(str(tmp_path))
    write(tmp_path, "old")
    snapshots.set_aside(str(tmp_path))
    if progress == "half prepared":
        (tmp_path / "upper").mkdir()
    elif progress != "set aside":
        snapshots.prepare(str(tmp_path))
        write(tmp_path, "new")
    if progress == "again":
        snapshots.set_aside(str(tmp_path))
    snapshots.restore(str(tmp_path))
    snapshots.restore(str(tmp_path))
    assert (tmp_path / "upper/file").read_text() == "old" and sorted(os.listdir(tmp_path)) == ["merged", "upper", "work"]


def test_usage_is_what_was_written(tmp_path: pathlib.Path) -> None:
    snapshots.prepare(str(tmp_path))
    before = snapshots.usage(str(tmp_path))
    (tmp_path / "upper/file").write_bytes(b"x" * 50000)
    assert snapshots.usage(str(tmp_path)) - before >= 50000
