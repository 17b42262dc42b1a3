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


@pytest.fixture
def container(tmp_path: pathlib.Path) -> pathlib.Path:
    """With something in its writable layer, and a record."""
    directory = tmp_path / "web"
    snapshots.create(str(directory), top="")
    (directory / "upper/file").write_text("old")
    (directory / "spec.json").write_text("old")
    return directory


def test_top_of_the_writable_layer_looks_like_the_image(tmp_path: pathlib.Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    top.chmod(0o711)
    snapshots.create(str(tmp_path / "web"), top=str(top))
    assert (tmp_path / "web/upper").stat().st_mode & 0o7777 == 0o711
    assert sorted(os.listdir(tmp_path / "web")) == ["logs", "merged", "upper", "work"]


def replace(container: pathlib.Path) -> None:
    snapshots.keep_record(str(container))
    snapshots.keep_layer(str(container), top="")
    (container / "upper/file").write_text("new")
    (container / "spec.json").write_text("new")


def content(container: pathlib.Path) -> t.Tuple[str, str]:
    return (container / "upper/file").read_text(), (container / "spec.json").read_text()


def test_a_replacement_that_succeeded_drops_the_former_state(container: pathlib.Path) -> None:
    replace(container)
    for _again in range(2):
        snapshots.drop_previous(str(container))
    snapshots.restore_previous(str(container))
    assert content(container) == ("new", "new")
    assert snapshots.PREVIOUS not in os.listdir(container)


def test_a_replacement_that_failed_has_the_former_state_back(container: pathlib.Path) -> None:
    replace(container)
    for _again in range(2):
        snapshots.restore_previous(str(container))
    assert content(container) == ("old", "old")
    assert snapshots.PREVIOUS not in os.listdir(container)


def test_a_record_alone_can_be_replaced(container: pathlib.Path) -> None:
    snapshots.keep_record(str(container))
    (container / "spec.json").write_text("new")
    snapshots.restore_previous(str(container))
    assert content(container) == ("old", "old")
