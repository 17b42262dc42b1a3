# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_volume, read."""
from __future__ import annotations

from ansible_collections.cocker.engine.plugins.module_utils.edge import values
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import names
from ansible_collections.cocker.engine.plugins.module_utils.model.volume import VolumeSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import VolumeWish


def wish(params: Params) -> VolumeWish:
    """Raises Invalid."""
    spec = VolumeSpec(name=names.object_name(params["name"], "name"), labels=values.labels(params["labels"]))
    return VolumeWish(spec, state=params["state"])
