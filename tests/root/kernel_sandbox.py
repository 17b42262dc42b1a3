# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a piece of a test in a child process with namespaces of its own, and brings back what it returns or how it failed."""
from __future__ import annotations

import json
import os
import traceback
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, mounts, namespaces

OWN = namespaces.CLONE_NEWNS | namespaces.CLONE_NEWNET


def run(action: t.Callable[[], t.Any], *, flags: int = OWN, private: bool = True) -> t.Any:
    """The value of the action, which has to be JSON. AssertionError with the child's traceback if it raised."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reader)
            answer = _answer(action, flags, private)
            with open(writer, "w") as stream:
                json.dump(answer, stream)
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with open(reader) as stream:
        text = stream.read()
    status = os.waitpid(pid, 0)[1]
    assert text, "the child died with status %d" % status
    kind, value = json.loads(text)
    assert kind == "returned", value
    return value


def _answer(action: t.Callable[[], t.Any], flags: int, private: bool) -> t.Tuple[str, t.Any]:
    try:
        if flags:
            namespaces.unshare(flags)
        if flags & namespaces.CLONE_NEWNS and private:
            mounts.set_propagation("/", consts.MS_PRIVATE, recursive=True)
        return "returned", action()
    except BaseException:
        return "raised", traceback.format_exc()
