# SPDX-License-Identifier: BSD-2-Clause
"""Copies of the engine that are left of former versions. One that a process was started from, or that this task would start from, stays."""
from __future__ import annotations

import errno
import os
import time
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import bundle
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import tolerate
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

_HEX = frozenset("0123456789abcdef")
_KNOWN = ".known-"
_COMMAND = "cli-"
_RUNNING = 86400.0  # seconds after an upgrade in which a command of before may still be open
_PATIENCE = 120.0


def unused(layout: Layout) -> t.List[str]:
    """Paths. A copy whose making was killed is one of them only if it has a whole name."""
    try:
        names = sorted(os.listdir(layout.engine))
    except FileNotFoundError:
        return []
    found = [name for name in names if len(name) == bundle.NAME_LENGTH and _HEX.issuperset(name)]
    used = {bundle.own_name()} | {name for line in _command_lines() for name in found if name.encode() in line}
    former = _former_commands([os.path.join(layout.engine, name) for name in names if name.startswith(_COMMAND)])
    return [*former, *(os.path.join(layout.engine, name) for name in found if name not in used)]


def _former_commands(paths: t.Iterable[str]) -> t.List[str]:
    """Copies that the `cocker` command made for itself, all but the newest; one that somebody may still run from is kept."""
    aged = sorted((os.stat(path).st_mtime, path) for path in paths)
    return sorted(path for when, path in aged[:-1] if time.time() - when > _RUNNING)


def _command_lines() -> t.Iterator[bytes]:
    """A supervisor, a launcher and what they call have the path of their engine in it (bundle.command)."""
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            with tolerate(errno.ENOENT, errno.ESRCH), open("/proc/%s/cmdline" % pid, "rb") as stream:
                yield stream.read()


def remove(layout: Layout, path: str) -> bool:
    """Under the lock of whoever installs; false where somebody began to use it."""
    with fs.lock(os.path.join(layout.engine, ".lock"), timeout=_PATIENCE):
        if path not in unused(layout):
            return False
        for name in os.listdir(layout.engine):
            link = os.path.join(layout.engine, name)
            if name.startswith(_KNOWN) and os.path.islink(link) and os.readlink(link) == os.path.basename(path):
                os.unlink(link)
        fs.remove_tree(path)
    return True
