# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a build out of variables and the images of a host."""
from __future__ import annotations

import pathlib
import typing as t

import pytest

pytest.importorskip("ansible.plugins.action")

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.cocker.engine.plugins.lookup import build_plan
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.plugin_utils import buildplan, buildsteps

Image = t.Dict[str, t.Any]


def image(name: str, version: str, layers: t.Sequence[str], **config: t.Any) -> Image:
    return {"Cocker": {"Name": name, "Version": version}, "RootFS": {"Layers": list(layers)}, "Config": config}


BASE = [image("os", "1.9", ["a"]), image("os", "1.10", ["b"], Cmd=["sh"])]


def planned(top: pathlib.Path, images: t.Sequence[Image], **said: t.Any) -> t.Dict[str, t.Any]:
    (top / "one.yml").write_text("- debug: {msg: '{{ a }}'}\n  register: seen\n", encoding="utf-8")
    (top / "two.yml").write_text("- debug: {msg: '{{ seen }}'}\n", encoding="utf-8")
    options = {"name": "web", "version": "", "from": ["os"], "layers": "chain", "config": {}, "force": False, **said}
    known: t.Dict[str, t.Any] = {"image_build_" + name: value for name, value in options.items()}
    known.update(playbook_dir=str(top), inventory_hostname="dock", a=said.get("a", 1), image_build_steps=[{"tasks": "one.yml"}, {"tasks": "two.yml"}])
    return build_plan.planned(buildsteps.Context(known, Templar(DataLoader(), known), DataLoader()), images)


def names(plan: t.Mapping[str, t.Any]) -> t.List[str]:
    return [step["name"] for step in plan["todo"]]


def test_the_first_build_runs_all_upon_the_largest_version(tmp_path: pathlib.Path) -> None:
    plan = planned(tmp_path, BASE)
    assert names(plan) == ["one.yml", "two.yml"] and plan["base"] == ["os:1.10"] and plan["version"] == "_" and not plan["exists"]
    assert plan["steps"][0]["sets"] == ["seen"] and plan["config"]["cmd"] == ["sh"]


def test_a_checkpoint_is_where_it_goes_on(tmp_path: pathlib.Path) -> None:
    first = planned(tmp_path, BASE)["steps"][0]
    done = image("checkpoint/web", first["key"], ["c"], Labels={buildplan.SAVED: '{"seen": {"msg": 1}}'})
    plan = planned(tmp_path, [*BASE, done])
    assert names(plan) == ["two.yml"] and plan["from"] == first["checkpoint"] and plan["saved"] == {"seen": {"msg": 1}}


@pytest.mark.parametrize(("change", "todo"), [({}, []), ({"a": 2}, ["one.yml", "two.yml"]), ({"force": True}, ["one.yml", "two.yml"]),
                                              ({"config": {"cmd": "x"}}, []), ({"from": ["os:1.9"]}, ["one.yml", "two.yml"])])
def test_what_is_run_again(tmp_path: pathlib.Path, change: t.Dict[str, t.Any], todo: t.List[str]) -> None:
    key = planned(tmp_path, BASE)["key"]
    built = image("web", "_", ["b", "c"], Labels={buildplan.KEY: key})
    assert names(planned(tmp_path, [*BASE, built], **change)) == todo


def test_a_base_that_is_not_there_is_named(tmp_path: pathlib.Path) -> None:
    assert planned(tmp_path, [])["missing"] == ["os"]


@pytest.mark.parametrize("said", [{"name": "a b"}, {"version": "a b"}, {"from": ["a b"]}, {"config": {"comand": "x"}}, {"config": {"stop_signal": "NO"}}])
def test_bad_input_is_refused_before_anything_is_done(tmp_path: pathlib.Path, said: t.Dict[str, t.Any]) -> None:
    with pytest.raises((AnsibleError, Invalid)):
        planned(tmp_path, BASE, **said)
