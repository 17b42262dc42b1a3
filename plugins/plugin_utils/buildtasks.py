# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A step of a build as a file of tasks: Ansible takes the names of an include's variables only from a file.

Their values are in a variable of the host, those that cannot be rendered yet in the file; texts that are no templates are written so that
Ansible leaves them alone. Not here: what the step is made of (buildfiles.py).
"""
from __future__ import annotations

import hashlib
import typing as t

import yaml

PREFIX, FACTS = "ansible_", "ansible_facts"
NOW = "__image_build_now"
OF_TASKS = ("packages", "services")     # facts that tasks of the step itself may gather; Ansible gives them to the play's host
_INTERPRETER = "discovered_interpreter_"
_FOREIGN = "this handler was loaded for another image that is built at the same time; handlers of different roles need different names"
_DIGITS = 32

IsTemplate = t.Callable[[str], bool]


class _Left(str):
    """Text that is not to be taken for a template."""


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: t.Any) -> bool:
        return True


def _left(dumper: yaml.SafeDumper, text: _Left) -> yaml.Node:
    return dumper.represent_scalar("!unsafe", str(text), style='"')


_Dumper.add_representer(_Left, _left)


def dumped(tasks: t.Any) -> str:
    return yaml.dump(tasks, Dumper=_Dumper, width=1 << 16, sort_keys=False, allow_unicode=True)


def plain(value: t.Any, is_template: IsTemplate) -> t.Any:
    """What YAML has a word for; anything else as text."""
    if isinstance(value, t.Mapping):
        return {_exact(key): plain(item, is_template) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(item, is_template) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    text = _exact(value)
    return text if "{" not in text or isinstance(value, str) and is_template(value) else _Left(text)


def _exact(value: t.Any) -> str:
    """Texts that Ansible does not trust stay what they are in str(), up to ansible-core 2.18, and YAML has no word for them."""
    return str.__str__(value) if isinstance(value, str) else str(value)


def never(_text: str) -> bool:
    return False


def facts(gathered: t.Mapping[str, t.Any], used: t.Sequence[str]) -> t.Dict[str, t.Any]:
    """The container's in place of those of the host that the play is for. The interpreter is said elsewhere: others have another one."""
    known = {name: value for name, value in gathered.items() if not name.startswith(_INTERPRETER)}
    said: t.Dict[str, t.Any] = {name: known[name] for name in used if name in known}
    said[FACTS] = {name[len(PREFIX):] if name.startswith(PREFIX) else name: value for name, value in known.items()}
    return t.cast(t.Dict[str, t.Any], plain(said, never))


def references(values: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """Where the values are when the step runs. `ansible_facts` stays a dictionary, as Ansible itself writes into it."""
    said: t.Dict[str, t.Any] = {name: "{{ %s.vars[%r] }}" % (NOW, name) for name in values if name != FACTS}
    if FACTS in values:
        below = {name: "{{ %s.vars.%s[%r] }}" % (NOW, FACTS, name) for name in sorted(values[FACTS])}
        others = {name: "{{ hostvars[inventory_hostname].%s.%s | default({}) }}" % (FACTS, name) for name in OF_TASKS}
        said[FACTS] = {**others, **below}
    return said


def tasks(step: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any], mark: str) -> t.List[t.Dict[str, t.Any]]:
    """The same for all hosts that run the step: of handlers with one name Ansible takes the last that any host has loaded.

    So what is of one host is in its variable `NOW`, and a handler of another step, which has another `mark`, is refused. It is a block that
    says where to run, since what an include itself applies is rendered for whoever comes first.
    """
    member = "{{ %s.member if %s.mark == %r else undef(hint=%r) }}" % (NOW, NOW, mark, _FOREIGN)
    step = plain({name: step[name] for name in step if name != "vars"}, never)
    if step.get("role"):
        include = {"name": step["role"], **({"tasks_from": step["tasks_from"]} if step.get("tasks_from") else {})}
        said = {"ansible.builtin.include_role": include}
    else:
        said = {"ansible.builtin.include_tasks": {"file": step["tasks"]}}
    task = {"name": step["name"], **said, "vars": dict(variables), "collections": ["ansible.legacy"]}
    return [{"name": step["name"], "delegate_to": member, "become": False, "block": [task]}]


def marked(step: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any]) -> t.Tuple[str, str]:
    """The mark of a step, and its file."""
    mark = hashlib.sha256(dumped(tasks(step, variables, "")).encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
    return mark, dumped(tasks(step, variables, mark))
