# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers through the engine on the real kernel, on a host of their own."""
from __future__ import annotations

import pytest

from ansible_collections.cocker.engine.tests.root import enginelab, netlab

pytestmark = pytest.mark.root


@pytest.fixture
def engine(tmp_path):
    with netlab.Lab() as lab:
        found = enginelab.Engine(lab, str(tmp_path / "home"))
        try:
            yield found
        finally:
            found.remove_all()


def test_first_light(engine):
    first = engine.ensure("web", images=("box",), command=enginelab.SERVER, published_ports=["18080:8080"])
    assert [action["action"] for action in first.actions] == ["create", "start"]
    assert first.result["container"]["State"]["Running"]
    second = engine.ensure("web", images=("box",), command=enginelab.SERVER, published_ports=["18080:8080"])
    assert not second.changed, second
    gone = engine.ensure("web", state="absent")
    assert [action["action"] for action in gone.actions] == ["stop", "remove"]
    assert engine.find("web") is None
