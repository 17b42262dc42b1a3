# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import os
import threading

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict
from ansible_collections.cocker.engine.plugins.module_utils.storage import locks
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout


def taken_elsewhere(layout: Layout, kind: str, name: str, *, shared: bool = False) -> bool:
    answer = []

    def work() -> None:
        try:
            with locks.held(layout, kind, name, shared=shared, timeout=0):
                answer.append(False)
        except Conflict:
            answer.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return answer[0]


def test_one_object_one_task(layout: Layout) -> None:
    with locks.held(layout, "container", "web"):
        assert taken_elsewhere(layout, "container", "web")
        assert not taken_elsewhere(layout, "container", "db")
    assert not taken_elsewhere(layout, "container", "web")
    assert os.listdir(os.path.join(layout.locks, "container")) == []


def test_error_says_what_is_worked_on(layout: Layout) -> None:
    with locks.held(layout, "container", "web"), pytest.raises(RuntimeError):
        with locks.held(layout, "container", "web"):
            pass
    with contextlib.ExitStack() as stack:
        stack.enter_context(fs.lock(layout.lock("container", "web")))
        with pytest.raises(Conflict, match="container web: another task works on it"), locks.held(layout, "container", "web", timeout=0.05):
            pass


def test_order_is_fixed(layout: Layout) -> None:
    with locks.held(layout, "image", "b"), locks.held(layout, "volume", "a"), locks.held(layout, "container", "a"):
        for kind, name in (("image", "c"), ("network", "z"), ("container", "a")):
            with pytest.raises(RuntimeError), locks.held(layout, kind, name):
                pass
        with locks.held(layout, "container", "b"), locks.held(layout, "firewall", "x"):
            pass
    with locks.held(layout, "image", "a"):
        pass


def test_several_of_a_kind_are_taken_in_order(layout: Layout) -> None:
    with locks.all_held(layout, "image", ["b/c", "a", "b/c"], shared=True):
        assert taken_elsewhere(layout, "image", "a") and taken_elsewhere(layout, "image", "b/c")
        assert not taken_elsewhere(layout, "image", "a", shared=True)
