# SPDX-License-Identifier: BSD-2-Clause
"""PURE: the keys that leave a terminal session, and finding them in what is typed. Not here: the terminal (terminal.py)."""
from __future__ import annotations

import argparse
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

USUAL = "ctrl-p,ctrl-q"
_CONTROL = "ctrl-"
_OTHERS = "@[\\]^_"


def shape(parser: argparse.ArgumentParser) -> None:
    help = "leave a terminal by these, and let what runs in it go on; empty: by none (%(default)s)"
    parser.add_argument("--detach-keys", default=USUAL, metavar="KEYS", help=help)


def parse(text: str) -> bytes:
    """`ctrl-p,ctrl-q` or `a,b`, as docker has them; empty for none. Raises Invalid."""
    return b"".join(_key(word) for word in text.split(",")) if text else b""


def _key(word: str) -> bytes:
    letter = word[len(_CONTROL):] if word.lower().startswith(_CONTROL) else word
    if len(letter) == 1 and letter.isascii():
        if letter is word:
            return word.encode()
        if letter.isalpha() or letter in _OTHERS:
            return bytes([ord(letter.upper()) & 0x1F])
    raise Invalid("--detach-keys", "%r is neither a character nor ctrl- and one of a-z @ [ \\ ] ^ _" % word)


class Watch:
    """What may be the beginning of the keys is held back until it is clear that it is not."""

    def __init__(self, keys: bytes) -> None:
        self._keys, self._held = keys, b""

    def feed(self, piece: bytes) -> t.Tuple[bytes, bool]:
        """What was typed, without the keys; True when they were, and nothing behind them counts."""
        if not self._keys:
            return piece, False
        text = self._held + piece
        place = text.find(self._keys)
        if place >= 0:
            return text[:place], True
        held = next(length for length in range(min(len(self._keys) - 1, len(text)), -1, -1) if text.endswith(self._keys[:length]))
        self._held = text[len(text) - held:]
        return text[:len(text) - held], False
