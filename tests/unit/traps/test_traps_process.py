# SPDX-License-Identifier: GPL-3.0-or-later
"""Traps about what runs: command, variables, user, signals. Each row was a defect of an engine, or of a collection that people know."""
from __future__ import annotations

import pathlib
import typing as t

import pytest

pytest.importorskip("ansible.module_utils.common.arg_spec")

from ansible_collections.cocker.engine.plugins.module_utils.engine import processes
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageConfig
from ansible_collections.cocker.engine.tests import taskcorpus
from ansible_collections.cocker.engine.tests.trapbench import SAME, Bench, Case, app, box, ids

COMMANDS: t.List[Case] = [
    ("a string is split as a shell does", box(command="sh -c 'echo a b'"), box(command=["sh", "-c", "echo a b"]), SAME),
    ("numbers are words", box(command=["sleep", 5]), box(command=["sleep", "5"]), SAME),
    ("an empty string is an empty list", app(command=""), app(command=[]), SAME),
    ("an empty list is not the image's command", app(command=[]), app(), "command restart"),
    ("an empty list where the image has no command", {"image": "box", "command": []}, {"image": "box"}, "command update"),
    ("the image's command in so many words", app(command=["server", "--port", "80"]), app(), "command update"),
    ("the image's entry point in so many words takes the image's command away", app(entrypoint=["/entry"]), app(), "entrypoint restart"),
    ("no entry point is not the image's", app(entrypoint=[], command=["x"]), app(command=["x"]), "entrypoint restart"),
    ("quotes inside a word of a list stay", box(command=["echo", "'a'"]), box(command=["echo", "a"]), "command restart"),
    ("quotes inside a word of a string", box(command="echo \"'a'\""), box(command=["echo", "'a'"]), SAME),
    ("case", box(command=["Server"]), box(command=["server"]), "command restart"),
    ("words, and one word with blanks", box(command=["a b"]), box(command=["a", "b"]), "command restart"),
    ("an empty word counts", box(command=["a", ""]), box(command=["a"]), "command restart"),
    ("the order of words", box(command=["a", "b"]), box(command=["b", "a"]), "command restart"),
    ("a variable of the shell is not the shell's", box(command=["echo", "$HOME"]), box(command="echo '$HOME'"), SAME),
    ("the only way to handle a command", box(command_handling="correct"), box(), SAME),
    ("a boolean would become True", box(command=["app", True]), box(), "refused command"),
    ("a quote that does not end", box(command="echo 'a"), box(), "refused command"),
]

VARIABLES: t.List[Case] = [
    ("one that is gone", box(env={"A": "1", "B": "2"}), box(env={"A": "1"}), "env restart"),
    ("all that are gone, with the option", box(env={"A": "1"}), box(), "env restart"),
    ("all that are gone, by an empty option", box(env={"A": "1"}), box(env={}), "env restart"),
    ("none, and nothing said", app(env={}), app(), SAME),
    ("the case of a value", box(env={"MODE": "Prod"}), box(env={"MODE": "prod"}), "env restart"),
    ("the case of a key", box(env={"A": "1"}), box(env={"a": "1"}), "env restart"),
    ("a key that looks like an option", box(env={"MAX_SIZE": "1"}), box(env={"max-size": "1"}), "env restart"),
    ("the order", box(env={"B": "1", "A": "2"}), box(env={"A": "2", "B": "1"}), SAME),
    ("one of the image's is overwritten", app(env={"FROM": "task"}), app(), "env restart"),
    ("one of the image's, said as it is", app(env={"FROM": "image"}), app(), "env update"),
    ("null takes one of the image's away", app(env={"FROM": None}), app(), "env restart"),
    ("null for one that the image does not have", app(env={"OTHER": None}), app(), "env update"),
    ("empty is not away", app(env={"FROM": ""}), app(env={"FROM": None}), "env restart"),
    ("a value with an equals sign, blanks and a line break", box(env={"A": "b=c d\ne"}), box(env={"A": "b=c d"}), "env restart"),
    ("a boolean of YAML", box(env={"DEBUG": True}), box(), "refused env"),
    ("a number of YAML", box(env={"SIZE": 1}), box(), "refused env"),
    ("a name with an equals sign", box(env={"A=B": "1"}), box(), "refused env"),
]

USERS: t.List[Case] = [
    ("a name and its number are compared as they are given", box(user="root"), box(user="0"), "user restart"),
    ("a number of YAML", box(user=1000), box(user="1000"), SAME),
    ("with a group and without", box(user="web:web"), box(user="web"), "user restart"),
    ("case", box(user="Web"), box(user="web"), "user restart"),
    ("the image's, said as it is", app(user="web"), app(), "user update"),
    ("another one than the image's", app(user="root"), app(), "user restart"),
    ("an option that is gone", box(user="web"), box(), "user restart"),
    ("the order of groups", box(groups=["b", "a"]), box(groups=["a", "b"]), SAME),
    ("a group twice", box(groups=["a", "a"]), box(groups=["a"]), SAME),
    ("no groups, and nothing said", box(groups=[]), box(), SAME),
    ("a number that nobody has", box(user="4294967295"), box(), "refused user"),
]

SIGNALS: t.List[Case] = [
    ("by name and number", box(stop_signal="SIGTERM"), box(stop_signal="15"), SAME),
    ("with and without its beginning", box(stop_signal="SIGINT"), box(stop_signal="INT"), SAME),
    ("a number of YAML", box(stop_signal=3), box(stop_signal="SIGQUIT"), SAME),
    ("case", box(stop_signal="quit"), box(stop_signal="SIGQUIT"), SAME),
    ("of real time", box(stop_signal="SIGRTMIN+3"), box(stop_signal="37"), SAME),
    ("another one", box(stop_signal="SIGINT"), box(stop_signal="SIGQUIT"), "stop_signal update"),
    ("an option that is gone", box(stop_signal="SIGINT"), box(), "stop_signal update"),
    ("one that there is not", box(stop_signal="SIGNOTHING"), box(), "refused stop_signal"),
    ("0 is none", box(stop_signal="0"), box(), "refused stop_signal"),
    ("the usual time to stop", box(stop_timeout=10), box(), SAME),
    ("another time to stop", box(stop_timeout=0), box(), "stop_timeout update"),
]


@pytest.mark.parametrize("_what,first,second,cost", COMMANDS, ids=ids(COMMANDS))
def test_command_and_entrypoint(bench: Bench, _what: str, first: t.Any, second: t.Any, cost: str) -> None:
    assert bench.judged(first, second) == cost


@pytest.mark.parametrize("_what,first,second,cost", VARIABLES, ids=ids(VARIABLES))
def test_env(bench: Bench, _what: str, first: t.Any, second: t.Any, cost: str) -> None:
    assert bench.judged(first, second) == cost


@pytest.mark.parametrize("_what,first,second,cost", USERS, ids=ids(USERS))
def test_user(bench: Bench, _what: str, first: t.Any, second: t.Any, cost: str) -> None:
    assert bench.judged(first, second) == cost


@pytest.mark.parametrize("_what,first,second,cost", SIGNALS, ids=ids(SIGNALS))
def test_stop_signal(bench: Bench, _what: str, first: t.Any, second: t.Any, cost: str) -> None:
    assert bench.judged(first, second) == cost


# What is in one file of variables, what is in another one or said in env, what it costs to go from one to the other.
FILES: t.List[t.Tuple[str, bytes, t.Union[bytes, t.Dict[str, str]], str]] = [
    ("another file with the same", b"A=1\n", b"# the same\n\nA=1\n", SAME),
    ("the same, said in env", b"A=1\n", {"A": "1"}, SAME),
    ("another value", b"A=1\n", b"A=2\n", "env restart"),
    ("a line that is gone", b"A=1\nB=2\n", b"A=1\n", "env restart"),
    ("the order of lines", b"A=1\nB=2\n", b"B=2\nA=1\n", SAME),
    ("a key twice: the last", b"A=1\nA=2\n", b"A=2\n", SAME),
    ("line ends of Windows", b"A=1\r\nB=2\r\n", b"A=1\nB=2\n", SAME),
    ("the mark that editors of Windows begin with", b"\xef\xbb\xbfA=1\n", b"A=1\n", SAME),
    ("a last line that does not end", b"A=1", b"A=1\n", SAME),
    ("a value with an equals sign", b"A=b=c\n", {"A": "b=c"}, SAME),
    ("quotes stay, as with docker", b"A='1'\n", {"A": "'1'"}, SAME),
    ("blanks at the end of a value stay", b"A=1 \n", {"A": "1 "}, SAME),
    ("a hash in a value", b"A=b#c\n", {"A": "b#c"}, SAME),
    ("an empty value", b"A=\n", {"A": ""}, SAME),
    ("what ends a line elsewhere does not end one here", "A=b\x0cc\u2028d\x85e\n".encode(), {"A": "b\x0cc\u2028d\x85e"}, SAME),
    ("an empty file", b"", {}, SAME),
    ("a line without a value", b"A\n", {}, "refused env_file"),
    ("what is no text", b"A=\xff\n", {}, "refused env_file"),
]


@pytest.mark.parametrize("_what,one,two,cost", FILES, ids=[row[0] for row in FILES])
def test_env_file(bench: Bench, tmp_path: pathlib.Path, _what: str, one: bytes, two: t.Union[bytes, t.Dict[str, str]], cost: str) -> None:
    (tmp_path / "one").write_bytes(one)
    second = box(env=two)
    if isinstance(two, bytes):
        (tmp_path / "two").write_bytes(two)
        second = box(env_file=[str(tmp_path / "two")])
    assert bench.judged(box(env_file=str(tmp_path / "one")), second) == cost


def test_env_file_is_one_of_the_managed_host_and_env_wins(bench: Bench, tmp_path: pathlib.Path) -> None:
    for name, text in (("one", "A=1\nB=1\n"), ("two", "A=2\n")):
        (tmp_path / name).write_text(text)
    files = [str(tmp_path / "one"), str(tmp_path / "two")]
    assert bench.judged(box(env_file=files, env={"B": "task"}), box(env={"A": "2", "B": "task"})) == SAME
    assert bench.judged(box(env_file=files), box(env_file=files[::-1])) == "env restart"
    (tmp_path / "two").write_text("A=3\n")
    assert bench.cost(box(env_file=files[::-1])) == SAME        # A of `one` wins there
    assert bench.cost(box(env_file=files)) == "env restart"
    assert bench.cost(box(env_file=str(tmp_path / "none"))) == "refused env_file"
    assert bench.cost(box(env_file="app.env")) == "refused env_file"


IMAGE = ImageConfig(env=("PATH=/bin", "FROM=image"), cmd=("server",), entrypoint=("/entry",), labels={"of": "image"}, user="web")


@pytest.mark.parametrize("task,field,seen", [
    ({}, "args", ("/entry", "server")),
    ({"command": []}, "args", ("/entry",)),
    ({"command": ["other"]}, "args", ("/entry", "other")),
    ({"entrypoint": ["/mine"]}, "args", ("/mine",)),
    ({"entrypoint": [], "command": ["x"]}, "args", ("x",)),
    ({"env": {"A": "1"}}, "env", ("A=1", "FROM=image", "PATH=/bin")),
    ({"env": {"FROM": None}}, "env", ("PATH=/bin",)),
    ({"labels": {"a": "b"}}, "labels", {"a": "b", "of": "image"}),
    ({"labels": {"of": "mine"}}, "labels", {"of": "mine"}),
    ({}, "user", "web"),
    ({"user": "0"}, "user", "0"),
])
def test_what_comes_from_the_image(task: taskcorpus.Task, field: str, seen: t.Any) -> None:
    assert getattr(processes.process(taskcorpus.wish({"name": "web", "image": "app", **task}).spec, IMAGE), field) == seen
