# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps of a build as the role's variables give them: read, checked, and what each of them is made of, variables included.

Not here: what follows from that (buildplan.py).
"""
from __future__ import annotations

import os
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.utils.collection_loader._collection_finder import _get_collection_role_path

from ansible_collections.cocker.engine.plugins.plugin_utils import buildfiles, buildtasks
from ansible_collections.cocker.engine.plugins.plugin_utils.buildnames import Names

try:
    from ansible.template import is_trusted_as_template
except ImportError:         # ansible-core before 2.19
    from ansible.utils.unsafe_proxy import AnsibleUnsafe

    def is_trusted_as_template(value: t.Any) -> bool:
        return not isinstance(value, AnsibleUnsafe)

STEPS, VARS = "image_build_steps", "image_build_vars"
ACCEPTED = ("name", "role", "tasks", "tasks_from", "vars")
# Of what Ansible itself sets, the rest says where the playbook is and how it runs.
COUNTED = {"inventory_hostname", "group_names", "groups"}

Variables = t.Mapping[str, t.Any]
Given = t.Dict[str, t.Any]


class Context:
    """The run that the role is part of: its variables, as they stand, and what renders them."""

    def __init__(self, variables: Variables, templar: t.Any, loader: t.Any) -> None:
        self.variables, self._templar, self._loader = variables, templar, loader

    def load(self, path: str) -> t.Any:
        return self._loader.load_from_file(path, cache="none")

    def rendered(self, value: t.Any) -> t.Any:
        """Raises AnsibleError."""
        return self._templar.template(value)

    def tried(self, value: t.Any) -> t.Any:
        """What cannot be rendered yet, such as what names a variable of an earlier step, stays as it stands."""
        try:
            return buildtasks.plain(self.rendered(value), buildtasks.never)
        except (AnsibleError, KeyError, TypeError):
            return {"unrendered": str(value)}

    def having(self, own: Variables) -> Context:
        """With further variables, which win."""
        known = {**self.variables, **own}
        return Context(known, self._templar.copy_with_new_env(available_variables=known), self._loader)

    def near(self) -> t.List[str]:
        """Where a playbook's files are looked for: in roles that call this one, then beside the playbook."""
        parents = list(self.variables.get("ansible_parent_role_paths") or ())
        return [*parents, str(self.variables["playbook_dir"])]

    def find_role(self, name: str, near: t.Sequence[str]) -> str:
        """The directory of a role that another one, which is in one of `near`, or the playbook names. Raises AnsibleError."""
        found = _get_collection_role_path(name, None)
        if found:
            return str(found[1])
        places = self._usual_places() + [folder for folder in near if folder not in self._usual_places()]
        for folder in places:
            if os.path.isdir(os.path.join(folder, name)):
                return os.path.join(folder, name)
        raise AnsibleError("the role %s was not found in %s" % (name, ", ".join(places)))

    def _usual_places(self) -> t.List[str]:
        book = str(self.variables["playbook_dir"])
        return [os.path.join(book, "roles"), *C.DEFAULT_ROLES_PATH, book]

    def role_name(self, name: str) -> str:
        """As Ansible finds it from anywhere: a path, if it is beside the role that calls. Raises AnsibleError."""
        path = self.find_role(name, self.beside())
        is_usual = _get_collection_role_path(name, None) or any(path == os.path.join(folder, name) for folder in self._usual_places())
        return name if is_usual else path

    def beside(self) -> t.List[str]:
        return [os.path.dirname(parent) for parent in self.near()[:-1]]


def given(context: Context) -> t.List[Given]:
    """Each with `name`, `role` or `tasks` (a path), `tasks_from` and `vars`, whose values stay as they stand. Raises AnsibleError."""
    raw = context.variables.get(STEPS)
    steps = context.rendered(raw) if isinstance(raw, str) else raw
    if not isinstance(steps, (list, tuple)) or not steps:
        raise AnsibleError("%s: a list with at least one step is accepted" % STEPS)
    shared = _dictionary(context, context.variables.get(VARS) or {}, VARS)
    return [_step(context, step, "%s[%d]" % (STEPS, index), shared) for index, step in enumerate(steps)]


def _step(context: Context, raw: t.Any, option: str, shared: Given) -> Given:
    step = context.rendered(raw) if isinstance(raw, str) else raw
    if isinstance(step, str):
        step = {"role": step}
    if not isinstance(step, t.Mapping) or set(step) - set(ACCEPTED) or ("role" in step) == ("tasks" in step):
        raise AnsibleError("%s: the name of a role, or a dictionary with role or tasks, and name, tasks_from, vars is accepted" % option)
    said = {name: context.rendered(step[name]) for name in ACCEPTED if name in step and name != "vars"}
    said["vars"] = {**shared, **_dictionary(context, step.get("vars") or {}, option + ".vars")}
    said.setdefault("name", os.path.basename(str(said.get("role") or said["tasks"])))
    if "tasks" in said:
        said["tasks"] = _tasks(context, str(said["tasks"]), option + ".tasks")
    else:
        said["role"] = context.role_name(str(said["role"]))
    return said


def _dictionary(context: Context, raw: t.Any, option: str) -> Given:
    found = context.rendered(raw) if isinstance(raw, str) else raw
    if not isinstance(found, t.Mapping):
        raise AnsibleError("%s: a dictionary is accepted" % option)
    return {str(name): value for name, value in found.items()}


def _tasks(context: Context, path: str, option: str) -> str:
    places = [os.path.join(folder, below) if below else folder for folder in context.near() for below in ("tasks", "")]
    for place in places:
        if os.path.isfile(os.path.join(place, path)):
            return os.path.realpath(os.path.join(place, path))
    raise AnsibleError("%s: %s: no such file below %s" % (option, path, ", ".join(places)))


def now_and_later(context: Context, own: Variables) -> t.Tuple[Given, Given]:
    """What the variables of a step are worth, and those that name what only the step itself knows, such as defaults of its role."""
    inside = context.having(own)
    now: Given = {}
    later: Given = {}
    for name, value in own.items():
        try:
            now[name] = buildtasks.plain(inside.rendered(value), buildtasks.never)
        except AnsibleError:
            later[name] = buildtasks.plain(value, is_trusted_as_template)
    return now, later


def made_of(context: Context, step: Given) -> buildfiles.Step:
    """Raises AnsibleError for a role or a file that is not there."""
    reader = buildfiles.Reader(context.load, context.find_role, context.tried)
    if "role" in step:
        reader.role(step["role"], context.beside())
    else:
        reader.tasks(step["tasks"])
    return reader.step


def values(context: Context, names: Names, own: t.Container[str], known: t.Container[str]) -> t.Dict[str, t.Any]:
    """Of the variables that a step reads, as far as they are not its own, nor set by the build itself, nor facts."""
    wanted = [name for name in sorted(names.reads) if name not in own and name not in known and name in context.variables
              and not name.startswith(buildtasks.PREFIX) and (name in COUNTED or name not in C.INTERNAL_STATIC_VARS)]
    found = {name: context.tried(context.variables[name]) for name in wanted}
    for path in sorted(names.hosts):
        found["hostvars " + " ".join(path)] = _of_host(context, path)
    return found


def _of_host(context: Context, path: t.Sequence[str]) -> t.Any:
    value: t.Any = context.variables.get("hostvars")
    host, *below = path
    try:
        value = value[host or context.variables["inventory_hostname"]]
        for name in below:
            value = value[name]
    except (AnsibleError, KeyError, TypeError, IndexError):
        return None
    return context.tried(value)


def facts(names: Names) -> t.List[str]:
    """The facts that are read by their own names, and `ansible_facts`."""
    others = (C.INTERNAL_STATIC_VARS | C.COMMON_CONNECTION_VARS) - {buildtasks.FACTS}
    return sorted(name for name in names.reads if name.startswith(buildtasks.PREFIX) and name not in others)
