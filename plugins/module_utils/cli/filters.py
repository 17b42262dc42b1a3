# SPDX-License-Identifier: BSD-2-Clause
"""PURE: `--filter KEY=VALUE`: several values of a key are alternatives, several keys must all hold.

Not here: which keys a noun has (look.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

Shown = t.Mapping[str, t.Any]
Test = t.Callable[[Shown, str], bool]


def parse(given: t.Sequence[str], known: t.Mapping[str, Test]) -> t.Dict[str, t.List[str]]:
    """Raises Invalid."""
    found: t.Dict[str, t.List[str]] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or key not in known:
            raise Invalid("--filter", "%r is not KEY=VALUE with KEY one of %s" % (text, ", ".join(sorted(known))))
        found.setdefault(key, []).append(value)
    return found


def keep(items: t.Iterable[Shown], wanted: t.Mapping[str, t.Sequence[str]], known: t.Mapping[str, Test]) -> t.List[Shown]:
    """Of one label key several values are alternatives, too; different labels must all be there."""
    return [item for item in items if all(_matches(item, key, values, known[key]) for key, values in wanted.items())]


def _matches(item: Shown, key: str, values: t.Sequence[str], test: Test) -> bool:
    return (all if key == "label" else any)(test(item, value) for value in values)


def label(found: t.Optional[t.Mapping[str, str]], value: str) -> bool:
    """`KEY` or `KEY=VALUE`."""
    name, equals, text = value.partition("=")
    return name in (found or {}) and (not equals or (found or {})[name] == text)
