# SPDX-License-Identifier: BSD-2-Clause
"""What every command gets: the host, where to write, and what kind of terminal that is. Not here: which commands there are (catalog.py)."""
from __future__ import annotations

import json
import os
import sys
import time
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host

OK, FAILED, USAGE = 0, 1, 2


class Context:
    """`home` is the store. Output is text; what UTF-8 cannot carry is written with backslashes."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.now = time.time()
        self._hosts: t.Dict[bool, Host] = {}

    def looking(self) -> Host:
        """Takes no locks and changes nothing, not even after a crash."""
        return self._host(dry_run=True)

    def acting(self) -> Host:
        return self._host(dry_run=False)

    def _host(self, *, dry_run: bool) -> Host:
        if dry_run not in self._hosts:
            self._hosts[dry_run] = open_host(self.home, dry_run=dry_run)
        return self._hosts[dry_run]

    def say(self, *lines: str) -> None:
        for line in lines:
            sys.stdout.write(line + "\n")

    def say_json(self, value: t.Any, *, indent: t.Optional[int] = None) -> None:
        self.say(json.dumps(value, indent=indent, sort_keys=indent is None, ensure_ascii=not _speaks_utf8(), default=str))

    def complain(self, text: str, *, amid: bool = False) -> None:
        """`amid`: a terminal's line may have begun, as somebody's prompt."""
        sys.stdout.flush()
        if amid and sys.stderr.isatty():
            sys.stderr.write("\n")
        sys.stderr.write("cocker: %s\n" % text)

    def bold(self, text: str) -> str:
        """Only on a terminal that wants it (https://no-color.org)."""
        return "\x1b[1m%s\x1b[0m" % text if is_colourful(sys.stdout.isatty(), os.environ) else text


def is_colourful(terminal: bool, env: t.Mapping[str, str]) -> bool:
    return terminal and not env.get("NO_COLOR") and env.get("TERM", "dumb") != "dumb"


def _speaks_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
