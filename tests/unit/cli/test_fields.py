# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.cli import fields
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

DOCUMENT = {"Name": "/web", "State": {"Pid": 7, "Running": True, "Health": None}, "Mounts": ["a"]}


@pytest.mark.parametrize(("template", "text"), [
    ("{{.Name}}", "/web"), ("<{{ .State.Pid }}> {{.State.Running}}\\t{{.State.Health}}", "<7> true\tnull"), ("{{json .Name}}", '"/web"'),
    ("{{.Mounts}}", '["a"]'), ("{{json .State}}", '{"Health": null, "Pid": 7, "Running": true}'), ("no field", "no field"),
])
def test_fields_are_put_into_a_text(template: str, text: str) -> None:
    assert fields.filled(template, DOCUMENT) == text


@pytest.mark.parametrize(("template", "said"), [
    ("{{.Nix}}", "there are Mounts, Name, State"), ("{{.Name.Nix}}", "there are no fields"), ("{{range .Mounts}}x{{end}}", "is not understood"),
    ("{{}}", "is not understood"), ("{{.State.}}", "is not understood"),
])
def test_what_is_no_field_is_named(template: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        fields.filled(template, DOCUMENT)
