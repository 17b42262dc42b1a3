# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of cocker_host: what it packs, what it asks, and when it sends the command."""
from __future__ import annotations

import base64
import hashlib
import pathlib
import typing as t
from unittest import mock

import pytest

pytest.importorskip("ansible.plugins.action")

from ansible import constants

from ansible_collections.cocker.engine.plugins.action import cocker_host
from ansible_collections.cocker.engine.plugins.plugin_utils import packed, quick

Result = t.Dict[str, t.Any]
DONE = {"changed": True}


@pytest.fixture(autouse=True)
def local(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    return tmp_path


class Told:
    """The action plugin with a host that is played: what was asked of it, in order, and whether that was all of the module."""

    def __init__(self, answers: t.Sequence[Result], *, check_mode: bool = False, **arguments: t.Any) -> None:
        task = mock.Mock(args={"command_path": "/bin/cocker", **arguments}, check_mode=check_mode, async_val=0, diff=False)
        self.plugin = cocker_host.ActionModule(task, mock.Mock(), mock.Mock(), mock.Mock(), mock.Mock(), mock.Mock())
        self.asked: t.List[t.Tuple[bool, Result]] = []
        left = list(answers)

        def ask(*, module_name: str, module_args: Result, **_more: t.Any) -> Result:
            self.asked.append((module_name != quick.STUB, module_args))
            return dict(left.pop(0))

        self.plugin._execute_module = ask
        self.plugin._remove_tmp_path = lambda path: None

    def run(self, **variables: t.Any) -> t.List[t.Tuple[bool, str, bool]]:
        """Of each question: whether the module came along, for which interpreter, whether the command came along."""
        self.result = self.plugin.run(None, variables)
        return [(whole, given.get("command_interpreter", ""), "command_archive" in given) for whole, given in self.asked]


def test_a_host_in_order_is_asked_once() -> None:
    assert Told([{"changed": False}]).run() == [(False, packed.INTERPRETER, False)]


def test_a_bare_host_is_sent_module_and_command_at_once() -> None:
    assert Told([{quick.MISSING: True}, DONE]).run() == [(False, packed.INTERPRETER, False), (True, packed.INTERPRETER, True)]


def test_a_host_with_another_command_is_sent_ours() -> None:
    told = Told([{"needed": "/opt/python"}, DONE])
    assert told.run(ansible_python_interpreter="/opt/python") == [(False, "/opt/python", False), (True, "/opt/python", True)]
    sent = base64.b64decode(told.asked[1][1]["command_archive"])
    assert hashlib.sha256(sent).hexdigest() == told.asked[1][1]["command_digest"] and b"/opt/python" in sent[:200]


def test_an_interpreter_that_was_guessed_wrong_costs_one_more_question() -> None:
    told = Told([{quick.MISSING: True}, {"needed": "/opt/python"}, DONE])
    assert told.run()[1:] == [(True, packed.INTERPRETER, True), (True, "/opt/python", True)]
    assert told.result["changed"]


def test_check_mode_sends_no_command() -> None:
    assert [each[2] for each in Told([{quick.MISSING: True}, {"needed": "/opt/python"}, DONE], check_mode=True).run()] == [False] * 3


def test_without_a_command_nothing_is_packed(local: pathlib.Path) -> None:
    assert Told([DONE], command_path=None).run() == [(False, "", False)]
    assert not [path for path in local.iterdir() if path.name.startswith("cocker-command")]


@pytest.mark.parametrize("variables, expected", [
    ({"ansible_python_interpreter": "/opt/a"}, "/opt/a"), ({"ansible_python_interpreter": "auto"}, packed.INTERPRETER),
    ({"ansible_python_interpreter": "auto", "ansible_facts": {"python": {"executable": "/opt/b"}}}, "/opt/b"),
])
def test_how_the_interpreter_is_guessed(variables: Result, expected: str) -> None:
    assert cocker_host.likely_interpreter(variables) == expected


def test_many_hosts_have_it_packed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = packed.command("/opt/python")
    monkeypatch.setattr(packed, "PACKER", "none")
    assert packed.command("/opt/python") == first
