# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_container_copy."""
from __future__ import annotations

from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Spec

SPEC = Spec(
    {
        "container": {"type": "str", "required": True, "aliases": ["name"]},
        "container_path": {"type": "str", "required": True, "aliases": ["dest"]},
        "path": {"type": "path", "aliases": ["src"]},
        "content": {"type": "str"},
        "content_is_b64": {"type": "bool", "default": False},
        "direction": {"type": "str", "choices": ["to_container", "from_container"]},
        "from_container": {"type": "bool"},
        "remote_src": {"type": "bool", "default": True},
        "sent": {"type": "dict"},
        "follow": {"type": "bool", "default": False},
        "local_follow": {"type": "bool", "default": True},
        "force": {"type": "bool"},
        "overwrite": {"type": "bool", "default": False},
        "archive": {"type": "bool", "default": True},
        "mode": {"type": "raw"},
        "directory_mode": {"type": "raw"},
        "owner_id": {"type": "str", "aliases": ["owner"]},
        "group_id": {"type": "str", "aliases": ["group"]},
    },
    rules={
        "mutually_exclusive": [("path", "content", "sent"), ("direction", "from_container")],
        "required_one_of": [("path", "content", "sent")],
    },
)
