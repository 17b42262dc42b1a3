# SPDX-License-Identifier: BSD-2-Clause
"""PURE: `inspect --format`: fields of a document, named as docker's templates name them. Not here: columns of a listing (render.py)."""
from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

_PLACE = re.compile(r"\{\{(.*?)\}\}")
_FIELD = re.compile(r"(json )?(\.|(?:\.\w+)+)\Z")


def filled(template: str, document: t.Mapping[str, t.Any]) -> str:
    """`{{.State.Pid}}` and `{{json .Mounts}}`, and what is written around them. Raises Invalid."""
    return _PLACE.sub(lambda place: _value(place.group(1).strip(), document), template.replace("\\t", "\t").replace("\\n", "\n"))


def _value(expression: str, document: t.Mapping[str, t.Any]) -> str:
    field = _FIELD.match(expression)
    if field is None:
        raise Invalid("--format", "{{%s}} is not understood; fields are: {{.State.Pid}} or {{json .Mounts}}" % expression)
    found: t.Any = document
    for word in field.group(2).split(".")[1:]:
        if word and (not isinstance(found, dict) or word not in found):
            known = ", ".join(sorted(found)) if isinstance(found, dict) else "no fields"
            raise Invalid("--format", "{{%s}}: there is no %s; there are %s" % (expression, word, known))
        found = found[word] if word else found
    return found if isinstance(found, str) and not field.group(1) else json.dumps(found, sort_keys=True)
