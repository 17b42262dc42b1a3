# SPDX-License-Identifier: BSD-2-Clause
"""The first code of the `cocker` command, a zip archive of this tree, where there is no compiled copy of it yet below $COCKER_HOME/engine.

An archive holds sources, which Python would compile at each call, and takes long to open. So a shell that is the head of the archive
starts start.py, which looks for the copy, and goes on with begin.py. Only a host that has a store gets a copy: to look at a host changes
nothing. The OCI runtime keeps its copy below /run where the host has no store. Not here: making the copy (copying.py).
"""
from __future__ import annotations

import os
import sys

from ansible_collections.cocker.engine.plugins.module_utils.cli import begin

DEFAULT_HOME = "/var/cocker"
VOLATILE = "/run/cocker/engine"
DIGEST = ""  # of the archive's content; written when it is packed


def unpacked(archive: str, engines: str) -> str:
    """The copy, made if need be; empty where none can be kept."""
    if not DIGEST or os.geteuid() != 0 or not begin.is_private(engines):
        return ""
    target = os.path.join(engines, "cli-%s-%s" % (DIGEST, sys.implementation.cache_tag))
    if not os.path.isdir(target):
        from ansible_collections.cocker.engine.plugins.module_utils.cli import copying  # only the first call after an upgrade pays for it
        copying.install(archive, target)
    return target


def engines(*, volatile: bool) -> str:
    """The directory of the copies. `volatile`: where there is no store, one that goes with the next boot."""
    folder = os.path.join(os.environ.get("COCKER_HOME") or DEFAULT_HOME, "engine")
    if not volatile or os.geteuid() != 0 or begin.is_private(folder):
        return folder
    os.makedirs(VOLATILE, mode=0o700, exist_ok=True)
    return VOLATILE


if __name__ == "__main__":
    begin.go(unpacked(sys.path[0], engines(volatile=os.path.basename(sys.argv[0]) == begin.RUNTIME)))
