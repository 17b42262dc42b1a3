# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_container_exec, read; and its result, which depends on them."""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import results, values
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import names
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ExecWish


@dataclasses.dataclass(frozen=True)
class ExecTask:
    """What to run, and how its output is returned."""

    wish: ExecWish
    strip_empty_ends: bool


def task(params: Params) -> ExecTask:
    """Raises Invalid."""
    option = "argv" if params["command"] is None else "command"
    argv = values.words(params[option], option)
    if not argv:
        raise Invalid(option, "a program to run is needed")
    if params["timeout"] is not None and not params["timeout"] > 0:
        raise Invalid("timeout", "%r is not a number of seconds above 0" % params["timeout"])
    if params["detach"] and params["stdin"] is not None:
        raise Invalid("stdin", "a command that nobody waits for has nothing to read: it cannot go with detach")
    if params["detach"] and params["tty"]:
        raise Invalid("tty", "it cannot go with detach")
    wish = ExecWish(
        container=names.object_name(params["container"], "container"),
        argv=argv,
        env=_additions(params["env"]),
        user=values.user(params["user"]),
        chdir=values.absolute(params["chdir"], "chdir"),
        stdin=_stdin(params["stdin"], add_newline=params["stdin_add_newline"]),
        timeout=params["timeout"],
        tty=params["tty"],
        detach=params["detach"],
        creates=values.absolute(params["creates"], "creates"),
        removes=values.absolute(params["removes"], "removes"),
    )
    return ExecTask(wish, strip_empty_ends=params["strip_empty_ends"])


def _additions(env: t.Optional[t.Mapping[t.Any, t.Any]]) -> t.Dict[str, str]:
    additions = values.environment(env) or {}
    for key, value in additions.items():
        if value is None:
            raise Invalid("env", "the value of %s is null: a variable of the container cannot be unset for one command" % key)
    return t.cast("t.Dict[str, str]", additions)


def _stdin(text: t.Optional[str], *, add_newline: bool) -> bytes:
    if text is None:
        return b""
    return (text + "\n" if add_newline else text).encode("utf-8", "surrogateescape")


def executed(ended: t.Mapping[str, t.Any], asked: ExecTask) -> results.Result:
    """A command that fails is no failure of the task, as with the peers; one that does not end in time is."""
    if "skipped" in ended:
        return _not_run(ended)
    if asked.wish.detach:
        return {"changed": True, "exec_id": ended["exec_id"], "start": ended["start"]}
    said = {key: ended[key] for key in ("rc", "start", "end", "delta")}
    output = {key: _output(ended[key], asked.strip_empty_ends) for key in ("stdout", "stderr")}
    if ended["timed_out"]:
        msg = "exec %s: the command did not end within %g s and was killed" % (asked.wish.container, asked.wish.timeout or 0)
        return {"failed": True, "msg": msg, "changed": True, **said, **output}
    return {"changed": True, **said, **output}


def _not_run(ended: t.Mapping[str, t.Any]) -> results.Result:
    """As the command module has it: what is not known in check mode is skipped."""
    said: results.Result = {"changed": ended["would_run"], "msg": ended["skipped"]}
    if ended["unknown"]:
        return {**said, "skipped": True}
    return said if ended["would_run"] else {**said, "rc": 0, "stdout": ended["skipped"], "stderr": ""}


def _output(raw: bytes, strip: bool) -> str:
    text = raw.decode("utf-8", "replace")
    return text.rstrip("\r\n") if strip else text
