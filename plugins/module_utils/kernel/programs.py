# SPDX-License-Identifier: BSD-2-Clause
"""Programs of the host that are run to their end: posix_spawn(3), without the import of subprocess. Not here: what runs in containers."""
from __future__ import annotations

import os
import shutil
import signal
import typing as t

SBIN = "/usr/sbin:/sbin:/usr/bin:/bin"

_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)     # by Python; a program expects them


class Done(t.NamedTuple):
    """`status` is the exit status, negative for a signal."""

    status: int
    output: str
    errors: str


def find(name: str) -> t.Optional[str]:
    """Where root has it, whatever the PATH is that a task was given."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":" + SBIN)


def run(path: str, *arguments: str, environ: t.Optional[t.Mapping[str, str]] = None) -> Done:
    """Without input. `environ` is added to that of this process. Raises OSError where there is no such program."""
    with open(os.memfd_create("output"), "rb") as output, open(os.memfd_create("errors"), "rb") as errors:
        actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, output.fileno(), 1),
                   (os.POSIX_SPAWN_DUP2, errors.fileno(), 2)]
        pid = os.posix_spawn(path, [path, *arguments], {**os.environ, **(environ or {})}, file_actions=actions, setsigdef=_IGNORED)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        texts = []
        for stream in (output, errors):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "replace"))
        return Done(status, *texts)
