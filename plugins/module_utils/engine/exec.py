# SPDX-License-Identifier: BSD-2-Clause
"""Runs one command in a running container."""
from __future__ import annotations

import datetime
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import bundle, observe
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model.container import PAUSED
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, NotFound, StartFailed
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ExecWish
from ansible_collections.cocker.engine.plugins.module_utils.runtime import launcher

_NOT_RUN = (126, 127)


def run(host: Host, wish: ExecWish) -> t.Dict[str, t.Any]:
    """rc, stdout, stderr (bytes), timed_out, start, end, delta. Raises NotFound, Conflict, and StartFailed for what cannot be run."""
    found = observe.container(host, wish.container)
    if found.status is None:
        raise NotFound("container", wish.container, "it does not exist")
    if not found.is_running:
        raise Conflict("exec in container", wish.container, "it is %s" % found.status, hint="start it first")
    if found.status == PAUSED:
        raise Conflict("exec in container", wish.container, "it is paused", hint="state: started resumes it")
    request = launcher.ExecRequest(
        bundle=host.layout.container(wish.container),
        state_dir=host.layout.container_run(wish.container),
        args=wish.argv,
        env=wish.env,
        cwd=wish.chdir or "",
        user=wish.user or "",
        stdin=wish.stdin,
    )
    engine = bundle.install(host.layout.engine)
    start = datetime.datetime.now()
    result = launcher.run_exec(request, engine=engine, python=bundle.python(), timeout=wish.timeout)
    end = datetime.datetime.now()
    if result.error and result.rc in _NOT_RUN:
        raise StartFailed("exec in container", wish.container, result.error)
    return {
        "rc": result.rc, "stdout": result.stdout, "stderr": result.stderr, "timed_out": result.timed_out,
        "start": str(start), "end": str(end), "delta": str(end - start),
    }
