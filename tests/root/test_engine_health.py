# SPDX-License-Identifier: GPL-3.0-or-later
"""Health checks as tasks see them: of the task and of the image, changed live, told by inspect."""
from __future__ import annotations

import dataclasses
import time

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, StartFailed
from ansible_collections.cocker.engine.plugins.module_utils.model.healthcheck import SECOND, Check
from ansible_collections.cocker.engine.plugins.module_utils.storage import images
from ansible_collections.cocker.engine.tests.root import enginelab
from ansible_collections.cocker.engine.tests.root.test_engine_containers_together import ensure, member, words

pytestmark = pytest.mark.root
OFTEN = SECOND // 50
GOOD, BAD = (Check(("CMD", "/bin/" + word), interval=OFTEN, retries=2) for word in ("true", "false"))


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with enginelab.host(str(tmp_path_factory.mktemp("engine"))) as found:
        record = found.run(lambda host: images.find(host.layout, enginelab.IMAGE, "1"))
        checked = {"Test": ["CMD-SHELL", "[ -e /well ]"], "Interval": OFTEN, "Retries": 1}
        found.run(lambda host: images.save(host.layout, dataclasses.replace(
            record, name="checked", config=dataclasses.replace(record.config, healthcheck=checked))))
        yield found


def until_health(engine, status, name="web"):
    assert poll.until(lambda: engine.state(name)["Health"]["Status"] == status, timeout=10)
    return engine.state(name)["Health"]


def test_it_is_told_and_changes_live(engine):
    started = engine.start(network_mode="none", healthcheck=GOOD)
    assert started.result["container"]["State"]["Health"]["Status"] in ("starting", "healthy")
    assert until_health(engine, "healthy")["Log"][-1]["ExitCode"] == 0
    assert engine.find("web")["Config"]["Healthcheck"] == {"Test": ["CMD", "/bin/true"], "Interval": OFTEN, "Retries": 2}
    assert not engine.start(network_mode="none", healthcheck=GOOD).changed
    pid = engine.state("web")["Pid"]
    outcome = engine.start(network_mode="none", healthcheck=BAD)
    assert outcome.plan == {"action": "update", "reasons": ["healthcheck changed (update)"]}
    assert outcome.diff["after"] == {"healthcheck": {"test": ["CMD", "/bin/false"], "interval": OFTEN, "retries": 2}}
    assert outcome.result["container"]["State"]["Health"]["Status"] != "healthy"        # nothing that the former check said
    found = until_health(engine, "unhealthy")
    assert found["FailingStreak"] >= 2 and engine.state("web")["Pid"] == pid
    engine.start(network_mode="none")
    assert "Health" not in engine.state("web") and "Healthcheck" not in engine.find("web")["Config"]


def test_the_images_check_is_the_containers(engine):
    said = {"images": ("checked",), "network_mode": "none"}
    engine.start(**said)
    assert until_health(engine, "unhealthy")["Log"][-1]["ExitCode"] == 1
    engine.exec("web", "/bin/touch", "/well")
    until_health(engine, "healthy")
    assert engine.find("web")["Config"]["Healthcheck"]["Test"] == ["CMD-SHELL", "[ -e /well ]"]
    assert not engine.start(**said).changed
    engine.start(healthcheck=Check(("NONE",)), **said)
    assert "Health" not in engine.state("web") and engine.find("web")["Config"]["Healthcheck"]["Test"] == ["NONE"]


def test_of_a_container_that_has_ended_nothing_is_left_of_it(engine):
    engine.start(network_mode="none", healthcheck=GOOD)
    until_health(engine, "healthy")
    engine.ensure("web", state="stopped")
    assert engine.state("web")["Health"] == {"Status": "unhealthy", "FailingStreak": 0, "Log": []}
    assert not any("containers/" in path for path in engine.files()["run"])


SOON = Check(("CMD-SHELL", "sleep 0.2; [ -e /tmp/well ]"), interval=OFTEN, start_interval=OFTEN, start_period=100 * SECOND)
WORKS = {"command": ("/bin/sh", "-c", "sleep 0.3; touch /tmp/well; exec sleep 100"), "network_mode": "none", "state": "healthy"}


def test_a_task_waits_until_it_is_healthy(engine):
    foreseen = engine.start(healthcheck=SOON, check=True, **WORKS)
    begun = time.monotonic()
    done = engine.start(healthcheck=SOON, **WORKS)
    assert time.monotonic() - begun > 0.3
    assert (foreseen.actions, foreseen.plan, foreseen.diff) == (done.actions, done.plan, done.diff) and done.plan["action"] == "create"
    assert done.result["container"]["State"]["Health"]["Status"] == "healthy"
    assert not engine.start(healthcheck=SOON, **WORKS).changed
    assert not engine.ensure("web", state="healthy").changed
    assert engine.ensure("web", restart=True, state="healthy").plan["action"] == "restart"
    assert engine.state("web")["Health"]["Status"] == "healthy"


@pytest.mark.parametrize("said,message", [
    ({"healthcheck": Check(("CMD-SHELL", "echo no answer; exit 3"), interval=OFTEN, retries=1)},
     "it is unhealthy; the last check ended with exit code 3: no answer; the container wrote last: I am up"),
    ({"healthcheck": Check(("CMD", "/bin/false"), interval=100 * SECOND), "healthy_within": 0.2}, "it is not healthy after 0.2 seconds"),
    ({"healthcheck": Check(("CMD", "/bin/false"), interval=100 * SECOND), "command": ("/bin/sh", "-c", "echo no luck; exit 4")},
     "it ended with exit code 4 before it was healthy; the container wrote last: no luck"),
])
def test_a_new_container_that_does_not_get_healthy_is_removed_again(engine, said, message):
    with pytest.raises(StartFailed) as caught:
        engine.start(**{"command": ("/bin/sh", "-c", "echo I am up; exec sleep 100"), "state": "healthy", **said})
    assert message in str(caught.value)
    assert engine.find("web") is None


def test_a_version_that_does_not_get_healthy_is_rolled_back(engine):
    engine.start(healthcheck=GOOD, network_mode="none", state="healthy", env={"V": "1"})
    engine.exec("web", "/bin/touch", "/kept")
    with pytest.raises(StartFailed) as caught:
        engine.start(healthcheck=BAD, network_mode="none", state="healthy", env={"V": "2"})
    assert caught.value.rolled_back
    assert engine.read("web", "echo $V; ls /kept") == "1\n/kept"
    until_health(engine, "healthy")
    pid = engine.state("web")["Pid"]
    with pytest.raises(StartFailed):
        engine.ensure("web", healthcheck=BAD, state="healthy")
    assert until_health(engine, "healthy") and engine.state("web")["Pid"] == pid


def test_one_that_is_unhealthy_is_said_to_be_and_left_alone(engine):
    engine.start(healthcheck=BAD, network_mode="none")
    until_health(engine, "unhealthy")
    for check in (True, False):
        with pytest.raises(StartFailed, match="it is unhealthy"):
            engine.ensure("web", state="healthy", check=check)
    assert engine.state("web")["Running"]


def test_nobody_waits_where_nobody_checks(engine):
    for check in (True, False):
        with pytest.raises(Invalid, match="web cannot become healthy, since nothing checks it"):
            engine.start(network_mode="none", state="healthy", check=check)
    assert engine.find("web") is None
    engine.start(network_mode="none")
    with pytest.raises(Invalid, match="nothing checks it"):
        engine.ensure("web", state="healthy")


def needing(name, *needs, **said):
    return dataclasses.replace(member(name, needs, **said), needs_healthy=needs)


def test_who_needs_a_healthy_one_is_started_when_it_is(engine):
    members = [needing("web", "db"), member("db", healthcheck=SOON, command=WORKS["command"])]
    assert words(ensure(engine, *members, check=True)) == words(ensure(engine, *members)) == {"web": "create", "db": "create"}
    assert engine.state("db")["Health"]["Status"] == "healthy"
    assert engine.state("web")["StartedAt"] > engine.state("db")["Health"]["Log"][-1]["Start"]
    assert words(ensure(engine, *members)) == {"web": "none", "db": "none"}


def test_who_needs_one_that_is_not_healthy_is_not_started(engine):
    answers = words(ensure(engine, needing("web", "db"), needing("app", "plain"), member("db", healthcheck=BAD), member("plain")))
    assert (answers["db"], answers["plain"]) == ("create", "create")
    assert answers["web"].startswith("start container web: it depends on db, which is not healthy: it is unhealthy; the last check")
    assert "it depends on plain, which is not healthy: plain cannot become healthy" in answers["app"]
    assert sorted(engine.layout.container_names()) == ["db", "plain"]
