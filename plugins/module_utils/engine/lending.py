# SPDX-License-Identifier: BSD-2-Clause
"""Whether a command in a container needs a shell or a Python of the host, and where those are.

Not here: gathering them (storage/toolset.py), lending them (runtime/tools.py).
"""
from __future__ import annotations

import os
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import shortcut
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.runtime import tools
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

Request = t.Mapping[str, t.Any]


def prepared(root: int, request: Request, layout: Layout) -> t.Tuple[t.List[str], str]:
    """The words to run and the directory of the tools, empty where the container needs none."""
    args, are_needed = tools.decided(root, request["args"], request["tools"])
    return args, _tools(layout) if are_needed else ""


def _tools(layout: Layout) -> str:
    """Made by the first task that needs them; a newer Python of the host makes others."""
    target = shortcut.tools(layout.engine, os.path.realpath(sys.executable))
    if not os.path.isdir(target):
        with fs.lock(os.path.join(layout.engine, ".lock-tools"), timeout=120.0):
            if not os.path.isdir(target):
                from ansible_collections.cocker.engine.plugins.module_utils.storage import toolset

                toolset.build(target)
    return target
