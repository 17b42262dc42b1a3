# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs again after which end, and after how long."""
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.init import restart
from ansible_collections.cocker.engine.plugins.module_utils.init.restart import History
from ansible_collections.cocker.engine.plugins.module_utils.model import restarts
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid


@pytest.mark.parametrize(("policy", "before", "code", "again"), [
    ("no", 0, 0, False), ("no", 0, 1, False),
    ("always", 0, 0, True), ("always", 500, 137, True), ("unless-stopped", 3, 0, True),
    ("on-failure", 0, 0, False), ("on-failure", 0, 1, True), ("on-failure", 1000, 255, True),
    ("on-failure:2", 1, 1, True), ("on-failure:2", 2, 1, False), ("on-failure:2", 0, 0, False), ("on-failure:0", 9, 1, True),
])
def test_who_runs_again(policy: str, before: int, code: int, again: bool) -> None:
    found = restart.following(restarts.parse(policy), History(before, 0.1), exit_code=code, lasted=1.0)
    assert (found is not None) is again
    assert found is None or found.restarts == before + 1


def waits(*lasted: float) -> t.List[float]:
    history, found = History(), []
    for each in lasted:
        following = restart.following(restarts.Policy("always"), history, exit_code=0, lasted=each)
        assert following is not None
        history = following
        found.append(round(history.delay, 3))
    return found


def test_each_wait_is_twice_the_last_up_to_a_minute() -> None:
    assert waits(*[0.0] * 12) == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60.0, 60.0]


def test_a_run_of_ten_seconds_begins_it_anew() -> None:
    assert waits(0, 0, 9.9, 10.0, 0, 100000.0) == [0.1, 0.2, 0.4, 0.1, 0.2, 0.1]


@pytest.mark.parametrize(("text", "policy", "written"), [
    ("no", ("no", 0), "no"), ("always", ("always", 0), "always"), (" unless-stopped ", ("unless-stopped", 0), "unless-stopped"),
    ("on-failure", ("on-failure", 0), "on-failure"), ("on-failure:3", ("on-failure", 3), "on-failure:3"),
])
def test_policies_as_they_are_written(text: str, policy: t.Tuple[str, int], written: str) -> None:
    assert restarts.parse(text) == policy and str(restarts.parse(text)) == written


@pytest.mark.parametrize("text", ["", "never", "Always", "always:3", "on-failure:", "on-failure:-1", "on-failure:x", "no:1", "on-failure:9999999999"])
def test_policies_that_are_none(text: str) -> None:
    with pytest.raises(Invalid, match="restart_policy"):
        restarts.parse(text)
