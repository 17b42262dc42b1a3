# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever tasks say, one after the other: check mode foresees each run, a second run finds nothing to do, and the kernel shows the effect.

COCKER_TEST_STORIES is how many are told, each time others; without it there are a few that are always the same.
"""
from __future__ import annotations

import os
import pathlib
import typing as t

import pytest
from hypothesis import HealthCheck, Phase, given, settings

pytest.importorskip("ansible.module_utils.common.arg_spec")

from ansible_collections.cocker.engine.plugins.module_utils.engine import containers
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageConfig, ImageRecord, Provenance
from ansible_collections.cocker.engine.plugins.module_utils.storage import images
from ansible_collections.cocker.engine.tests import taskcorpus, taskeffects, taskoptions
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root
STORIES = int(os.environ.get("COCKER_TEST_STORIES", 0))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[enginelab.Engine]:
    with enginelab.host(str(tmp_path_factory.mktemp("engine"))) as found:
        config = ImageConfig(env=("PATH=/bin",), volumes=("/kept",), exposed_ports=("80/tcp",), labels={"of": "top"})
        record = ImageRecord("top-of-box", "1", ("base", "top"), config, "2026-01-01T00:00:00Z", Provenance("directory"))
        found.lab.run(images.save, found.layout, record)
        yield found


@pytest.fixture(scope="module")
def engine(lab: enginelab.Engine) -> t.Iterator[enginelab.Engine]:
    with enginelab.clean(lab) as found:
        yield found


def run(engine: enginelab.Engine, task: taskcorpus.Task, *, check: bool = False) -> t.Any:
    def ensure() -> t.Any:
        with enginelab.plain_errors():
            return containers.ensure(open_host(engine.home, dry_run=check), taskcorpus.wish({"name": "web", **task}))
    return engine.lab.run(ensure)


@settings(
    deadline=None, max_examples=STORIES or 5, derandomize=not STORIES, database=None, phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(taskoptions.stories())
def test_every_run_is_foreseen_and_has_its_effect_and_the_second_one_changes_nothing(engine: enginelab.Engine, story: t.List[taskoptions.Task]) -> None:
    for network, subnet in (("front", "10.77.0.0/24"), ("back", "10.77.1.0/24")):
        engine.network(network, subnet=subnet)
    before, written = engine.snapshot(), pathlib.Path(engine.layout.container("web"), "upper", "written")
    for task in story:
        was_there = written.exists()
        foreseen, done = run(engine, task, check=True), run(engine, task)
        assert (foreseen.plan, foreseen.actions, foreseen.diff) == (done.plan, done.actions, done.diff), task
        again = run(engine, task)
        assert (again.plan["action"], again.diff) == ("none", {"before": {}, "after": {}}), task
        assert written.exists() == (was_there and done.plan["action"] != "recreate"), task
        written.touch()
        if task["state"] == "started":
            assert taskeffects.differences(task, taskeffects.seen(engine)) == {}, task
    last = {**story[-1], "state": "started"}        # whatever it was changed from, and in which state
    run(engine, last)
    assert taskeffects.differences(last, taskeffects.seen(engine)) == {}, last
    engine.remove_all()
    for network, subnet in (("front", "10.77.0.0/24"), ("back", "10.77.1.0/24")):
        engine.network(network, subnet=subnet)
    assert engine.snapshot() == before
