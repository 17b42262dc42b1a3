# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML values that become words, variables and labels, and those that are refused because what was typed is lost."""
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.edge import values
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid


@pytest.mark.parametrize(("value", "words"), [
    (None, None),
    ([], ()),
    ("", ()),
    (["sleep", "60"], ("sleep", "60")),
    (["sleep", 60], ("sleep", "60")),
    (["sh", "-c", "echo  'a b' \"c\" $HOME; true"], ("sh", "-c", "echo  'a b' \"c\" $HOME; true")),
    (["Printf", ""], ("Printf", "")),
    ("sleep 60", ("sleep", "60")),
    ("sh -c 'echo \"a  b\"'", ("sh", "-c", 'echo "a  b"')),
    ("printf $HOME *", ("printf", "$HOME", "*")),
    ("tail -f # nothing", ("tail", "-f", "#", "nothing")),
])
def test_words(value: t.Any, words: t.Optional[t.Tuple[str, ...]]) -> None:
    assert values.words(value, "command") == words


@pytest.mark.parametrize(("value", "said"), [
    (["sleep", True], "quote it"), (["sleep", 1.5], "quote it"), (["sleep", None], "quote it"), (["sleep", ["60"]], "quote it"),
    (["sleep", "a\0b"], "NUL"),
    ("echo 'a", "cannot be split"), (60, "neither a list"), (True, "neither a list"), ({"a": "b"}, "neither a list"),
])
def test_what_are_no_words_is_refused_and_the_option_is_named(value: t.Any, said: str) -> None:
    with pytest.raises(Invalid, match=said) as caught:
        values.words(value, "entrypoint")
    assert caught.value.subject == "entrypoint"


def test_variables() -> None:
    given = {"B": "no", "A": "", "GONE": None, "MAX_SIZE": "10", "a.b-c": "x=y"}
    assert values.environment(given) == given
    assert list(values.environment(given) or {}) == sorted(given)
    assert values.environment({}) == {}
    assert values.environment(None) is None


@pytest.mark.parametrize("value", [1, 0, 1.1, True, False, ["a"], {"a": "b"}])
def test_a_variable_that_is_no_string_is_refused_with_a_hint(value: t.Any) -> None:
    with pytest.raises(Invalid, match="the value of PORT is .*quote it"):
        values.environment({"PORT": value})


@pytest.mark.parametrize("key", ["", "A=B", "A\0", 1, None])
def test_what_is_no_name_of_a_variable_is_refused(key: t.Any) -> None:
    with pytest.raises(Invalid, match="option env"):
        values.environment({key: "x"})


def test_a_variable_with_nul_is_refused() -> None:
    with pytest.raises(Invalid, match="NUL"):
        values.environment({"A": "x\0y"})


def test_labels_become_text() -> None:
    given = {"n": 1, "f": 1.5, "yes": True, "no": False, "s": "x", "Case.Is/Kept": "", 7: "seven"}
    assert values.labels(given) == {"n": "1", "f": "1.5", "yes": "true", "no": "false", "s": "x", "Case.Is/Kept": "", "7": "seven"}
    assert values.labels({}) == {}
    assert values.labels(None) is None


@pytest.mark.parametrize("labels", [{"a": None}, {"a": ["b"]}, {"a": {"b": "c"}}, {"": "x"}, {"a": "x\0"}, {None: "x"}])
def test_what_is_no_label_is_refused(labels: t.Dict[t.Any, t.Any]) -> None:
    with pytest.raises(Invalid, match="option labels"):
        values.labels(labels)


@pytest.mark.parametrize(("path", "normal"), [
    (None, None), ("/", "/"), ("/a", "/a"), ("/a/", "/a"), ("//a/./b//", "/a/b"), ("/a/../b", "/a/../b"),
])
def test_absolute_paths(path: t.Optional[str], normal: t.Optional[str]) -> None:
    assert values.absolute(path, "working_dir") == normal


@pytest.mark.parametrize("path", ["", "a", "./a", "~/a", "/a\0"])
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(Invalid, match="option working_dir"):
        values.absolute(path, "working_dir")
