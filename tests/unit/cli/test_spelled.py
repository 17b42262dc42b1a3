# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import argparse
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.cli import catalog, nouns, prune, spelled
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

# Of capsule: each of its verbs.
CAPSULE = (
    "create", "start", "run", "list", "state", "kill", "delete", "exec", "log", "network create", "network delete", "network list",
    "network show", "image create", "image delete", "image list", "image get", "image runc", "image destroyc",
)


@pytest.mark.parametrize("line", [*spelled.ALIASES, *CAPSULE])
def test_every_spelling_leads_to_a_command(line: str) -> None:
    found = spelled.known([*line.split(), "x"], catalog.COMMANDS)
    assert found[0] in catalog.COMMANDS and found[-1] == "x"


def test_no_command_is_hidden_by_another_spelling() -> None:
    assert not spelled.ALIASES.keys() & catalog.COMMANDS.keys()
    assert spelled.known(["ps", "-a"], catalog.COMMANDS) == ["ps", "-a"]
    assert spelled.known(["network", "nix"], catalog.COMMANDS) == ["network", "nix"]


def _runc(*words: str) -> t.List[str]:
    parser = argparse.ArgumentParser(exit_on_error=False)
    nouns.COMMANDS["image runc"][0](parser)
    return nouns.runc_words(vars(parser.parse_args(words)))


@pytest.mark.parametrize(("words", "found"), [
    (("redis", "server --user=root", "-id", "r", "-p", "1:2", "-port", "3:4", "-d"),
     ["-d", "--name", "r", "--publish", "1:2", "--publish", "3:4", "redis", "server", "--user=root"]),
    (("-id", "r", "-memory", "64", "-cpushare", "512", "-link", "db:d", "-cwd", "/x", "-env", "A=b", "box", "--", "sh", "-c", "a b"),
     ["--rm", "--name", "r", "--working-dir", "/x", "--env", "A=b", "--cpu-shares", "512", "--memory", "64", "--links", "db:d", "box", "sh", "-c", "a b"]),
])
def test_runc_is_run_in_other_words(words: t.Sequence[str], found: t.Sequence[str]) -> None:
    assert _runc(*words) == found


def test_runc_wants_an_id() -> None:
    with pytest.raises(Invalid, match="-id"):
        _runc("box", "true")


def test_all_of_the_system_is_what_is_pruned_without_a_kind() -> None:
    """`--volumes` is one kind more, and not the only one."""
    assert spelled.ALIASES["system prune"][1:] == tuple("--" + kind for kind in prune._USUAL)
