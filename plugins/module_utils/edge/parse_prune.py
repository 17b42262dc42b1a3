# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_prune, read. The filters are those of docker_prune."""
from __future__ import annotations

import datetime
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import parse_info
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.queries import Filters, PruneWish

UNTIL, LABEL, NOT_LABEL, DANGLING = "until", "label", "label!", "dangling"
_ACCEPTED = {
    "containers": (UNTIL, LABEL, NOT_LABEL),
    "images": (UNTIL, LABEL, NOT_LABEL, DANGLING),
    "networks": (LABEL, NOT_LABEL),
    "volumes": (UNTIL, LABEL, NOT_LABEL),
}
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def wish(params: Params) -> PruneWish:
    """Raises Invalid."""
    now = datetime.datetime.now(datetime.timezone.utc)
    said: t.Dict[str, t.Any] = {kind: params[kind] for kind in (*_ACCEPTED, "engines", "litter")}
    said.update(("%s_filters" % kind, _filters(params, kind, now)) for kind in _ACCEPTED)
    return PruneWish(**said)


def _filters(params: Params, kind: str, now: datetime.datetime) -> Filters:
    option = "%s_filters" % kind
    given = params[option] or {}
    if given and not params[kind]:
        raise Invalid(option, "it needs %s: true" % kind)
    for name in given:
        if name not in _ACCEPTED[kind]:
            raise Invalid(option, "%s is no filter for %s; accepted are %s" % (name, kind, ", ".join(_ACCEPTED[kind])))
    return Filters(
        until=_until(given.get(UNTIL), option, now),
        labels=_labels(given.get(LABEL), option),
        not_labels=_labels(given.get(NOT_LABEL), option),
        dangling=_boolean(given.get(DANGLING, True), option),
    )


def _until(value: t.Any, option: str, now: datetime.datetime) -> str:
    if value is None:
        return ""
    try:
        return parse_info.moment(str(value), now)
    except Invalid:
        raise Invalid(option, "until: %r is no time, such as 2026-01-12T08:30:00Z, and no duration, such as 24h" % (value,)) from None


def _labels(value: t.Any, option: str) -> t.Tuple[str, ...]:
    words = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) and word.partition("=")[0] for word in words):
        raise Invalid(option, "label: %r is no label, as KEY or KEY=VALUE, and no list of them" % (value,))
    return tuple(words)


def _boolean(value: t.Any, option: str) -> bool:
    text = str(value).lower()
    if text not in _BOOLEANS:
        raise Invalid(option, "dangling: %r is neither true nor false" % (value,))
    return _BOOLEANS[text]
