# SPDX-License-Identifier: GPL-3.0-or-later
"""What another content of a file costs."""
from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model import changes, mounts
from ansible_collections.cocker.engine.plugins.module_utils.model.contentfile import Content
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import Mount

GIVEN = dict.fromkeys((
    "type", "target", "source", "read_only", "propagation", "non_recursive", "create_mountpoint", "no_copy", "labels", "tmpfs_size",
    "tmpfs_mode", "tmpfs_options", "subpath", "content", "mode", "uid", "gid", "on_change", "signal"))


def file(text: str, target: str = "/a", **said: t.Any) -> Mount:
    return Mount("content", "", target, read_only=True, content=Content(text, **said))


def parse(**said: t.Any) -> Mount:
    return mounts.parse_mount({**GIVEN, "type": "content", "target": "/a", **said})


@pytest.mark.parametrize("before, after, cost, signals", [
    ([file("a")], [file("b")], changes.RESTART, []),
    ([file("a", on_change="reload")], [file("b", on_change="reload")], changes.LIVE, [1]),
    ([file("a", on_change="reload")], [file("a", on_change="reload", mode=0o400, signal=10)], changes.LIVE, [10]),
    ([file("a", on_change="restart")], [file("a", on_change="reload")], changes.LIVE, []),
    ([file("a", on_change="none")], [file("b", on_change="none")], changes.LIVE, []),
    ([file("a", on_change="reload"), file("a", "/b")], [file("b", on_change="reload"), file("b", "/b")], changes.RESTART, [1]),
    ([file("a", on_change="reload")], [file("b", "/b", on_change="reload")], changes.RESTART, [1]),
    ([], [file("b", on_change="none")], changes.RESTART, []),
    ([file("a", on_change="none")], [dataclasses.replace(file("b", on_change="none"), read_only=False)], changes.RESTART, []),
])
def test_a_change_costs_what_the_file_says(before: t.List[Mount], after: t.List[Mount], cost: str, signals: t.List[int]) -> None:
    assert mounts.cost(before, after) == cost and mounts.signals(before, after) == signals


def test_an_entry_is_read() -> None:
    assert parse(content="x") == file("x")
    assert parse(content="", mode="0640", uid=7, gid=8, on_change="reload", signal="USR1", read_only=False) == Mount(
        "content", "", "/a", content=Content("", 0o640, 7, 8, "reload", 10))


@pytest.mark.parametrize("option, said", [
    ("mounts.content", {}), ("mounts.content", {"content": "x" * ((1 << 20) + 1)}), ("mounts.signal", {"content": "", "signal": "HUP"}),
    ("mounts.signal", {"content": "", "on_change": "reload", "signal": "NO"}), ("mounts.mode", {"content": "", "mode": "rw"}),
    ("mounts.uid", {"content": "", "uid": -1}), ("mounts.source", {"content": "", "source": "/x"}),
    ("mounts.content", {"type": "tmpfs", "content": ""}), ("mounts.on_change", {"type": "bind", "source": "/x", "on_change": "none"}),
])
def test_what_cannot_be_is_refused(option: str, said: t.Dict[str, t.Any]) -> None:
    with pytest.raises(Invalid) as error:
        parse(**said)
    assert error.value.subject == option
