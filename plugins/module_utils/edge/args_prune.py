# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_prune."""
from __future__ import annotations

from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Spec

SPEC = Spec({
    "containers": {"type": "bool", "default": False},
    "containers_filters": {"type": "dict"},
    "images": {"type": "bool", "default": False},
    "images_filters": {"type": "dict"},
    "networks": {"type": "bool", "default": False},
    "networks_filters": {"type": "dict"},
    "volumes": {"type": "bool", "default": False},
    "volumes_filters": {"type": "dict"},
    "engines": {"type": "bool", "default": False},
    "litter": {"type": "bool", "default": False},
})
