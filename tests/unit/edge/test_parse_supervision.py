# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the supervisor, as people write them."""
from __future__ import annotations

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_container, parse_supervision
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

UNSAID = dict.fromkeys(("image", "images", *args_container.SUPERVISION))


def parsed(**said):
    return parse_supervision.supervision({**UNSAID, "image": "debian", **said})


@pytest.mark.parametrize("driver,given,meant", [
    (None, None, None), (None, {}, {}),
    (None, {"max-size": "10m"}, {"max-size": "10485760"}), (None, {"max_size": 10485760}, {"max-size": "10485760"}),
    (None, {"max_size": "10M", "max_file": 3}, {"max-size": "10485760", "max-file": "3"}),
    ("json-file", {"max-file": "3"}, {"max-file": "3"}), ("json-file", {"max-size": -1}, {"max-size": "-1"}),
    ("journald", {"tag": "mine"}, {"tag": "mine"}), ("journald", {"tag": 7}, {"tag": "7"}), ("none", {}, {}),
])
def test_log_options(driver, given, meant):
    found = parsed(log_driver=driver, log_options=given)
    assert (found["log_driver"], found["log_options"]) == (driver, meant)


@pytest.mark.parametrize("driver,given,message", [
    (None, {"tag": "x"}, "tag is no option of the log driver json-file; it takes max-file, max-size"),
    ("journald", {"max-size": "1m"}, "max-size is no option of the log driver journald; it takes tag"),
    ("none", {"max-size": "1m"}, "it takes none"),
    (None, {"max-size": "1m", "max_size": "2m"}, "max-size is given twice"),
    (None, {"max-size": "big"}, "log_options.max-size: 'big' is not a number"),
    (None, {"max-size": 0}, "log_driver: none"), (None, {"max-size": True}, "neither text nor a number"),
    (None, {"max-file": 0}, "log_options.max-file: 0 is not a number of files"), (None, {"max-file": "many"}, "max-file"),
])
def test_log_options_that_are_refused(driver, given, message):
    with pytest.raises(Invalid, match=message):
        parsed(log_driver=driver, log_options=given)


def test_a_task_without_an_image_need_not_name_the_driver():
    assert parsed(image=None, log_options={"tag": "x"})["log_options"] == {"tag": "x"}
    with pytest.raises(Invalid, match="color is no option of the log drivers; it takes max-file, max-size, tag"):
        parsed(image=None, log_options={"color": "x"})


@pytest.mark.parametrize("policy,retries,meant", [
    (None, None, (None, None)), ("no", None, ("no", None)), ("False", None, ("no", None)), ("always", None, ("always", None)),
    ("unless-stopped", 0, ("unless-stopped", 0)), ("on-failure", None, ("on-failure", None)), ("on-failure", 3, ("on-failure", 3)),
    ("on-failure:3", None, ("on-failure", 3)), ("on-failure:3", 3, ("on-failure", 3)),
])
def test_restart_policies(policy, retries, meant):
    found = parsed(restart_policy=policy, restart_retries=retries)
    assert (found["restart_policy"], found["restart_retries"]) == meant


@pytest.mark.parametrize("policy,retries,message", [
    ("sometimes", None, "no, on-failure, on-failure:N, always and unless-stopped are accepted"), ("always", 3, "not with always"),
    (None, 3, "it goes with restart_policy: on-failure"), ("on-failure:3", 4, "4 is not what restart_policy says, on-failure:3"),
    ("on-failure", -1, "less than 0"),
])
def test_restart_policies_that_are_refused(policy, retries, message):
    with pytest.raises(Invalid, match=message):
        parsed(restart_policy=policy, restart_retries=retries)


def test_retries_of_a_former_policy_do_not_stay_with_another():
    assert parsed(image=None, restart_policy="always")["restart_retries"] == 0
    assert parsed(image=None, restart_retries=5) == {**parsed(image=None), "restart_retries": 5}
