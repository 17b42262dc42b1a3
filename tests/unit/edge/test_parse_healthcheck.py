# SPDX-License-Identifier: GPL-3.0-or-later
"""A health check as docker's and podman's users write it."""
from __future__ import annotations

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_container, parse_healthcheck
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.healthcheck import SECOND, Check

UNSAID = dict.fromkeys(args_container.SUPERVISION)
SHELL = ("CMD-SHELL", "wget -q localhost")


def parsed(**said):
    return parse_healthcheck.check({**UNSAID, **said})


@pytest.mark.parametrize("given,meant", [
    (None, None), ({}, Check()), ({"test": None}, Check()),
    ("wget -q localhost", Check(SHELL)), ("CMD-SHELL wget -q localhost", Check(SHELL)), ("CMD wget 'a b'", Check(("CMD", "wget", "a b"))),
    (["wget", "-q", "localhost"], Check(("CMD", "wget", "-q", "localhost"))), ("NONE", Check(("NONE",))), ("none", Check(("NONE",))),
    ({"test": ["CMD", "wget", 80]}, Check(("CMD", "wget", "80"))), ({"test": ["CMD-SHELL", "wget -q localhost"]}, Check(SHELL)),
    ({"test": ["NONE"]}, Check(("NONE",))), ({"test": "wget -q localhost"}, Check(SHELL)),
    ({"test": "wget -q localhost", "interval": "1m30s", "timeout": "500ms", "start_period": "1h", "start_interval": "1.5s", "retries": 5},
     Check(SHELL, 90 * SECOND, SECOND // 2, 3600 * SECOND, 3 * SECOND // 2, 5)),
    ({"interval": "10s", "test_cli_compatible": True}, Check((), 10 * SECOND)), ({"retries": "5", "interval": 0}, Check(retries=5)),
])
def test_in_one_dictionary_or_as_the_command_alone(given, meant):
    assert parsed(healthcheck=given) == meant


def test_in_options_of_its_own():
    found = parsed(healthcheck="true", healthcheck_interval="5s", healthcheck_timeout="2s", healthcheck_start_period="1m", healthcheck_retries=2)
    assert found == Check(("CMD-SHELL", "true"), 5 * SECOND, 2 * SECOND, 60 * SECOND, 0, 2)
    assert parsed(healthcheck_interval="5s") == Check((), 5 * SECOND)
    assert parsed(no_healthcheck=True) == Check(("NONE",))


@pytest.mark.parametrize("said,message", [
    ({"healthcheck": {"tests": "true"}}, "healthcheck: tests is not one of test, interval"),
    ({"healthcheck": ""}, "healthcheck.test: a command is accepted"), ({"healthcheck": []}, "healthcheck.test: a command is accepted"),
    ({"healthcheck": ["CMD-SHELL", "a", "b"]}, "healthcheck.test"), ({"healthcheck": ["NONE", "x"]}, "healthcheck.test"),
    ({"healthcheck": ["CMD"]}, "healthcheck.test"), ({"healthcheck": "CMD-SHELL"}, "healthcheck.test"), ({"healthcheck": 5}, "healthcheck.test"),
    ({"healthcheck": {"interval": "soon"}}, "healthcheck.interval: 'soon' is no duration such as 30s"),
    ({"healthcheck": {"interval": 30}}, "healthcheck.interval: 30 is no duration"), ({"healthcheck": {"interval": "10us"}}, "between 1ms"),
    ({"healthcheck": {"timeout": True}}, "healthcheck.timeout: True is no duration"), ({"healthcheck": {"timeout": "-1s"}}, "no duration"),
    ({"healthcheck": {"retries": -1}}, "healthcheck.retries: -1 is not a number of failures"), ({"healthcheck": {"retries": "many"}}, "retries"),
    ({"healthcheck": {"test_cli_compatible": False}}, "only true is accepted"),
    ({"healthcheck_interval": "disable"}, "healthcheck_interval: 'disable' is no duration"),
    ({"healthcheck": {"interval": "1s"}, "healthcheck_interval": "1s"}, "healthcheck_interval: it is given twice"),
    ({"healthcheck": "true", "no_healthcheck": True}, "no_healthcheck: it goes with none"),
])
def test_what_is_refused(said, message):
    with pytest.raises(Invalid, match=message):
        parsed(**said)
