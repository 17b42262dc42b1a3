# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of every module is its argument specification in words: same options, types, defaults, choices and aliases.

Also: every example uses options that exist, with values that they accept.
"""
from __future__ import annotations

import ast
import importlib
import pathlib
import re
import typing as t

import pytest
import yaml

pytest.importorskip("ansible.module_utils.basic")

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.cocker.engine.plugins.module_utils.edge import runner
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Options, Spec

ROOT = pathlib.Path(__file__).resolve().parents[2]
EDGE = "ansible_collections.cocker.engine.plugins.module_utils.edge."
COLLECTION = "cocker.engine."
MODULES = sorted((ROOT / "plugins" / "modules").glob("*.py"))
SHARED_TEXT = ("actions", "plan", "diff")
# Ansible reads these in every result, and makes them what it takes them for.
ANSIBLE_READS = {"ansible_facts", "changed", "deprecations", "exception", "failed", "finished", "skipped", "started", "unreachable", "warnings"}
Doc = t.Dict[str, t.Any]


def texts(path: pathlib.Path) -> t.Dict[str, str]:
    """The string constants of a file by name, without running it."""
    return {
        node.targets[0].id: node.value.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def fragment(name: str) -> Doc:
    """`cocker.engine._attributes.info` is INFO of _attributes.py."""
    file_name, _dot, part = name[len(COLLECTION):].partition(".")
    return t.cast(Doc, yaml.safe_load(texts(ROOT / "plugins" / "doc_fragments" / (file_name + ".py"))[part.upper() or "DOCUMENTATION"]))


def documentation(path: pathlib.Path) -> Doc:
    doc: Doc = yaml.safe_load(texts(path)["DOCUMENTATION"])
    options, attributes = dict(doc.get("options") or {}), dict(doc.get("attributes") or {})
    for name in reversed(doc["extends_documentation_fragment"]):
        shared = fragment(name)
        assert set(shared.get("options") or {}) & set(options) == set(), "%s documents an option twice" % path.name
        options.update(shared.get("options") or {})
        for key, value in (shared.get("attributes") or {}).items():
            attributes[key] = {**value, **attributes.get(key, {})}
    return {**doc, "options": options, "attributes": attributes}


def given_to_runner(path: pathlib.Path) -> t.Dict[str, t.Any]:
    """What the module hands to the runner: its file says `runner.run(args_x.NAME, parse=parse_x.name, …`."""
    call = next(node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.Call) and ast.dump(node.func).count("'runner'") == 1)
    named = [("spec", call.args[0]), *((word.arg or "", word.value) for word in call.keywords)]
    return {key: getattr(importlib.import_module(EDGE + node.value.id), node.attr) for key, node in named
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and key in ("spec", "parse")}


def spec_of(path: pathlib.Path) -> Spec:
    return t.cast(Spec, given_to_runner(path)["spec"])


def options_of(path: pathlib.Path) -> Options:
    return {**runner.COMMON, **spec_of(path).options}


def shape(option: t.Mapping[str, t.Any], below: str) -> Doc:
    """What documentation and specification must agree on; `below` is what each calls the options of an option."""
    nested = option.get(below)
    return {
        "type": option.get("type", "str"),
        "elements": option.get("elements"),
        "required": bool(option.get("required", False)),
        "default": option.get("default"),
        "choices": sorted(option["choices"]) if "choices" in option else None,
        "aliases": sorted(option.get("aliases", [])),
        "below": {name: shape(each, below) for name, each in nested.items()} if nested else None,
    }


each_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.stem))


@each_module
def test_options_are_documented_as_they_are(path: pathlib.Path) -> None:
    documented = {name: shape(option, "suboptions") for name, option in documentation(path)["options"].items()}
    assert documented == {name: shape(option, "options") for name, option in options_of(path).items()}


@each_module
def test_every_option_is_described(path: pathlib.Path) -> None:
    def described(options: t.Mapping[str, Doc]) -> t.Iterator[t.Tuple[str, bool]]:
        for name, option in options.items():
            yield name, bool(option.get("description"))
            yield from described(option.get("suboptions") or {})

    assert [name for name, good in described(documentation(path)["options"]) if not good] == []


@each_module
def test_an_alias_means_one_option_only(path: pathlib.Path) -> None:
    options = options_of(path)
    names = [*options, *(alias for option in options.values() for alias in option.get("aliases", []))]
    assert sorted(names) == sorted(set(names))


@each_module
def test_the_module_says_what_it_promises(path: pathlib.Path) -> None:
    doc = documentation(path)
    assert doc["module"] == path.stem
    assert doc["version_added"] == "0.1.0"
    attributes = doc["attributes"]
    assert set(attributes) == {"action_group", "check_mode", "diff_mode", "idempotent", "platform"}
    assert (attributes["check_mode"]["support"] != "none") is spec_of(path).check_mode
    assert attributes["action_group"]["membership"] == ["cocker.engine.cocker"]


@each_module
def test_the_action_group_has_the_module(path: pathlib.Path) -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    assert path.stem in runtime["action_groups"]["cocker"]


@each_module
def test_only_info_modules_and_exec_may_not_change_a_thing(path: pathlib.Path) -> None:
    assert spec_of(path).reads_only is path.stem.endswith("_info")


def tasks(path: pathlib.Path) -> t.List[Doc]:
    found: t.List[Doc] = yaml.safe_load(texts(path)["EXAMPLES"])
    return found


@each_module
def test_examples_are_named_tasks_that_show_the_module(path: pathlib.Path) -> None:
    assert all(task.get("name") for task in tasks(path))
    assert any(COLLECTION + path.stem in task for task in tasks(path))


def is_template_of_list(value: t.Any, option: t.Mapping[str, t.Any]) -> bool:
    """What becomes a list or a dict only when it is played."""
    return isinstance(value, str) and value.startswith("{{") and option.get("type") in ("list", "dict")


def with_a_word(value: t.Any) -> t.Any:
    """A template in the middle of a text stands for a word."""
    return re.sub(r"(?<=.)\{\{.*?\}\}", "x", value) if isinstance(value, str) else value


@each_module
def test_examples_are_accepted(path: pathlib.Path) -> None:
    for task in tasks(path):
        for name in (key for key in task if key.startswith(COLLECTION)):
            given = given_to_runner(path.parent / (name[len(COLLECTION):] + ".py"))
            spec = given["spec"]
            said = {key: with_a_word(value) for key, value in (task[name] or {}).items() if not is_template_of_list(value, spec.options.get(key, {}))}
            checked = ArgumentSpecValidator({**runner.COMMON, **spec.options}, **spec.rules).validate(said)
            assert checked.error_messages == [], task["name"]
            if checked.validated_parameters.get("remote_src", True):  # otherwise the action plugin has its say first
                given["parse"](checked.validated_parameters)


@each_module
def test_return_values_are_described(path: pathlib.Path) -> None:
    returned: Doc = yaml.safe_load(texts(path)["RETURN"])
    assert [name for name, value in returned.items() if not {"description", "returned", "type"} <= set(value)] == []
    if not path.stem.endswith(("_info", "_exec")):
        assert set(SHARED_TEXT) < set(returned)
    assert set(returned) & ANSIBLE_READS == set()
