# SPDX-License-Identifier: BSD-2-Clause
"""Where every task and every command of the engine begins: the host is opened, and made whole if somebody was killed on it."""
from __future__ import annotations

import signal

from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.storage import intents
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout


def open_host(home: str, *, dry_run: bool) -> Host:
    """Rolls back what a task that was killed left half done, before anything else is looked at. Raises Invalid."""
    if not home.startswith("/") or ".." in home.split("/") or home.strip("/") == "":
        raise Invalid("cocker_home", "%r is not an absolute path below /" % home)
    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:  # inherited: the kernel would bury our children before we can ask how they ended
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    host = Host(Layout(home.rstrip("/")), dry_run)
    if not dry_run and (intents.dead(host.layout) or fs.abandoned(host.layout.intents)):
        from ansible_collections.cocker.engine.plugins.module_utils.engine import recovery  # only after a crash

        recovery.roll_back(host)
    return host
