# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a build as they are given, with Ansible's own templates."""
from __future__ import annotations

import pathlib
import typing as t

import pytest

pytest.importorskip("ansible.plugins.action")

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.cocker.engine.plugins.plugin_utils import buildnames, buildsteps

try:
    from ansible.template import trust_as_template as template
except ImportError:         # ansible-core before 2.19
    template = str


def context(top: pathlib.Path, **variables: t.Any) -> buildsteps.Context:
    loader = DataLoader()
    known = {"playbook_dir": str(top), "inventory_hostname": "dock", **variables}
    return buildsteps.Context(known, Templar(loader, known), loader)


def given(top: pathlib.Path, *steps: t.Any, **variables: t.Any) -> t.List[buildsteps.Given]:
    (top / "roles" / "web").mkdir(parents=True, exist_ok=True)
    (top / "site.yml").write_text("[]", encoding="utf-8")
    return buildsteps.given(context(top, image_build_steps=list(steps), **variables))


def test_a_role_by_its_name_is_a_step(tmp_path: pathlib.Path) -> None:
    assert given(tmp_path, "web") == [{"role": "web", "vars": {}, "name": "web"}]


def test_tasks_are_found_beside_the_playbook(tmp_path: pathlib.Path) -> None:
    (step,) = given(tmp_path, {"tasks": "site.yml", "name": "site"})
    assert step["tasks"] == str(tmp_path / "site.yml")


def test_a_step_s_own_variables_win_and_stay_as_they_stand(tmp_path: pathlib.Path) -> None:
    later = template("{{ made.stdout }}")
    (step,) = given(tmp_path, {"role": "web", "vars": {"a": 1, "b": later}}, image_build_vars={"a": 0, "c": 2})
    assert step["vars"] == {"a": 1, "c": 2, "b": "{{ made.stdout }}"}


@pytest.mark.parametrize("step", [{"role": "web", "tasks": "site.yml"}, {"vars": {}}, {"role": "web", "tags": "x"}, 7, {"role": "no_such"},
                                  {"tasks": "nowhere.yml"}, {"role": "web", "vars": [1]}])
def test_a_bad_step_is_named(tmp_path: pathlib.Path, step: t.Any) -> None:
    with pytest.raises(AnsibleError, match=r"image_build_steps\[0\]|no_such"):
        given(tmp_path, step)


def test_no_steps_are_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(AnsibleError, match="at least one step"):
        given(tmp_path)


def values(top: pathlib.Path, text: str, **variables: t.Any) -> t.Dict[str, t.Any]:
    return buildsteps.values(context(top, **variables), buildnames.of_template(text), {"own"}, {"made"})


def test_the_values_of_what_is_read_count_and_nothing_else(tmp_path: pathlib.Path) -> None:
    found = values(tmp_path, "{{ a }}{{ own }}{{ made }}{{ unknown }}{{ playbook_dir }}{{ ansible_facts }}", a=template("{{ b }}!"), b=1, own=2, made=3)
    assert found == {"a": "1!"}


def test_the_name_of_the_host_counts(tmp_path: pathlib.Path) -> None:
    assert values(tmp_path, "{{ inventory_hostname }}") == {"inventory_hostname": "dock"}


def test_what_cannot_be_rendered_yet_counts_by_its_text(tmp_path: pathlib.Path) -> None:
    assert values(tmp_path, "{{ a }}", a=template("{{ made.later }}")) == {"a": {"unrendered": "{{ made.later }}"}}


def test_constant_paths_into_hostvars_count(tmp_path: pathlib.Path) -> None:
    found = values(tmp_path, "{{ hostvars['db'].port }}{{ hostvars[inventory_hostname].x }}", hostvars={"db": {"port": 1}, "dock": {"x": 2}})
    assert found == {"hostvars  x": 2, "hostvars db port": 1, "inventory_hostname": "dock"}


def test_facts_by_their_own_names(tmp_path: pathlib.Path) -> None:
    names = buildnames.of_template("{{ ansible_facts }}{{ ansible_os_family }}{{ ansible_check_mode }}{{ ansible_connection }}{{ x }}")
    assert "ansible_facts" in buildsteps.facts(names) and "ansible_os_family" in buildsteps.facts(names)
    assert "ansible_connection" not in buildsteps.facts(names)


def test_variables_of_a_step_may_name_one_another_and_defaults_of_its_role(tmp_path: pathlib.Path) -> None:
    own = {"a": template("{{ b }}!"), "b": 1, "c": template("{{ default_of_role }}")}
    assert buildsteps.now_and_later(context(tmp_path), own) == ({"a": "1!", "b": 1}, {"c": "{{ default_of_role }}"})
