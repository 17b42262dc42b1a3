# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import plan
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict


def recorder(log, name, *, fails=False, undo_fails=False):
    def do():
        if fails:
            raise Conflict("do", name)
        log.append("+" + name)

    def undo():
        log.append("-" + name)
        if undo_fails:
            raise OSError(5, "input/output error")

    return plan.Step(do, undo)


def test_a_failure_undoes_what_was_done_newest_first():
    log = []
    with pytest.raises(Conflict, match="do c"):
        plan.apply([recorder(log, "a"), recorder(log, "b"), recorder(log, "c", fails=True)])
    assert log == ["+a", "+b", "-b", "-a"]


def test_a_failing_undo_neither_stops_the_others_nor_replaces_the_cause():
    log = []
    with pytest.raises(Conflict, match="do c") as caught:
        plan.apply([recorder(log, "a"), recorder(log, "b", undo_fails=True), recorder(log, "c", fails=True)])
    assert log == ["+a", "+b", "-b", "-a"]
    assert [str(error) for error in caught.value.cleanup] == ["[Errno 5] input/output error"]


def test_a_dry_run_does_nothing():
    wanted = plan.Plan(action="create", actions=(plan.Action("create", "x"),))
    plan.execute(wanted, lambda action: pytest.fail("a step was made"), dry_run=True)


def test_changed_is_computed_from_the_actions():
    assert not plan.outcome(plan.Plan(), {}).changed
    assert plan.outcome(plan.Plan(actions=(plan.Action("start", "x"),)), {}).changed
