# SPDX-License-Identifier: BSD-2-Clause
"""The verbs that make a container, as a command line says them: create and run.

Not here: how that is done (create.py, terminal.py).
"""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import process
from ansible_collections.cocker.engine.plugins.module_utils.oci import create as creation, records, terminal, verbs


def create(call: t.Any) -> None:
    text, wanted = creation.read(_bundle(call), _notified(call))
    console = creation.connect(call.options["console-socket"], wanted, detached=True)
    creation.create(_request(call, console), wanted, text, call.report.warning)


def _notified(call: t.Any) -> str:
    """The directory of the container, if somebody wants to hear that it is ready."""
    return records.folder(call.root, call.id) if os.environ.get("NOTIFY_SOCKET") else ""


def _bundle(call: t.Any) -> str:
    return os.path.abspath(call.options["bundle"] or ".")


def _request(call: t.Any, console: t.Any, *, at_once: bool = False) -> creation.Request:
    listeners = _listeners()
    return creation.Request(
        id=call.id, root=call.root, bundle=_bundle(call), pid_file=absolute(call.options["pid-file"]), console=console,
        keep=listeners + (call.options["preserve-fds"] or 0), listeners=listeners, new_keyring=not call.options["no-new-keyring"],
        systemd=call.systemd, notify=bool(_notified(call)), at_once=at_once and not _notified(call),
    )


def absolute(path: t.Optional[str]) -> str:
    return os.path.abspath(path) if path else ""


def _listeners() -> int:
    """Of LISTEN_FDS, as systemd and podman set it."""
    text = os.environ.get("LISTEN_FDS", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def run(call: t.Any) -> int:
    text, wanted = creation.read(_bundle(call), _notified(call))
    detach = call.options["detach"]
    console = creation.connect(call.options["console-socket"], wanted, detached=detach)
    watch = None
    if not detach:
        if not call.options["no-subreaper"]:
            process.set_subreaper()
        watch = terminal.Watch(terminal=wanted.process.terminal)
        console = watch.channel
    request = _request(call, console, at_once=True)
    record = creation.create(request, wanted, text, call.report.warning)
    try:
        if request.at_once:
            verbs.tell_started(call.root, record, call.report.warning)
        else:
            verbs.let_go(call.root, record, call.report.warning, stay=watch is None)
    except BaseException:
        verbs.delete(call.root, call.id, call.report.warning, force=True)
        raise
    if watch is None:
        return 0
    code = watch.wait(record.init.pid)
    if not call.options["keep"]:
        verbs.forget(call.root, record, call.report.warning)
    return code
