# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_image."""
from __future__ import annotations

from ansible_collections.cocker.engine.plugins.module_utils.edge import parse_image_config
from ansible_collections.cocker.engine.plugins.module_utils.edge.args_registry import ACCESS
from ansible_collections.cocker.engine.plugins.module_utils.edge.args_repository import REACH
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Spec

SPEC = Spec({
    "name": {"type": "str", "aliases": ["image"]},
    "version": {"type": "str", "aliases": ["tag"]},
    "state": {"type": "str", "choices": ["absent", "present"], "default": "present"},
    "source": {"type": "str", "choices": ["archive", "container", "directory", "host", "image", "registry", "repository"]},
    "path": {"type": "path"},
    "remote_src": {"type": "bool", "default": True},
    "archive_digest": {"type": "str"},
    "programs": {"type": "list", "elements": "str"},
    "reference": {"type": "str"},
    "pull": {"type": "str", "choices": ["always", "missing", "never", "newer"], "default": "missing"},
    "force": {"type": "bool", "default": False},
    "format": {"type": "str", "choices": ["auto", "rootfs", "cockerimage", "docker-archive", "oci-archive"], "default": "auto"},
    "archive_image": {"type": "str"},
    "platform": {"type": "str"},
    "unpacked_limit": {"type": "str"},
    "from_image": {"type": "str"},
    "from_container": {"type": "str"},
    "mode": {"type": "str", "choices": ["commit", "move"], "default": "commit"},
    "layers": {"type": "str", "choices": ["chain", "top"], "default": "chain"},
    "new_version": {"type": "str"},
    "config": {"type": "dict", "options": parse_image_config.OPTIONS},
    **ACCESS,
    **REACH,
})
