# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory without gaps: what is made next lies together. With the interpreter's own allocator."""
from __future__ import annotations

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import heap

PAGE, MANY = 4096, 20


@pytest.mark.parametrize("length", [60, 200, 400])
def test_what_comes_next_lies_together(length: int) -> None:
    others = [bytes(length) for _each in range(50 * MANY)]
    del others[::50]                    # gaps, each on another page
    kept = heap.close_gaps()
    made = [bytes(length) for _each in range(MANY)]
    assert kept and len({id(each) // PAGE for each in made}) <= MANY // 2
