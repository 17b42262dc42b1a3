# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_host."""
from __future__ import annotations

from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Spec

SPEC = Spec({
    "kernel_modules": {"type": "list", "elements": "str", "default": []},
    "ip_forward": {"type": "bool", "default": False},
    "commands": {"type": "list", "elements": "str", "default": []},
    "command_path": {"type": "path"},
    "command_interpreter": {"type": "path"},
    "command_digest": {"type": "str"},
    "command_archive": {"type": "str", "no_log": True},
    "service": {"type": "bool", "default": False},
    "needs_pyroute2": {"type": "bool", "default": True},
    "incomplete": {"type": "str", "choices": ["continue", "stop"], "default": "continue"},
})
