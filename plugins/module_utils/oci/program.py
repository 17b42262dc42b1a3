# SPDX-License-Identifier: BSD-2-Clause
"""Offers the interpreter where the next command can start from at once: a read-only mount of its folder below /run/cocker/python.

What runs from there needs no copy of itself before it goes into a container (cli/protecting.py). Without the mount commands are slower,
no more.
"""
from __future__ import annotations

import os
import sys

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fds, fs, mounts
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError

_CHECK = "import sys; sys.exit(sys.prefix != %r)"


def offer(top: str) -> None:
    """Idempotent. `top` is a directory of root's, below which folders have the path that they have on the host."""
    python = os.path.realpath(sys.executable)
    target = top + os.path.dirname(python)
    try:
        for folder, mode in ((os.path.dirname(top), 0o755), (top, 0o700)):
            if not os.path.isdir(folder):
                os.mkdir(folder, mode)
        os.makedirs(target, mode=0o700, exist_ok=True)
        with fs.lock(os.path.join(top, ".lock")):
            _mount(python, target)
    except (CockerError, OSError):      # a kernel that has none, somebody else who is at it
        return


def _mount(python: str, target: str) -> None:
    if os.path.ismount(target):
        if is_same(top_of=target, python=python):
            return
        mounts.umount(target, detach=True)      # of an interpreter that was replaced
    fds.mount_programs(os.path.dirname(python), target)
    if not _works(os.path.join(target, os.path.basename(python))):
        mounts.umount(target, detach=True)


def is_same(*, top_of: str, python: str) -> bool:
    """An overlay goes on with the file that it has seen when the one below is another."""
    try:
        there, here = (os.stat(path) for path in (os.path.join(top_of, os.path.basename(python)), python))
    except OSError:
        return False
    return (there.st_size, there.st_mtime_ns, there.st_ctime_ns) == (here.st_size, here.st_mtime_ns, here.st_ctime_ns)


def _works(python: str) -> bool:
    """It finds its library although it is elsewhere."""
    pid = os.posix_spawn(python, [python, "-I", "-S", "-c", _CHECK % sys.prefix], {})
    return os.waitpid(pid, 0)[1] == 0
