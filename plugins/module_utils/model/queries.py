# SPDX-License-Identifier: BSD-2-Clause
"""What an info module is asked for, where that is more than a name."""
from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True)
class ImageQuery:
    """`name` None is all. `stack`, bottom first: images whose conflicts are wanted. `verify` compares what is on the disk."""

    name: t.Optional[str] = None
    stack: t.Tuple[str, ...] = ()
    verify: bool = False
