# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_image_export."""
from __future__ import annotations

from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Spec

SPEC = Spec({
    "names": {"type": "list", "elements": "str", "required": True, "aliases": ["name", "image"]},
    "version": {"type": "str", "aliases": ["tag"]},
    "path": {"type": "path", "required": True, "aliases": ["dest"]},
    "format": {"type": "str", "choices": ["rootfs", "cockerimage", "docker-archive", "oci-archive"]},
    "compression": {"type": "str", "choices": ["none", "gzip", "zstd"]},
    "force": {"type": "bool", "default": False},
})
