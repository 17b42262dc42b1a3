# SPDX-License-Identifier: BSD-2-Clause
"""A command in a running container that somebody sits at, with a terminal or with streams of their own.

Not here: commands of tasks, whose output is returned (exec.py).
"""
from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import bundle, exec
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import rootpath
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ExecWish
from ansible_collections.cocker.engine.plugins.module_utils.runtime import dialogue

SHELLS = ("/bin/bash", "/bin/sh")
_HOME = "/root"


def hold(host: Host, wish: ExecWish, person: dialogue.Person) -> dialogue.Ended:
    """Raises NotFound, Conflict, and StartFailed where it could not be tried."""
    exec.runnable(host, wish.container)
    request = exec.request(host, wish)
    return dialogue.hold(request, person, engine=bundle.install(host.layout.engine), python=bundle.python())


def has_seats(host: Host, name: str) -> bool:
    """Whether the container's own command has a terminal or an open standard input. Raises NotFound, Conflict."""
    record = exec.runnable(host, name).record
    return record is not None and bool(record.spec.tty or record.spec.interactive)


def attach(host: Host, name: str, person: dialogue.Person, *, once: bool = False) -> t.Optional[int]:
    """At the container's own streams: its exit code; None where they were left. `once`: as for the one who has just made it.

    Raises NotFound, Conflict, and Unsupported where a former engine runs it.
    """
    from ansible_collections.cocker.engine.plugins.module_utils.engine import signals, waiting
    from ansible_collections.cocker.engine.plugins.module_utils.runtime import attachment

    def pass_on(number: int) -> None:
        with contextlib.suppress(Conflict, NotFound):       # it has just ended
            signals.send(host, name, number)

    ended = attachment.hold(host.layout.container_run(name), person, pass_on, once=once)
    return waiting.wait(host, name) if ended else None


def login(host: Host, name: str) -> t.Optional[ExecWish]:
    """The login shell of a container that has nothing to run but our PID 1: it greets as its image's profile has it.

    None for a container with a command. Raises NotFound, Conflict.
    """
    from ansible_collections.cocker.engine.plugins.module_utils.engine import processes

    found = exec.runnable(host, name)
    if found.record is None or processes.process(found.record.spec, found.record.config).args:
        return None
    return shell(host, name)


def shell(host: Host, name: str) -> ExecWish:
    """As at a login, in root's home. Raises NotFound, Conflict."""
    from ansible_collections.cocker.engine.plugins.module_utils.engine import rootview  # exec needs no look

    found = exec.runnable(host, name)
    with rootview.opened(host, found) as root:
        path = next((each for each in SHELLS if rootpath.exists(root.fd, each)), None)
        home = _HOME if rootpath.exists(root.fd, _HOME) else None
    if path is None:
        raise NotFound("shell", "in container " + name, "there is none of %s" % ", ".join(SHELLS))
    return ExecWish(name, (path, "-l"), tty=True, chdir=home)
