# SPDX-License-Identifier: GPL-3.0-or-later
"""Work in processes of their own: what comes back is what was returned or raised, and nobody is left."""
from __future__ import annotations

import os
import signal
import time
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import workers
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import (
    CleanupError,
    CockerError,
    Conflict,
    Invalid,
    KernelError,
    StartFailed,
)


@pytest.fixture
def crew() -> t.Iterator[workers.Crew]:
    found = workers.Crew(lambda _number: answer)
    yield found
    found.end()


def answer(asked: t.Any) -> t.Any:
    if isinstance(asked, Exception):
        raise asked
    if asked == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if asked == "wait":
        time.sleep(60)
    return [asked, os.getpid()]


def all_answers(crew: workers.Crew) -> t.Dict[t.Any, t.Any]:
    found: t.Dict[t.Any, t.Any] = {}
    while crew.busy:
        found.update(crew.answered())
    return found


def ask(crew: workers.Crew, asked: t.Any) -> t.Any:
    crew.give(asked)
    [(_asked, found)] = crew.answered()
    return found


def test_one_process_does_one_piece_after_the_other(crew: workers.Crew) -> None:
    first, pid = ask(crew, "a" * (1 << 20))
    assert first == "a" * (1 << 20) and pid != os.getpid()
    assert ask(crew, b"\xff\n") == [b"\xff\n", pid]


def test_pieces_at_once_are_in_processes_of_their_own(crew: workers.Crew) -> None:
    for number in range(5):
        crew.give(number)
    assert sorted(crew.busy) == [0, 1, 2, 3, 4]
    found = all_answers(crew)
    assert [found[number][0] for number in range(5)] == [0, 1, 2, 3, 4]
    assert len({pid for _asked, pid in found.values()}) == 5
    assert crew.answered() == []


@pytest.mark.parametrize("error", [
    CockerError("a", "b", "c", hint="d"), Invalid("option", "no\udcff"), Conflict("a"), StartFailed("start", "x", "y"), KernelError("open", "/x", 2),
    CleanupError("remove", "x", [KernelError("umount", "/y", 16), OSError(2, "none", "/z")]), FileNotFoundError(2, "none", "/z"),
])
def test_an_error_comes_back_as_it_was_raised(crew: workers.Crew, error: Exception) -> None:
    vars(error)["rolled_back"] = True
    found = ask(crew, error)
    assert type(found) is type(error)
    assert (str(found), found.args, getattr(found, "errno", None)) == (str(error), error.args, getattr(error, "errno", None))
    assert list(map(str, getattr(found, "cleanup", ()))) == list(map(str, getattr(error, "cleanup", ())))
    assert found.rolled_back


def test_a_fault_of_ours_is_an_error_that_names_it(crew: workers.Crew) -> None:
    assert "ZeroDivisionError: by nought" in str(ask(crew, ZeroDivisionError("by nought")))


def test_who_dies_hinders_nobody(crew: workers.Crew) -> None:
    for asked in ("die", "a", "b"):
        crew.give(asked)
    found = all_answers(crew)
    assert "without a word" in str(found["die"])
    assert (found["a"][0], found["b"][0]) == ("a", "b")
    assert ask(crew, "c")[0] == "c"


def test_nobody_is_left() -> None:
    crew = workers.Crew(lambda _number: answer)
    _asked, pid = ask(crew, "a")
    crew.give("wait")
    crew.end()
    assert crew.busy == []
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_results_are_in_the_order_of_the_work_and_the_first_failure_is_raised() -> None:
    assert workers.run([lambda number=number: number for number in range(7)], most=3) == list(range(7))  # type: ignore[misc]
    assert workers.run([], most=3) == []

    def fail() -> None:
        raise Conflict("work", "x", "it fails")

    with pytest.raises(Conflict, match="it fails"):
        workers.run([lambda: time.sleep(60), fail, lambda: 1], most=2)


@pytest.mark.parametrize("most", [1, 3, 20])
def test_each_is_told_in_the_order_given_whatever_fails(most: int) -> None:
    given = [3, "die", 0, Conflict("it fails"), 2, 2]
    found = list(workers.each(answer, given, most=most))
    assert [asked for asked, _answer in found] == given
    told = [str(each) if isinstance(each, Exception) else each[0] for _asked, each in found]
    assert told == [3, str(found[1][1]), 0, "it fails", 2, 2] and "without a word" in told[1]


def test_a_single_one_needs_no_other_process() -> None:
    assert list(workers.each(answer, ["a"], most=3)) == [("a", ["a", os.getpid()])]
    [(_asked, error)] = workers.each(answer, [Conflict("it fails")], most=3)
    assert str(error) == "it fails"
    assert list(workers.each(answer, [], most=3)) == []
