# SPDX-License-Identifier: GPL-3.0-or-later
"""Health checks as tasks see them: of the task and of the image, changed live, told by inspect."""
from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll
from ansible_collections.cocker.engine.plugins.module_utils.model.healthcheck import SECOND, Check
from ansible_collections.cocker.engine.plugins.module_utils.storage import images
from ansible_collections.cocker.engine.tests.root import enginelab

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


@pytest.fixture
def engine(lab):
    with enginelab.clean(lab) as found:
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
