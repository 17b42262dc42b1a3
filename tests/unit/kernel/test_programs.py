# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import programs


def test_what_a_program_says_and_how_it_ends() -> None:
    done = programs.run("/bin/sh", "-c", 'echo "$SAID"; echo no >&2; exit 3', environ={"SAID": "yes"})
    assert done == programs.Done(3, "yes\n", "no\n")


def test_more_than_a_pipe_takes_and_no_input() -> None:
    done = programs.run("/bin/sh", "-c", "cat; head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2; kill -9 $$")
    assert (done.status, len(done.output), len(done.errors)) == (-9, 300000, 300000)


def test_one_that_is_not_there() -> None:
    assert programs.find("no-such-program") is None
    with pytest.raises(FileNotFoundError):
        programs.run("/no/such/program")


def test_where_root_has_them_is_looked_at_whatever_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert programs.find("sh")
