# SPDX-License-Identifier: BSD-2-Clause
"""The one comparison of what is wanted with what was wanted before, and what a difference costs.

Not here: the rows themselves (model/container.py) and what is done about a change (engine/).
"""
from __future__ import annotations

import dataclasses
import typing as t

NOTHING = "none"
LIVE = "update"
RESTART = "restart"
RECREATE = "recreate"
COSTS = (NOTHING, LIVE, RESTART, RECREATE)


@dataclasses.dataclass(frozen=True)
class Field:
    """One option: its name in the spec, what a change of it costs, and how its value is read back from a record."""

    name: str
    cost: str
    load: t.Callable[[t.Any], t.Any]


@dataclasses.dataclass(frozen=True)
class Change:
    name: str
    before: t.Any
    after: t.Any
    cost: str


def compare(fields: t.Sequence[Field], want: t.Any, have: t.Any) -> t.Tuple[Change, ...]:
    """In the order of the table. Unset (None) against set is a change: the option returns to its default."""
    pairs = ((field, getattr(want, field.name), getattr(have, field.name)) for field in fields)
    return tuple(Change(field.name, old, new, field.cost) for field, new, old in pairs if new != old)


def dearest(changes: t.Iterable[Change]) -> str:
    return max((change.cost for change in changes), key=COSTS.index, default=NOTHING)


def plain(value: t.Any) -> t.Any:
    """As JSON knows it: tuples become lists, dataclasses and mappings become dicts without their unset keys."""
    if dataclasses.is_dataclass(value):
        pairs = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {key: plain(item) for key, item in pairs if item is not None}
    if isinstance(value, t.Mapping):
        return {str(key): plain(value[key]) for key in sorted(value)}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value
