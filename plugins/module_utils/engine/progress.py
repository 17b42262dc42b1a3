# SPDX-License-Identifier: BSD-2-Clause
"""Listening to how far the engine's long work is: what is told is told by the lower layers (kernel/progress.py)."""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import progress

# Lines of `WHAT<tab>DONE<tab>TOTAL`; DONE in bytes, or the path of a file whose first line ends with them (proc(5), fdinfo).
listened: t.Callable[[int], t.ContextManager[None]] = progress.listened
