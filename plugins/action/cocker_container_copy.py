# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's side of cocker_container_copy: of what is on the controller, only contents that differ reach the host, each once.

Not here: everything else about copies, which the module does on the host.
"""
from __future__ import annotations

import base64
import hashlib
import os
import stat
import tempfile
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.cocker.engine.plugins.plugin_utils import quick

CHUNK = 1 << 20
INLINE = 64 * 1024      # a file that is no longer than this travels with the question

Result = t.Dict[str, t.Any]
Variables = t.Dict[str, t.Any]
Entries = t.List[t.Dict[str, t.Any]]


class ActionModule(quick.Action):
    MODULE = "cocker.engine.cocker_container_copy"

    def execute(self, arguments: Variables, task_vars: t.Optional[Variables], *, wrap_async: bool = False) -> Result:
        try:
            return self._answer(arguments, task_vars, wrap_async=wrap_async)
        except AnsibleActionFail as error:  # a result, so that failed_when has its say
            return {"failed": True, "msg": str(error)}

    def _answer(self, arguments: Variables, task_vars: t.Optional[Variables], *, wrap_async: bool) -> Result:
        path = arguments.get("path", arguments.get("src"))
        from_container = arguments.get("direction") == "from_container" or boolean(arguments.get("from_container", False), strict=False)
        if boolean(arguments.get("remote_src", True), strict=False) or from_container or not path:
            return super().execute(arguments, task_vars, wrap_async=wrap_async)
        if self._task.async_val:
            raise AnsibleActionFail("async needs remote_src: true, as files are sent before the task could be left alone")
        return self._send(self._find(path), arguments, task_vars)

    def _send(self, top: str, arguments: Variables, task_vars: t.Optional[Variables]) -> Result:
        for option in ("path", "src"):
            arguments.pop(option, None)
        follow = boolean(arguments.get("local_follow", True), strict=False)
        entries = listed(top, follow=follow)
        sent: Variables = {"entries": entries, "name": os.path.basename(top.rstrip("/"))}
        if len(entries) == 1 and entries[0]["kind"] == "file" and entries[0]["size"] <= INLINE:
            with open(top, "rb") as stream:
                sent["inline"] = base64.b64encode(stream.read()).decode()
        answer = self._ask(dict(arguments, sent=sent), task_vars)
        needed = answer.pop("needed", None)
        if answer.get("failed") or self._task.check_mode or not needed:
            return answer
        with tempfile.NamedTemporaryFile(prefix="cocker-") as pack:
            write_pack(pack, top, entries, needed)
            try:
                copy = self._transfer(pack.name)
                again = self._ask(dict(arguments, sent=dict(sent, contents=needed, pack=copy)), task_vars)
            finally:
                self._remove_tmp_path(self._connection._shell.tmpdir)
        again.pop("needed", None)
        return again

    def _find(self, path: str) -> str:
        """As the copy module does: relative to the role's and the playbook's files."""
        try:
            found = self._find_needle("files", path.rstrip("/") or "/")
            return str(found if os.path.isdir(found) else self._loader.get_real_file(found))
        except AnsibleError as error:
            raise AnsibleActionFail("option path: %s" % error) from error

    def _ask(self, arguments: Variables, task_vars: t.Optional[Variables]) -> Result:
        return super().execute(arguments, task_vars)

    def _transfer(self, pack: str) -> str:
        directory = self._connection._shell.tmpdir or self._make_tmp_path()
        copy = self._connection._shell.join_path(directory, "contents")
        self._transfer_file(pack, copy)
        self._fixup_perms2((directory, copy))
        return str(copy)


def listed(top: str, *, follow: bool) -> Entries:
    """Parents first, without what is neither file, directory nor link. Links in a tree stay links."""
    found = [_entry(top, "", follow=follow)]
    if found[0]["kind"] == "directory":
        for folder, directories, files in os.walk(top):
            directories.sort()
            for name in sorted(directories + files):
                path = os.path.join(folder, name)
                entry = _entry(path, os.path.relpath(path, top), follow=False)
                if entry["kind"]:
                    found.append(entry)
    if not found[0]["kind"]:
        raise AnsibleActionFail("option path: %s is neither a file nor a directory" % top)
    return sorted(found, key=lambda entry: t.cast(str, entry["path"]).split("/"))


def _entry(path: str, name: str, *, follow: bool) -> t.Dict[str, t.Any]:
    try:
        facts = os.stat(path, follow_symlinks=follow)
        kind = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}.get(stat.S_IFMT(facts.st_mode), "")
        entry = {"path": name, "kind": kind, "mode": stat.S_IMODE(facts.st_mode), "uid": facts.st_uid, "gid": facts.st_gid}
        if kind == "file":
            entry.update(size=facts.st_size, digest=sha256(path))
        if kind == "link":
            entry.update(target=os.readlink(path))
        return entry
    except OSError as error:
        raise AnsibleActionFail("option path: %s: %s" % (path, error.strerror)) from error


def sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def write_pack(pack: t.Any, top: str, entries: Entries, needed: t.Sequence[str]) -> None:
    """One content after the other, in the order of `needed`. A file that has changed since it was listed is an error."""
    where = {entry["digest"]: entry for entry in entries if entry["kind"] == "file"}
    for digest in needed:
        entry = where[digest]
        path = os.path.join(top, entry["path"]) if entry["path"] else top
        seen = hashlib.sha256()
        with open(path, "rb") as stream:
            for chunk in iter(lambda: stream.read(CHUNK), b""):
                seen.update(chunk)
                pack.write(chunk)
        if seen.hexdigest() != digest:
            raise AnsibleActionFail("option path: %s changes while it is copied" % path)
    pack.flush()
