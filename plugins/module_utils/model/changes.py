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
    """One option: its name in the spec, what a change of it costs, and how its value is read back from a record.

    `usual` is what holds where nothing is said, whatever the image and the host; None where that is theirs to say. `single`: it is one
    value, although no plain one.
    """

    name: str
    cost: str
    load: t.Callable[[t.Any], t.Any]
    usual: t.Any = None
    single: bool = False

    def holds(self, value: t.Any) -> t.Any:
        return self.usual if value is None else value


@dataclasses.dataclass(frozen=True)
class Change:
    name: str
    before: t.Any
    after: t.Any
    cost: str


def compare(fields: t.Sequence[Field], want: t.Any, have: t.Any) -> t.Tuple[Change, ...]:
    """In the order of the table. Unset (None) against set is a change: the option returns to its default. Where it is there, it is none."""
    pairs = ((field, getattr(want, field.name), getattr(have, field.name)) for field in fields)
    return tuple(Change(field.name, old, new, field.cost) for field, new, old in pairs if field.holds(new) != field.holds(old))


STRICT, ALLOW_MORE, IGNORE = "strict", "allow_more_present", "ignore"
EVERY = "*"
_SCALARS = (bool, int, str)


def can_have_more(field: Field) -> bool:
    """Whether `allow_more_present` says anything about it."""
    return not field.single and field.load not in _SCALARS


def relaxed(fields: t.Sequence[Field], want: t.Any, have: t.Any, modes: t.Mapping[str, str]) -> t.Any:
    """`want` with what is not to be compared, or may be there besides, as it is in `have`. `modes`: a field's name or EVERY -> how."""
    found = {}
    for field in fields:
        mode = modes.get(field.name, modes.get(EVERY, STRICT))
        new, old = getattr(want, field.name), getattr(have, field.name)
        if mode == IGNORE or (mode == ALLOW_MORE and new is None and can_have_more(field)):
            found[field.name] = old
        elif mode == ALLOW_MORE and can_have_more(field) and old is not None:
            found[field.name] = _joined(new, old)
    return dataclasses.replace(want, **found)


def _joined(new: t.Any, old: t.Any) -> t.Any:
    """All of `new`, and of `old` what it does not speak of; `old` itself where nothing is new."""
    if isinstance(new, t.Mapping):
        return {**old, **new}
    if hasattr(new, "_make"):  # a named tuple: what is empty in it is not said
        return new._make(one or other for one, other in zip(new, old))
    wanted = {_key(item): item for item in new}
    kept = [wanted.pop(_key(item), item) for item in old]
    return (*kept, *wanted.values())


def _key(item: t.Any) -> t.Any:
    """What there is one of: the name of a network, the target of a mount, the path of a device; else the value itself."""
    return next((getattr(item, name) for name in ("target", "name", "path") if hasattr(item, name)), item)


def dearest(changes: t.Iterable[Change]) -> str:
    return max((change.cost for change in changes), key=COSTS.index, default=NOTHING)


def plain(value: t.Any) -> t.Any:
    """As JSON knows it: tuples become lists; dataclasses, named tuples and mappings become dicts without their unset keys."""
    if dataclasses.is_dataclass(value):
        pairs = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {key: plain(item) for key, item in pairs if item is not None}
    if isinstance(value, t.Mapping):
        return {str(key): plain(value[key]) for key in sorted(value)}
    if hasattr(value, "_asdict"):  # a named tuple
        return {key: plain(item) for key, item in value._asdict().items() if item}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value
