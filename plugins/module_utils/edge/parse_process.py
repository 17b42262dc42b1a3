# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_container about its process: what runs, as whom, with which variables, how it is stopped.

Not here: what an image says of it (engine/processes.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import values
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import units
from ansible_collections.cocker.engine.plugins.module_utils.model.container import SYSTEMD
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

HOSTNAME_LENGTH = 64  # sethostname(2)
_LARGEST_FILE = 1 << 20
_HOSTNAME_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-")
_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}  # as Ansible gives them from a template
_NAMELESS = "this line is not NAME=VALUE"


def process(params: Params) -> t.Dict[str, t.Any]:
    """The keyword arguments of ContainerSpec. Raises Invalid."""
    return {
        "command": values.words(params["command"], "command"),
        "entrypoint": values.words(params["entrypoint"], "entrypoint"),
        "init": _init(params["init"]),
        "env": _environment(params),
        "user": values.user(params["user"]),
        "groups": _groups(params["groups"]),
        "umask": _umask(params["umask"]),
        "working_dir": values.absolute(params["working_dir"], "working_dir"),
        "tty": params["tty"],
        "interactive": params["interactive"],
        "hostname": hostname(params["hostname"], "hostname"),
        "domainname": hostname(params["domainname"], "domainname"),
        "stop_timeout": values.at_least(params["stop_timeout"], 0, "stop_timeout"),
        "stop_signal": None if params["stop_signal"] is None else units.parse_signal(params["stop_signal"], "stop_signal"),
    }


def _init(value: t.Any) -> t.Union[None, bool, str]:
    if value is None or isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    if word == SYSTEMD:
        return SYSTEMD
    if word not in _WORDS:
        raise Invalid("init", "%r is not true, false or systemd" % (value,))
    return _WORDS[word]


def _environment(params: Params) -> t.Optional[t.Dict[str, t.Optional[str]]]:
    """Files first, in their order; `env` wins. What counts is what is in a file, not where it is."""
    given, files = values.environment(params["env"]), params["env_file"]
    if files is None:
        return given
    found: t.Dict[str, t.Optional[str]] = {}
    for path in files:
        found.update(variables(path))
    found.update(given or {})
    return dict(sorted(found.items()))


def variables(path: str) -> t.Dict[str, str]:
    """NAME=VALUE a line, the value as it stands; `#` begins a line that is no more than a comment. Raises Invalid."""
    found = {}
    text = values.read_file(path, "env_file", largest=_LARGEST_FILE)
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip() or any(letter.isspace() for letter in name.lstrip()):
            raise Invalid("env_file", "%s:%d: %r: %s" % (path, number, line, _NAMELESS))
        found[name.strip()] = values.plain(value, "env_file")
    return found


def hostname(value: t.Optional[str], option: str) -> t.Optional[str]:
    if value is None:
        return None
    labels = value.split(".")
    fits = 0 < len(value) <= HOSTNAME_LENGTH and set(value) <= _HOSTNAME_LETTERS
    if not fits or any(not label or label.startswith("-") or label.endswith("-") for label in labels):
        raise Invalid(option, "%r is not a host name: up to %d letters, digits, dots and inner hyphens" % (value, HOSTNAME_LENGTH))
    return value


def _groups(given: t.Optional[t.Sequence[str]]) -> t.Optional[values.Words]:
    """Names of the container's group file, or numbers; the order says nothing."""
    if given is None:
        return None
    for value in given:
        if not value or any(letter.isspace() or letter in ",:\0" for letter in value):
            raise Invalid("groups", "%r is neither the name of a group nor a number" % value)
    return tuple(sorted({values.possible_id(value, "groups") for value in given}))


def _umask(value: t.Optional[str]) -> t.Optional[int]:
    if value is None:
        return None
    if not value or len(value) > 4 or set(value) - set("01234567") or int(value, 8) > 0o777:
        raise Invalid("umask", "%r is not an octal number such as 0027" % value, hint="quote it, so that it is the text that you typed")
    return int(value, 8)
