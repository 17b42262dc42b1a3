# SPDX-License-Identifier: GPL-3.0-or-later
"""Which steps of a build are run."""
from __future__ import annotations

import json
import typing as t

import pytest

pytest.importorskip("ansible.errors")

from ansible_collections.cocker.engine.plugins.plugin_utils import buildplan

KEYS = ["k1", "k2", "k3"]


def image(name: str, version: str, layers: t.Sequence[str] = (), **config: t.Any) -> t.Dict[str, t.Any]:
    return {"Cocker": {"Name": name, "Version": version}, "RootFS": {"Layers": list(layers)}, "Config": config}


def checkpoint(key: str, saved: t.Any = None) -> t.Dict[str, t.Any]:
    return image("checkpoint/web", key, Labels={buildplan.SAVED: json.dumps(saved or {})})


def died(mark: str) -> bool:
    return mark == "dead"


def plan(images: t.Sequence[t.Any] = (), have: t.Any = None, force: bool = False, layers: str = "chain") -> t.Dict[str, t.Any]:
    there = [*images, *([have] if have else [])]
    return buildplan.plan(name="web", version="1", keys=KEYS, layers=layers, images=there, force=force, has_died=died)


def final(layers: str = "chain") -> t.Dict[str, t.Any]:
    return image("web", "1", Labels={buildplan.KEY: buildplan.digest("k3", layers)})


@pytest.mark.parametrize(("there", "resume"), [([], 0), (["k1"], 1), (["k1", "k2"], 2), (["k2"], 2), (["other"], 0)])
def test_a_build_goes_on_after_the_last_checkpoint(there: t.List[str], resume: int) -> None:
    assert plan([checkpoint(key) for key in there])["resume"] == resume


def test_what_steps_have_set_comes_with_the_last_checkpoint() -> None:
    assert plan([checkpoint("k1", {"a": 1}), checkpoint("k2", {"a": 1, "b": 2})])["saved"] == {"a": 1, "b": 2}


def test_an_image_of_the_same_inputs_is_current_even_without_checkpoints() -> None:
    found = plan([], have=final())
    assert found["is_current"] and found["resume"] == 3 and found["saved"] == {}


@pytest.mark.parametrize(("layers", "force"), [("top", False), ("chain", True)])
def test_another_shape_or_force_makes_it_anew(layers: str, force: bool) -> None:
    assert not plan([], have=final(), layers=layers, force=force)["is_current"]


def test_force_takes_no_checkpoint() -> None:
    assert plan([checkpoint(key) for key in KEYS], force=True)["resume"] == 0


def test_checkpoints_of_other_inputs_go() -> None:
    former = image("web", "1", Labels={buildplan.STEPS: "k1 old"})
    assert plan([checkpoint("k1"), checkpoint("old"), image("checkpoint/app", "x"), former])["obsolete"] == ["checkpoint/web:old"]


def test_checkpoints_of_another_version_stay() -> None:
    other = image("web", "2", Labels={buildplan.STEPS: "k1 other"})
    images = [checkpoint("k1"), checkpoint("other"), checkpoint("old"), other]
    assert plan(images)["obsolete"] == ["checkpoint/web:old"]
    assert buildplan.obsolete(images, "web", "1", (), died) == ["checkpoint/web:old"]
    assert len(buildplan.obsolete(images, "web", "2", (), died)) == 3


def test_a_copy_goes_with_the_run_that_made_it() -> None:
    copies = [image("checkpoint/web", "build-web-%s" % by, Labels={buildplan.BY: by} if by else {}) for by in ("dead", "alive", "")]
    assert plan(copies)["obsolete"] == ["checkpoint/web:build-web-dead"]


def test_containers_of_killed_builds_are_left_unless_they_are_kept() -> None:
    said = {"one": {buildplan.BY: "dead"}, "two": {buildplan.BY: "alive"}, "three": {buildplan.BY: "dead", buildplan.KEPT: ""}, "four": None}
    assert buildplan.left([{"Name": "/" + name, "Config": {"Labels": labels}} for name, labels in said.items()], died) == ["one"]


def test_a_key_depends_on_all_that_is_before_it() -> None:
    one, two = buildplan.step_keys("base", ["a", "b"]), buildplan.step_keys("base", ["x", "b"])
    assert one[0] != two[0] and one[1] != two[1]
    assert buildplan.step_keys("base", ["a", "c"])[0] == one[0]
    assert buildplan.step_keys("other", ["a", "b"])[0] != one[0]


def test_the_image_runs_as_its_base_says_and_not_as_it_was_built() -> None:
    base = [image("os", "1", Cmd=["sh"], User="web"), image("app", "1", Cmd=["app"], WorkingDir="/srv")]
    said = buildplan.config(base, {"labels": {"of": "test"}, "command": ["other"]}, "K", KEYS)
    assert (said["cmd"], said["user"], said["working_dir"], said["entrypoint"]) == (["other"], "web", "/srv", [])
    assert said["labels"] == {"of": "test", buildplan.KEY: "K", buildplan.STEPS: "k1 k2 k3", **dict.fromkeys((buildplan.SAVED, buildplan.NAME, buildplan.BY))}


def test_an_entry_point_does_not_go_with_the_command_of_the_base() -> None:
    assert buildplan.config([image("os", "1", Cmd=["sh"])], {"entrypoint": ["run"]}, "K", KEYS)["cmd"] == []


@pytest.mark.parametrize("name", ["calvin=yum", "registry.example:5000/team/app", "a" * 150])
def test_the_container_has_a_name_that_containers_may_have(name: str) -> None:
    from ansible_collections.cocker.engine.plugins.module_utils.model import names

    found = buildplan.container(name, "0123abcd")
    assert names.object_name(found, "name") == found
