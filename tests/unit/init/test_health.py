# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from the results of a health check. docker's rules."""
from __future__ import annotations

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.init.health import Verdict, judged, pause
from ansible_collections.cocker.engine.plugins.module_utils.model.healthcheck import SECOND, Check
from ansible_collections.cocker.engine.plugins.module_utils.runtime.state import Probe

CHECK = Check(("CMD", "true"), 30 * SECOND, SECOND, 10 * SECOND, 5 * SECOND, 2)
GOOD, BAD, LATE = (Probe("a", "b", code, "") for code in (0, 1, -1))


@pytest.mark.parametrize("results,status,streak", [
    ([], "starting", 0),
    ([(1, GOOD)], "healthy", 0),
    ([(1, BAD), (5, BAD), (9.9, LATE)], "starting", 0),                      # they do not count
    ([(9, BAD), (10, BAD)], "starting", 1), ([(10, BAD), (40, BAD)], "unhealthy", 2),
    ([(1, GOOD), (2, BAD)], "healthy", 1), ([(1, GOOD), (2, BAD), (3, LATE)], "unhealthy", 2),      # the first success ended it
    ([(1, GOOD), (2, BAD), (3, GOOD), (4, BAD)], "healthy", 1),
    ([(11, BAD), (12, BAD), (13, BAD), (14, GOOD)], "healthy", 0),
])
def test_the_status(results, status, streak):
    found = Verdict()
    for at, probe in results:
        found = judged(found, probe, CHECK, at=at)
    assert (found.status, found.streak) == (status, streak)
    assert found.log == tuple(probe for _at, probe in results)[-5:]


@pytest.mark.parametrize("verdict,at,seconds", [
    (Verdict(), 0, 5), (Verdict(), 9, 5), (Verdict(), 10, 30), (Verdict("healthy"), 1, 30), (Verdict("unhealthy"), 1, 30),
])
def test_the_time_to_the_next(verdict, at, seconds):
    assert pause(verdict, CHECK, at) == seconds


def test_five_results_are_kept():
    found = Verdict()
    for number in range(7):
        found = judged(found, Probe("", "", number, ""), CHECK, at=20)
    assert [probe.exit_code for probe in found.log] == [2, 3, 4, 5, 6]
