# SPDX-License-Identifier: GPL-3.0-or-later
"""Every input that the command this re-implements read, lost or hung on, and what becomes of it here."""
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model import substitution
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid


@pytest.mark.parametrize(("text", "mapping"), [
    pytest.param(b"KEY VALUE\n", {b"KEY": b"VALUE"}, id="a word and its value"),
    pytest.param(b"\t KEY \t VALUE \t\n", {b"KEY": b"VALUE"}, id="blanks around both"),
    pytest.param(b"A 1\nB 2\rC 3\r\nD 4", {b"A": b"1", b"B": b"2", b"C": b"3", b"D": b"4"}, id="every end of a line, also none"),
    pytest.param(b"\n  \n\r\nA 1\n\n", {b"A": b"1"}, id="empty lines"),
    pytest.param(b"${K} VAL UE\n", {b"${K}": b"VAL UE"}, id="a value with a blank"),
    pytest.param(b"${K} VAL  UE\tXX\n", {b"${K}": b"VAL  UE\tXX"}, id="a value with blanks is one value"),
    pytest.param(b"KEY\nB 2\n", {b"KEY": b"", b"B": b"2"}, id="a word alone has an empty value"),
    pytest.param(b"B 2\nKEY", {b"B": b"2", b"KEY": b""}, id="also at the end"),
    pytest.param(b"KEY \n", {b"KEY": b""}, id="also with a blank behind it"),
    pytest.param(b"# comment here\n", {b"#": b"comment here"}, id="there are no comments"),
    pytest.param(b"", {}, id="an empty file"),
    pytest.param(b"A 1\nA 1\n", {b"A": b"1"}, id="the same again"),
    pytest.param(b"A \xc3\xa4\xff\n", {b"A": b"\xc3\xa4\xff"}, id="bytes are bytes"),
])
def test_a_mapping_is_read(text: bytes, mapping: t.Dict[bytes, bytes]) -> None:
    assert substitution.parse(text, "mapping_file") == mapping


def test_two_values_for_one_word_are_refused() -> None:
    with pytest.raises(Invalid, match="line 3 gives 'A' another value"):
        substitution.parse(b"A 1\nB 2\nA 3\n", "mapping_file")


@pytest.mark.parametrize(("template", "mapping", "content"), [
    pytest.param(b'{ "leaf":"${LEAF}" }\n', {b"${LEAF}": b"X"}, b'{ "leaf":"X" }\n', id="shorter than before"),
    pytest.param(b"aAa A\nA", {b"A": b"b"}, b"aba b\nb", id="anywhere, in every place, in the case that was typed"),
    pytest.param(b"A", {b"A": b"BA"}, b"BA", id="a value that holds its word"),
    pytest.param(b"A", {b"A": b"AB"}, b"AB", id="a value that begins with it"),
    pytest.param(b"A B", {b"A": b"B", b"B": b"C"}, b"B C", id="no cascade"),
    pytest.param(b"PORT PORT2", {b"PORT": b"1", b"PORT2": b"2"}, b"1 2", id="the longest word counts"),
    pytest.param(b"abc", {b"ab": b"1", b"bc": b"2"}, b"1c", id="the first place counts"),
    pytest.param(b"x", {b"A": b"1"}, b"x", id="a word that is not there"),
    pytest.param(b"${B}", {b"A": b"1"}, b"${B}", id="a placeholder without a value"),
    pytest.param(b"a.b axb", {b"a.b": b"1", b"(": b"2"}, b"1 axb", id="no regular expression"),
    pytest.param(b"A", {b"A": rb"\1\g<0>"}, rb"\1\g<0>", id="nor in a value"),
    pytest.param(b"A\0A", {b"A": b"1"}, b"1\x001", id="behind a NUL"),
    pytest.param(b"A\r\n", {b"A": b"1"}, b"1\r\n", id="ends of lines stay"),
    pytest.param(b"A", {b"A": b""}, b"", id="an empty value"),
    pytest.param(b"", {b"A": b"1"}, b"", id="an empty template"),
    pytest.param(b"A", {}, b"A", id="an empty mapping"),
])
def test_words_are_replaced_in_one_pass(template: bytes, mapping: t.Dict[bytes, bytes], content: bytes) -> None:
    assert substitution.substitute(template, mapping).content == content


@pytest.mark.parametrize(("template", "mapping", "unreplaced"), [
    (b"${A} ${B} ${A} ${B}", {b"${A}": b"1"}, (b"${B}",)),
    (b"${A} ${B}", {}, (b"${A}", b"${B}")),
    (b"${A}", {b"${A}": b"${B}"}, ()),
    (b"${A}", {b"A": b"1"}, ()),
    (b"$A {B} ${C", {}, ()),
    (b"${A}${B}${C}", {b"${B}": b"1"}, (b"${A}", b"${C}")),
], ids=str)
def test_what_is_left(template: bytes, mapping: t.Dict[bytes, bytes], unreplaced: t.Tuple[bytes, ...]) -> None:
    assert substitution.substitute(template, mapping).unreplaced == unreplaced


@pytest.mark.parametrize(("content", "mapping", "stable"), [(b"x", {b"A": b"A"}, True), (b"BA", {b"A": b"BA"}, False), (b"1", {b"A": b"1"}, True)])
def test_whether_a_file_may_replace_itself(content: bytes, mapping: t.Dict[bytes, bytes], stable: bool) -> None:
    assert substitution.is_stable(content, mapping) is stable


def test_many_words_take_no_longer() -> None:
    mapping = {b"${K%d}" % number: b"v%d" % number for number in range(2000)}
    found = substitution.substitute(b"".join(mapping) * 5, mapping)
    assert found.replacements == 10000 and found.content == b"".join(mapping.values()) * 5
