# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import process
from ansible_collections.cocker.engine.plugins.module_utils.storage import intents
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout


def declare_elsewhere(layout: Layout, name: str) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            intents.declare(layout, "container", name, {"netns": "nns1"})
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def test_intent_of_a_living_task_is_not_dead(layout: Layout) -> None:
    intents.declare(layout, "container", "web", {"netns": "nns1"})
    assert intents.dead(layout) == []
    found = intents.find(layout, "container", "web")
    assert found is not None and found.facts == {"netns": "nns1"} and not found.is_dead()


def test_intent_of_a_killed_task_is_found_and_settled(layout: Layout) -> None:
    declare_elsewhere(layout, "calvin=G6")
    assert [(intent.kind, intent.name, intent.facts) for intent in intents.dead(layout)] == [("container", "calvin=G6", {"netns": "nns1"})]
    intents.settle(layout, "container", "calvin=G6")
    intents.settle(layout, "container", "calvin=G6")
    assert intents.dead(layout) == []


def test_intent_of_another_boot_is_dead(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    intents.declare(layout, "network", "web", {})
    monkeypatch.setattr(process, "boot_id", lambda: "another")
    assert [intent.name for intent in intents.dead(layout)] == ["web"]


@pytest.mark.parametrize("content", [b"", b"{", b'{"schema": 1}'])
def test_damaged_intent_is_dead_and_still_has_its_name(layout: Layout, content: bytes) -> None:
    with open(layout.intent("container", "a-b"), "wb") as stream:
        stream.write(content)
    assert [(intent.kind, intent.name, intent.facts) for intent in intents.dead(layout)] == [("container", "a-b", {})]


def test_store_that_is_not_there_has_no_intents(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert intents.dead(Layout(str(tmp_path_factory.mktemp("x") / "none"))) == []
