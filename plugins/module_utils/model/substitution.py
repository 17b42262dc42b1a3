# SPDX-License-Identifier: BSD-2-Clause
"""PURE: words of a template replaced by their values, as the command `rplfile` has it.

A word is any text and is found anywhere; `${NAME}` is a custom, not a syntax. Not here: where template and result are (engine/template.py).
"""
from __future__ import annotations

import re
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

Mapping = t.Mapping[bytes, bytes]

_LINE = re.compile(rb"\r\n|\r|\n")
_BLANK = b" \t"
_BLANKS = re.compile(rb"[ \t]+")
_PLACEHOLDER = re.compile(rb"\$\{[^{}\r\n]*\}")


class Substituted(t.NamedTuple):
    """`unreplaced` are the `${...}` of the template that no word of the mapping touched, each once, in their order."""

    content: bytes
    replacements: int
    unreplaced: t.Tuple[bytes, ...]


def parse(text: bytes, option: str) -> t.Dict[bytes, bytes]:
    """One word a line, then blanks, then its value: the rest of the line without the blanks around it, which may be nothing.

    Empty lines mean nothing. Raises Invalid for a word that has two values.
    """
    found: t.Dict[bytes, bytes] = {}
    for number, line in enumerate(_LINE.split(text), start=1):
        word, *rest = _BLANKS.split(line.strip(_BLANK), 1)
        value = rest[0] if rest else b""
        if word and found.setdefault(word, value) != value:
            raise Invalid(option, "line %d gives %r another value" % (number, word.decode("utf-8", "replace")))
    return found


def substitute(template: bytes, mapping: Mapping) -> Substituted:
    """In one pass from left to right, of the words at one place the longest; what a value brings is not looked at again."""
    if not mapping:
        return Substituted(template, 0, _unreplaced(template, ()))
    words = re.compile(b"|".join(re.escape(word) for word in sorted(mapping, key=lambda word: (-len(word), word))))
    spans = [match.span() for match in words.finditer(template)]
    pieces, end = [], 0
    for start, stop in spans:
        pieces += [template[end:start], mapping[template[start:stop]]]
        end = stop
    return Substituted(b"".join([*pieces, template[end:]]), len(spans), _unreplaced(template, spans))


def _unreplaced(template: bytes, spans: t.Sequence[t.Tuple[int, int]]) -> t.Tuple[bytes, ...]:
    found: t.Dict[bytes, None] = {}
    place = 0
    for match in _PLACEHOLDER.finditer(template):
        while place < len(spans) and spans[place][1] <= match.start():
            place += 1
        if place == len(spans) or spans[place][0] >= match.end():
            found[match.group()] = None
    return tuple(found)


def is_stable(content: bytes, mapping: Mapping) -> bool:
    """Whether doing it again would change nothing, as it has to be where the result takes the template's place."""
    return substitute(content, mapping).content == content
