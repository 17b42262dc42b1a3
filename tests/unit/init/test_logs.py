# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines, pieces and rotation of a container's log."""
from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.init import logs


@pytest.mark.parametrize(("content", "last", "lines", "rest"), [
    (b"", False, [], b""), (b"a\nb\n", False, [b"a\n", b"b\n"], b""), (b"a\nb", False, [b"a\n"], b"b"), (b"b", True, [b"b"], b""),
    (b"\n\n", False, [b"\n", b"\n"], b""), (b"", True, [], b""),
    (b"x" * 16385, False, [b"x" * 16384], b"x"), (b"x" * 16384, False, [], b"x" * 16384),
    (b"x" * 16384 + b"\n", False, [b"x" * 16384, b"\n"], b""),
    (b"x" * 16383 + "\u20ac\n".encode(), False, [b"x" * 16383, "\u20ac\n".encode()], b""),      # not inside a character
])
def test_splitting(content: bytes, last: bool, lines: t.List[bytes], rest: bytes) -> None:
    assert logs.split(content, last=last) == (lines, rest)


def read(folder: pathlib.Path) -> t.List[t.Dict[str, str]]:
    return [json.loads(line) for line in (folder / logs.NAME).read_text().splitlines()]


def writer(folder: pathlib.Path, *, size: int = 1 << 20, files: int = 3) -> logs.Writer:
    found = logs.open_log(str(folder), driver="json-file", size=size, files=files)
    assert isinstance(found, logs.Writer)
    return found


def test_streams_are_kept_apart_until_their_lines_are_whole(tmp_path: pathlib.Path) -> None:
    log = writer(tmp_path)
    log.add("stdout", b"one ")
    log.add("stderr", b"error\n")
    log.add("stdout", b"line\n")
    log.add("stdout", b"tail")
    log.close()
    assert [(entry["stream"], entry["log"]) for entry in read(tmp_path)] == [
        ("stderr", "error\n"), ("stdout", "one line\n"), ("stdout", "tail")]


def test_bytes_that_are_no_text_come_back(tmp_path: pathlib.Path) -> None:
    content = bytes(range(256)) + b"\n"
    log = writer(tmp_path)
    log.add("stdout", content)
    log.close()
    assert b"".join(entry["log"].encode("utf-8", "surrogateescape") for entry in read(tmp_path)) == content


def test_rotation_by_size(tmp_path: pathlib.Path) -> None:
    log = writer(tmp_path, size=200, files=2)
    for number in range(10):
        log.add("stdout", b"line %d\n" % number)
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["container.log", "container.log.1"]
    assert all(path.stat().st_size <= 200 for path in tmp_path.iterdir())
    assert read(tmp_path)[-1]["log"] == "line 9\n"


def test_a_single_file_starts_again(tmp_path: pathlib.Path) -> None:
    log = writer(tmp_path, size=200, files=1)
    for number in range(10):
        log.add("stdout", b"line %d\n" % number)
    log.close()
    assert [path.name for path in tmp_path.iterdir()] == ["container.log"] and read(tmp_path)[-1]["log"] == "line 9\n"


def test_a_line_above_the_size_is_kept_whole(tmp_path: pathlib.Path) -> None:
    log = writer(tmp_path, size=100, files=2)
    log.add("stdout", b"x" * 500 + b"\n")
    log.close()
    assert read(tmp_path)[0]["log"] == "x" * 500 + "\n"


def test_a_restart_appends(tmp_path: pathlib.Path) -> None:
    for text in (b"first\n", b"second\n"):
        log = writer(tmp_path)
        log.add("stdout", text)
        log.close()
    assert [entry["log"] for entry in read(tmp_path)] == ["first\n", "second\n"]


def test_a_link_in_place_of_the_log_is_not_followed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / logs.NAME).symlink_to(tmp_path / "victim")
    log = logs.open_log(str(tmp_path), driver="json-file", size=1, files=1)
    log.add("stdout", b"text\n")
    assert log.lost == 5
    assert (tmp_path / "victim").read_text() == "mine"


def test_the_driver_none(tmp_path: pathlib.Path) -> None:
    log = logs.open_log(str(tmp_path / "logs"), driver="none", size=1, files=1)
    log.add("stdout", b"x\n")
    log.close()
    assert not (tmp_path / "logs").exists()
