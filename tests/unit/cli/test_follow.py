# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.cli import follow, transfer
from ansible_collections.cocker.engine.plugins.module_utils.engine.logs import Line
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid


def lines(*said: t.Tuple[str, str]) -> t.List[Line]:
    return [Line("stdout", when, text.encode()) for when, text in said]


def test_lines_of_one_moment_are_shown_once_each() -> None:
    log = lines(("1", "a"), ("2", "b"), ("2", "c"))
    seen = follow.Seen(log[:2])
    assert seen.new(log[1:]) == log[2:]
    assert seen.new(log[1:]) == []
    more = lines(("2", "d"), ("3", "e"))
    assert seen.new([*log[1:], *more]) == more
    assert seen.new(more[1:]) == []


def test_an_empty_log_begins_with_whatever_comes() -> None:
    seen = follow.Seen([])
    assert seen.new(lines(("1", "a"))) == lines(("1", "a"))
    assert seen.new(lines(("1", "a"))) == []


@pytest.mark.parametrize(("text", "stamp"), [
    (None, None), ("90s", "2023-11-14T22:11:50.000000"), ("1h", "2023-11-14T21:13:20.000000"), ("1h1m30s", "2023-11-14T21:11:50.000000"),
    ("2023-01-02T03:04:05Z", "2023-01-02T03:04:05.000000"), ("2023-01-02T03:04:05.5+02:00", "2023-01-02T01:04:05.500000"),
    ("2023-01-02", "2023-01-02T00:00:00.000000"),
])
def test_since_is_a_time_or_a_span(text: t.Optional[str], stamp: t.Optional[str]) -> None:
    assert follow.since(text, 1_700_000_000.0) == stamp


@pytest.mark.parametrize("text", ["", "yesterday", "-5m", "\u0663m"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        follow.since(text, 0.0)


@pytest.mark.parametrize(("text", "found"), [
    ("web:/etc/a", ("web", "/etc/a")), ("/etc/a", ("", "/etc/a")), ("./a:b", ("", "./a:b")), (":x", ("", ":x")),
])
def test_a_place_is_in_a_container_or_on_the_host(text: str, found: t.Tuple[str, str]) -> None:
    assert transfer.place(text) == found
