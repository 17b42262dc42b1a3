# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import os
import pathlib
import select
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import inotify
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError


def has_news(fd: int, timeout: float = 0) -> bool:
    return bool(select.select([fd], [], [], timeout)[0])


@pytest.fixture
def watched(tmp_path: pathlib.Path) -> t.Iterator[int]:
    (tmp_path / "inner").mkdir()
    (tmp_path / "file").write_text("before")
    try:
        fd = inotify.watch((str(tmp_path), str(tmp_path / "inner"), str(tmp_path / "none")))
    except KernelError as error:
        if error.errno not in (errno.EMFILE, errno.ENOSPC):
            raise
        pytest.skip("other programs of this user have all inotify instances or watches: see user.max_inotify_instances")
    yield fd
    os.close(fd)


def append(path: pathlib.Path) -> None:
    with open(path, "a") as stream:
        stream.write("x")


def replace(path: pathlib.Path) -> None:
    os.replace(path / "file", path / "inner" / "file")


@pytest.mark.parametrize("change", [
    lambda path: append(path / "file"), lambda path: append(path / "inner" / "new"), replace, lambda path: (path / "inner").rmdir(),
], ids=["written", "made", "put there", "removed"])
def test_what_changes_is_heard_of_once(tmp_path: pathlib.Path, watched: int, change: t.Callable[[pathlib.Path], None]) -> None:
    assert not has_news(watched)
    change(tmp_path)
    assert has_news(watched, 10)
    inotify.drain(watched)
    assert not has_news(watched)


def test_reading_is_no_change(tmp_path: pathlib.Path, watched: int) -> None:
    (tmp_path / "file").read_text()
    list(tmp_path.iterdir())
    assert not has_news(watched)
