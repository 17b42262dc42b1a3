# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

if t.TYPE_CHECKING:
    from ansible_collections.cocker.engine.tests.trapbench import Bench


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    from ansible_collections.cocker.engine.tests.trapbench import Bench

    return Bench(tmp_path_factory.mktemp("bench"))


@pytest.fixture
def bench(images: Bench) -> t.Iterator[Bench]:
    """Without containers."""
    yield images
    images.forget()
