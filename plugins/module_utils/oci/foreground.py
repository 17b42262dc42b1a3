# SPDX-License-Identifier: BSD-2-Clause
"""The verbs that go into a container, as a command line says them: create, run, exec.

Not here: how that is done (create.py, execute.py, terminal.py).
"""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import caps, process
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.oci import create as creation, flags, terminal, verbs


class Call(t.Protocol):
    """What main.py has read."""

    root: str
    options: flags.Values
    words: t.Sequence[str]

    @property
    def id(self) -> str: ...


def create(call: t.Any) -> None:
    text, wanted = creation.read(_bundle(call))
    console = creation.connect(call.options["console-socket"], wanted, detached=True)
    creation.create(_request(call, console), wanted, text, call.report.warning)


def _bundle(call: t.Any) -> str:
    return os.path.abspath(call.options["bundle"] or ".")


def _request(call: t.Any, console: t.Any) -> creation.Request:
    listeners = _listeners()
    return creation.Request(
        id=call.id, root=call.root, bundle=_bundle(call), pid_file=_absolute(call.options["pid-file"]), console=console,
        keep=listeners + (call.options["preserve-fds"] or 0), listeners=listeners, new_keyring=not call.options["no-new-keyring"],
    )


def _absolute(path: t.Optional[str]) -> str:
    return os.path.abspath(path) if path else ""


def _listeners() -> int:
    """Of LISTEN_FDS, as systemd and podman set it."""
    text = os.environ.get("LISTEN_FDS", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def run(call: t.Any) -> int:
    text, wanted = creation.read(_bundle(call))
    detach = call.options["detach"]
    console = creation.connect(call.options["console-socket"], wanted, detached=detach)
    watch = None
    if not detach:
        if not call.options["no-subreaper"]:
            process.set_subreaper()
        watch = terminal.Watch(terminal=wanted.process.terminal)
        console = watch.channel
    record = creation.create(_request(call, console), wanted, text, call.report.warning)
    try:
        verbs.start(call.root, call.id, call.report.warning)
    except BaseException:
        verbs.delete(call.root, call.id, call.report.warning, force=True)
        raise
    if watch is None:
        return 0
    code = watch.wait(record.init.pid)
    if not call.options["keep"]:
        verbs.delete(call.root, call.id, call.report.warning, force=True)
    return code


def execute(call: t.Any) -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.oci import config, execute as execution
    options = call.options
    given = options["process"]
    if not given and len(call.words) < 2:
        raise CockerError("process args cannot be empty")
    process_ = config.read_json(given, "no such file") if given else None
    return execution.execute(execution.Request(
        id=call.id, root=call.root, process=process_, changes=_changes(call), pid_file=_absolute(options["pid-file"]),
        console=options["console-socket"], detach=options["detach"], keep=options["preserve-fds"] or 0,
        ignore_paused=options["ignore-paused"],
    ))


def _changes(call: t.Any) -> t.Dict[str, t.Any]:
    options = call.options
    found: t.Dict[str, t.Any] = {
        "args": list(call.words[1:]), "terminal": options["tty"], "env": options["env"],
        "capabilities": list(map(caps.parse, options["cap"])),
    }
    for option, field in (("cwd", "cwd"), ("apparmor", "apparmorProfile")):
        if options[option]:
            found[field] = options[option]
    if options["no-new-privs"]:
        found["noNewPrivileges"] = True
    user: t.Dict[str, t.Any] = {}
    if options["user"]:
        uid, _colon, gid = options["user"].partition(":")
        user.update({"uid": flags.number(uid, "user")}, **({"gid": flags.number(gid, "user")} if gid else {}))
    if options["additional-gids"]:
        user["additionalGids"] = [flags.number(gid, "additional-gids") for gid in options["additional-gids"]]
    return dict(found, user=user)
