# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files that a step of a build is made of: all of a role and of those that it brings in; a file of tasks and what it names.

A digest counts content and the place within the role, not where the role itself is, nor times.
Not here: what is in the files (buildnames.py).
"""
from __future__ import annotations

import dataclasses
import hashlib
import os
import typing as t

from ansible.errors import AnsibleError

from ansible_collections.cocker.engine.plugins.plugin_utils import buildnames
from ansible_collections.cocker.engine.plugins.plugin_utils.buildnames import Names

YAML = (".yml", ".yaml", ".json")
READ = ("tasks", "handlers", "defaults", "vars", "meta")       # of a role, as YAML
WHOLE = (*READ, "templates", "files", "library", "module_utils", "action_plugins", "filter_plugins", "lookup_plugins", "test_plugins")
SUBDIRECTORIES = ("", "files", "templates", "vars", "tasks")
_CHUNK = 1 << 20
_LONGEST = 255          # NAME_MAX: a longer text names no file

Load = t.Callable[[str], t.Any]                 # of a file of YAML, its content
FindRole = t.Callable[[str, t.Sequence[str]], str]
Render = t.Callable[[str], t.Any]               # of a template, its text; anything else where that is not known yet


@dataclasses.dataclass
class Step:
    """`digests` by a name that does not depend on where the files are."""

    digests: t.Dict[str, str] = dataclasses.field(default_factory=dict)
    names: Names = dataclasses.field(default_factory=Names)


class Reader:
    """Of one step. `find_role` gives the directory of a role, or raises AnsibleError."""

    def __init__(self, load: Load, find_role: FindRole, render: Render) -> None:
        self._load, self._find_role, self._render = load, find_role, render
        self.step = Step()
        self._known: t.Set[str] = set()

    def role(self, name: str, near: t.Sequence[str] = ()) -> None:
        top = os.path.realpath(self._find_role(name, near))
        if top in self._known:
            return
        self._known.add(top)
        for folder in WHOLE:
            for path in _below(os.path.join(top, folder)):
                self._file(path, "role %s %s" % (name, os.path.relpath(path, top)), _kind(path, folder))
        for other in sorted(self._dependencies(top) | self.step.names.roles):
            self.role(other, (os.path.dirname(top), *near))

    def _dependencies(self, top: str) -> t.Set[str]:
        for ending in YAML:
            path = os.path.join(top, "meta", "main" + ending)
            if os.path.exists(path):
                wanted = (self._load(path) or {}).get("dependencies") or []
                return {str(each if isinstance(each, str) else each.get("role", each.get("name", ""))) for each in wanted} - {""}
        return set()

    def tasks(self, path: str, top: str = "") -> None:
        """A file of tasks, those that it includes, and the files that its texts name, found where Ansible would."""
        path = os.path.realpath(path)
        top = top or os.path.dirname(path)
        if path in self._known:
            return
        self._known.add(path)
        before = self.step.names
        self.step.names = Names()
        self._file(path, os.path.relpath(path, top), "yaml")
        own, self.step.names = self.step.names, before
        before.add(own)
        for other in sorted(own.tasks):
            self.tasks(_existing(other, (os.path.dirname(path), top)), top)
        for name in sorted(own.variables):
            self._variables(_existing(name, _places(path, top)), top)
        for role in sorted(own.roles):
            self.role(role, (os.path.dirname(path), top))
        self._named(own, _places(path, top), top)

    def _variables(self, path: str, top: str) -> None:
        """What include_vars reads is set like a fact."""
        self.step.names.sets.update(str(name) for name in self._load(path) or {})
        self._file(path, os.path.relpath(path, top), "yaml")

    def _named(self, own: Names, places: t.Sequence[str], top: str) -> None:
        for text in sorted(own.texts):
            found = _find(text, places)
            if found and os.path.isfile(found) and found not in self._known:
                self._known.add(found)
                inner = self._file(found, os.path.relpath(found, top), "template")
                self._named(inner, (os.path.dirname(found), *places), top)
        for text in sorted(self._sources(own)):
            found = _find(text, places, may_be_absolute=True)
            for path in _below(found) if found and os.path.isdir(found) else [found] if found else []:
                self._file(path, os.path.relpath(path, top), "bytes")

    def _sources(self, own: Names) -> t.Iterator[str]:
        """A source that is an item of a loop is one of the texts, if it is known at all."""
        for text in own.trees:
            if "{{" not in text:
                yield text
                continue
            rendered = self._render(text)
            if isinstance(rendered, str):
                yield rendered
            elif not buildnames.of_template(text).reads <= own.local | {"item"}:
                self.step.names.unseen.add("src: %s" % text)

    def _file(self, path: str, name: str, kind: str) -> Names:
        content = _content(path)
        self.step.digests[name] = hashlib.sha256(content).hexdigest()
        found = Names()
        if kind == "yaml":
            found = buildnames.of_yaml(self._load(path))
        elif kind == "template":
            found = buildnames.of_template(_text(content))
        self.step.names.add(found)
        return found


def _kind(path: str, folder: str) -> str:
    if folder == "templates":
        return "template"
    return "yaml" if folder in READ and path.endswith(YAML) else "bytes"


def _content(path: str) -> bytes:
    if os.path.islink(path) and not os.path.exists(path):
        return os.fsencode(os.readlink(path))
    with open(path, "rb") as stream:
        return stream.read()


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return ""


def _below(top: str) -> t.List[str]:
    found = [os.path.join(folder, name) for folder, _folders, files in os.walk(top, followlinks=True) for name in files]
    return sorted(path for path in found if not path.endswith(".pyc"))


def _places(path: str, top: str) -> t.List[str]:
    folders = dict.fromkeys((os.path.dirname(path), top, os.path.dirname(top) if os.path.basename(top) == "tasks" else top))
    return [os.path.join(folder, below) if below else folder for folder in folders for below in SUBDIRECTORIES]


def _find(text: str, places: t.Sequence[str], *, may_be_absolute: bool = False) -> str:
    """Empty where there is no such file. Texts are not meant to be files for the most part."""
    if not text or len(text) > _LONGEST or "\n" in text or "\0" in text or text.strip("./") == "":
        return ""
    if os.path.isabs(text):
        return text if may_be_absolute and os.path.exists(text) else ""
    return next((path for path in (os.path.join(place, text) for place in places) if os.path.exists(path)), "")


def _existing(text: str, places: t.Sequence[str]) -> str:
    found = text if os.path.isabs(text) and os.path.isfile(text) else _find(text, places)
    if not found:
        raise AnsibleError("%s: no such file below %s" % (text, ", ".join(places)))
    return found
