# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import pathlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.storage import records


def name_of(value: records.Json) -> str:
    return str(value["name"])


def test_record_comes_back_with_names_that_are_no_utf8(tmp_path: pathlib.Path) -> None:
    records.write(str(tmp_path / "r"), {"name": "a\udcff\u20ac"})
    assert records.load(str(tmp_path / "r"), name_of) == "a\udcff\u20ac"


def test_no_record_is_none(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").touch()
    assert records.load(str(tmp_path / "r"), name_of) is None
    assert records.load(str(tmp_path / "file/r"), name_of) is None


@pytest.mark.parametrize("content, reason", [
    (b"", "empty"), (bytes(100), "empty"), (b'{"schema": 1, "na', "no JSON"), (b"\xff\xfe", "no JSON"), (b"[]", "no JSON object"),
    (b'{"name": "x"}', "schema"), (b'{"schema": "1"}', "schema"), (b'{"schema": true}', "schema"), (b'{"schema": 1}', "'name' is missing"),
    (b"[" * 200_000, "no JSON"), (b'{"schema": 1, "n": NaN}', "no JSON"), (b'{"schema": ' + b"1" * 5000 + b"}", "schema|JSON"),
])
def test_damaged_record_is_named_with_the_reason(tmp_path: pathlib.Path, content: bytes, reason: str) -> None:
    (tmp_path / "r").write_bytes(content)
    with pytest.raises((Damaged, Unsupported), match=reason) as caught:
        records.load(str(tmp_path / "r"), name_of)
    assert str(tmp_path / "r") in str(caught.value)


def test_record_of_a_later_engine_is_not_guessed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "r").write_bytes(b'{"schema": 2, "name": "x"}')
    with pytest.raises(Unsupported, match="schema 2"):
        records.load(str(tmp_path / "r"), name_of)


def make_link(path: pathlib.Path) -> None:
    records.write(str(path) + ".real", {"name": "x"})
    path.symlink_to(str(path) + ".real")


def make_foreign(path: pathlib.Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    records.write(str(path), {"name": "x"})
    os.chown(path, 12345, 0)


@pytest.mark.parametrize("make", [make_link, make_foreign, os.mkfifo, lambda path: path.mkdir(),
                                  lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 1 << 30)],
                         ids=["link", "foreign", "fifo", "directory", "huge"])
def test_what_stands_in_for_a_record_is_refused(tmp_path: pathlib.Path, make: t.Callable[[pathlib.Path], None]) -> None:
    make(tmp_path / "r")
    with pytest.raises(Damaged):
        records.load(str(tmp_path / "r"), name_of)


def test_one_damaged_record_hides_no_other(tmp_path: pathlib.Path) -> None:
    records.write(str(tmp_path / "a"), {"name": "a"})
    (tmp_path / "b").write_bytes(b"{")
    records.write(str(tmp_path / "c"), {"name": "c"})
    listing: records.Listing[str] = records.Listing()
    for name in "abcd":
        listing.add(str(tmp_path / name), name_of)
    assert listing.values == ["a", "c"] and [str(tmp_path / "b") in str(error) for error in listing.damaged] == [True]


def test_what_is_known_is_not_read_into_another_value(tmp_path: pathlib.Path) -> None:
    path, known = str(tmp_path / "record.json"), {}  # type: str, t.Dict[bytes, t.List[t.Any]]

    def found() -> t.Optional[t.List[t.Any]]:
        return records.load(path, lambda value: [value["a"]], known=known)

    records.write(path, {"a": 1})
    first = found()
    assert first == [1] and found() is first
    records.write(path, {"a": 2})
    assert found() == [2]
    for number in range(200):
        records.write(path, {"a": number}, durable=False)
        assert found() == [number]
    assert len(known) < 100
