# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_host, read."""
from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import CommandWish, ReadyWish

RUNTIME = "cocker-runtime"      # the command's other name (cli/boot.py)

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")


def wish(params: Params) -> ReadyWish:
    """Raises Invalid."""
    command = None if params["command_path"] is None else _command(params)
    if params["service"] and command is None:
        raise Invalid("service", "it runs the command, so command_path is needed, too")
    return ReadyWish(
        modules=_names(params["kernel_modules"], "kernel_modules"), commands=_names(params["commands"], "commands"),
        forwards=params["ip_forward"], command=command, service=params["service"], stops=params["incomplete"] == "stop",
        with_pyroute2=params["needs_pyroute2"],
    )


def _names(given: t.Iterable[str], option: str) -> t.Tuple[str, ...]:
    names = tuple(dict.fromkeys(given))
    for name in names:
        if not _NAME.fullmatch(name):
            raise Invalid(option, "%r is no name" % name)
    return names


def _command(params: Params) -> CommandWish:
    path = params["command_path"]
    if not os.path.isabs(path) or path != os.path.normpath(path) or not _is_plain(path):
        raise Invalid("command_path", "%r is no absolute path without blanks" % path)
    if os.path.basename(path) == RUNTIME:
        raise Invalid("command_path", "%s is the command's other name" % RUNTIME)
    digest = params["command_digest"] or ""
    return CommandWish(
        path=path, link=os.path.join(os.path.dirname(path), RUNTIME), interpreter=params["command_interpreter"] or "",
        digest=digest, archive=_archive(params["command_archive"], digest))


def _is_plain(path: str) -> bool:
    """It stands in a unit of systemd."""
    return path.isascii() and path.isprintable() and not set(path) & set(" \"'\\%$;")


def _archive(text: t.Optional[str], digest: str) -> t.Optional[bytes]:
    if text is None:
        return None
    try:
        found = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise Invalid("command_archive", "it is not base64") from None
    if hashlib.sha256(found).hexdigest() != digest:
        raise Invalid("command_archive", "it is another one than command_digest says")
    return found
