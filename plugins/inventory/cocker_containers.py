# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The containers of hosts of the inventory, as hosts that the connection plugin reaches.

Not here: the way to a host (plugin_utils/gateway.py), what is told there (module_utils/engine/info.py).
"""
from __future__ import annotations

DOCUMENTATION = r"""
name: cocker_containers
short_description: The containers of managed hosts as hosts
version_added: 0.1.0
author:
  - The cocker.engine contributors (!UNKNOWN)
description:
  - Asks hosts of the inventory for their containers, each by its own connection plugin with all its own variables, those of C(group_vars)
    and C(host_vars) included. Each container becomes a host that the connection plugin C(cocker.engine.cocker) reaches by the same way.
  - The file's name must end in C(cocker.yml) or C(cocker.yaml).
  - Every value that comes from a container is marked as unsafe, so that nothing in it is ever taken for a template.
notes:
  - The hosts have to be known before. Of several inventory sources, name this one last; in a directory, files are read in the order of
    their names.
  - A copy of the engine is kept in the store of a host that is asked. It is the one that tasks in its containers use anyway.
  - Passwords that are typed in (C(--ask-pass)) are not known while an inventory is read. Use keys, or variables of the host.
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description:
      - The name of this plugin.
    type: str
    required: true
    choices: [cocker.engine.cocker_containers]
  hosts:
    description:
      - Who is asked; names of hosts or groups. C(localhost) need not be in the inventory.
    type: list
    elements: str
    default: [localhost]
  cocker_home:
    description:
      - The directory on these hosts that holds the engine's store. A host's own C(ansible_cocker_home) goes before it.
    type: str
    default: /var/cocker
    env:
      - name: COCKER_HOME
  hostname:
    description:
      - An expression whose value is the container's name in the inventory. It may use the variables that a container gets, see the
        examples. Two containers with one name are an error.
    type: str
    default: cocker_name ~ '.' ~ cocker_via
  group_by:
    description:
      - What makes groups. Their names are O(group_prefix) and C(state_STATE), C(image_NAME_VERSION) for each image of the stack,
        C(label_KEY_VALUE), C(network_NAME), and C(host_HOST), where characters that a group cannot have become C(_).
      - A container on none of the engine's networks is in the group of its network mode, such as C(network_host).
    type: list
    elements: str
    choices: [state, image, label, network, host]
    default: [state, image, label, network]
  group_prefix:
    description:
      - What the names of these groups begin with.
    type: str
    default: cocker_
  filters:
    description:
      - Which containers are taken. Each entry has either C(include) or C(exclude), with V(true), V(false) or an expression. The first
        whose value is true decides. A container that none decides about is taken.
    type: list
    elements: dict
    default: []
  unreachable:
    description:
      - What happens where a host cannot be asked. V(warn) goes on without its containers, V(fail) reads nothing.
    type: str
    choices: [fail, warn]
    default: warn
"""

EXAMPLES = r"""
# Everything that runs on the hosts of the group dockyards. This file is called containers.cocker.yml and is read after the
# one that names these hosts: ansible-playbook -i hosts.yml -i containers.cocker.yml play.yml
plugin: cocker.engine.cocker_containers
hosts: [dockyards]
filters:
  - include: cocker_state == "running"
  - exclude: true

---
# A container of this machine is called what it is called there. Tasks in it use whatever Python there is.
plugin: cocker.engine.cocker_containers
hostname: cocker_name
compose:
  ansible_python_interpreter: "'auto_silent'"
  address: cocker_addresses.backend

---
# Groups of one's own. Beside cocker_name, cocker_via, cocker_state, cocker_images, cocker_labels and cocker_addresses there
# is cocker_inspect, which is what cocker_container_info tells.
plugin: cocker.engine.cocker_containers
hosts: [all]
group_by: [state, host]
keyed_groups:
  - key: cocker_labels.tier
    prefix: tier
groups:
  large: cocker_inspect.HostConfig.Memory > 1024 * 1024 * 1024
filters:
  - exclude: cocker_labels.internal | default("") == "true"
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: /tmp/containers
"""

import concurrent.futures
import json
import os
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.group import to_safe_group_name
from ansible.inventory.helpers import get_group_vars
from ansible.module_utils.common.text.converters import to_text
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.playbook.play_context import PlayContext
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var
from ansible.utils.vars import combine_vars
from ansible.vars.plugins import get_vars_from_inventory_sources

from ansible_collections.cocker.engine.plugins.plugin_utils import gateway

CONNECTION = "cocker.engine.cocker"
ENDINGS = ("cocker.yml", "cocker.yaml")
LIST = {"verb": "list", "container": ""}

Variables = t.Dict[str, t.Any]
Shown = t.List[t.Dict[str, t.Any]]


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):  # type: ignore[misc]
    NAME = "cocker.engine.cocker_containers"

    def verify_file(self, path: str) -> bool:
        return bool(super().verify_file(path)) and path.endswith(ENDINGS)

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        self._filters = [_checked(entry) for entry in self.get_option("filters")]
        homes = {}
        known = self._kept(path, cache)
        asked = []
        for host in self._asked():
            variables = self._variables_of(host, path)
            homes[host.name] = variables.get("ansible_cocker_home", self.get_option("cocker_home"))
            if host.name not in known:
                asked.append(gateway.Gateway(host.name, variables, home=homes[host.name], play_context=PlayContext()))
        told = self._told(asked)
        if self.get_option("cache"):
            self._cache[self.get_cache_key(path)] = {**known, **told}
        for via, home in homes.items():
            for shown in known.get(via, told.get(via, [])):
                self._add(via, home, shown)

    def _kept(self, path: str, wanted: bool) -> t.Dict[str, Shown]:
        """What the cache says, by host. A host that could not be asked is not in it and is asked again."""
        if not (wanted and self.get_option("cache")):
            return {}
        try:
            found: t.Dict[str, Shown] = self._cache[self.get_cache_key(path)]
        except KeyError:
            return {}
        return found

    def _asked(self) -> t.List[t.Any]:
        """The hosts, each once, in the order in which they are named. Containers that are hosts already are not among them."""
        found: t.Dict[str, t.Any] = {}
        for name in self.get_option("hosts"):
            group = self.inventory.groups.get(name)
            hosts = group.get_hosts() if group is not None else [self.inventory.get_host(name)]
            if hosts == [None]:
                raise AnsibleParserError(
                    "hosts: %s is neither a host nor a group of the inventory; who is asked must be in a source that is read before" % name)
            found.update((host.name, host) for host in hosts if host.get_vars().get("ansible_connection") != CONNECTION)
        return list(found.values())

    def _variables_of(self, host: t.Any, path: str) -> Variables:
        """As a play sees them, without facts."""
        sources = [*getattr(self.inventory, "processed_sources", []), path]
        found: Variables = {}
        for more in (get_group_vars(host.get_groups()), get_vars_from_inventory_sources(self.loader, sources, host.get_groups(), "all"),
                     host.get_vars(), get_vars_from_inventory_sources(self.loader, sources, [host], "all"), self._vars):
            found = combine_vars(found, more)
        self.templar.available_variables = found
        try:
            return {name: self.templar.template(value) if name.startswith("ansible_") else value for name, value in found.items()}
        except AnsibleError as error:
            raise AnsibleParserError("the variables of host %s: %s" % (host.name, to_text(error))) from error

    def _told(self, asked: t.Sequence[gateway.Gateway]) -> t.Dict[str, Shown]:
        """The containers of each host, all hosts at once, as many as Ansible's forks."""
        found: t.Dict[str, Shown] = {}
        if not asked:
            return found
        with concurrent.futures.ThreadPoolExecutor(max_workers=min(len(asked), C.DEFAULT_FORKS)) as pool:
            answers = {host.via: pool.submit(_answer, host) for host in asked if self._opened(host)}
        for via, answer in answers.items():
            try:
                found[via] = answer.result()
            except (AnsibleError, ValueError) as error:
                self._unreachable(via, error)
        return found

    def _opened(self, host: gateway.Gateway) -> bool:
        """Plugins are loaded by one thread only."""
        try:
            host.open()
        except AnsibleError as error:
            self._unreachable(host.via, error)
            return False
        return True

    def _unreachable(self, via: str, error: Exception) -> None:
        said = "the containers of host %s are not known: %s" % (via, to_text(error).strip())
        if self.get_option("unreachable") == "fail":
            raise AnsibleParserError(said) from error
        self.display.warning(said)

    def _add(self, via: str, home: str, shown: t.Dict[str, t.Any]) -> None:
        variables = wrap_var(_described(via, shown))
        strict = self.get_option("strict")
        if not self._is_wanted(variables, strict):
            return
        name = self._evaluated("hostname", self.get_option("hostname"), variables)
        if not isinstance(name, str) or not name or name in self.inventory.hosts:
            raise AnsibleParserError("hostname: the container %s of host %s cannot be called %r in the inventory%s" % (
                variables["cocker_name"], via, name, ", which has such a host already" if name else ""))
        name = str(name)
        self.inventory.add_host(name)
        way = {"ansible_connection": CONNECTION, "ansible_cocker_container": variables["cocker_name"], "ansible_cocker_via": via,
               "ansible_cocker_home": home}
        for key, value in {**variables, **way}.items():
            self.inventory.set_variable(name, key, value)
        for group in _groups(variables, self.get_option("group_by")):
            self.inventory.add_child(self.inventory.add_group(
                to_safe_group_name(self.get_option("group_prefix") + group, force=True, silent=True)), name)
        self._set_composite_vars(self.get_option("compose"), variables, name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, name, strict=strict)

    def _is_wanted(self, variables: Variables, strict: bool) -> bool:
        for way, expression in self._filters:
            try:
                value = expression if isinstance(expression, bool) else self._evaluated("filters", expression, variables)
            except AnsibleParserError:
                if strict:
                    raise
                value = False
            if boolean(value, strict=False):
                return way == "include"
        return True

    def _evaluated(self, option: str, expression: str, variables: Variables) -> t.Any:
        try:
            return self._compose(expression, variables)
        except AnsibleError as error:
            raise AnsibleParserError("%s: %r cannot be evaluated for the container %s of host %s: %s" % (
                option, expression, variables["cocker_name"], variables["cocker_via"], to_text(error))) from error


def _answer(host: gateway.Gateway) -> Shown:
    try:
        found: Shown = json.loads(host.must(LIST))
        return found
    finally:
        host.close()


def _checked(entry: t.Mapping[str, t.Any]) -> t.Tuple[str, t.Union[bool, str]]:
    """Raises AnsibleParserError for what is no filter."""
    way, expression = next(iter(entry.items()), ("", None))
    if len(entry) != 1 or way not in ("include", "exclude") or not isinstance(expression, (bool, str)):
        raise AnsibleParserError(
            "filters: each entry has either include or exclude, with true, false or an expression; this has not: %s" % dict(entry))
    return way, expression


def _described(via: str, shown: t.Mapping[str, t.Any]) -> Variables:
    """The variables of a container. One whose record is damaged has a name and a state."""
    networks = shown.get("NetworkSettings", {}).get("Networks", {})
    pins = shown["Cocker"].get("Images", [])
    return {
        "cocker_name": os.path.basename(shown["Name"]),
        "cocker_via": via,
        "cocker_state": shown["State"]["Status"],
        "cocker_images": [pin["name"] if pin["version"] == "_" else "%s:%s" % (pin["name"], pin["version"]) for pin in pins],
        "cocker_labels": shown.get("Config", {}).get("Labels", {}),
        "cocker_addresses": {name: endpoint["IPAddress"] for name, endpoint in networks.items()},
        "cocker_inspect": shown,
    }


def _groups(variables: Variables, kinds: t.Sequence[str]) -> t.List[str]:
    mode = variables["cocker_inspect"].get("HostConfig", {}).get("NetworkMode", "")
    found = {
        "state": [variables["cocker_state"]],
        "image": variables["cocker_images"],
        "label": ["%s_%s" % pair if pair[1] else pair[0] for pair in variables["cocker_labels"].items()],
        "network": list(variables["cocker_addresses"]) or [mode] * bool(mode),
        "host": [variables["cocker_via"]],
    }
    return ["%s_%s" % (kind, name) for kind in kinds for name in found[kind]]
