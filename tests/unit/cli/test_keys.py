# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.cocker.engine.plugins.module_utils.cli import keys
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.runtime import frames


@pytest.mark.parametrize(("text", "found"), [
    ("ctrl-p,ctrl-q", b"\x10\x11"), ("", b""), ("a", b"a"), ("ctrl-@,x", b"\0x"), ("ctrl-],ctrl-^", b"\x1d\x1e"), ("CTRL-a", b"\x01"),
])
def test_keys_as_docker_writes_them(text: str, found: bytes) -> None:
    assert keys.parse(text) == found


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-1", "ab", "a,", "alt-x", "ctrl-\u00e9"])
def test_other_keys_are_refused(text: str) -> None:
    with pytest.raises(Invalid, match="detach-keys"):
        keys.parse(text)


@pytest.mark.parametrize(("keys_", "pieces", "typed", "left"), [
    (b"\x10\x11", [b"ls\n", b"\x10", b"\x11"], b"ls\n", True),
    (b"\x10\x11", [b"\x10", b"x"], b"\x10x", False),
    (b"\x10\x11", [b"\x10\x10", b"\x11rest"], b"\x10", True),
    (b"", [b"\x10\x11"], b"\x10\x11", False),
    (b"aab", [b"aa", b"a", b"b"], b"a", True),
])
def test_the_keys_are_found_in_what_is_typed(keys_: bytes, pieces: t.List[bytes], typed: bytes, left: bool) -> None:
    watch = keys.Watch(keys_)
    found = [watch.feed(piece) for piece in pieces]
    assert b"".join(text for text, _left in found) == typed
    assert any(gone for _text, gone in found) is left


@given(st.lists(st.tuples(st.sampled_from([frames.INPUT, frames.SIZE, frames.DETACH]), st.binary(max_size=20))), st.integers(1, 9))
def test_frames_come_out_as_they_went_in(sent: t.List[t.Tuple[bytes, bytes]], step: int) -> None:
    stream = b"".join(frames.packed(kind, content) for kind, content in sent)
    reader = frames.Reader()
    found = [frame for place in range(0, len(stream), step) for frame in reader.feed(stream[place:place + step])]
    assert found == sent
