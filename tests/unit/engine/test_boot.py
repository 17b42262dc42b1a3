# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import boot
from ansible_collections.cocker.engine.plugins.module_utils.runtime import state

NOW = "2026-01-02T03:04:05.000000Z"
FINE = state.Ending(0, None, False, NOW, NOW)
FAILED = FINE._replace(exit_code=1)
STOPPED = FINE._replace(exit_code=143, stopped=True)
WITH_HOST = FINE._replace(with_host=True)


@pytest.mark.parametrize(("policy", "ending", "wanted"), [
    ("no", None, False), ("no", FAILED, False), ("", WITH_HOST, False),
    ("always", None, True), ("always", FINE, True), ("always", STOPPED, True), ("always", WITH_HOST, True),
    ("unless-stopped", None, True), ("unless-stopped", FINE, True), ("unless-stopped", STOPPED, False), ("unless-stopped", WITH_HOST, True),
    ("on-failure", None, True), ("on-failure", FINE, False), ("on-failure", FAILED, True), ("on-failure", STOPPED, False),
    ("on-failure", WITH_HOST, True),
])
def test_who_comes_back(policy: str, ending: t.Optional[state.Ending], wanted: bool) -> None:
    assert boot.is_wanted(policy, ending) is wanted
