# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of cocker_container_template, read."""
from __future__ import annotations

import base64
import typing as t

import pytest

pytest.importorskip("ansible.module_utils.basic")

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_template, parse_template
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import TemplateWish


def wish(**said: t.Any) -> TemplateWish:
    given = {"container": "web", "template_file": "/t", **({} if "mapping_file" in said or "mapping_b64" in said else {"mapping": {}}), **said}
    checked = ArgumentSpecValidator(args_template.SPEC.options, **args_template.SPEC.rules).validate(given)
    assert checked.error_messages == []
    return parse_template.wish(checked.validated_parameters)


def test_a_mapping_of_the_task() -> None:
    assert wish(mapping={"${A}": "ä b", "PORT": 80}).mapping == {b"${A}": "ä b".encode(), b"PORT": b"80"}


def test_a_mapping_of_the_controller() -> None:
    assert wish(mapping_b64=base64.b64encode(b"A 1\nB  2 3\n").decode()).mapping == {b"A": b"1", b"B": b"2 3"}


@pytest.mark.parametrize(("said", "option"), [
    ({"template_file": "t"}, "template_file"),
    ({"instance_file": "t"}, "instance_file"),
    ({"mapping": {"A": True}}, "mapping"),
    ({"mapping": {"A": 1.5}}, "mapping"),
    ({"mapping": {"A": None}}, "mapping"),
    ({"mapping": {"": "x"}}, "mapping"),
    ({"mapping": {1: "x"}}, "mapping"),
    ({"mapping_b64": "!"}, "mapping_b64"),
    ({"mapping_b64": base64.b64encode(b"A 1\nA 2").decode()}, "mapping_file"),
    ({"mapping_file": "/m", "remote_src": False}, "remote_src"),
    ({"mapping_file": "m"}, "mapping_file"),
    ({"mode": "rw"}, "mode"),
    ({"owner_id": "1_0"}, ""),
    ({"owner_id": "a b"}, "owner_id"),
], ids=str)
def test_a_bad_value_names_its_option(said: t.Dict[str, t.Any], option: str) -> None:
    if not option:
        assert wish(**said).owner == "1_0"      # a name, which the container does not know: int() would take it for 10
        return
    with pytest.raises(Invalid) as error:
        wish(**said)
    assert error.value.subject == option
