# SPDX-License-Identifier: BSD-2-Clause
"""The verbs of the runtime: their options, how many words they take, and which file does them. Tables only.

Not here: reading a command line by them (main.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.oci.flags import LIST, NUMBER, SIZE, SWITCH, Flag


class Verb(t.NamedTuple):
    """`words` are the least and the most besides options, None for any number; `enters`: it runs code of a container's."""

    usage: str
    about: str
    words: t.Tuple[int, t.Optional[int]]
    flags: t.Tuple[Flag, ...] = ()
    enters: bool = False


GLOBAL = (
    Flag("root", help="where the records of containers are (default /run/cocker/oci)"),
    Flag("log", help="the file for messages"),
    Flag("log-format", help="of the messages: text or json"),
    Flag("systemd-cgroup", SWITCH, help="linux.cgroupsPath is SLICE:PREFIX:NAME, and systemd makes the cgroup"),
    Flag("debug", SWITCH, help="say more"),
    Flag("help", SWITCH, "h"),
    Flag("version", SWITCH, "v"),
)
_BUNDLE = Flag("bundle", short="b", help="the directory of the bundle (default: this one)")
_CONSOLE = Flag("console-socket", help="a Unix socket that takes the other end of the terminal")
_PID_FILE = Flag("pid-file", help="the file for the number of the process")
_FDS = Flag("preserve-fds", NUMBER, help="how many descriptors after 0, 1, 2 and those of LISTEN_FDS the process gets")
_KEYRING = Flag("no-new-keyring", SWITCH, help="the caller's session keyring is the container's")
_FORMAT = Flag("format", short="f", help="table or json")

VERBS: t.Dict[str, Verb] = {
    "create": Verb("ID", "make a container from a bundle; its process waits", (1, 1), (_BUNDLE, _CONSOLE, _PID_FILE, _KEYRING, _FDS), True),
    "delete": Verb("ID", "remove what is left of a container", (1, 1), (Flag("force", SWITCH, "f", "kill it first, if it runs"),)),
    "events": Verb("ID", "show the counters of a container, again and again, as JSON", (1, 1), (
        Flag("interval", help="between two looks (default 5s)"), Flag("stats", SWITCH, help="once"),
    )),
    "exec": Verb("ID [COMMAND...]", "run one more process in a container", (1, None), (
        _CONSOLE, Flag("cwd", help="the working directory"), Flag("env", LIST, "e", "NAME=VALUE, besides the container's own"),
        Flag("tty", SWITCH, "t", "with a terminal"), Flag("user", short="u", help="UID[:GID]"),
        Flag("additional-gids", LIST, "g", "groups besides"), Flag("process", short="p", help="a process.json that says all of it"),
        Flag("detach", SWITCH, "d", "do not wait for it"), _PID_FILE, Flag("apparmor", help="a profile of AppArmor"),
        Flag("no-new-privs", SWITCH, help="no program gives it more rights"), Flag("cap", LIST, "c", "capabilities besides"),
        _FDS, Flag("ignore-paused", SWITCH, help="also in a container that is paused, when it goes on"),
    ), True),
    "features": Verb("", "say what this runtime knows, as JSON", (0, 0)),
    "kill": Verb("ID [SIGNAL]", "send a signal (default TERM)", (1, 2), (Flag("all", SWITCH, "a", "to all its processes"),)),
    "list": Verb("", "list the containers", (0, 0), (_FORMAT, Flag("quiet", SWITCH, "q", "their ids only"))),
    "pause": Verb("ID", "let a container stand still", (1, 1)),
    "ps": Verb("ID [OPTION...]", "list its processes as ps(1) does", (1, None), (_FORMAT,)),
    "resume": Verb("ID", "let a container go on", (1, 1)),
    "run": Verb("ID", "make a container from a bundle, start it, and remove it when it ends", (1, 1), (
        _BUNDLE, _CONSOLE, Flag("detach", SWITCH, "d", "do not wait for it"), Flag("keep", SWITCH, help="do not remove it when it ends"),
        _PID_FILE, Flag("no-subreaper", SWITCH, help="do not inherit processes that it leaves behind"), _KEYRING, _FDS,
    ), True),
    "spec": Verb("", "write a config.json to begin with", (0, 0), (_BUNDLE,)),
    "start": Verb("ID", "let the process of a container go", (1, 1)),
    "state": Verb("ID", "say how a container is, as JSON", (1, 1)),
    "update": Verb("ID", "set other limits", (1, 1), (
        Flag("resources", short="r", help="a file with linux.resources as JSON, or - for standard input; the others are passed over then"),
        *[Flag(name, NUMBER) for name in (
            "blkio-weight", "cpu-period", "cpu-quota", "cpu-burst", "cpu-share", "cpu-idle", "cpu-rt-period", "cpu-rt-runtime",
            "pids-limit",
        )],
        Flag("cpuset-cpus"), Flag("cpuset-mems"), *[Flag(name, SIZE) for name in ("memory", "memory-reservation", "memory-swap")],
    )),
}
