# SPDX-License-Identifier: BSD-2-Clause
"""What the classes of a compiled copy of this tree are made of (engine/unfolding.py), where the sources have `typing` and `dataclasses`.

The same behaviour as far as this tree asks for it: nothing here looks at a class when a process starts. tests/unit/engine/test_unfolding.py
holds each class of the tree against what the standard library makes of it. No file imports this by hand.
"""
from __future__ import annotations

from _collections import _tuplegetter  # type: ignore[import-not-found]

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing as t

new, item = tuple.__new__, _tuplegetter
put = object.__setattr__
UNSET = object()        # the value of a field that a factory makes


class Row(tuple):  # type: ignore[type-arg]
    """A named tuple. Each has its own `__new__`, and an `item` for each of its fields."""

    __slots__ = ()
    _fields: t.Tuple[str, ...] = ()

    @classmethod
    def _make(cls, values: t.Iterable[t.Any]) -> t.Any:
        found = new(cls, values)
        if len(found) != len(cls._fields):
            raise TypeError("Expected %d arguments, got %d" % (len(cls._fields), len(found)))
        return found

    def _replace(self, **changes: t.Any) -> t.Any:
        found = self._make(map(changes.pop, self._fields, self))
        if changes:
            raise ValueError("Got unexpected field names: %r" % (list(changes),))
        return found

    def _asdict(self) -> t.Dict[str, t.Any]:
        return dict(zip(self._fields, self))

    def __repr__(self) -> str:
        return "%s(%s)" % (type(self).__name__, ", ".join("%s=%r" % pair for pair in zip(self._fields, self)))

    def __getnewargs__(self) -> t.Tuple[t.Any, ...]:
        return tuple(self)


class Field:
    """Of a frozen class: its name."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class FrozenInstanceError(AttributeError):
    pass


class Frozen:
    """A frozen dataclass. Each has its own `__init__`; the names are those of all fields, and of those that take part in something."""

    __fields__: t.Tuple[str, ...] = ()
    __shown__: t.Optional[t.Tuple[str, ...]] = None
    __compared__: t.Optional[t.Tuple[str, ...]] = None
    __hashed__: t.Optional[t.Tuple[str, ...]] = None

    def __setattr__(self, name: str, _value: object) -> None:
        raise FrozenInstanceError("cannot assign to field %r" % name)

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError("cannot delete field %r" % name)

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        names = self.__compared__ or self.__fields__
        return [getattr(self, name) for name in names] == [getattr(other, name) for name in names]

    def __hash__(self) -> int:
        return hash(tuple([getattr(self, name) for name in self.__hashed__ or self.__fields__]))

    def __repr__(self) -> str:
        shown = ["%s=%r" % (name, getattr(self, name)) for name in self.__shown__ or self.__fields__]
        return "%s(%s)" % (type(self).__qualname__, ", ".join(shown))


def is_dataclass(value: object) -> bool:
    return isinstance(value, Frozen) or isinstance(value, type) and issubclass(value, Frozen)


def fields(value: t.Any) -> t.Tuple[Field, ...]:
    return tuple([Field(name) for name in value.__fields__])


def replace(value: t.Any, **changes: t.Any) -> t.Any:
    return type(value)(**{**{name: getattr(value, name) for name in value.__fields__}, **changes})


def asdict(value: t.Any) -> t.Dict[str, t.Any]:
    return {name: _plain(getattr(value, name), asdict) for name in value.__fields__}


def astuple(value: t.Any) -> t.Tuple[t.Any, ...]:
    return tuple([_plain(getattr(value, name), astuple) for name in value.__fields__])


def _plain(value: t.Any, inner: t.Callable[[t.Any], t.Any]) -> t.Any:
    """A copy in which `inner` has taken the place of values of frozen classes."""
    if isinstance(value, Frozen):
        return inner(value)
    if isinstance(value, Row):
        return value._make([_plain(item, inner) for item in value])
    if isinstance(value, (list, tuple)):
        return type(value)([_plain(item, inner) for item in value])
    if isinstance(value, dict):
        return type(value)([(_plain(key, inner), _plain(item, inner)) for key, item in value.items()])
    if value is None or isinstance(value, (str, bytes, int, float)):
        return value
    import copy
    return copy.deepcopy(value)


class _Context:
    """What a generator yields, between its two halves."""

    def __init__(self, halves: t.Generator[t.Any, None, None]) -> None:
        self._halves = halves

    def __enter__(self) -> t.Any:
        try:
            return next(self._halves)
        except StopIteration:
            raise RuntimeError("generator didn't yield") from None

    def __exit__(self, kind: t.Optional[type], error: t.Optional[BaseException], trace: t.Any) -> bool:
        if error is None:
            try:
                next(self._halves)
            except StopIteration:
                return False
            raise RuntimeError("generator didn't stop")
        try:
            self._halves.throw(error)
        except StopIteration as end:
            return end is not error
        except BaseException as other:
            # A StopIteration of the body comes out of the generator as a RuntimeError's cause (PEP 479).
            wrapped = isinstance(error, StopIteration) and isinstance(other, RuntimeError) and other.__cause__ is error
            if other is not error and not wrapped:
                raise
            error.__traceback__ = trace
            return False
        raise RuntimeError("generator didn't stop after throw()")


def contextmanager(function: t.Callable[..., t.Generator[t.Any, None, None]]) -> t.Callable[..., _Context]:
    def begin(*given: t.Any, **named: t.Any) -> _Context:
        return _Context(function(*given, **named))

    return begin


class suppress:
    def __init__(self, *kinds: t.Type[BaseException]) -> None:
        self._kinds = kinds

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: t.Optional[type], _error: object, _trace: object) -> bool:
        return kind is not None and issubclass(kind, self._kinds)
