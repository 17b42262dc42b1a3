# SPDX-License-Identifier: BSD-2-Clause
"""A command in a running container that somebody sits at, with a terminal or with streams of their own.

Not here: commands of tasks, whose output is returned (exec.py).
"""
from __future__ import annotations

from ansible_collections.cocker.engine.plugins.module_utils.engine import bundle, exec
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ExecWish
from ansible_collections.cocker.engine.plugins.module_utils.runtime import dialogue


def hold(host: Host, wish: ExecWish, person: dialogue.Person) -> dialogue.Ended:
    """Raises NotFound, Conflict, and StartFailed where it could not be tried."""
    exec.runnable(host, wish.container)
    request = exec.request(host, wish)
    return dialogue.hold(request, person, engine=bundle.install(host.layout.engine), python=bundle.python())
