# SPDX-License-Identifier: BSD-2-Clause
"""A named volume as it is wanted. Its data is never part of a comparison."""
from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True)
class VolumeSpec:
    """`labels` None is `not managed`."""

    name: str
    labels: t.Optional[t.Mapping[str, str]] = None
