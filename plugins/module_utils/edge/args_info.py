# SPDX-License-Identifier: BSD-2-Clause
"""The options of the info modules."""
from __future__ import annotations

from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Spec

CONTAINER = Spec(
    {
        "name": {"type": "str", "aliases": ["container"]},
        "gather": {"type": "list", "elements": "str", "choices": ["processes", "stats", "logs", "execs", "size", "diff"], "default": []},
        "tail": {"type": "int"},
        "since": {"type": "str"},
        "exec_id": {"type": "str"},
    },
    reads_only=True,
)
IMAGE = Spec({
    "name": {"type": "str", "aliases": ["image"]},
    "stack": {"type": "list", "elements": "str"},
    "verify": {"type": "bool", "default": False},
}, reads_only=True)
NETWORK = Spec({"name": {"type": "str", "aliases": ["network_name"]}}, reads_only=True)
VOLUME = Spec({"name": {"type": "str", "aliases": ["volume_name"]}}, reads_only=True)
HOST = Spec({}, reads_only=True)
