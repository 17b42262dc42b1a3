# SPDX-License-Identifier: GPL-3.0-or-later
"""What names the engine's sources, asked by the threads and processes of one run of Ansible."""
from __future__ import annotations

import concurrent.futures
import pathlib
import threading
import typing as t

import pytest

pytest.importorskip("ansible.plugins.action")

from ansible_collections.cocker.engine.plugins.plugin_utils import sources


def test_hosts_that_are_asked_at_once_do_not_take_each_others_file(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All have read the sources before one of them writes down what it found."""
    hosts = 8
    together = threading.Barrier(hosts)

    def digest(_paths: t.Sequence[str]) -> str:
        together.wait(30)
        return "0123"

    monkeypatch.setattr(sources.constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    monkeypatch.setattr(sources, "digest", digest)
    with concurrent.futures.ThreadPoolExecutor(hosts) as pool:
        found = [each.result() for each in [pool.submit(sources.engine_digest) for _host in range(hosts)]]
    assert found == ["0123"] * hosts == [sources.engine_digest()] * hosts
    assert [path.read_text() for path in tmp_path.iterdir()] == ["0123"]
