# SPDX-License-Identifier: BSD-2-Clause
"""PURE: what an image says about running it, as its source brought it and as a task wants it.

Not here: the OCI form (model/image.py), and the options (edge/parse_image_config.py).
"""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Plan
from ansible_collections.cocker.engine.plugins.module_utils.model.changes import plain
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageConfig, ImageRecord

CONFIGURE = "configure"
AUTHOR = "author"
Said = t.Mapping[str, t.Any]


def overlaid(base: ImageConfig, said: Said) -> ImageConfig:
    """`env` and `labels` add up, null takes one away; the rest replaces. An entry point does not go with the source's command."""
    fields = {name: value for name, value in said.items() if name not in (AUTHOR, "env", "labels")}
    if "entrypoint" in fields:
        fields.setdefault("cmd", ())
    if "env" in said:
        pairs = {key: value for key, _equals, value in (word.partition("=") for word in base.env)}
        fields["env"] = tuple("%s=%s" % pair for pair in _without_null({**pairs, **said["env"]}).items())
    if "labels" in said:
        fields["labels"] = _without_null({**base.labels, **said["labels"]})
    return dataclasses.replace(base, **fields)


def _without_null(values: Said) -> t.Dict[str, str]:
    return {key: value for key, value in values.items() if value is not None}


def applied(record: ImageRecord, said: Said) -> ImageRecord:
    """What is not said is as the source brought it, also where an earlier task said something."""
    base = record.inherited if record.inherited is not None else record.config
    config = overlaid(base, said)
    return dataclasses.replace(
        record, config=config, inherited=base if config != base else None, author=said.get(AUTHOR, record.author))


def plan(record: ImageRecord, wanted: ImageRecord) -> Plan:
    """Of an image that stays as it is otherwise."""
    before, after = _said(record), _said(wanted)
    names = sorted(name for name in {**before, **after} if before.get(name) != after.get(name))
    if not names:
        return Plan()
    return Plan(
        CONFIGURE, tuple("%s changed" % name for name in names), (Action(CONFIGURE, str(record.ref), {"options": names}),),
        {name: before.get(name) for name in names}, {name: after.get(name) for name in names},
    )


def _said(record: ImageRecord) -> t.Dict[str, t.Any]:
    return {AUTHOR: record.author, **plain(record.config)}
