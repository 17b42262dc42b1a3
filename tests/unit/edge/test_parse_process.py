# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs in a container, as whom and with which variables, as it is written."""
from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_container, parse_container, parse_process
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

Process = t.Callable[..., t.Dict[str, t.Any]]


@pytest.fixture
def process(filled: t.Callable[..., t.Dict[str, t.Any]]) -> Process:
    return lambda **given: parse_process.process(filled(args_container.SPEC.options, {"name": "web", "image": "debian", **given}))


@pytest.mark.parametrize(("given", "name", "value"), [
    ({"groups": ["audio", "100", "audio"]}, "groups", ("100", "audio")),
    ({"groups": []}, "groups", ()),
    ({"umask": "0027"}, "umask", 0o27),
    ({"umask": "0"}, "umask", 0),
    ({"domainname": "example.org"}, "domainname", "example.org"),
    ({"command": ["a", "b c"], "command_handling": "correct"}, "command", ("a", "b c")),
])
def test_an_option_means(process: Process, given: t.Dict[str, t.Any], name: str, value: t.Any) -> None:
    assert process(**given)[name] == value


@pytest.mark.parametrize(("option", "given"), [
    ("groups", {"groups": ["a b"]}),
    ("groups", {"groups": ["a,b"]}),
    ("groups", {"groups": [""]}),
    ("umask", {"umask": "8"}),
    ("umask", {"umask": "18"}),
    ("umask", {"umask": "7777"}),
    ("domainname", {"domainname": "a_b"}),
    ("env_file", {"env_file": ["relative"]}),
    ("env_file", {"env_file": ["/there/is/none"]}),
])
def test_a_bad_value_is_refused_and_the_option_is_named(process: Process, option: str, given: t.Dict[str, t.Any]) -> None:
    with pytest.raises(Invalid) as caught:
        process(**given)
    assert caught.value.subject == option


FILES: t.List[t.Tuple[str, t.Dict[str, str]]] = [
    ("", {}),
    ("A=1\n", {"A": "1"}),
    ("# A=1\n\n  # B\nC=3", {"C": "3"}),
    ("A=", {"A": ""}),
    ("A=b=c", {"A": "b=c"}),
    ("A='quoted'", {"A": "'quoted'"}),
    ("A= blank ", {"A": " blank "}),
    ("  A=1", {"A": "1"}),
    ("A=one # not a comment", {"A": "one # not a comment"}),
    ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
    ("A=\u00e4", {"A": "\u00e4"}),
    ("A=1\nA=2", {"A": "2"}),
]


@pytest.mark.parametrize(("text", "variables"), FILES)
def test_a_file_of_variables_is_read_as_it_stands(process: Process, tmp_path: pathlib.Path, text: str, variables: t.Dict[str, str]) -> None:
    (tmp_path / "env").write_bytes(text.encode("utf-8"))
    assert process(env_file=[str(tmp_path / "env")])["env"] == variables


@pytest.mark.parametrize("content", [b"A\n", b"=1\n", b"A B=1\n", b"A=1\0\n", b"A=\xff\n"])
def test_a_file_that_is_none_of_variables_is_refused(process: Process, tmp_path: pathlib.Path, content: bytes) -> None:
    (tmp_path / "env").write_bytes(content)
    with pytest.raises(Invalid) as caught:
        process(env_file=[str(tmp_path / "env")])
    assert caught.value.subject == "env_file"


def test_the_later_file_wins_and_env_over_all(process: Process, tmp_path: pathlib.Path) -> None:
    (tmp_path / "one").write_text("A=1\nB=1\nC=1\n")
    (tmp_path / "two").write_text("B=2\nC=2\n")
    files = [str(tmp_path / "one"), str(tmp_path / "two")]
    assert process(env_file=files, env={"C": "3", "D": None})["env"] == {"A": "1", "B": "2", "C": "3", "D": None}
    assert process(env_file=[])["env"] == {}


def test_where_a_file_is_makes_no_difference(process: Process, tmp_path: pathlib.Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text("A=1\n")
    assert process(env_file=[str(tmp_path / "one")]) == process(env_file=[str(tmp_path / "two")])


def test_what_is_about_a_daemon_is_passed_over_with_a_warning(filled: t.Callable[..., t.Dict[str, t.Any]]) -> None:
    given = {"name": "web", "image": "debian", "docker_host": "unix:///run/docker.sock", "tls": True}
    made = parse_container.wish(filled(args_container.SPEC.options, given))
    assert made.spec == parse_container.wish(filled(args_container.SPEC.options, {"name": "web", "image": "debian"})).spec
    assert [warning.partition(":")[0] for warning in made.warnings] == ["docker_host, tls"]
