# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ast
import contextlib
import functools
import json
import pathlib
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import unfolding
from ansible_collections.cocker.engine.plugins.module_utils.model import jsontext, unfolded

ROOT = pathlib.Path(__file__).resolve().parents[3]
SOURCES = sorted(path for path in (ROOT / "plugins/module_utils").rglob("*.py") if path.name != "unfolded.py")
PROBE = pathlib.Path(__file__).with_name("unfolding_probe.py")
SLOW = {"typing", "dataclasses", "__future__"}


def imported(tree: ast.AST) -> t.Set[str]:
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def test_each_class_of_the_tree_is_what_the_standard_library_makes_of_it(tmp_path: pathlib.Path) -> None:
    """A process of its own for either, as the one must not see modules of the other."""
    collections = tmp_path / "ansible_collections" / "cocker"
    collections.mkdir(parents=True)
    (collections / "engine").symlink_to(ROOT)
    said = [subprocess.run([sys.executable, str(PROBE), str(tmp_path), way], check=True, stdout=subprocess.PIPE, timeout=300).stdout
            for way in ("plain", "unfolded")]
    plain, other = map(json.loads, said)
    assert len(plain) > 100 and plain == other


def test_no_file_needs_the_slow_modules_any_more() -> None:
    found = {str(path): imported(unfolding.unfolded(ast.parse(path.read_bytes()))) & SLOW for path in SOURCES}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize("text", [
    "class A(t.NamedTuple, Other):\n  a: int", "@dataclasses.dataclass(frozen=True)\nclass A:\n  a: int\n  def __post_init__(self): pass",
    "@dataclasses.dataclass(frozen=True)\nclass A(Other):\n  a: int", "@dataclasses.dataclass(frozen=True)\nclass A:\n  pass",
    "@dataclasses.dataclass(frozen=True)\nclass A:\n  a: int = dataclasses.field(init=False)", "@dataclasses.dataclass\nclass A:\n  a: int",
])
def test_what_would_not_be_the_same_is_refused(text: str) -> None:
    with pytest.raises(unfolding.NotKnown):
        unfolding.compiled(text.encode(), "some.py")


def test_what_is_asked_of_a_module_decides_which_is_imported() -> None:
    def modules(text: str) -> t.Set[str]:
        return imported(unfolding.unfolded(ast.parse(text)))

    assert modules("import contextlib\ncontextlib.suppress") == {"ansible_collections.cocker.engine.plugins.module_utils.model"}
    assert modules("import contextlib\ncontextlib.suppress, contextlib.ExitStack") == {"contextlib"}
    assert modules("import signal\nsignal.SIGTERM") == {"_signal"} and modules("import signal\nsignal.Signals") == {"signal"}
    assert modules("import typing as t\nisinstance(1, t.Hashable)") == {"typing"}


def run(way: t.Any, inside: t.Callable[[], object], *, after: t.Callable[[], object] = int, once: bool = True) -> t.List[str]:
    """What happens in and around a block, in order."""
    seen: t.List[str] = []

    @way
    def block(word: str) -> t.Iterator[str]:
        try:
            if once:
                yield word
            seen.append("went on")
            after()
        except KeyError as error:
            seen.append("caught %r" % error)
        finally:
            seen.append("left")

    try:
        with block("entered") as word:  # pylint: disable=not-context-manager
            seen.append(word)
            inside()
        seen.append("behind")
    except BaseException as error:
        seen.append("%r because of %r, %r" % (error, error.__cause__, error.__traceback__ is not None))
    return seen


def fail(error: BaseException) -> t.NoReturn:
    raise error


@pytest.mark.parametrize("error", [None, KeyError("a"), ValueError("b"), StopIteration(3), GeneratorExit(), RuntimeError("c")], ids=repr)
@pytest.mark.parametrize("later", [None, ValueError("d"), StopIteration(4)], ids=repr)
def test_a_block_is_left_as_with_contextlib(error: t.Optional[BaseException], later: t.Optional[BaseException]) -> None:
    for once in (True, False):
        mine, theirs = [run(way, functools.partial(fail, error) if error else int, after=functools.partial(fail, later) if later else int, once=once)
                        for way in (unfolded.contextmanager, contextlib.contextmanager)]
        assert mine == theirs


@pytest.mark.parametrize("way", [unfolded.suppress, contextlib.suppress])
def test_suppressed(way: t.Any) -> None:
    with way(KeyError, OSError):
        raise FileNotFoundError
    with pytest.raises(ValueError, match="x"), way(KeyError):
        raise ValueError("x")


TEXTS = ['{"a": [1, 2.5, true, null, "\\u00e9\\n"]}', "[]", ' {"a": 1} \n', '"x"', "1e400", "NaN", "[-Infinity]", b'\xef\xbb\xbf[1]', '["a"]'.encode("utf-16"),
         b'"\xc3\xa9"', "", "[", "[1] 2", "{1: 2}", '"\t"', b"\xff", "[" * 100000, bytearray(b"[1]"), '{"a": 1, "a": 2}', "\ufeff[1]", "12345678901234567890"]


def heard(way: t.Any, *given: t.Any, **options: t.Any) -> t.Tuple[str, str]:
    try:
        return "", repr(way(*given, **options))
    except Exception as error:
        return type(error).__name__, str(error)


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_json_is_read_as_by_its_module(text: t.Any) -> None:
    assert heard(jsontext.loads, text) == heard(json.loads, text)


@pytest.mark.parametrize("value", [
    {"b": 1, "a": [1.5, True, None, "é\n\""], "c": {}}, "é\"", 1.0, float("nan"), [float("inf")], (), {1: 2, None: 3, False: 4}, {(1, 2): 3}, object(),
    [object()], b"x", {"a": b"x"}, 10 ** 30, unfolded.FrozenInstanceError,
], ids=range(14))
def test_json_is_written_as_by_its_module(value: t.Any) -> None:
    for options in ({}, {"sort_keys": True}, {"separators": (",", ":")}, {"ensure_ascii": False}, {"indent": 2}, {"default": repr}):
        assert heard(jsontext.dumps, value, **options) == heard(json.dumps, value, **options)


def test_a_circle_is_told_as_by_the_module() -> None:
    circle: t.List[t.Any] = []
    circle.append(circle)
    assert heard(jsontext.dumps, circle) == heard(json.dumps, circle)
