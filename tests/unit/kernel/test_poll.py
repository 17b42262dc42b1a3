# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 100.0
        self.naps: t.List[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


def test_condition_that_holds_costs_no_sleep() -> None:
    clock = Clock()
    assert poll.until(lambda: True, timeout=0, clock=clock, sleep=clock.sleep)
    assert clock.naps == []


def test_condition_is_asked_until_it_holds() -> None:
    clock = Clock()
    assert poll.until(lambda: clock.now >= 100.25, timeout=1, interval=0.1, clock=clock, sleep=clock.sleep)
    assert len(clock.naps) == 3


def test_the_first_looks_may_come_sooner() -> None:
    clock = Clock()
    assert not poll.until(lambda: False, timeout=0.5, interval=0.1, soonest=0.03, clock=clock, sleep=clock.sleep)
    assert [round(nap, 6) for nap in clock.naps] == [0.03, 0.06, 0.1, 0.1, 0.1, 0.1, 0.01]


def test_deadline_ends_the_wait_and_is_not_overslept() -> None:
    clock = Clock()
    assert not poll.until(lambda: False, timeout=0.25, interval=0.1, clock=clock, sleep=clock.sleep)
    assert round(sum(clock.naps), 6) == 0.25


def test_condition_is_asked_once_more_at_the_deadline() -> None:
    clock = Clock()
    assert poll.until(lambda: clock.now >= 100.2, timeout=0.2, interval=0.15, clock=clock, sleep=clock.sleep)


def test_pipe_is_readable_once_something_is_in_it() -> None:
    reader, writer = os.pipe()
    before = poll.wait_readable(reader, 0)
    os.write(writer, b"x")
    after = poll.wait_readable(reader, 1)
    os.close(reader)
    os.close(writer)
    assert (before, after) == (False, True)


def test_end_of_file_counts_as_readable() -> None:
    reader, writer = os.pipe()
    os.close(writer)
    readable = poll.wait_readable(reader, 1)
    os.close(reader)
    assert readable


def test_the_other_end_of_a_pipe_is_gone_whatever_is_left_in_it() -> None:
    heard, told = os.pipe()
    os.write(told, b"x")
    assert not poll.wait_closed(heard, 0)
    os.close(told)
    assert poll.wait_closed(heard, 10)
    os.close(heard)
