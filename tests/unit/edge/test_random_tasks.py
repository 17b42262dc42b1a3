# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a task says: what is recorded of it reads back as the same, and the same task then finds nothing to do."""
from __future__ import annotations

import json
import typing as t

import pytest
from hypothesis import given, settings

pytest.importorskip("ansible.module_utils.common.arg_spec")

from ansible_collections.cocker.engine.plugins.module_utils.engine import container_plan
from ansible_collections.cocker.engine.plugins.module_utils.model import changes
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerRecord, ContainerState
from ansible_collections.cocker.engine.plugins.module_utils.model.container_fields import FIELDS, record_from_json
from ansible_collections.cocker.engine.plugins.module_utils.model.container_states import MOVES, after
from ansible_collections.cocker.engine.tests import taskcorpus, taskoptions


@settings(deadline=None, max_examples=150)
@given(taskoptions.stories())
def test_a_record_reads_back_as_what_was_wanted_and_the_second_run_is_nothing(story: t.List[taskoptions.Task]) -> None:
    have = ContainerState("web")
    for task in story:
        wish = taskcorpus.wish({"name": "web", **task})
        plan = container_plan.plan_container(wish, have)
        former = have.record.spec if have.record else None
        differs = former is None or changes.compare(FIELDS, wish.spec, former) != ()
        assert bool(plan.actions) == (differs or after(have.status, MOVES[have.status, wish.state].usual) != have.status)
        record = record_from_json(json.loads(json.dumps(ContainerRecord("id", "now", container_plan.wanted_spec(wish, have), ()).to_json())))
        assert changes.compare(FIELDS, record.spec, wish.spec) == ()
        have = ContainerState("web", after(have.status or "created", MOVES[have.status or "created", wish.state].usual), record)
        again = container_plan.plan_container(taskcorpus.wish({"name": "web", **task}), have)
        assert (again.actions, again.reasons, again.before, again.after) == ((), (), {}, {})
