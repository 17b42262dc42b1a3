# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step is made of, on real files."""
from __future__ import annotations

import pathlib
import typing as t

import pytest

pytest.importorskip("jinja2")
pytest.importorskip("ansible.errors")
pytest.importorskip("yaml")

import yaml
from ansible.errors import AnsibleError

from ansible_collections.cocker.engine.plugins.plugin_utils import buildfiles


def load(path: str) -> t.Any:
    return yaml.safe_load(pathlib.Path(path).read_text(encoding="utf-8"))


def write(top: pathlib.Path, files: t.Mapping[str, str]) -> None:
    for name, content in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(content, encoding="utf-8")


def reader(top: pathlib.Path) -> buildfiles.Reader:
    return buildfiles.Reader(load, lambda name, near: str(top / "roles" / name), {"{{ app }}.j2": "app.j2"}.get)


def role(top: pathlib.Path) -> buildfiles.Step:
    read = reader(top)
    read.role("web")
    return read.step


def tasks(top: pathlib.Path) -> buildfiles.Step:
    read = reader(top)
    read.tasks(str(top / "tasks" / "main.yml"))
    return read.step


ROLE = {
    "roles/web/tasks/main.yml": "- include_role: {name: other}\n- debug: {msg: '{{ a }}'}\n",
    "roles/web/templates/x.conf": "{{ b }}",
    "roles/web/files/page": "{{ not_read }}",
    "roles/web/defaults/main.yml": "a: '{{ c }}'\n",
    "roles/web/meta/main.yml": "dependencies: [base, {role: third}]\n",
    "roles/web/README.md": "no part",
    "roles/base/tasks/main.yml": "[]\n",
    "roles/third/tasks/main.yml": "[]\n",
    "roles/other/handlers/main.yml": "- debug: {msg: '{{ d }}'}\n",
}


def test_a_role_is_all_its_files_and_the_roles_that_it_brings(tmp_path: pathlib.Path) -> None:
    write(tmp_path, ROLE)
    found = role(tmp_path)
    assert sorted(found.digests) == [
        "role base tasks/main.yml", "role other handlers/main.yml", "role third tasks/main.yml", "role web defaults/main.yml",
        "role web files/page", "role web meta/main.yml", "role web tasks/main.yml", "role web templates/x.conf",
    ]
    assert found.names.reads == {"a", "b", "c", "d"}


def test_where_a_role_is_does_not_count(tmp_path: pathlib.Path) -> None:
    write(tmp_path / "one", ROLE)
    write(tmp_path / "two", ROLE)
    assert role(tmp_path / "one").digests == role(tmp_path / "two").digests


TASKS = {
    "tasks/main.yml": "- import_tasks: more.yml\n- template: {src: a.j2, dest: /a}\n- copy: {src: tree, dest: /b}\n"
                      "- copy: {src: '{{ item }}', dest: /c}\n  loop: [one, two]\n- include_vars: v.yml\n",
    "tasks/more.yml": "- debug: {msg: '{{ deep }}'}\n",
    "templates/a.j2": "{% include 'b.j2' %}{{ top }}",
    "templates/b.j2": "{{ below }}",
    "files/tree/x/y": "y",
    "files/one": "1",
    "files/unused": "?",
    "vars/v.yml": "from_file: '{{ behind }}'\n",
}


def test_tasks_bring_the_files_that_they_name(tmp_path: pathlib.Path) -> None:
    write(tmp_path, TASKS)
    found = tasks(tmp_path)
    assert sorted(found.digests) == [
        "../files/one", "../files/tree/x/y", "../templates/a.j2", "../templates/b.j2", "../vars/v.yml", "main.yml", "more.yml",
    ]
    assert {"deep", "top", "below", "behind"} <= found.names.reads and "from_file" in found.names.sets


@pytest.mark.parametrize(("name", "counts"), [("templates/b.j2", True), ("files/tree/x/y", True), ("tasks/more.yml", True), ("files/unused", False)])
def test_an_edit_counts_where_the_file_is_read(tmp_path: pathlib.Path, name: str, counts: bool) -> None:
    write(tmp_path, TASKS)
    before = tasks(tmp_path).digests
    write(tmp_path, {name: "- debug:\n"})
    assert (tasks(tmp_path).digests != before) is counts


def test_an_included_file_that_is_not_there_is_said(tmp_path: pathlib.Path) -> None:
    write(tmp_path, {"tasks/main.yml": "- include_tasks: nowhere.yml\n"})
    with pytest.raises(AnsibleError, match=r"nowhere.yml: no such file"):
        tasks(tmp_path)


def test_a_source_is_rendered_where_that_is_possible_and_said_where_not(tmp_path: pathlib.Path) -> None:
    write(tmp_path, {
        "tasks/main.yml": "- template: {src: '{{ app }}.j2'}\n- copy: {src: '{{ later }}'}\n- copy: {src: '{{ item }}'}\n",
        "templates/app.j2": "",
    })
    found = tasks(tmp_path)
    assert "../templates/app.j2" in found.digests and found.names.unseen == {"src: {{ later }}"}
