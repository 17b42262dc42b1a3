# SPDX-License-Identifier: GPL-3.0-or-later
"""The laboratory of the engine's tests: one host for each file, on which every test leaves nothing. A file may have others of these names."""
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.tests.root import clilab, enginelab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[enginelab.Engine]:
    with enginelab.host(str(tmp_path_factory.mktemp("engine"))) as found:
        yield found


@pytest.fixture
def engine(lab: enginelab.Engine) -> t.Iterator[enginelab.Engine]:
    with enginelab.clean(lab) as found:
        yield found


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The `cocker` command, packed as the role `host` does it."""
    return clilab.packed(tmp_path_factory.mktemp("cli"))


@pytest.fixture
def cocker(lab: enginelab.Engine, command: str) -> t.Iterator[clilab.Cocker]:
    with enginelab.clean(lab) as found:
        yield clilab.Cocker(found, command)
