# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib
import time

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import following
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import inotify
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

LONG = 600.0


@pytest.fixture
def host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(following, "_LONGEST", LONG)
    found = Host(Layout(str(tmp_path)))
    os.makedirs(found.layout.container("web") + "/logs")
    return found


@pytest.mark.parametrize("file", ["logs/container.log", "exit.json"])
def test_a_line_and_an_end_are_heard_of_at_once(host: Host, file: str) -> None:
    begun = time.monotonic()
    with following.news(host, "web") as news:
        (pathlib.Path(host.layout.container("web")) / file).write_text("{}\n")
        news.wait()
    assert time.monotonic() - begun < LONG / 2


def test_others_are_heard_of_at_once(host: Host) -> None:
    reader, writer = os.pipe()
    begun = time.monotonic()
    with following.news(host, "web") as news:
        os.write(writer, b"x")
        news.wait(reader)
    os.close(reader)
    os.close(writer)
    assert time.monotonic() - begun < LONG / 2


def test_without_a_watch_it_is_looked_at_again(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_folders: object) -> int:
        raise KernelError("inotify_init1", "", 24)

    monkeypatch.setattr(inotify, "watch", refuse)
    with following.news(host, "web") as news:
        news.wait()
