# SPDX-License-Identifier: GPL-3.0-or-later
"""Several containers in one task: in the order in which they need one another, each with its own answer."""
from __future__ import annotations

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import containers_together
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Outcome
from ansible_collections.cocker.engine.plugins.module_utils.model import dependencies
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainersWish, Member
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root


def member(name, needs=(), **said):
    wish = enginelab.wish(name, **{"images": (enginelab.IMAGE,), "command": enginelab.SLEEP, "network_mode": "none", **said})
    return Member(wish, tuple(needs))


def ensure(engine, *members, check=False, before=lambda: None):
    """What was done, in order, and each one's word or error. `before` runs in the same child."""
    order = dependencies.order({each.wish.spec.name: each.needs for each in members}, "depends_on")

    def run():
        before()
        host = open_host(engine.home, dry_run=check)
        answers = containers_together.ensure(host, ContainersWish(tuple(members), tuple(order)))
        return [(name, answer if isinstance(answer, Outcome) else str(answer)) for name, answer in answers]
    return dict(engine.lab.run(run))


def words(answers):
    return {name: answer.plan["action"] if isinstance(answer, Outcome) else answer for name, answer in answers.items()}


def started(engine, *names):
    return [engine.state(name)["StartedAt"] for name in names]


def test_what_is_needed_is_started_first_and_a_second_run_changes_nothing(engine):
    members = [member("web", ["db"]), member("db", ["disk"]), member("disk")]
    foreseen = ensure(engine, *members, check=True)
    done = ensure(engine, *members)
    assert words(done) == dict.fromkeys(("web", "db", "disk"), "create")
    assert {name: answer.actions for name, answer in foreseen.items()} == {name: answer.actions for name, answer in done.items()}
    assert started(engine, "disk", "db", "web") == sorted(started(engine, "disk", "db", "web"))
    assert words(ensure(engine, *members)) == dict.fromkeys(("web", "db", "disk"), "none")


def test_what_needs_others_is_stopped_first(engine):
    ensure(engine, member("web", ["db"]), member("db"))
    stopped = ensure(engine, member("db", state="stopped"), member("web", ["db"], state="stopped"))
    assert words(stopped) == {"db": "stop", "web": "stop"}
    assert engine.state("web")["FinishedAt"] <= engine.state("db")["FinishedAt"]


def test_a_failure_is_its_own_and_that_of_who_needs_it(engine):
    answers = words(ensure(engine, member("web", ["bad"]), member("bad", command=("/none",)), member("good")))
    assert answers["good"] == "create"
    assert "/none" in answers["bad"]
    assert answers["web"] == "start container web: it depends on bad, which failed"
    assert engine.layout.container_names() == ["good"]


def test_who_is_needed_may_be_there_already(engine):
    assert "it depends on db, which does not run" in words(ensure(engine, member("web", ["db"])))["web"]
    engine.start("db", network_mode="none")
    assert words(ensure(engine, member("web", ["db"]))) == {"web": "create"}


def test_one_that_shares_the_network_of_another(engine):
    members = [member("app", network_mode=None), member("side", ["app"], network_mode="container:app")]
    assert words(ensure(engine, *members)) == {"app": "create", "side": "create"}
    assert engine.read("side", "readlink /proc/1/ns/net") == engine.read("app", "readlink /proc/1/ns/net")
    assert words(ensure(engine, *members)) == {"app": "none", "side": "none"}
    assert words(ensure(engine, *[member(name, each.needs, state="absent") for name, each in zip(("app", "side"), members)])) == {
        "app": "remove", "side": "remove"}
