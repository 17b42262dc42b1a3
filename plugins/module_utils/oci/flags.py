# SPDX-License-Identifier: BSD-2-Clause
"""Pure: the words of a command line as runc reads them: options first, one dash or two, then what they are for.

Not here: which options a verb has (verbs.py). Not argparse, whose import alone costs a fifth of a whole command.
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError

TEXT, SWITCH, LIST, NUMBER, SIZE = "text", "switch", "list", "number", "size"
Values = t.Dict[str, t.Any]
_TRUE, _FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


class Flag(t.NamedTuple):
    """`name` without dashes; `short` is its other name. Unset: False, [] or None."""

    name: str
    kind: str = TEXT
    short: str = ""
    help: str = ""

    def empty(self) -> t.Any:
        return False if self.kind == SWITCH else [] if self.kind == LIST else None


class Usage(CockerError):
    """The command line is wrong."""

    def __init__(self, reason: str) -> None:
        super().__init__("", "", reason)


def parse(words: t.Sequence[str], flags: t.Sequence[Flag]) -> t.Tuple[Values, t.List[str]]:
    """The options by name, and the words from the first that is none. Raises Usage."""
    known = {name: flag for flag in flags for name in (flag.name, flag.short) if name}
    found: Values = {flag.name: flag.empty() for flag in flags}
    rest = list(words)
    while rest and len(rest[0]) > 1 and rest[0].startswith("-"):
        word = rest.pop(0)
        if word == "--":
            break
        name, equals, value = word[2 if word.startswith("--") else 1:].partition("=")
        if name not in known:
            raise Usage("unknown option %s" % word.partition("=")[0])
        flag = known[name]
        if flag.kind == SWITCH:
            found[flag.name] = _truth(value, word) if equals else True
            continue
        if not equals and not rest:
            raise Usage("the option --%s needs a value" % flag.name)
        _store(found, flag, value if equals else rest.pop(0))
    return found, rest


def _store(found: Values, flag: Flag, value: str) -> None:
    if flag.kind == LIST:
        found[flag.name].append(value)
    elif flag.kind == NUMBER:
        found[flag.name] = number(value, flag.name)
    elif flag.kind == SIZE:
        found[flag.name] = size(value, flag.name)
    else:
        found[flag.name] = value


def _truth(value: str, word: str) -> bool:
    if value not in _TRUE + _FALSE:
        raise Usage("%s: true or false is wanted" % word)
    return value in _TRUE


def number(value: str, name: str) -> int:
    digits = value[1:] if value[:1] == "-" else value
    if not digits.isascii() or not digits.isdigit() or len(digits) > 19:
        raise Usage("--%s: %r is not a whole number" % (name, value))
    return int(value)


def size(value: str, name: str) -> int:
    """Bytes, with b, k, m, g or t behind the number; -1 is unlimited."""
    if value == "-1":
        return -1
    text = value.lower()
    text = text[:-1] if text[-2:] in ("kb", "mb", "gb", "tb") else text
    unit = text[-1:] if text[-1:] in "bkmgt" else ""
    return number(text[:len(text) - len(unit)], name) * _UNITS[unit]
