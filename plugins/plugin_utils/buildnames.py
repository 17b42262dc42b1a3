# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What tasks and templates name: the variables that they read and set, the files and roles that they bring in. Found without running them.

Not here: where those files are (buildfiles.py), and what the variables are worth (buildplan.py).
"""
from __future__ import annotations

import dataclasses
import typing as t

from jinja2 import Environment, TemplateSyntaxError, meta, nodes

CONDITIONS = {"when", "until", "failed_when", "changed_when", "that"}       # expressions without braces
PREFIXES = ("ansible.builtin.", "ansible.legacy.", "ansible.posix.")
SET_FACT, INCLUDE_VARS = {"set_fact"}, {"include_vars"}
TASKS, ROLES = {"include_tasks", "import_tasks"}, {"include_role", "import_role"}
COPYING = {"assemble", "copy", "script", "synchronize", "template", "unarchive"}       # from the controller
VARS_LOOKUPS = {"vars", "ansible.builtin.vars"}
GLOBALS = {"lookup", "query", "q", "now", "omit", "range", "dict", "lipsum", "cycler", "joiner", "namespace", "undef"}
_HOSTVARS, _OWN = "hostvars", "inventory_hostname"

Path = t.Tuple[str, ...]


class _Any(t.Dict[str, t.Any]):
    """Filters and tests as nobody runs them: there is each."""

    def get(self, name: str, default: t.Any = None) -> t.Any:
        return super().get(name) or str


_JINJA = Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"])
_JINJA.filters, _JINJA.tests = _Any(_JINJA.filters), _Any(_JINJA.tests)


@dataclasses.dataclass
class Names:
    """`reads` of variables; `hosts` are paths into hostvars; `sets` by register and set_fact; `local` to loops; `texts` may be names of
    files, `trees` those of directories, too.

    `unseen` are sentences about what is computed when the tasks run.
    """

    reads: t.Set[str] = dataclasses.field(default_factory=set)
    hosts: t.Set[Path] = dataclasses.field(default_factory=set)
    sets: t.Set[str] = dataclasses.field(default_factory=set)
    local: t.Set[str] = dataclasses.field(default_factory=set)
    texts: t.Set[str] = dataclasses.field(default_factory=set)
    trees: t.Set[str] = dataclasses.field(default_factory=set)
    tasks: t.Set[str] = dataclasses.field(default_factory=set)
    roles: t.Set[str] = dataclasses.field(default_factory=set)
    variables: t.Set[str] = dataclasses.field(default_factory=set)
    unseen: t.Set[str] = dataclasses.field(default_factory=set)
    is_secret: bool = False

    def add(self, other: Names) -> None:
        for field in dataclasses.fields(self):
            if field.name != "is_secret":
                getattr(self, field.name).update(getattr(other, field.name))
        self.is_secret = self.is_secret or other.is_secret


def of_yaml(content: t.Any) -> Names:
    found = Names()
    _walk(content, found, "")
    return found


def of_template(text: str) -> Names:
    """What cannot be parsed names nothing: it is no template of Jinja's."""
    found = Names()
    try:
        tree = _JINJA.parse(text)
    except TemplateSyntaxError:
        return found
    found.reads = {name for name in meta.find_undeclared_variables(tree) if name not in GLOBALS and name != _HOSTVARS}
    found.texts = {name for name in meta.find_referenced_templates(tree) if name}
    for call in tree.find_all(nodes.Call):
        _lookup(call, found)
    paths = [_path(node) for node in tree.find_all((nodes.Getattr, nodes.Getitem))]
    found.hosts = {path for path in paths if path and len(path) > 1}
    if _HOSTVARS in meta.find_undeclared_variables(tree) and not found.hosts:
        found.unseen.add("hostvars by a computed name: %s" % text.strip()[:80])
    return found


def _lookup(call: nodes.Call, found: Names) -> None:
    words = [word.value for word in call.args if isinstance(word, nodes.Const) and isinstance(word.value, str)]
    if not (isinstance(call.node, nodes.Name) and call.node.name in ("lookup", "query", "q") and words):
        return
    (found.reads if words[0] in VARS_LOOKUPS else found.texts).update(words[1:])


def _path(node: nodes.Node) -> t.Optional[Path]:
    """hostvars['db'].address is (db, address); of anything that is computed None."""
    if isinstance(node, nodes.Name):
        return () if node.name == _HOSTVARS else None
    if isinstance(node, nodes.Getattr):
        below, key = _path(node.node), node.attr
    elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        below, key = _path(node.node), str(node.arg.value)
    elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Name) and node.arg.name == _OWN:
        below, key = _path(node.node), ""
    else:
        return None
    return None if below is None else (*below, key)


def _walk(content: t.Any, found: Names, key: str) -> None:
    if isinstance(content, dict):
        _task(content, found)
        for name, value in content.items():
            _walk(name, found, "")
            _walk(value, found, str(name))
    elif isinstance(content, (list, tuple)):
        for value in content:
            _walk(value, found, key)
    elif isinstance(content, str):
        if key in CONDITIONS:
            found.add(of_template("{{ %s }}" % content))
        elif "{{" in content or "{%" in content:
            found.add(of_template(content))
        found.texts.add(content)


def _task(task: t.Mapping[str, t.Any], found: Names) -> None:
    if isinstance(task.get("register"), str):
        found.sets.add(task["register"])
    if task.get("no_log"):
        found.is_secret = True
    control = task.get("loop_control")
    if isinstance(control, dict):
        found.local.update(str(control[name]) for name in ("loop_var", "index_var") if name in control)
    for name, value in task.items():
        prefix = next((each for each in PREFIXES if str(name).startswith(each)), "")
        _action(str(name)[len(prefix):], value, found)


def _action(name: str, value: t.Any, found: Names) -> None:
    if name in SET_FACT and isinstance(value, dict):
        found.sets.update(str(key) for key in value if key != "cacheable")
    elif name in TASKS:
        file = value.get("file") if isinstance(value, dict) else value
        _computed(str(file), name, found) or found.tasks.add(str(file))
    elif name in INCLUDE_VARS:
        file = value.get("file", value.get("_raw_params", "")) if isinstance(value, dict) else value
        _computed(str(file), name, found) or found.variables.add(str(file))
    elif name in COPYING and isinstance(value, dict) and isinstance(value.get("src"), str) and not value.get("remote_src"):
        found.trees.add(value["src"])
    elif name in ROLES and isinstance(value, dict):
        role = str(value.get("name", value.get("role", "")))
        _computed(role, name, found) or found.roles.add(role)


def _computed(text: str, action: str, found: Names) -> bool:
    if "{{" not in text:
        return False
    found.unseen.add("%s: %s" % (action, text))
    return True
