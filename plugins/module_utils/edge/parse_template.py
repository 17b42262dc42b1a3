# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_container_template, read; and its result."""
from __future__ import annotations

import base64
import binascii
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import parse_copy, results, values
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Outcome
from ansible_collections.cocker.engine.plugins.module_utils.model import names, substitution
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import TO_CONTAINER, CopyWish, TemplateWish

Mapping = t.Optional[t.Dict[bytes, bytes]]


def wish(params: Params) -> TemplateWish:
    """Raises Invalid."""
    if not params["remote_src"] and params["mapping_file"] is not None:
        raise Invalid("remote_src", "a mapping on the controller is sent by the action plugin of this module, which has not run")
    return TemplateWish(
        container=names.object_name(params["container"], "container"),
        template=values.absolute(params["template_file"], "template_file") or "",
        instance=values.absolute(params["instance_file"], "instance_file"),
        mapping=_sent(params["mapping_b64"]) if params["mapping"] is None else _mapping(params["mapping"]),
        mapping_file=values.absolute(params["mapping_file"], "mapping_file"),
        strict=params["strict"],
        mode=values.mode(params["mode"], "mode"),
        owner=parse_copy.owner(params["owner_id"], "owner_id"),
        group=parse_copy.owner(params["group_id"], "group_id"),
    )


def _sent(text: t.Optional[str]) -> Mapping:
    if text is None:
        return None
    try:
        return substitution.parse(base64.b64decode(text, validate=True), "mapping_file")
    except (binascii.Error, ValueError) as error:
        raise Invalid("mapping_b64", "it is not base64: %s" % error) from None


def _mapping(given: t.Mapping[t.Any, t.Any]) -> Mapping:
    """Numbers become text; what YAML reads as something else than was typed is refused."""
    found = {}
    for word, value in given.items():
        if not isinstance(word, str) or not word:
            raise Invalid("mapping", "%r is not a word to replace: a string that is not empty" % (word,))
        if not isinstance(value, (str, int)) or isinstance(value, bool):
            raise Invalid("mapping", "the value of %s is %r, which is neither a string nor a whole number" % (word, value), hint="quote it")
        found[_encoded(word)] = _encoded(str(value))
    return found


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def instantiated(done: Outcome, asked: TemplateWish) -> results.Result:
    target = asked.instance or asked.template
    answer = parse_copy.copied(done, CopyWish(asked.container, target, direction=TO_CONTAINER))
    for key in ("container_path", "left_out"):
        answer.pop(key)
    return answer
