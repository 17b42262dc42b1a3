# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's side of cocker_host: packs the command for the host's interpreter, and sends it where the host has another one.

Not here: everything else, which the module does on the host.
"""
from __future__ import annotations

import base64
import os
import typing as t

from ansible_collections.cocker.engine.plugins.plugin_utils import packed, quick

Result = t.Dict[str, t.Any]
Variables = t.Dict[str, t.Any]


class ActionModule(quick.Action):
    MODULE = "cocker.engine.cocker_host"

    def execute(self, arguments: Variables, task_vars: t.Optional[Variables], *, wrap_async: bool = False) -> Result:
        """A host that has neither the module nor, most likely, the command is sent both at once."""
        if not arguments.get("command_path"):
            return super().execute(arguments, task_vars, wrap_async=wrap_async)
        command = packed.command(likely_interpreter(task_vars or {}))
        answer = None if wrap_async else self.ask({**arguments, **told(command)}, task_vars)
        if answer is None:
            answer = self.send({**arguments, **self._sent(command)}, task_vars, wrap_async=wrap_async)
        if answer.get("needed"):
            answer = self.send({**arguments, **self._sent(packed.command(answer["needed"]))}, task_vars)
        return answer

    def _sent(self, command: packed.Command) -> Variables:
        return told(command) if self._task.check_mode else {**told(command), "command_archive": content(command)}


def told(command: packed.Command) -> Variables:
    return {"command_interpreter": command.interpreter, "command_digest": command.digest}


def content(command: packed.Command) -> str:
    with open(command.path, "rb") as stream:
        return base64.b64encode(stream.read()).decode("ascii")


def likely_interpreter(task_vars: Variables) -> str:
    """As the host's Python calls itself; a guess that is wrong costs one more question."""
    said = (task_vars.get("ansible_facts", {}).get("python") or {}).get("executable")
    given = task_vars.get("ansible_python_interpreter")
    return str(said or (given if given and os.path.isabs(str(given)) else packed.INTERPRETER))
