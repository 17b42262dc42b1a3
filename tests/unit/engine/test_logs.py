# SPDX-License-Identifier: GPL-3.0-or-later
"""A log read back: what was written by the supervisor's writer, from the end."""
from __future__ import annotations

import os

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import logs
from ansible_collections.cocker.engine.plugins.module_utils.init import logs as writer
from ansible_collections.cocker.engine.plugins.module_utils.model import settings as settings_


def write(folder, lines, *, size=1 << 20, files=3):
    log = writer.Log(str(folder), lambda: settings_.Settings(log_size=size, log_files=files))
    for stream, content in lines:
        log.add(stream, content)
    log.close()


def contents(found):
    return [line.content for line in found]


def read(folder, **said):
    return logs.read_files(str(folder), **{"tail": None, "since": None, **said})


def test_all_of_it_in_order_and_byte_exact(tmp_path):
    said = [("stdout", b"one\n"), ("stderr", b"two\xff\0\n"), ("stdout", "\u2028three\x85\n".encode()), ("stderr", b"")]
    write(tmp_path, said)
    found = read(tmp_path)
    assert [(line.stream, line.content) for line in found] == said[:3]
    assert all(len(line.time) == 30 and line.time.endswith("Z") for line in found)


@pytest.mark.parametrize("tail,expected", [(0, []), (1, [b"line 99\n"]), (2, [b"line 98\n", b"line 99\n"])])
def test_the_last_lines(tmp_path, tail, expected):
    write(tmp_path, [("stdout", b"line %d\n" % number) for number in range(100)])
    assert contents(read(tmp_path, tail=tail)) == expected


def test_over_several_files(tmp_path):
    write(tmp_path, [("stdout", b"line %d\n" % number) for number in range(100)], size=2000, files=20)
    assert len(os.listdir(tmp_path)) > 3
    assert contents(read(tmp_path)) == [b"line %d\n" % number for number in range(100)]
    assert contents(read(tmp_path, tail=60)) == [b"line %d\n" % number for number in range(40, 100)]


def test_no_more_files_than_the_log_may_have(tmp_path):
    write(tmp_path, [("stdout", b"line %d\n" % number) for number in range(20)], size=300, files=4)
    newest = contents(read(tmp_path, files=1))
    assert len(contents(read(tmp_path))) > len(contents(read(tmp_path, files=2))) > len(newest) and newest[-1] == b"line 19\n"


def test_lines_longer_than_a_block(tmp_path):
    long = b"x" * 16000 + b"\n"
    write(tmp_path, [("stdout", long)] * 20 + [("stdout", b"last\n")], size=1 << 24)
    assert contents(read(tmp_path)) == [long] * 20 + [b"last\n"]


def test_since_a_time(tmp_path):
    write(tmp_path, [("stdout", b"a\n"), ("stdout", b"b\n"), ("stdout", b"c\n")])
    times = [line.time for line in read(tmp_path)]
    assert contents(read(tmp_path, since=times[1]))[-2:] == [b"b\n", b"c\n"]
    assert read(tmp_path, since="2999") == []
    assert len(read(tmp_path, since="2020-01-01", tail=2)) == 2


def test_one_stream(tmp_path):
    write(tmp_path, [("stdout", b"out\n"), ("stderr", b"err\n"), ("stdout", b"more\n")])
    assert contents(read(tmp_path, streams=("stdout",), tail=1)) == [b"more\n"]
    assert contents(read(tmp_path, streams=("stderr",))) == [b"err\n"]


def test_what_is_no_entry_is_passed_over(tmp_path):
    write(tmp_path, [("stdout", b"good\n")])
    with open(tmp_path / logs.FILE, "ab") as file:
        file.write(b"\0\0\0\n{}\n[1]\n{\"log\":")
    assert contents(read(tmp_path)) == [b"good\n"]


@pytest.mark.parametrize("content", [b"", b"no newline"])
def test_an_empty_log(tmp_path, content):
    assert read(tmp_path) == []
    (tmp_path / logs.FILE).write_bytes(content)
    assert read(tmp_path) == []
