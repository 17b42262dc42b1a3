# SPDX-License-Identifier: GPL-3.0-or-later
"""Traps about logs, health and restarts. Each row was a defect of an engine, or of a collection that people know."""
from __future__ import annotations

import typing as t

import pytest

pytest.importorskip("ansible.module_utils.common.arg_spec")

from ansible_collections.cocker.engine.tests.trapbench import SAME, Bench, Case, app, box, ids

LOGS: t.List[Case] = [
    ("numbers and underscores", box(log_options={"max_size": "10m", "max-file": 3}), box(log_options={"max-size": "10240k", "max-file": "3"}), SAME),
    ("units with a b", box(log_options={"max-size": "1mb"}), box(log_options={"max-size": "1m"}), SAME),
    ("podman's word", box(log_opt={"max_size": "1m"}), box(log_options={"max-size": "1m"}), SAME),
    ("another size", box(log_options={"max-size": "10m"}), box(log_options={"max-size": "11m"}), "log_options update"),
    ("one that is gone", box(log_options={"max-size": "10m", "max-file": 3}), box(log_options={"max-size": "10m"}), "log_options update"),
    ("all that are gone, with the option", box(log_options={"max-size": "10m"}), box(), "log_options update"),
    ("none, and nothing said", box(log_options={}), box(), SAME),
    ("the usual driver", box(log_driver="json-file"), box(), SAME),
    ("another driver", box(log_driver="none"), box(), "log_driver update"),
    ("one in two ways", box(log_options={"max_size": "1m", "max-size": "2m"}), box(), "refused log_options"),
    ("a boolean", box(log_options={"max-file": True}), box(), "refused log_options.max-file"),
]

CMD = ["CMD", "curl", "localhost"]
HEALTH: t.List[Case] = [
    ("NONE in three ways", box(healthcheck={"test": "NONE"}), box(healthcheck={"test": ["NONE"]}), SAME),
    ("NONE in lower case, as podman has it", box(healthcheck="none"), box(no_healthcheck=True), SAME),
    ("none, where the image has one", app(no_healthcheck=True), app(), "healthcheck update"),
    ("none, where the image has none", box(no_healthcheck=True), box(), "healthcheck update"),
    ("not without", box(no_healthcheck=False), box(), SAME),
    ("a list with and without its kind", box(healthcheck={"test": ["curl", "localhost"]}), box(healthcheck={"test": CMD}), SAME),
    ("a string is for the shell", box(healthcheck={"test": "curl localhost"}), box(healthcheck={"test": ["CMD-SHELL", "curl localhost"]}), SAME),
    ("a string with its kind, as podman has it", box(health_cmd="CMD curl localhost"), box(healthcheck={"test": CMD}), SAME),
    ("a string and words", box(healthcheck={"test": "curl localhost"}), box(healthcheck={"test": CMD}), "healthcheck update"),
    ("durations", box(healthcheck={"test": CMD, "interval": "90s", "timeout": "1000ms"}),
     box(healthcheck={"test": CMD, "interval": "1m30s", "timeout": "1s"}), SAME),
    ("an hour", box(healthcheck={"test": CMD, "interval": "1h0m0s"}), box(healthcheck={"test": CMD, "interval": "60m"}), SAME),
    ("flat, as podman has it", box(health_cmd=CMD, health_interval="30s", health_retries=2),
     box(healthcheck={"test": CMD, "interval": "30s", "retries": 2}), SAME),
    ("retries as text", box(healthcheck={"test": CMD, "retries": "3"}), box(healthcheck={"test": CMD, "retries": 3}), SAME),
    ("0 is not said", box(healthcheck={"test": CMD, "retries": 0, "start_period": "0s"}), box(healthcheck={"test": CMD}), SAME),
    ("another interval", box(healthcheck={"test": CMD, "interval": "1m"}), box(healthcheck={"test": CMD, "interval": "2m"}), "healthcheck update"),
    ("an interval for the image's check", app(healthcheck={"interval": "1m"}), app(), "healthcheck update"),
    ("one that is gone", box(healthcheck={"test": CMD}), box(), "healthcheck update"),
    ("null is not said", box(healthcheck={"test": CMD, "interval": None}), box(healthcheck={"test": CMD}), SAME),
    ("a number of what", box(healthcheck={"test": CMD, "interval": 30}), box(), "refused healthcheck.interval"),
    ("no such key", box(healthcheck={"test": CMD, "every": "30s"}), box(), "refused healthcheck"),
]

POLICIES: t.List[Case] = [
    ("retries in it", box(restart_policy="on-failure:3"), box(restart_policy="on-failure", restart_retries=3), SAME),
    ("other retries in it", box(restart_policy="on-failure:3"), box(restart_policy="on-failure:4"), "restart_retries update"),
    ("other retries", box(restart_policy="on-failure", restart_retries=3), box(restart_policy="on-failure", restart_retries=4), "restart_retries update"),
    ("no retries and all the time", box(restart_policy="on-failure:0"), box(restart_policy="on-failure"), SAME),
    ("another policy", box(restart_policy="always"), box(restart_policy="unless-stopped"), "restart_policy update"),
    ("another policy, and no retries any more", box(restart_policy="on-failure:3"), box(restart_policy="always"),
     "restart_policy update + restart_retries update"),
    ("one that is gone", box(restart_policy="always"), box(), "restart_policy update"),
    ("no, which YAML reads as false", box(restart_policy="no"), box(restart_policy=False), SAME),
    ("no, and nothing said", box(restart_policy="no"), box(), SAME),
    ("it stays when it ends, and nothing said", box(auto_remove=False), box(), SAME),
    ("retries without a policy", box(restart_retries=3), box(), "refused restart_retries"),
    ("no such policy", box(restart_policy="sometimes"), box(), "refused restart_policy"),
]


@pytest.mark.parametrize("_what,first,second,cost", LOGS, ids=ids(LOGS))
def test_log_options(bench: Bench, _what: str, first: t.Any, second: t.Any, cost: str) -> None:
    assert bench.judged(first, second) == cost


@pytest.mark.parametrize("_what,first,second,cost", HEALTH, ids=ids(HEALTH))
def test_healthcheck(bench: Bench, _what: str, first: t.Any, second: t.Any, cost: str) -> None:
    assert bench.judged(first, second) == cost


@pytest.mark.parametrize("_what,first,second,cost", POLICIES, ids=ids(POLICIES))
def test_restart_policy(bench: Bench, _what: str, first: t.Any, second: t.Any, cost: str) -> None:
    assert bench.judged(first, second) == cost
