# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines, pieces and rotation of a container's log."""
from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.init import journal, logs
from ansible_collections.cocker.engine.plugins.module_utils.model import settings as settings_


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


def writer(folder: pathlib.Path, *, size: int = 1 << 20, files: int = 3, driver: str = "json-file") -> logs.Log:
    return logs.Log(str(folder), lambda: settings(size=size, files=files, driver=driver))


def settings(*, size: int = 1 << 20, files: int = 3, driver: str = "json-file") -> settings_.Settings:
    return settings_.Settings(log_driver=driver, log_size=size, log_files=files)


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
    log = writer(tmp_path, size=1, files=1)
    log.add("stdout", b"text\n")
    assert log.lost == 5
    assert (tmp_path / "victim").read_text() == "mine"


def test_the_driver_none(tmp_path: pathlib.Path) -> None:
    log = writer(tmp_path / "logs", driver="none")
    log.add("stdout", b"x\n")
    log.close()
    assert not (tmp_path / "logs").exists()


def test_a_change_of_the_settings_loses_nothing_of_a_line_that_has_begun(tmp_path: pathlib.Path) -> None:
    wanted = [settings(size=200, files=3)]
    log = logs.Log(str(tmp_path), lambda: wanted[-1])
    for number in range(12):
        log.add("stdout", b"line %d\n" % number)
    assert len(list(tmp_path.iterdir())) == 3
    log.add("stdout", b"half a ")
    for each, content in ((settings(files=2), b"line\n"), (settings(driver="none"), b"unheard\n"), (settings(), b"")):
        wanted.append(each)
        log.change()
        log.add("stdout", content)
    log.add("stdout", b"last\n")
    log.close()
    assert [entry["log"] for entry in read(tmp_path)][-2:] == ["half a line\n", "last\n"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["container.log", "container.log.1"] and log.lost == 0


def test_fewer_files_are_left_at_once_when_fewer_are_wanted(tmp_path: pathlib.Path) -> None:
    wanted = [settings(files=4)]
    log = logs.Log(str(tmp_path), lambda: wanted[-1])
    for name in ("container.log", "container.log.1", "container.log.3", "container.log.12", "container.log.old"):
        (tmp_path / name).write_text("")
    wanted.append(settings(files=2))
    log.change()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["container.log", "container.log.1", "container.log.old"]


def test_whoever_removes_files_at_the_same_time_is_no_hindrance(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 6):
        (tmp_path / ("container.log.%d" % number)).write_text("")
    named = ["container.log.9", *(path.name for path in tmp_path.iterdir()), "container.log.8"]
    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", lambda _folder: named)
        logs.drop_beyond(str(tmp_path), 2)
    assert [path.name for path in tmp_path.iterdir()] == ["container.log.1"]


def test_a_log_that_says_nothing_makes_no_file(tmp_path: pathlib.Path) -> None:
    log = writer(tmp_path / "logs")
    log.add("stdout", b"")
    log.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("line", "stream", "expected"), [
    (b"a\n", "stdout", [("PRIORITY", b"6"), ("MESSAGE", b"a")]),
    (b"a", "stderr", [("PRIORITY", b"3"), ("CONTAINER_PARTIAL_MESSAGE", b"true"), ("MESSAGE", b"a")]),
    (b"\0\xff\n", "stdout", [("PRIORITY", b"6"), ("MESSAGE", b"\0\xff")]),
])
def test_what_the_journal_is_told(line: bytes, stream: str, expected: t.List[t.Tuple[str, bytes]]) -> None:
    assert journal.message(line, stream) == expected


def test_a_field_says_how_long_it_is() -> None:
    assert journal.encode([("A", b"x\ny"), ("B", b"")]) == b"A\n\x03" + bytes(7) + b"x\ny\nB\n" + bytes(8) + b"\n"
