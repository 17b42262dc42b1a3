# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_volume."""
from __future__ import annotations

from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Spec

SPEC = Spec({
    "name": {"type": "str", "required": True, "aliases": ["volume_name"]},
    "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
    "labels": {"type": "dict", "aliases": ["label"]},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "raw"},
    "size": {"type": "str"},
})
