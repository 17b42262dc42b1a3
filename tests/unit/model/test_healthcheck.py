# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a health check is the task's, the image's or the usual."""
from __future__ import annotations

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model import changes, healthcheck
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.container_fields import FIELDS
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.healthcheck import SECOND, Check, effective

IMAGE = {"Test": ["CMD", "check"], "Interval": 7 * SECOND, "Retries": 9}
USUAL = (30 * SECOND, 30 * SECOND, 0, 5 * SECOND, 3)


@pytest.mark.parametrize("said,image,meant", [
    (None, None, None), (Check(), {}, None), (Check(interval=SECOND), None, None), (Check(("NONE",)), IMAGE, None),
    (None, {"Test": ["NONE"]}, None), (None, {"Test": []}, None), (None, {"Test": "true"}, None), (None, {"Test": ["CMD-SHELL"]}, None),
    (Check(("CMD", "x")), None, Check(("CMD", "x"), *USUAL)), (Check(("CMD", "x")), {"Test": ["NONE"]}, Check(("CMD", "x"), *USUAL)),
    (None, IMAGE, Check(("CMD", "check"), 7 * SECOND, *USUAL[1:4], 9)),
    (Check(retries=1), IMAGE, Check(("CMD", "check"), 7 * SECOND, *USUAL[1:4], 1)),
    (None, {"Test": ["CMD", "x"], "Interval": -5, "Timeout": "soon", "Retries": True}, Check(("CMD", "x"), *USUAL)),
])
def test_what_a_container_gets(said, image, meant):
    assert effective(said, image) == meant


def test_the_command_and_what_is_shown():
    check = Check(("CMD-SHELL", "a && b"), 7 * SECOND, retries=2)
    assert check.argv() == ("/bin/sh", "-c", "a && b") and Check(("CMD", "a", "b")).argv() == ("a", "b")
    assert check.shown() == {"Test": ["CMD-SHELL", "a && b"], "Interval": 7 * SECOND, "Retries": 2}


@pytest.mark.parametrize("mode,want,meant", [
    ("strict", Check(interval=5), Check(interval=5)), ("ignore", Check(interval=5), Check(("CMD", "x"), 1, retries=2)),
    ("allow_more_present", Check(interval=5), Check(("CMD", "x"), 5, retries=2)),
    ("allow_more_present", Check(("CMD", "y")), Check(("CMD", "y"), 1, retries=2)),
    ("allow_more_present", None, Check(("CMD", "x"), 1, retries=2)),
])
def test_how_it_is_compared(mode, want, meant):
    want, have = ContainerSpec("web", healthcheck=want), ContainerSpec("web", healthcheck=Check(("CMD", "x"), 1, retries=2))
    for named in ("healthcheck", "*"):
        assert changes.relaxed(FIELDS, want, have, {named: mode}).healthcheck == meant


def test_there_and_back():
    check = Check(("CMD", "x"), *USUAL)
    assert healthcheck.from_json(healthcheck.to_json(check), "here") == check
    for each in (check, Check(), Check(("NONE",)), Check(retries=3)):
        assert healthcheck.load(changes.plain(each)) == each
    with pytest.raises(Invalid, match="here"):
        healthcheck.from_json('[["NONE"],1,1,1,1,1]', "here")
