# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-ins beside the modules that they stand in for."""
from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import pathlib
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.cli import boot, frozen, lean

TREE = pathlib.Path(__file__).resolve().parents[3]
TYPING, JSON, CONTEXTLIB = lean._Typing("typing"), lean._Json("json"), lean._Contextlib("contextlib")
FROZEN = frozen.Frozen("dataclasses")
OURS = "ansible_collections.cocker.engine.sample"
VALUES = [None, True, 1, -2.5, "a\"\\\u00e9\U0001f600\n", [], {}, [1, [2, {"a": None}]], {"a": {"b": ["c"]}, "d": 1e30}, float("inf")]


class Real(t.NamedTuple):
    a: int
    b: str = "b"
    c: t.Sequence[int] = ()

    def both(self) -> t.Tuple[int, str]:
        return self.a, self.b


Lean = lean._TupleMaker("Lean", (object,), {
    "__annotations__": dict.fromkeys(("a", "b", "c"), ""), "b": "b", "c": (), "both": Real.both, "__module__": __name__, "__qualname__": "Lean"})


@pytest.mark.parametrize(("given", "named"), [((1,), {}), ((1, "x", (2,)), {}), ((), {"c": (3,), "a": 1}), ((1,), {"b": "y"})])
def test_a_named_tuple_is_one(given: t.Tuple[t.Any, ...], named: t.Dict[str, t.Any]) -> None:
    real, stand_in = Real(*given, **named), Lean(*given, **named)
    assert stand_in == real and stand_in._asdict() == real._asdict() and stand_in.both() == real.both() and hash(stand_in) == hash(real)
    assert stand_in._replace(b="z") == real._replace(b="z") and isinstance(stand_in._replace(b="z"), Lean)
    assert repr(stand_in) == repr(real).replace("Real", "Lean") and (stand_in.a, stand_in.b, stand_in.c) == real
    assert Lean._make(real) == real and Lean._fields == Real._fields and Lean._field_defaults == Real._field_defaults


@pytest.mark.parametrize(("given", "named"), [((), {}), ((1, 2, 3, 4), {}), ((1,), {"a": 1}), ((1,), {"d": 1})])
def test_a_named_tuple_wants_its_fields(given: t.Tuple[t.Any, ...], named: t.Dict[str, t.Any]) -> None:
    for kind in (Real, Lean):
        with pytest.raises(TypeError):
            kind(*given, **named)
    with pytest.raises(ValueError):
        Lean(1)._replace(d=1)


def test_names_of_typing_can_be_written() -> None:
    alias = TYPING.Callable[[TYPING.Mapping[str, TYPING.Any]], TYPING.Optional[int]]
    assert alias is not None and TYPING.cast("int", 5) == 5 and not TYPING.TYPE_CHECKING
    assert type("Some", tuple(TYPING.Protocol.__mro_entries__(())), {}).__mro__[1] is object


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_json_is_what_it_is(value: t.Any) -> None:
    text = json.dumps(value)
    assert JSON.dumps(value) == text and JSON.loads(text) == value == JSON.loads(b"\n " + text.encode() + b"\t\r")
    assert JSON.dumps(value, indent=4) == json.dumps(value, indent=4)


@pytest.mark.parametrize("text", ["", " ", "{", "[1,", "{} x", "nul", '{"a" 1}', '"\n"', "\ufeff{}", b"\xff", "01", "[1]]"])
def test_damaged_json_is_refused_in_the_same_words(text: t.Any) -> None:
    with pytest.raises(ValueError) as wanted:
        json.loads(text)
    with pytest.raises(ValueError) as found:
        JSON.loads(text)
    assert str(found.value) == str(wanted.value)


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(TypeError):
        JSON.dumps({"a": object()})


@pytest.mark.parametrize("kind", [contextlib.contextmanager, CONTEXTLIB.contextmanager])
def test_a_context_ends_as_its_body_does(kind: t.Any) -> None:
    seen: t.List[str] = []

    def halves(*, hide: bool) -> t.Iterator[int]:
        try:
            yield 5
        except KeyError:
            seen.append("error")
            if not hide:
                raise
        finally:
            seen.append("end")

    context = kind(halves)
    with context(hide=False) as value:
        assert value == 5
    with context(hide=True):
        raise KeyError("a")
    error = KeyError("b")
    with pytest.raises(KeyError) as found, context(hide=False):
        raise error
    assert found.value is error and seen == ["end", "error", "end", "error", "end"]


def test_only_what_is_named_is_suppressed() -> None:
    with CONTEXTLIB.suppress(KeyError, OSError):
        raise FileNotFoundError
    with pytest.raises(ValueError), CONTEXTLIB.suppress(KeyError):
        raise ValueError
    assert CONTEXTLIB.ExitStack is contextlib.ExitStack


def test_an_answer_is_kept_until_it_is_forgotten() -> None:
    calls: t.List[int] = []

    @lean._Functools("functools").lru_cache(maxsize=None)
    def double(value: int) -> int:
        calls.append(value)
        return 2 * value

    assert (double(2), double(2), calls) == (4, 4, [2])
    double.cache_clear()
    assert (double(2), calls) == (4, [2, 2]) and lean._Functools("functools").partial is functools.partial


def values(module: t.Any) -> t.Any:
    body = {"__module__": OURS, "__annotations__": {"a": int, "b": dict, "c": str, "d": int},
            "b": module.field(default_factory=dict, hash=False), "c": module.field(default="c", repr=False), "d": 7}
    return module.dataclass(frozen=True)(type("Base", (), body))


@pytest.mark.parametrize("module", [dataclasses, FROZEN], ids=["real", "lean"])
def test_a_frozen_value(module: t.Any) -> None:
    kind = values(module)
    value = kind(1)
    assert (value.a, value.b, value.c, value.d) == (1, {}, "c", 7) and value.b is not kind(1).b
    assert value == kind(1) and value != kind(2) and hash(value) == hash(kind(1)) and value != (1, {}, "c", 7)
    assert repr(value) == "Base(a=1, b={}, d=7)" and module.replace(value, a=3, c="e") == kind(a=3, b={}, c="e")
    assert module.asdict(module.replace(value, b={"x": [value]}))["b"] == {"x": [{"a": 1, "b": {}, "c": "c", "d": 7}]}
    assert module.astuple(value) == (1, {}, "c", 7) and [field.name for field in module.fields(kind)] == ["a", "b", "c", "d"]
    assert module.is_dataclass(value) and module.is_dataclass(kind) and not module.is_dataclass(1)
    for wrong in ((), (1, {}, "c", 7, 8)):
        with pytest.raises(TypeError):
            kind(*wrong)
    with pytest.raises(TypeError):
        kind(1, e=1)
    with pytest.raises(AttributeError):
        value.a = 2
    with pytest.raises(AttributeError):
        del value.a


@pytest.mark.parametrize("module", [dataclasses, FROZEN], ids=["real", "lean"])
def test_a_value_below_another(module: t.Any) -> None:
    kind = values(module)
    below = module.dataclass(frozen=True)(type("Below", (kind,), {"__module__": OURS, "__annotations__": {"e": int}, "e": 5}))
    assert (below(1, e=6).e, below(1).d, [field.name for field in module.fields(below)]) == (6, 7, ["a", "b", "c", "d", "e"])
    assert kind(1) != below(1) and below(1) == below(1) and kind(2).a == 2


def test_the_values_of_others_are_the_real_ones() -> None:
    kind = FROZEN.dataclass(type("Other", (), {"__module__": "other", "__annotations__": {"a": list}, "a": FROZEN.field(default_factory=list)}))
    value = kind()
    value.a = [1]
    assert dataclasses.asdict(value) == {"a": [1]} and kind().a == []


def test_everything_can_be_imported_with_them(tmp_path: pathlib.Path) -> None:
    """In an interpreter that has nothing yet."""
    names = [str(path.relative_to(TREE))[:-3].replace("/", ".") for layer in ("model", "kernel", "runtime", "oci")
             for path in sorted((TREE / "plugins/module_utils" / layer).rglob("*.py"))]
    package = "ansible_collections.cocker.engine."
    code = ("import sys; sys.path.insert(0, %r); from %splugins.module_utils.cli import lean; lean.install(runtime=True)\n"
            "for name in %r:\n    if not name.endswith('netlink'): __import__(%r + name)\n"
            "print(sorted({'re', 'enum', 'collections', 'inspect'} & set(sys.modules)))")
    top = tmp_path / "ansible_collections/cocker"
    top.mkdir(parents=True)
    (top / "engine").symlink_to(TREE)
    run = [name for name in names if "netlink" not in name]
    subprocess.run([sys.executable, "-IS", "-c", code % (str(tmp_path), package, run, package)], check=True, capture_output=True)
    way = [name for name in names if name.endswith((".oci.create", ".oci.foreground", ".oci.verbs", ".oci.looking", ".oci.main"))]
    done = subprocess.run([sys.executable, "-IS", "-c", code % (str(tmp_path), package, way, package)], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"        # what is short stays short


@pytest.mark.parametrize(("implementation", "version", "known"), [
    ("cpython", (3, 9), True), ("cpython", (3, 13), True), ("cpython", (3, 14), False), ("cpython", (3, 8), False), ("pypy", (3, 11), False)])
def test_a_python_that_was_not_tested_goes_without_them(implementation: str, version: t.Tuple[int, int], known: bool) -> None:
    assert boot.is_known(implementation, version) == known
