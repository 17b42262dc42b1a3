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
from ansible.plugins.action import ActionBase

MODULE = "cocker.engine.cocker_container_template"

Result = t.Dict[str, t.Any]
Variables = t.Dict[str, t.Any]


class ActionModule(ActionBase):  # type: ignore[misc]
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: t.Optional[str] = None, task_vars: t.Optional[Variables] = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        del tmp
        arguments = dict(self._task.args)
        try:
            if arguments.get("mapping_file") and not boolean(arguments.get("remote_src", True), strict=False):
                arguments["mapping_b64"] = base64.b64encode(self._read(arguments.pop("mapping_file"))).decode()
            result.update(self._execute_module(
                module_name=MODULE, module_args=arguments, task_vars=task_vars, wrap_async=self._task.async_val))
        except AnsibleActionFail as error:  # a result, so that failed_when has its say
            result.update(failed=True, msg=str(error))
        return result

    def _read(self, path: str) -> bytes:
        """As the copy module does: relative to the role's and the playbook's files."""
        try:
            with open(self._loader.get_real_file(self._find_needle("files", path)), "rb") as stream:
                return stream.read()
        except (AnsibleError, OSError) as error:
            raise AnsibleActionFail("option mapping_file: %s" % error) from error
