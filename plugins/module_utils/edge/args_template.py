# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_container_template."""
from __future__ import annotations

from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Spec

SPEC = Spec(
    {
        "container": {"type": "str", "required": True, "aliases": ["name"]},
        "template_file": {"type": "str", "required": True, "aliases": ["src"]},
        "instance_file": {"type": "str", "aliases": ["dest"]},
        "mapping": {"type": "dict"},
        "mapping_file": {"type": "path"},
        "remote_src": {"type": "bool", "default": True},
        "mapping_b64": {"type": "str"},
        "strict": {"type": "bool", "default": False},
        "mode": {"type": "raw"},
        "owner_id": {"type": "str", "aliases": ["owner"]},
        "group_id": {"type": "str", "aliases": ["group"]},
    },
    rules={
        "mutually_exclusive": [("mapping", "mapping_file", "mapping_b64")],
        "required_one_of": [("mapping", "mapping_file", "mapping_b64")],
    },
)
