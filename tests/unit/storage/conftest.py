# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout


@pytest.fixture
def layout(tmp_path: pathlib.Path) -> Layout:
    found = Layout(str(tmp_path / "home"), run_root=str(tmp_path / "run"))
    found.ensure()
    return found
