# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib
import socket

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import NotFound
from ansible_collections.cocker.engine.plugins.module_utils.storage import importdir, layers, treecopy
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout


@pytest.fixture
def source(tmp_path: pathlib.Path) -> pathlib.Path:
    top = tmp_path / "source"
    (top / "a/b").mkdir(parents=True)
    (top / "a/file").write_bytes(b"content")
    (top / "a/file").chmod(0o4750)
    os.link(top / "a/file", top / "a/b/other name")
    (top / "link").symlink_to("/etc/passwd")
    os.mkfifo(top / "fifo", 0o600)
    with open(top / "hole", "wb") as stream:
        stream.write(b"start")
        stream.seek(50 << 20)
        stream.write(b"end")
    os.utime(top / "a", ns=(1, 1_234_567_891))
    (top / "a").chmod(0o1711)
    return top


def test_copy_is_the_same_tree(source: pathlib.Path, layout: Layout) -> None:
    with layers.new(layout) as staging:
        layer = importdir.import_directory(staging, str(source), created="now")
    copy = pathlib.Path(layout.diff(layer.id))
    assert importdir.digest(str(copy)) == importdir.digest(str(source)) == layer.digest
    assert os.stat(copy / "a/file").st_ino == os.stat(copy / "a/b/other name").st_ino and (copy / "a/file").read_bytes() == b"content"
    assert os.stat(copy / "hole").st_blocks < 200 and (copy / "hole").read_bytes() == (source / "hole").read_bytes()
    assert layer.entries == 7


@pytest.mark.parametrize("change", [
    lambda top: (top / "a/file").write_bytes(b"CONTENT"), lambda top: (top / "new").touch(), lambda top: (top / "link").unlink(),
    lambda top: (top / "a").chmod(0o700), lambda top: os.utime(top / "hole", (5, 5)), lambda top: (top / "fifo").rename(top / "pipe"),
])
def test_any_change_changes_the_digest(source: pathlib.Path, change: object) -> None:
    before = importdir.digest(str(source))
    assert importdir.digest(str(source)) == before
    change(source)  # type: ignore[operator]
    assert importdir.digest(str(source)) != before


def test_sockets_are_left_out(tmp_path: pathlib.Path) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "to").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "from/sock"))
        treecopy.copy_tree(str(tmp_path / "from"), str(tmp_path / "to"))
    assert os.listdir(tmp_path / "to") == []


def test_data_is_copied_without_help_of_the_kernel(source: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> int:
        raise OSError(18, "cross-device")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    (tmp_path / "to").mkdir()
    treecopy.copy_tree(str(source), str(tmp_path / "to"))
    assert (tmp_path / "to/hole").read_bytes() == (source / "hole").read_bytes()


def test_deep_tree(tmp_path: pathlib.Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    for name in ["from"] + ["level-%d" % level for level in range(1200)]:
        os.mkdir(name, dir_fd=fd)
        below = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    (tmp_path / "to").mkdir()
    assert treecopy.copy_tree(str(tmp_path / "from"), str(tmp_path / "to")).entries == 1200
    for name in ("from", "to"):
        fs.remove_tree(str(tmp_path / name))


def test_missing_directory_is_said(tmp_path: pathlib.Path) -> None:
    with pytest.raises(NotFound):
        importdir.digest(str(tmp_path / "none"))
