# SPDX-License-Identifier: GPL-3.0-or-later
"""From AnsibleModule to the engine and back, with both of them played."""
from __future__ import annotations

import typing as t

import pytest

pytest.importorskip("ansible.module_utils.basic")

from ansible_collections.cocker.engine.plugins.module_utils.edge import runner
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Spec
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import (
    CleanupError,
    Conflict,
    Invalid,
    KernelError,
    Unsupported,
)

Result = t.Dict[str, t.Any]
SPEC = Spec({"name": {"type": "str"}}, rules={"required_together": [("name", "cocker_home")]})


class Left(Exception):
    """The process would have ended."""


class Played:
    """AnsibleModule, as far as it is used."""

    last: t.ClassVar[t.Optional[Played]] = None

    def __init__(self, **arguments: t.Any) -> None:
        self.arguments = arguments
        self.params = {"name": "web", "cocker_home": "/srv/cocker"}
        self.check_mode = False
        self.result: Result = {}
        self.warned: t.List[str] = []
        Played.last = self

    def warn(self, warning: str) -> None:
        self.warned.append(warning)

    def exit_json(self, **result: t.Any) -> None:
        self.result = result
        raise Left

    def fail_json(self, **result: t.Any) -> None:
        self.result = {"failed": True, **result}
        raise Left


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., Result]:
    monkeypatch.setattr(runner, "AnsibleModule", Played)
    monkeypatch.setattr(runner, "open_host", lambda home, *, dry_run: (home, dry_run))
    monkeypatch.setattr(runner.os, "geteuid", lambda: 0)

    def played(
        handler: t.Callable[..., t.Any], *, parse: t.Callable[..., t.Any] = lambda params: params["name"], spec: Spec = SPEC
    ) -> Result:
        with pytest.raises(Left):
            runner.run(spec, parse=parse, handler=handler, shape=lambda answer, wish: {"answer": answer, "wish": wish})
        return Played.last.result if Played.last else {}

    return played


def raises(error: Exception) -> t.Callable[..., t.Any]:
    def act(*_arguments: t.Any) -> t.Any:
        raise error

    return act


def test_options_go_in_and_the_answer_comes_out(run: t.Callable[..., Result]) -> None:
    assert run(lambda host, wish: [*host, wish]) == {"answer": ["/srv/cocker", False, "web"], "wish": "web"}


def test_every_module_has_the_common_options_and_its_own_rules(run: t.Callable[..., Result]) -> None:
    run(lambda host, wish: None)
    arguments = Played.last.arguments if Played.last else {}
    assert sorted(arguments["argument_spec"]) == ["cocker_home", "name"]
    assert (arguments["supports_check_mode"], arguments["required_together"]) == (True, [("name", "cocker_home")])


@pytest.mark.parametrize(("check_mode", "reads_only", "dry_run"), [(False, False, False), (True, False, True), (False, True, True)])
def test_check_mode_and_info_modules_only_look(
    run: t.Callable[..., Result], monkeypatch: pytest.MonkeyPatch, check_mode: bool, reads_only: bool, dry_run: bool
) -> None:
    class Checking(Played):
        def __init__(self, **arguments: t.Any) -> None:
            super().__init__(**arguments)
            self.check_mode = check_mode

    monkeypatch.setattr(runner, "AnsibleModule", Checking)
    assert run(lambda host, wish: host[1], spec=Spec({}, reads_only=reads_only))["answer"] is dry_run


def test_a_known_error_is_one_sentence_without_a_traceback(run: t.Callable[..., Result]) -> None:
    result = run(raises(Conflict("remove volume", "data", "it is used", hint="by web")))
    assert result == {"failed": True, "msg": "remove volume data: it is used (by web)", "error": "Conflict"}


def test_a_bad_option_is_found_before_the_host_is_looked_at(run: t.Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "open_host", raises(RuntimeError("the host was opened")))
    assert run(lambda host, wish: None, parse=raises(Invalid("name", "it is bad")))["msg"] == "option name: it is bad"


def test_what_failed_while_cleaning_is_told_too(run: t.Callable[..., Result]) -> None:
    error = KernelError("mount", "/x", 22)
    error.cleanup.append(OSError(16, "Device or resource busy"))
    assert run(raises(error))["cleanup_failures"] == ["[Errno 16] Device or resource busy"]
    assert run(raises(CleanupError("remove container", "web", [error])))["cleanup_failures"] == ["mount /x: Invalid argument"]


@pytest.mark.parametrize(("error", "msg"), [
    (OSError(28, "No space left on device", "/var/cocker/x"), "/var/cocker/x: No space left on device"),
    (OSError(28, "No space left on device"), "No space left on device"),
])
def test_an_error_of_the_system_names_the_file(run: t.Callable[..., Result], error: OSError, msg: str) -> None:
    result = run(raises(error))
    assert (result["msg"], result["error"], "exception" in result) == (msg, "OSError", False)
    assert any("raises" in line or "raise error" in line for line in result["traceback"])


def test_a_bug_is_called_one_and_has_its_traceback(run: t.Callable[..., Result]) -> None:
    result = run(raises(ZeroDivisionError("division by zero")))
    assert result["msg"] == "This is a bug in cocker.engine: ZeroDivisionError: division by zero"
    assert "raise error" in result["exception"] and result["traceback"] == result["exception"].splitlines()


def test_an_answer_that_says_failed_fails_the_task(run: t.Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    late = {"failed": True, "msg": "late", "rc": 1}
    with pytest.raises(Left):
        runner.run(SPEC, parse=lambda params: None, handler=lambda host, wish: None, shape=lambda answer, wish: dict(late))
    assert Played.last and Played.last.result == late


def test_warnings_are_given_to_ansible_one_by_one(run: t.Callable[..., Result]) -> None:
    shaped = {"changed": False, "warnings": ["one", "two"]}
    with pytest.raises(Left):
        runner.run(SPEC, parse=lambda params: None, handler=lambda host, wish: None, shape=lambda answer, wish: dict(shaped))
    assert Played.last and (Played.last.result, Played.last.warned) == ({"changed": False}, ["one", "two"])


def test_a_name_that_is_no_utf8_can_be_returned(run: t.Callable[..., Result]) -> None:
    assert run(lambda host, wish: "\udcff")["answer"] == "\ufffd"


def test_only_root_goes_on(run: t.Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner.os, "geteuid", lambda: 1000)
    assert run(raises(RuntimeError("the engine was called")))["msg"] == (
        "run as user id 1000: containers are made and inspected by root (use become: true)"
    )


@pytest.mark.parametrize(("platform", "python"), [("darwin", (3, 12)), ("freebsd14", (3, 11)), ("linux", (3, 8)), ("linux", (3, 6))])
def test_other_platforms_are_refused(platform: str, python: t.Tuple[int, int]) -> None:
    with pytest.raises(Unsupported):
        runner.require_platform(platform, python)


def test_linux_and_python_3_9_are_enough() -> None:
    runner.require_platform("linux", (3, 9))
