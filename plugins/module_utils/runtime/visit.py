# SPDX-License-Identifier: BSD-2-Clause
"""A command in a running container for somebody who has loaded nothing (engine/shortcut.py): what else is to be known is found out here.

In a process that the container's supervisor has forked, which is of the same interpreter: so the request is marshalled. Not here: entering
(enter.py).
"""
from __future__ import annotations

import marshal
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import rootpath
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Conflict
from ansible_collections.cocker.engine.plugins.module_utils.runtime import enter, relay, state, tools

_USUAL = {"tty": False, "detach": "", "timeout": None, "live": (), "cwd_option": "working_dir"}


def main(open_log: relay.OpenLog) -> None:
    """Answers with the command's code and why it could not be run; with an empty line where nothing was done, and others are to say why."""
    request = marshal.loads(enter.heard())
    try:
        outcome = enter.run({**_USUAL, **request, **_lent(request)}, open_log)
    except CockerError:
        outcome = None
    enter.answer(b"%d %s" % (outcome.rc, os.fsencode(" ".join(outcome.reason.split()))) if outcome else b"")


def _lent(request: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    """Raises Conflict where there are no tools yet, and they are needed."""
    found = state.find(request["state_dir"])
    if found is None or not found.is_running():
        raise Conflict("exec in", request["bundle"], "the container is not running")
    root = rootpath.open_root("/proc/%d/root" % found.init.pid)
    try:
        args, are_needed = tools.decided(root, request["args"], request["lend"])
    finally:
        os.close(root)
    if are_needed and not request["tools"]:
        raise Conflict("lend tools", request["bundle"], "they are not made yet")
    return {"args": args, "tools": request["tools"] if are_needed else ""}
