# SPDX-License-Identifier: GPL-3.0-or-later
"""What a supervisor makes of what the process says that prepares a run, and of one that dies without a word. Real forks, no container."""
from __future__ import annotations

import os
import signal
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.init import orders, prepare, run
from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import StartFailed
from ansible_collections.cocker.engine.plugins.module_utils.runtime import sync

TICKET = orders.Ticket("web", "/nowhere", "/nowhere/run", (), "/nowhere/cache", cgroupfs.Layout("v1", {}, ""))
Prepared = t.Callable[..., prepare.Answer]


def begun(monkeypatch: pytest.MonkeyPatch, prepared: Prepared) -> run.Run:
    monkeypatch.setattr(prepare, "_first", prepared)
    before = len(os.listdir("/proc/self/fd"))
    found = run.begin(TICKET, foreign=(), first=True)
    os.waitpid(-1, 0)
    assert len(os.listdir("/proc/self/fd")) == before + len([fd for fd in (found.config, found.listener, *found.streams(), *found.held) if fd >= 0])
    return found


def test_one_that_dies_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(*_args: t.Any) -> t.NoReturn:
        os.kill(os.getpid(), signal.SIGKILL)
        os._exit(0)

    found = begun(monkeypatch, dying)
    assert found.failure[:1] == prepare.FAILED and "died" in sync.parse(found.failure[1:]).reason


def test_one_that_breaks_down_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: t.Any) -> prepare.Answer:
        raise StartFailed("start", "web", "no luck")

    found = begun(monkeypatch, broken)
    assert found.failure[:1] == prepare.FAILED and "no luck" in sync.parse(found.failure[1:]).reason


@pytest.mark.parametrize(("words", "count", "terminal", "held", "awake"), [
    (b"7 0 0", 2, False, 0, False), (b"7 0 1", 3, False, 1, True), (b"7 1 0", 2, True, 1, False),
])
def test_the_ends_of_its_streams(
    monkeypatch: pytest.MonkeyPatch, words: bytes, count: int, terminal: bool, held: int, awake: bool
) -> None:
    def ready(*_args: t.Any) -> prepare.Answer:
        return prepare.BEGUN + words, [os.open("/dev/null", os.O_RDONLY) for _each in range(2 + count)]

    found = begun(monkeypatch, ready)
    assert (found.pid, found.failure, found.awake) == (7, b"", awake)
    assert (found.err < 0) is terminal and len(found.held) == held and found.out >= 0 and found.config >= 0 and found.listener >= 0
    for fd in (found.config, found.listener, *found.streams(), *found.held):
        os.close(fd)
