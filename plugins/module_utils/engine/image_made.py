# SPDX-License-Identifier: BSD-2-Clause
"""What a source of images has brought into the store. Not here: the sources (image_sources.py and the files that it names)."""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.image import HistoryStep, ImageConfig, Platform
from ansible_collections.cocker.engine.plugins.module_utils.storage.layers import Layer


@dataclasses.dataclass(frozen=True)
class Made:
    """`layers` bottom first; `config` and what follows is what the source says. `digest` and `content` where it knows them better.

    `told` are values for the task's result.
    """

    layers: t.Tuple[Layer, ...]
    config: ImageConfig = ImageConfig()
    digest: str = ""
    content: str = ""
    created: str = ""
    platform: Platform = Platform()
    author: str = ""
    history: t.Tuple[HistoryStep, ...] = ()
    told: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
