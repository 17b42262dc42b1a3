# SPDX-License-Identifier: BSD-2-Clause
"""A stand-in for dataclasses: frozen values of this tree, whose methods are not compiled for each class, as most are never called.

The real module takes 35 ms for all of ours, half of it to import `inspect`. A class of somebody else's is made by the real one.
Not here: who puts it in place (lean.py).
"""
from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing as t
    from types import ModuleType as _Module
else:
    _Module = type(sys)

_OURS = "ansible_collections.cocker.engine."
_FIELDS = "__dataclass_fields__"


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING = _Missing()


class Field:
    """As much of dataclasses.Field as this tree reads."""

    name = ""
    init = True
    type: t.Any = None

    def __init__(self, default: t.Any = MISSING, default_factory: t.Any = MISSING, *, repr: bool = True, hash: t.Optional[bool] = None,
                 compare: bool = True) -> None:
        self.default, self.default_factory = default, default_factory
        self.repr, self.compare, self.hash = repr, compare, compare if hash is None else hash


def _real() -> t.Any:
    """The module itself, which from now on everybody gets who imports it."""
    if isinstance(sys.modules.get("dataclasses"), Frozen):
        del sys.modules["dataclasses"]
    import dataclasses
    return dataclasses


def _foreign(cls: t.Any, options: t.Dict[str, t.Any]) -> t.Any:
    real = vars(_real())
    for name, field in list(cls.__dict__.items()):
        if isinstance(field, Field):
            given = {key: getattr(field, key) for key in ("default", "default_factory") if getattr(field, key) is not MISSING}
            setattr(cls, name, real["field"](repr=field.repr, hash=field.hash, compare=field.compare, **given))
    return real["dataclass"](**options)(cls)


def _make(cls: t.Any) -> t.Any:
    fields = dict(getattr(cls, _FIELDS, {}))
    for name in cls.__dict__.get("__annotations__", ()):
        default = cls.__dict__.get(name, MISSING)
        field = default if isinstance(default, Field) else Field(default)
        field.name, field.type = name, cls.__annotations__[name]
        fields[name] = field
        if field.default is not MISSING:
            setattr(cls, name, field.default)
        elif isinstance(default, Field):
            delattr(cls, name)
    setattr(cls, _FIELDS, fields)
    for method in (__init__, __repr__, __eq__, __hash__, __setattr__, __delattr__):
        if method.__name__ not in cls.__dict__ or method is __hash__ and cls.__dict__["__hash__"] is None:
            setattr(cls, method.__name__, method)
    return cls


def __init__(self: t.Any, *given: t.Any, **named: t.Any) -> None:
    """Compiles the one of the class, as dataclasses does it, when the first is made."""
    owner: t.Any = next(each for each in type(self).__mro__ if each.__dict__.get("__init__") is __init__)
    owner.__init__ = made = _constructor(getattr(owner, _FIELDS))
    made(self, *given, **named)


def _constructor(fields: t.Mapping[str, Field]) -> t.Any:
    space: t.Dict[str, t.Any] = {"MISSING": MISSING, "store": object.__setattr__}
    words, body = ["self"], []
    for place, (name, field) in enumerate(fields.items()):
        value = name
        space["d%d" % place], space["f%d" % place] = field.default, field.default_factory
        if field.default_factory is not MISSING:
            value = "f%d() if %s is MISSING else %s" % (place, name, name)
            words.append("%s=MISSING" % name)
        else:
            words.append(name if field.default is MISSING else "%s=d%d" % (name, place))
        body.append("    store(self, %r, %s)\n" % (name, value))
    exec("def __init__(%s):\n%s" % (", ".join(words), "".join(body) or "    pass\n"), space)
    return space["__init__"]


def _values(value: t.Any, wanted: str) -> t.Tuple[t.Any, ...]:
    return tuple([getattr(value, name) for name, field in getattr(value, _FIELDS).items() if getattr(field, wanted)])


def __repr__(self: t.Any) -> str:
    shown = ["%s=%r" % (name, getattr(self, name)) for name, field in getattr(self, _FIELDS).items() if field.repr]
    return "%s(%s)" % (type(self).__qualname__, ", ".join(shown))


def __eq__(self: t.Any, other: object) -> t.Any:
    if type(other) is not type(self):
        return NotImplemented
    return _values(self, "compare") == _values(other, "compare")


def __hash__(self: t.Any) -> int:
    return hash(_values(self, "hash"))


def __setattr__(_self: t.Any, name: str, _value: object) -> None:
    raise AttributeError("cannot assign to field %r" % name)


def __delattr__(_self: t.Any, name: str) -> None:
    raise AttributeError("cannot delete field %r" % name)


def _plain(value: t.Any, whole: t.Callable[[t.List[t.Tuple[str, t.Any]]], t.Any]) -> t.Any:
    """As dataclasses.asdict and astuple go down."""
    if hasattr(type(value), _FIELDS):
        return whole([(name, _plain(getattr(value, name), whole)) for name in getattr(value, _FIELDS)])
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*[_plain(each, whole) for each in value])
    if isinstance(value, (list, tuple)):
        return type(value)([_plain(each, whole) for each in value])
    if isinstance(value, dict):
        return type(value)((_plain(key, whole), _plain(each, whole)) for key, each in value.items())
    return value


class Frozen(_Module):
    """The module. What this tree does not ask for comes from the real one."""

    MISSING, Field = MISSING, Field
    field = Field

    def __getattr__(self, name: str) -> t.Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_real(), name)

    @staticmethod
    def dataclass(decorated: t.Any = None, **options: t.Any) -> t.Any:
        def make(cls: t.Any) -> t.Any:
            ours = cls.__module__.startswith(_OURS) and options == {"frozen": True}
            return _make(cls) if ours else _foreign(cls, options)
        return make if decorated is None else make(decorated)

    @staticmethod
    def fields(value: t.Any) -> t.Tuple[t.Any, ...]:
        return tuple(getattr(value, _FIELDS).values())

    @staticmethod
    def is_dataclass(value: object) -> bool:
        return hasattr(value if isinstance(value, type) else type(value), _FIELDS)

    @staticmethod
    def replace(value: t.Any, **changes: t.Any) -> t.Any:
        return type(value)(**{**{name: getattr(value, name) for name in getattr(value, _FIELDS)}, **changes})

    @staticmethod
    def asdict(value: t.Any) -> t.Any:
        return _plain(value, dict)

    @staticmethod
    def astuple(value: t.Any) -> t.Any:
        return _plain(value, lambda pairs: tuple(each for _name, each in pairs))
