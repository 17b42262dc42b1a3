# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import argparse
import shlex
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.cli import catalog, completion, examples

LINES = [(name, line) for name, (lines, _note) in examples.EXAMPLES.items() for line in lines]


@pytest.mark.parametrize(("name", "line"), LINES, ids=[line for _name, line in LINES])
def test_what_help_shows_is_understood(name: str, line: str) -> None:
    words = shlex.split(line[line.index("cocker "):].partition(" >")[0].partition(" |")[0])
    count = 1 + len(name.split())
    assert words[:count] == ["cocker", *name.split()]
    parser = argparse.ArgumentParser(exit_on_error=False, add_help=False)
    catalog.COMMANDS[name].load(name)[0](parser)
    parser.parse_args(words[count:])


def test_only_commands_have_examples_and_names_to_complete() -> None:
    assert set(examples.EXAMPLES) | completion._CONTAINERS | completion._IMAGES <= set(catalog.COMMANDS)


def test_every_flag_of_every_command_is_completed() -> None:
    for name, command in catalog.COMMANDS.items():
        parser = argparse.ArgumentParser(conflict_handler="resolve")
        command.load(name)[0](parser)
        wanted = {flag for action in parser._actions for flag in action.option_strings if flag.startswith("--")}
        known: t.Dict[str, t.Any] = {name: command.load}
        assert set(completion.words(t.cast("t.Any", None), known, [*name.split(), "--"])) == wanted
