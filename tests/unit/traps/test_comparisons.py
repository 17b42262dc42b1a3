# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is compared in whatever way: a second run finds nothing to do, and what is not compared is no reason for anything."""
from __future__ import annotations

import typing as t

import pytest

pytest.importorskip("ansible.module_utils.common.arg_spec")

from hypothesis import HealthCheck, given, settings, strategies as st

from ansible_collections.cocker.engine.plugins.module_utils.edge import parse_comparisons
from ansible_collections.cocker.engine.plugins.module_utils.model import changes
from ansible_collections.cocker.engine.plugins.module_utils.model.container_fields import FIELDS
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageConfig
from ansible_collections.cocker.engine.tests import taskoptions
from ansible_collections.cocker.engine.tests.trapbench import SAME, Bench, box

Task = t.Dict[str, t.Any]

_FIELD = {field.name: field for field in FIELDS}
OPTIONS = sorted(option for option in taskoptions.VALUES if parse_comparisons.FIELD_OF.get(option, option) in _FIELD)
MORE = [option for option in OPTIONS if changes.can_have_more(_FIELD[parse_comparisons.FIELD_OF.get(option, option)])]
OF_MOUNTS = {"volumes", "mounts", "tmpfs"}      # compared together


def comparisons() -> st.SearchStrategy[t.Dict[str, str]]:
    some = st.dictionaries(st.sampled_from([option for option in OPTIONS if option not in OF_MOUNTS]), st.sampled_from(["strict", "ignore"]), max_size=4)
    more = st.dictionaries(st.sampled_from([option for option in MORE if option not in OF_MOUNTS]), st.just("allow_more_present"), max_size=4)
    mounts = st.sampled_from([{}, {"volumes": "ignore"}, {"volumes": "allow_more_present"}])
    everything = st.sampled_from([{}, {}, {"*": "ignore"}, {"*": "allow_more_present"}])
    return st.builds(lambda *found: {key: value for each in found for key, value in each.items()}, everything, some, more, mounts)


@pytest.fixture(scope="module", autouse=True)
def more_images(images: Bench) -> None:
    config = ImageConfig(env=("PATH=/bin",), volumes=("/kept",), exposed_ports=("80/tcp",), labels={"of": "top"})
    images.image("top-of-box", "1", layers=("base", "top"), config=config)


@pytest.mark.parametrize("first,second,cost", [
    ({"init": True}, {"init": True}, SAME), ({"init": True}, {"init": False}, "init restart"), ({"init": True}, {}, "init restart"),
    ({"env": {"A": "1"}, "labels": {"a": "b"}}, {}, SAME), ({"env": {"A": "1"}}, {"env": {"A": "2"}}, "env restart"),
])
def test_more_of_everything_may_be_there(bench: Bench, first: Task, second: Task, cost: str) -> None:
    bench.leave(box(**first))
    assert bench.cost(box(**second, comparisons={"*": "allow_more_present"})) == cost


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(story=taskoptions.stories(), said=st.lists(comparisons(), min_size=4, max_size=4))
def test_a_second_run_finds_nothing_to_do(bench: Bench, story: t.List[Task], said: t.List[t.Dict[str, str]]) -> None:
    bench.forget()
    for task, compared in zip(story, said):
        task = {**task, "state": "started", "comparisons": compared}
        bench.leave(task)
        assert bench.cost(task) == SAME, task


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(story=taskoptions.stories())
def test_what_is_not_compared_is_no_reason(bench: Bench, story: t.List[Task]) -> None:
    bench.forget()
    bench.leave({**story[0], "state": "started"})
    for task in story:
        assert bench.cost({**task, "state": "started", "comparisons": {"*": "ignore"}}) == SAME, task
