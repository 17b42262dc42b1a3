# SPDX-License-Identifier: BSD-2-Clause
"""JSON by the parts in C that the module `json` is made of, without what it needs for everybody else: regular expressions.

Compiled copies of this tree have it in place of `json` (engine/unfolding.py). What is unusual, or wrong, is left to that module, whose
words are the better ones, as is everything where an interpreter has no such parts.
"""
from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing as t

try:
    from _json import encode_basestring, encode_basestring_ascii, make_encoder, make_scanner
except ImportError:
    make_encoder = make_scanner = None  # type: ignore[misc, assignment]

_BLANKS = " \t\n\r"
# What the scanner raises for a text that is none, and whatever it would raise if it were made in another way than here.
_WRONG = (StopIteration, ValueError, RecursionError, TypeError, AttributeError, ImportError, SystemError)
_OPTIONS = frozenset(("sort_keys", "separators", "ensure_ascii"))


class _Scanning:
    """What the scanner asks for, as json.JSONDecoder has it."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int = float, int
    parse_constant = {"-Infinity": float("-inf"), "Infinity": float("inf"), "NaN": float("nan")}.__getitem__
    memo: t.Dict[str, str] = {}


def loads(text: t.Union[str, bytes], **options: t.Any) -> t.Any:
    if make_scanner is not None and not options and isinstance(text, (str, bytes)):
        try:
            words = (text if isinstance(text, str) else text.decode()).strip(_BLANKS)
            value, end = make_scanner(_Scanning())(words, 0)  # type: ignore[arg-type]
            if end == len(words):
                return value
        except _WRONG:
            pass
    from json import loads as by_module  # not `import json`, which would be this file
    return by_module(text, **options)


def dumps(value: t.Any, **options: t.Any) -> str:
    if make_encoder is not None and _OPTIONS.issuperset(options) and not isinstance(value, float):
        quote = encode_basestring_ascii if options.get("ensure_ascii", True) else encode_basestring
        if isinstance(value, str):
            return quote(value)
        between, after = options.get("separators", (", ", ": "))
        try:
            encode = make_encoder({}, _refuse, quote, None, after, between, options.get("sort_keys", False), False, True)
            return "".join(encode(value, 0))
        except _WRONG:
            pass
    from json import dumps as by_module
    return by_module(value, **options)


def _refuse(value: object) -> t.NoReturn:
    raise TypeError(type(value).__name__)
