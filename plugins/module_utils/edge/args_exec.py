# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_container_exec."""
from __future__ import annotations

from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Spec

SPEC = Spec(
    {
        "container": {"type": "str", "required": True, "aliases": ["name"]},
        "command": {"type": "raw"},
        "argv": {"type": "list", "elements": "str"},
        "chdir": {"type": "str", "aliases": ["workdir"]},
        "env": {"type": "dict"},
        "user": {"type": "str"},
        "stdin": {"type": "str"},
        "stdin_add_newline": {"type": "bool", "default": True},
        "strip_empty_ends": {"type": "bool", "default": True},
        "timeout": {"type": "float"},
        "tty": {"type": "bool", "default": False},
        "detach": {"type": "bool", "default": False},
        "creates": {"type": "str"},
        "removes": {"type": "str"},
    },
    rules={"mutually_exclusive": [("argv", "command")], "required_one_of": [("argv", "command")]},
)
