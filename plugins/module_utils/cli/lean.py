# SPDX-License-Identifier: BSD-2-Clause
"""Stand-ins for what takes longer to import than a container takes to run: typing, json, contextlib, functools and signal; dataclasses.

`cocker-runtime` begins anew with each call, and runs this tree alone. A stand-in does what this tree asks of it; whatever else somebody
wants of json, contextlib and functools comes from the real ones. `cocker`, which also runs packages of others, has one for dataclasses
alone (frozen.py). Not here: who puts them in place (boot.py).
"""
from __future__ import annotations

import _functools  # type: ignore[import-not-found]
import _json
import _signal  # type: ignore[import-not-found]
import sys
from _collections import _tuplegetter  # type: ignore[import-not-found]

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing as t
    from types import ModuleType as _Module
else:
    _Module = type(sys)

_BLANKS = " \t\n\r"
_DAMAGED = (StopIteration, ValueError, ImportError, SystemError)      # the scanner's ways to say so; the real module's words are better


def install(*, runtime: bool) -> None:
    """Before anything else is imported. What has been imported already stays."""
    if not runtime:
        from ansible_collections.cocker.engine.plugins.module_utils.cli import frozen
        sys.modules.setdefault("dataclasses", frozen.Frozen("dataclasses"))
        return
    for module in (_Typing("typing"), _Json("json"), _Contextlib("contextlib"), _Functools("functools")):
        sys.modules.setdefault(module.__name__, module)
    sys.modules.setdefault("signal", _signal)


class _Name:
    """A name of typing: what is written with it at import time, an alias, is never looked at."""

    def __getitem__(self, _item: object) -> _Name:
        return self

    def __call__(self, *_given: object, **_named: object) -> _Name:
        return self

    def __mro_entries__(self, _bases: t.Tuple[object, ...]) -> t.Tuple[type, ...]:
        return ()


class _Tuple(tuple):  # type: ignore[type-arg]
    """What every named tuple can. The real ones each have a constructor of their own, which is compiled for them."""

    __slots__ = ()
    _fields: t.Tuple[str, ...] = ()
    _field_defaults: t.Dict[str, t.Any] = {}

    def __new__(cls, *given: t.Any, **named: t.Any) -> t.Any:
        if named or len(given) != len(cls._fields):
            given = _arranged(cls, given, named)
        return tuple.__new__(cls, given)

    @classmethod
    def _make(cls, values: t.Iterable[t.Any]) -> t.Any:
        return tuple.__new__(cls, values)

    def _replace(self, **named: t.Any) -> t.Any:
        found = tuple.__new__(type(self), map(named.pop, self._fields, self))
        if named:
            raise ValueError("there are no fields %s" % sorted(named))
        return found

    def _asdict(self) -> t.Dict[str, t.Any]:
        return dict(zip(self._fields, self))

    def __repr__(self) -> str:
        return "%s(%s)" % (type(self).__name__, ", ".join("%s=%r" % pair for pair in zip(self._fields, self)))


def _arranged(cls: t.Type[_Tuple], given: t.Sequence[t.Any], named: t.Dict[str, t.Any]) -> t.Tuple[t.Any, ...]:
    found = list(given)
    for field in cls._fields[len(given):]:
        if field not in named and field not in cls._field_defaults:
            raise TypeError("%s: %s is missing" % (cls.__name__, field))
        found.append(named.pop(field) if field in named else cls._field_defaults[field])
    if named or len(found) != len(cls._fields):
        raise TypeError("%s takes %s" % (cls.__name__, ", ".join(cls._fields)))
    return tuple(found)


class _TupleMaker(type):
    """A class statement below NamedTuple comes here."""

    def __new__(cls, name: str, bases: t.Tuple[type, ...], body: t.Dict[str, t.Any]) -> t.Any:
        if not bases:
            return super().__new__(cls, name, bases, body)
        fields = tuple(body.get("__annotations__", ()))
        defaults = {field: body[field] for field in fields if field in body}
        body.update({field: _tuplegetter(place, "") for place, field in enumerate(fields)})
        body.update(__slots__=(), _fields=fields, _field_defaults=defaults)
        return type(name, (_Tuple,), body)


class _Typing(_Module):
    TYPE_CHECKING = False
    NamedTuple = _TupleMaker("NamedTuple", (), {})

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.__dict__.setdefault(name, _Name())

    @staticmethod
    def cast(_kind: object, value: object) -> object:
        return value

    @staticmethod
    def overload(function: object) -> object:
        return function


def _real(name: str) -> t.Any:
    """The module itself, which from now on everybody gets who imports it."""
    if isinstance(sys.modules.get(name), _StandIn):
        del sys.modules[name]
    if name == "json":
        import json  # noqa: F401
    elif name == "contextlib":
        import contextlib  # noqa: F401
    else:
        import functools  # noqa: F401
    return sys.modules[name]


class _StandIn(_Module):
    def __getattr__(self, name: str) -> t.Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(_real(self.__name__), name)


class _Scanning:
    """What the scanner asks for."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, float
    memo: t.Dict[str, str] = {}


class _Json(_StandIn):
    _scan = staticmethod(_json.make_scanner(_Scanning()))  # type: ignore[arg-type]

    def loads(self, text: t.Union[str, bytes], **options: t.Any) -> t.Any:
        if not options and isinstance(text, (str, bytes)):
            try:
                words = (text if isinstance(text, str) else text.decode()).strip(_BLANKS)
                value, end = self._scan(words, 0)
                if end == len(words):
                    return value
            except _DAMAGED:
                pass
        return _real("json").loads(text, **options)

    def load(self, stream: t.IO[t.Any], **options: t.Any) -> t.Any:
        return self.loads(stream.read(), **options)

    def dumps(self, value: t.Any, **options: t.Any) -> str:
        if options:
            return str(_real("json").dumps(value, **options))
        encode = _json.make_encoder({}, _refuse, _json.encode_basestring_ascii, None, ": ", ", ", False, False, True)
        return "".join(encode(value, 0))


def _refuse(value: object) -> t.NoReturn:
    raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)


class _Context:
    """What a generator yields between two of its halves."""

    def __init__(self, body: t.Generator[t.Any, None, None]) -> None:
        self._body = body

    def __enter__(self) -> t.Any:
        return next(self._body)

    def __exit__(self, kind: t.Optional[type], error: t.Optional[BaseException], _trace: object) -> bool:
        try:
            if error is None:
                next(self._body)
            else:
                self._body.throw(error)
        except StopIteration as end:
            return end is not error
        raise RuntimeError("the generator goes on")


class _Suppress:
    def __init__(self, *kinds: t.Type[BaseException]) -> None:
        self._kinds = kinds

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: t.Optional[type], _error: object, _trace: object) -> bool:
        return kind is not None and issubclass(kind, self._kinds)


class _Contextlib(_StandIn):
    suppress = _Suppress

    @staticmethod
    def contextmanager(function: t.Callable[..., t.Generator[t.Any, None, None]]) -> t.Callable[..., _Context]:
        def begin(*given: t.Any, **named: t.Any) -> _Context:
            return _Context(function(*given, **named))
        return begin


class _Functools(_StandIn):
    @staticmethod
    def lru_cache(maxsize: t.Optional[int] = 128) -> t.Callable[[t.Any], t.Any]:
        def cached(function: t.Any) -> t.Any:
            return _functools._lru_cache_wrapper(function, maxsize, False, tuple)
        return cached
