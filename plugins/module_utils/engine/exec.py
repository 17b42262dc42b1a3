# SPDX-License-Identifier: BSD-2-Clause
"""Runs one command in a running container.

Not here: what was started and not waited for, told later (execs.py).
"""
from __future__ import annotations

import datetime
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import bundle, execs, observe
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import rootpath
from ansible_collections.cocker.engine.plugins.module_utils.model.container import PAUSED, ContainerState
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, NotFound, StartFailed
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ExecWish
from ansible_collections.cocker.engine.plugins.module_utils.runtime import launcher

_NOT_RUN = (126, 127)
Answer = t.Dict[str, t.Any]


def run(host: Host, wish: ExecWish) -> Answer:
    """rc, stdout, stderr (bytes), timed_out, start, end, delta, and exec_id where it is not waited for; or `skipped` and why.

    Raises NotFound, Conflict, and StartFailed for what cannot be run.
    """
    found = runnable(host, wish.container)
    reason = _needless(host, found, wish)
    if reason or host.dry_run:
        known = reason or wish.creates or wish.removes
        return {"skipped": reason or "check mode: it would run", "would_run": bool(known and not reason), "unknown": not known}
    return _run(host, wish)


def runnable(host: Host, name: str) -> ContainerState:
    """Raises NotFound, Conflict."""
    found = observe.container(host, name)
    if found.status is None:
        raise NotFound("container", name, "it does not exist")
    if not found.is_running:
        raise Conflict("exec in container", name, "it is %s" % found.status, hint="start it first")
    if found.status == PAUSED:
        raise Conflict("exec in container", name, "it is paused", hint="cocker unpause resumes it, and so does state: started")
    return found


def _needless(host: Host, found: ContainerState, wish: ExecWish) -> str:
    if wish.creates is None and wish.removes is None:
        return ""
    from ansible_collections.cocker.engine.plugins.module_utils.engine import rootview  # most commands ask for nothing

    with rootview.opened(host, found) as root:
        if wish.creates is not None and rootpath.exists(root.fd, wish.creates):
            return "skipped, since %s exists" % wish.creates
        if wish.removes is not None and not rootpath.exists(root.fd, wish.removes):
            return "skipped, since %s does not exist" % wish.removes
    return ""


def request(host: Host, wish: ExecWish, *, detach: str = "") -> launcher.ExecRequest:
    """`detach` as the request has it."""
    return launcher.ExecRequest(
        bundle=host.layout.container(wish.container),
        state_dir=host.layout.container_run(wish.container),
        args=wish.argv,
        env=wish.env,
        cwd=wish.chdir or "",
        cwd_option=wish.chdir_option,
        user=wish.user or "",
        stdin=wish.stdin,
        tty=wish.tty,
        detach=detach,
    )


def _run(host: Host, wish: ExecWish) -> Answer:
    detached = execs.create(host, wish) if wish.detach else None
    asked = request(host, wish, detach=detached.folder if detached else "")
    try:
        engine = bundle.install(host.layout.engine)
        start = datetime.datetime.now()
        result = launcher.run_exec(asked, engine=engine, python=bundle.python(), timeout=wish.timeout)
        end = datetime.datetime.now()
        if result.error and result.rc in _NOT_RUN:
            raise StartFailed("exec in container", wish.container, result.error)
    except BaseException as error:
        if detached:
            execs.remove(detached)
        if isinstance(error, StartFailed):  # below, a container has the name that the kernel's objects have
            raise StartFailed("exec in container", wish.container, error.reason) from error
        raise
    return {
        "rc": result.rc, "stdout": result.stdout, "stderr": result.stderr, "timed_out": result.timed_out,
        "start": str(start), "end": str(end), "delta": str(end - start), "exec_id": detached.id if detached else None,
    }
