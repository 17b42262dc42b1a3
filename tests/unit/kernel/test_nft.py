# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import nft
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Unsupported


class FakeLibrary:
    """Answers as libnftables does, and keeps what it was asked."""

    def __init__(self, code: int = 0, output: bytes = b"", error: bytes = b"") -> None:
        self.code, self.output, self.error = code, output, error
        self.asked: t.List[bytes] = []
        self.made = 0

    def nft_ctx_new(self, _flags: int) -> int:
        self.made += 1
        return 7

    def nft_ctx_output_set_flags(self, _context: int, flags: int) -> None:
        self.flags = flags

    def nft_ctx_buffer_output(self, _context: int) -> int:
        return 0

    nft_ctx_buffer_error = nft_ctx_buffer_output

    def nft_run_cmd_from_buffer(self, _context: int, text: bytes) -> int:
        self.asked.append(text)
        return self.code

    def nft_ctx_get_output_buffer(self, _context: int) -> bytes:
        return self.output

    def nft_ctx_get_error_buffer(self, _context: int) -> bytes:
        return self.error


def use(monkeypatch: pytest.MonkeyPatch, library: FakeLibrary) -> FakeLibrary:
    monkeypatch.setattr(nft, "_loaded", [library])
    monkeypatch.setattr(nft, "_contexts", {})
    return library


def test_commands_travel_together(monkeypatch: pytest.MonkeyPatch) -> None:
    library = use(monkeypatch, FakeLibrary())
    assert nft.run([{"add": {"table": {"family": "inet", "name": "x"}}}, {"list": {"ruleset": None}}]) == []
    assert library.asked == [b'{"nftables":[{"add":{"table":{"family":"inet","name":"x"}}},{"list":{"ruleset":null}}]}']


def test_one_context_serves_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    library = use(monkeypatch, FakeLibrary())
    nft.run([])
    nft.run([])
    assert library.made == 1
    monkeypatch.setattr("os.getpid", lambda: 1)
    nft.run([])
    assert library.made == 2, "and a child makes its own"


def test_an_error_is_told_in_nfts_words(monkeypatch: pytest.MonkeyPatch) -> None:
    words = b"internal:0:0-0: Error: Could not process rule: File exists\n\ninternal:0:0-0: Error: Parsing failed.\n"
    use(monkeypatch, FakeLibrary(-1, error=words))
    with pytest.raises(CockerError, match="change nftables table x: Could not process rule: File exists; Parsing failed."):
        nft.run([{"add": {"table": {"family": "inet", "name": "x"}}}])


def test_a_table_that_is_not_there_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, FakeLibrary(-1, error=b"internal:0:0-0: Error: No such file or directory\n"))
    assert nft.list_table("inet", "x") == []


def test_another_failure_to_list_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, FakeLibrary(-1, error=b"internal:0:0-0: Error: Operation not permitted\n"))
    with pytest.raises(CockerError, match="not permitted"):
        nft.list_table("inet", "x")


def test_listed_objects_come_without_the_metainfo(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, FakeLibrary(output=b'{"nftables": [{"metainfo": {"version": "1.0.6"}}, {"table": {"name": "x"}}]}'))
    assert nft.list_table("inet", "x") == [{"table": {"name": "x"}}]


def test_a_missing_library_is_said_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nft, "_loaded", [])
    monkeypatch.setattr(nft, "LIBRARY", "libnotthere.so.1")
    with pytest.raises(Unsupported, match=r"libnotthere.so.1.*cocker.engine.host"):
        nft.load()
