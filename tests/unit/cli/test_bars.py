# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.cli import bars
from ansible_collections.cocker.engine.plugins.module_utils.kernel import progress


@pytest.mark.parametrize(("what", "done", "total", "text"), [
    ("layer", 0, 100, "layer                    [>                             ] 0B/100B"),
    ("layer", 50, 100, "layer                    [===============>              ] 50B/100B"),
    ("layer", 100, 100, "layer                    [==============================] 100B/100B"),
    ("x" * 30, 5, 0, "x" * 23 + "\u2026 5B"),
    ("a\x1b[2J", 5, 0, "a\ufffd[2J" + " " * 20 + "5B"),
])
def test_a_bar(what: str, done: int, total: int, text: str) -> None:
    assert bars.picture(what, done, total, width=100) == text
    for width in (40, 30, 20):
        narrow = bars.picture(what, done, total, width=width)
        assert len(narrow) <= width and narrow.endswith(text.split()[-1])


def test_a_bar_where_there_is_little_room() -> None:
    assert bars.picture("layer", 50, 100, width=50) == "layer                    [=======>      ] 50B/100B"
    assert bars.picture("a long name of a file.tar", 50, 100, width=20) == "a long nam\u2026 50B/100B"


def test_what_has_come_stays_while_nothing_else_is_under_way() -> None:
    assert list(bars.under_way([("a", 0, 5), ("b", 5, 5), ("c", 1, 5), ("d", 1, 0)])) == [("c", 1, 5), ("d", 1, 0)]
    assert list(bars.under_way([("a", 0, 5), ("b", 5, 5)])) == [("b", 5, 5)]
    assert list(bars.under_way([("a", 0, 5)])) == []


@pytest.mark.parametrize(("line", "found"), [
    ("a\t5\t10", {"a": bars.Work("5", 10)}), ("a\t/proc/1/fdinfo/3\t0", {"a": bars.Work("/proc/1/fdinfo/3", 0)}), ("", {}), ("a\t5", {}),
])
def test_what_is_told(line: str, found: t.Dict[str, bars.Work]) -> None:
    assert bars.parse(line) == found


def test_pieces_are_counted_only_for_who_listens() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    assert list(progress.counted("a", 5, [b"abc", b"de"])) == [b"abc", b"de"]
    with progress.listened(writer):
        assert list(progress.counted("a", 5, [b"abc", b"de"])) == [b"abc", b"de"]
        for _round in range(1 << 14):       # more than the pipe holds, and nobody waits
            progress.tell("b", 1, 2)
    assert os.read(reader, 16) == b"a\t3\t5\na\t5\t5\nb\t1\t"
    os.close(reader)
    os.close(writer)


def test_pieces_add_up() -> None:
    reader, writer = os.pipe()
    add = progress.adding("a", 5)
    with progress.listened(writer):
        add(2)
        add(3)
    assert os.read(reader, 16) == b"a\t2\t5\na\t5\t5\n"
    os.close(reader)
    os.close(writer)


def test_a_file_s_offset_is_how_far_it_is() -> None:
    with open(__file__, "rb", buffering=0) as stream:
        stream.read(7)
        assert bars._count("/proc/self/fdinfo/%d" % stream.fileno()) == 7
    assert bars._count("/proc/self/fdinfo/9999") == 0
