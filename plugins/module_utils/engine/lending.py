# SPDX-License-Identifier: BSD-2-Clause
"""Whether a command in a container needs a shell or a Python of the host, and where those are.

Not here: gathering them (storage/toolset.py).
"""
from __future__ import annotations

import os
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, rootpath
from ansible_collections.cocker.engine.plugins.module_utils.model import lent
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

SHELL = "/bin/sh"
_PYTHONS = ("/usr/bin/python3", "/usr/local/bin/python3", "/bin/python3")

Request = t.Mapping[str, t.Any]


def prepared(root: int, request: Request, layout: Layout) -> t.Tuple[t.List[str], str]:
    """The words to run and the directory of the tools, empty where the container needs none."""
    args = list(request["args"])
    has_shell, wanted = _leads(root, SHELL), request["tools"]
    lacks = not has_shell or not any(_leads(root, path) for path in _PYTHONS)
    if wanted == "never" or (wanted == "auto" and not lacks):
        return args, ""
    if args[0] == SHELL and not has_shell:
        args[0] = lent.PATH + "/sh"
    return args, _tools(layout)


def _leads(root: int, path: str) -> bool:
    try:
        os.close(rootpath.open_in(root, path, os.O_PATH))
    except OSError:
        return False
    return True


def _tools(layout: Layout) -> str:
    """Made by the first task that needs them; a newer Python of the host makes others."""
    python = os.path.realpath(sys.executable)
    facts = os.stat(python)
    mark = "%s-%d-%d" % (os.path.basename(python), facts.st_size, facts.st_mtime_ns)
    target = os.path.join(layout.engine, "tools-2-" + mark)
    if not os.path.isdir(target):
        with fs.lock(os.path.join(layout.engine, ".lock-tools"), timeout=120.0):
            if not os.path.isdir(target):
                from ansible_collections.cocker.engine.plugins.module_utils.storage import toolset

                toolset.build(target)
    return target
