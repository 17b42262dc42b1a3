# SPDX-License-Identifier: BSD-2-Clause
"""A named volume as it is wanted. Its data is never part of a comparison."""
from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True)
class VolumeSpec:
    """None is `not managed`. `owner` and `group` are numbers; they and `mode` are those of the top directory, and of nothing below it.

    `size` in bytes; 0 is none.
    """

    name: str
    labels: t.Optional[t.Mapping[str, str]] = None
    owner: t.Optional[int] = None
    group: t.Optional[int] = None
    mode: t.Optional[int] = None
    size: t.Optional[int] = None
