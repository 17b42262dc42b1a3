# SPDX-License-Identifier: BSD-2-Clause
"""Entry point of the processes that run from the installed engine: `launch` starts containers, `exec` enters one.

Requests come as JSON on standard input, answers go as JSON lines to standard output (runtime/launcher.py is the other end).
Imports happen in the functions: the module process reads this file for its name only.
"""
from __future__ import annotations

import os
import typing as t


def main(arguments: t.Sequence[str]) -> None:
    verb = arguments[0] if arguments else ""
    if verb == "launch":
        from ansible_collections.cocker.engine.plugins.module_utils.init import launch
        launch.main(arguments[1] if len(arguments) > 1 else "")
    elif verb == "exec":
        from ansible_collections.cocker.engine.plugins.module_utils.init import logs
        from ansible_collections.cocker.engine.plugins.module_utils.runtime import enter
        enter.main(logs.open_own)
    else:
        raise SystemExit("cocker: no verb %r" % verb)
    os._exit(0)         # taking the interpreter apart costs 6 ms, and all is said
