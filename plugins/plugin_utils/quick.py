# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the collection's modules reach a host: first only their parameters, for a host that has the code; the whole module where it has not.

Most tasks find nothing to do, and sending half a megabyte of sources is most of what they cost. What the host keeps is what an
earlier run of the same module compiled there (module_utils/edge/kept.py), found by a digest of all that is sent.
"""
from __future__ import annotations

import hashlib
import json
import os
import typing as t

from ansible.plugins.action import ActionBase
from ansible.release import __version__

from ansible_collections.cocker.engine.plugins.plugin_utils import sources

STUB = "ansible.legacy.cocker_stub"
MISSING = "_cocker_missing"
_DIGITS = 24
_REPLACED = ("<<INCLUDE_ANSIBLE_MODULE_", "<<ANSIBLE_VERSION>>", "<<SELINUX_SPECIAL_FILESYSTEMS>>", "syslog.LOG_USER")

Result = t.Dict[str, t.Any]
Variables = t.Dict[str, t.Any]


class Action(ActionBase):  # type: ignore[misc]
    """Of one module, whose full name is `MODULE`. Otherwise what Ansible does for a module without an action plugin."""

    MODULE = ""
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: t.Optional[str] = None, task_vars: t.Optional[Variables] = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        del tmp
        wrap_async = bool(self._task.async_val and not self._connection.has_native_async)
        result.update(self.execute(dict(self._task.args), task_vars, wrap_async=wrap_async))
        if not wrap_async:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def execute(self, arguments: Variables, task_vars: t.Optional[Variables], *, wrap_async: bool = False) -> Result:
        """The module's result. A task that is left alone is the whole module at once: nobody could send it afterwards."""
        result = None if wrap_async else self.ask(arguments, task_vars)
        return self.send(arguments, task_vars, wrap_async=wrap_async) if result is None else result

    def ask(self, arguments: Variables, task_vars: t.Optional[Variables]) -> t.Optional[Result]:
        """The result of a module that the host has; None where it does not have it."""
        if not is_plain(arguments):
            return None
        self._shared_loader_obj.module_loader.add_directory(os.path.join(sources.PLUGINS, "plugin_utils", "stub"))
        result = dict(self._execute_module(module_name=STUB, module_args=self._told(arguments), task_vars=task_vars))
        return None if result.get(MISSING) else result

    def send(self, arguments: Variables, task_vars: t.Optional[Variables], *, wrap_async: bool = False) -> Result:
        return dict(self._execute_module(
            module_name=self.MODULE, module_args=self._told(arguments), task_vars=task_vars, wrap_async=wrap_async))

    def _told(self, arguments: Variables) -> Variables:
        return {**arguments, "_cocker_key": key(self.MODULE), "_cocker_module": self.MODULE}


def is_plain(arguments: Variables) -> bool:
    """Whether Ansible, which writes parameters into the stub as text, would find nothing in them that it replaces again."""
    text = json.dumps(arguments, default=str)
    return not any(word in text for word in _REPLACED)


def key(module: str) -> str:
    """Of all that is sent."""
    own = sources.digest([os.path.join(sources.PLUGINS, "modules", module.rpartition(".")[2] + ".py")])
    return hashlib.sha256("\n".join((__version__, sources.engine_digest(), own)).encode()).hexdigest()[:_DIGITS]
