# SPDX-License-Identifier: BSD-2-Clause
"""The verb `exec`, as a command line says it. Not here: how that is done (execute.py)."""
from __future__ import annotations

import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import caps
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.oci import config, execute as execution, flags


def execute(call: t.Any) -> int:
    options = call.options
    given = options["process"]
    if not given and len(call.words) < 2:
        raise CockerError("process args cannot be empty")
    process_ = config.read_json(given, "no such file") if given else None
    return execution.execute(execution.Request(
        id=call.id, root=call.root, process=process_, changes=_changes(call),
        pid_file=os.path.abspath(options["pid-file"]) if options["pid-file"] else "",
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
