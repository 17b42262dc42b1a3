# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_volume_archive."""
from __future__ import annotations

from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Spec

SPEC = Spec({
    "name": {"type": "str", "required": True, "aliases": ["volume_name"]},
    "path": {"type": "path", "required": True},
    "operation": {"type": "str", "choices": ["backup", "restore"], "default": "backup"},
    "compression": {"type": "str", "choices": ["none", "gzip", "zstd"]},
    "force": {"type": "bool"},
})
