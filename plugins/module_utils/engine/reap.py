# SPDX-License-Identifier: BSD-2-Clause
"""What a supervisor runs when its container has ended by itself: the network goes, as after a stop."""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import teardown
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host


def main(arguments: t.Sequence[str]) -> None:
    """`HOME NAME`. Whoever works on the container meanwhile is waited for; a container that runs again is left alone."""
    home, name = arguments
    host = open_host(home, dry_run=False)
    with host.locked("container", name):
        found = teardown.running(host, name)
        if found is None or not found.lives():
            teardown.clear(host, name)
