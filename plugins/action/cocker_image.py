# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's side of cocker_image: an archive that is on the controller reaches the host once, and only if it is needed there.

Not here: everything else about images, which the module does on the host.
"""
from __future__ import annotations

import hashlib
import os
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.cocker.engine.plugins.module_utils.model import names
from ansible_collections.cocker.engine.plugins.plugin_utils import quick

CHUNK = 1 << 20

Result = t.Dict[str, t.Any]
Variables = t.Dict[str, t.Any]


class ActionModule(quick.Action):
    MODULE = "cocker.engine.cocker_image"

    def execute(self, arguments: Variables, task_vars: t.Optional[Variables], *, wrap_async: bool = False) -> Result:
        try:
            return self._answer(arguments, task_vars, wrap_async=wrap_async)
        except AnsibleActionFail as error:  # a result, so that failed_when has its say
            return {"failed": True, "msg": str(error)}

    def _answer(self, arguments: Variables, task_vars: t.Optional[Variables], *, wrap_async: bool) -> Result:
        is_ours = arguments.get("source") == "archive" and arguments.get("state", "present") == "present"
        if boolean(arguments.get("remote_src", True), strict=False) or not is_ours or not arguments.get("path"):
            return super().execute(arguments, task_vars, wrap_async=wrap_async)
        if self._task.async_val:
            raise AnsibleActionFail("async needs remote_src: true, as the archive is sent before the task could be left alone")
        return self._send(arguments, task_vars)

    def _send(self, arguments: Variables, task_vars: t.Optional[Variables]) -> Result:
        archive = self._find(arguments.pop("path"))
        arguments["archive_digest"] = sha256(archive)
        arguments.update(named_by_file(archive, arguments))
        answer = self._ask(arguments, task_vars)
        if answer.get("failed") or self._task.check_mode or not answer.get("needed"):
            return without_question(answer)
        try:
            copy = self._transfer(archive)
            return without_question(self._ask(dict(arguments, path=copy, remote_src=True), task_vars))
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)

    def _find(self, path: str) -> str:
        """As the copy module does: relative to the role's and the playbook's files."""
        try:
            return str(self._loader.get_real_file(self._find_needle("files", path)))
        except AnsibleError as error:
            raise AnsibleActionFail("option path: %s" % error) from error

    def _ask(self, arguments: Variables, task_vars: t.Optional[Variables]) -> Result:
        return super().execute(arguments, task_vars)

    def _transfer(self, archive: str) -> str:
        directory = self._connection._shell.tmpdir or self._make_tmp_path()
        copy = self._connection._shell.join_path(directory, "archive")
        self._transfer_file(archive, copy)
        self._fixup_perms2((directory, copy))
        return str(copy)


def named_by_file(path: str, arguments: Variables) -> Variables:
    """What the name of a .cockerimage says is lost in the copy's."""
    found = names.in_file_name(path)
    if found is None:
        return {}
    said: Variables = {"format": arguments.get("format", "cockerimage")}
    if not arguments.get("name") and not arguments.get("image"):
        has_version = arguments.get("version") or arguments.get("tag")
        said["name"] = found.partition(":")[0] if has_version else found
    return said


def sha256(path: str) -> str:
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as archive:
            for chunk in iter(lambda: archive.read(CHUNK), b""):
                digest.update(chunk)
    except OSError as error:
        raise AnsibleActionFail("option path: %s: %s" % (os.fsdecode(path), error.strerror)) from error
    return digest.hexdigest()


def without_question(answer: Result) -> Result:
    """`needed` is between this plugin and the module."""
    answer.pop("needed", None)
    return answer
