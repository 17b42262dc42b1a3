# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_containers. What is said of each container are the options of cocker_container (args_container.py)."""
from __future__ import annotations

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_container
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Options, Spec

DEPENDS_ON = "depends_on"
MEMBER: Options = {**args_container.SPEC.options, DEPENDS_ON: {"type": "list", "elements": "raw"}}

SPEC = Spec({
    "containers": {"type": "list", "elements": "dict", "required": True},
    "defaults": {"type": "dict"},
    "state": {"type": "str", "choices": list(args_container.STATES)},
})
