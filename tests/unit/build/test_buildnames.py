# SPDX-License-Identifier: GPL-3.0-or-later
"""What tasks and templates name, found without running them."""
from __future__ import annotations

import typing as t

import pytest

pytest.importorskip("jinja2")
pytest.importorskip("ansible.errors")

from ansible_collections.cocker.engine.plugins.plugin_utils import buildnames


@pytest.mark.parametrize(("text", "reads"), [
    ("{{ port }}", {"port"}),
    ("{{ port | default(other) }} {% for each in list %}{{ each.x }}{% endfor %}", {"port", "other", "list"}),
    ("{{ lookup('vars', 'named') }} {{ query('file', 'a.txt') }}", {"named"}),
    ("{{ ansible_facts.hostname }}", {"ansible_facts"}),
    ("{% set own = 1 %}{{ own }}", set()),
    ("{{ now() }} {{ omit }}", set()),
    ("{{ x | no_such_filter }}", {"x"}),
    ("not a template }} {{", set()),
])
def test_a_template_reads_its_free_variables(text: str, reads: t.Set[str]) -> None:
    assert buildnames.of_template(text).reads == reads


@pytest.mark.parametrize(("text", "hosts"), [
    ("{{ hostvars['db'].address }}", {("db", "address")}),
    ("{{ hostvars[inventory_hostname]['x'] }}", {("", "x")}),
    ("{{ hostvars.db.ports[0] }}", {("db", "ports"), ("db", "ports", "0")}),
])
def test_paths_into_hostvars_are_known_where_they_are_constant(text: str, hosts: t.Set[t.Tuple[str, ...]]) -> None:
    found = buildnames.of_template(text)
    assert found.hosts == hosts and not found.unseen


def test_a_computed_host_is_said() -> None:
    assert buildnames.of_template("{{ hostvars[item].address }}").unseen


def test_tasks_tell_what_they_read_set_and_include() -> None:
    found = buildnames.of_yaml([
        {"ansible.builtin.template": {"src": "a.j2", "dest": "/{{ where }}"}, "when": "wanted and other is defined", "register": "made"},
        {"set_fact": {"one": "{{ two }}", "cacheable": True}, "loop": "{{ things }}", "loop_control": {"loop_var": "thing"}},
        {"block": [{"include_tasks": "more.yml"}, {"ansible.builtin.import_role": {"name": "base"}}], "no_log": True},
        {"include_vars": "{{ os }}.yml"},
        {"copy": {"src": "/etc", "remote_src": True, "dest": "/x"}},
    ])
    assert {"where", "wanted", "other", "two", "things"} <= found.reads
    assert found.sets == {"made", "one"} and found.local == {"thing"}
    assert found.tasks == {"more.yml"} and found.roles == {"base"} and found.trees == {"a.j2"}
    assert found.is_secret and found.unseen == {"include_vars: {{ os }}.yml"}
