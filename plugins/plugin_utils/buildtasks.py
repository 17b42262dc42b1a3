# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A step of a build as a file of tasks: Ansible takes the variables of an include only as they stand in a file.

Texts that are no templates are written so that Ansible leaves them alone. Not here: what the step is made of (buildfiles.py).
"""
from __future__ import annotations

import typing as t

import yaml

PREFIX, FACTS = "ansible_", "ansible_facts"
_INTERPRETER = "discovered_interpreter_"

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
        return {str(key): plain(item, is_template) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(item, is_template) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    text = str(value)
    return text if "{" not in text or isinstance(value, str) and is_template(value) else _Left(text)


def never(_text: str) -> bool:
    return False


def facts(gathered: t.Mapping[str, t.Any], used: t.Sequence[str]) -> t.Dict[str, t.Any]:
    """The container's in place of those of the host that the play is for. The interpreter is said elsewhere: others have another one."""
    known = {name: value for name, value in gathered.items() if not name.startswith(_INTERPRETER)}
    said: t.Dict[str, t.Any] = {name: known[name] for name in used if name in known}
    said[FACTS] = {name[len(PREFIX):] if name.startswith(PREFIX) else name: value for name, value in known.items()}
    return t.cast(t.Dict[str, t.Any], plain(said, never))


def tasks(step: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any], member: str) -> t.List[t.Dict[str, t.Any]]:
    """Handlers are delegated, too, as they belong to what is included."""
    apply = {"delegate_to": member, "become": False}
    step = plain({name: step[name] for name in step if name != "vars"}, never)
    if step.get("role"):
        include = {"name": step["role"], "apply": apply, **({"tasks_from": step["tasks_from"]} if step.get("tasks_from") else {})}
        said = {"ansible.builtin.include_role": include}
    else:
        said = {"ansible.builtin.include_tasks": {"file": step["tasks"], "apply": apply}}
    return [{"name": step["name"], **said, "vars": dict(variables), "collections": ["ansible.legacy"]}]
