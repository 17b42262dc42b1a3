# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's side of cocker_container_template: a mapping that is on the controller travels with the task.

Not here: everything else, which the module does on the host.
"""
from __future__ import annotations

import base64
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.cocker.engine.plugins.plugin_utils import quick

Result = t.Dict[str, t.Any]
Variables = t.Dict[str, t.Any]


class ActionModule(quick.Action):
    MODULE = "cocker.engine.cocker_container_template"

    def execute(self, arguments: Variables, task_vars: t.Optional[Variables], *, wrap_async: bool = False) -> Result:
        try:
            if arguments.get("mapping_file") and not boolean(arguments.get("remote_src", True), strict=False):
                arguments["mapping_b64"] = base64.b64encode(self._read(arguments.pop("mapping_file"))).decode()
            return super().execute(arguments, task_vars, wrap_async=wrap_async)
        except AnsibleActionFail as error:  # a result, so that failed_when has its say
            return {"failed": True, "msg": str(error)}

    def _read(self, path: str) -> bytes:
        """As the copy module does: relative to the role's and the playbook's files."""
        try:
            with open(self._loader.get_real_file(self._find_needle("files", path)), "rb") as stream:
                return stream.read()
        except (AnsibleError, OSError) as error:
            raise AnsibleActionFail("option mapping_file: %s" % error) from error
