# SPDX-License-Identifier: GPL-3.0-or-later
"""A step as a file of tasks."""
from __future__ import annotations

import copy
import typing as t

import pytest

pytest.importorskip("yaml")
pytest.importorskip("ansible.errors")

import yaml

from ansible_collections.cocker.engine.plugins.plugin_utils import buildtasks


class Text(str):
    """As Ansible's own texts are, which str() leaves alone in some versions."""

    def __str__(self) -> str:
        return copy.copy(self)


class Unsafe(yaml.YAMLObject):
    yaml_tag, yaml_loader = "!unsafe", yaml.SafeLoader

    @classmethod
    def from_yaml(cls, loader: t.Any, node: t.Any) -> t.Any:
        return ("unsafe", node.value)


def written(value: t.Any, is_template: buildtasks.IsTemplate = buildtasks.never) -> t.Any:
    return yaml.safe_load(buildtasks.dumped(buildtasks.plain(value, is_template)))


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "text", "yes", "1", "a: b\n- c", "é", {"a": [1, {"b": "c"}]}])
def test_values_come_back_as_they_were(value: t.Any) -> None:
    assert written(value) == value


def test_ansible_s_own_texts_are_texts() -> None:
    assert written({Text("a"): Text("b")}) == {"a": "b"}


def test_a_template_stays_one_and_what_only_looks_like_one_is_left_alone() -> None:
    assert written("{{ a }}", lambda text: True) == "{{ a }}"
    assert written(["{{ 'a' }}\n\"{%"]) == [("unsafe", "{{ 'a' }}\n\"{%")]


STEP = {"name": "web", "role": "nginx", "tasks_from": "install", "vars": {"x": 1}}


def test_a_role_and_its_handlers_are_delegated_to_what_the_host_itself_builds_in() -> None:
    (block,) = buildtasks.tasks(STEP, {"x": 1}, "m")
    (task,) = block["block"]
    assert task["ansible.builtin.include_role"] == {"name": "nginx", "tasks_from": "install"}
    assert block["delegate_to"].startswith("{{ __image_build_now.member if __image_build_now.mark == 'm' else undef(")
    assert task["vars"] == {"x": 1} and task["name"] == "web" and block["become"] is False


def test_a_file_of_tasks_is_delegated() -> None:
    (block,) = buildtasks.tasks({"name": "site", "tasks": "/site.yml"}, {}, "m")
    assert block["block"][0]["ansible.builtin.include_tasks"] == {"file": "/site.yml"} and "delegate_to" in block


def test_hosts_with_other_values_share_a_file_and_other_steps_do_not() -> None:
    one, two = (buildtasks.marked(STEP, buildtasks.references({"x": value})) for value in (1, 2))
    assert one == two and one[0] in one[1]
    assert buildtasks.marked({**STEP, "role": "apache"}, buildtasks.references({"x": 1}))[0] != one[0]


def test_facts_are_a_dictionary_of_references_with_what_tasks_gather_themselves() -> None:
    said = buildtasks.references({"ansible_facts": {"os_family": "Debian"}})["ansible_facts"]
    assert said["os_family"] == "{{ __image_build_now.vars.ansible_facts['os_family'] }}"
    assert said["packages"] == "{{ hostvars[inventory_hostname].ansible_facts.packages | default({}) }}"


def test_facts_are_those_of_the_container_but_for_the_interpreter() -> None:
    gathered = {"ansible_hostname": "build", "ansible_os_family": "Debian", "discovered_interpreter_python": "/usr/bin/python3"}
    assert buildtasks.facts(gathered, ["ansible_facts", "ansible_hostname", "ansible_nothing"]) == {
        "ansible_hostname": "build", "ansible_facts": {"hostname": "build", "os_family": "Debian"}}
