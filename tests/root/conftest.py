# SPDX-License-Identifier: GPL-3.0-or-later
"""The laboratory of the engine's tests: one host for each file, on which every test leaves nothing. A file may have others of these names."""
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.tests.root import enginelab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[enginelab.Engine]:
    with enginelab.host(str(tmp_path_factory.mktemp("engine"))) as found:
        yield found


@pytest.fixture
def engine(lab: enginelab.Engine) -> t.Iterator[enginelab.Engine]:
    with enginelab.clean(lab) as found:
        yield found
