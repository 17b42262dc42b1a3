# SPDX-License-Identifier: BSD-2-Clause
"""logs: what a container wrote, and what it goes on to write. Not here: reading the log (engine/logs.py)."""
from __future__ import annotations

import argparse
import contextlib
import sys
import time
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli.context import OK, Context
from ansible_collections.cocker.engine.plugins.module_utils.engine import following, logs, observe
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _shape(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the container ends")
    parser.add_argument("-n", "--tail", type=int, metavar="LINES", help="only the last ones")
    parser.add_argument("--since", metavar="TIME", help="RFC 3339, or how long ago: 90s, 10m, 2h, 1d")
    parser.add_argument("-t", "--timestamps", action="store_true")
    parser.add_argument("--exec", "-exec", metavar="ID", help="of a command that exec -d has started, instead of the container's own")
    parser.add_argument("name", metavar="NAME")


def _logs(context: Context, said: argparse.Namespace) -> int:
    host = context.looking()
    if said.exec is not None:
        return _of_command(host, said, since(said.since, context.now))
    with following.news(host, said.name) if said.follow else contextlib.nullcontext() as news:
        begun = logs.read(host, said.name, tail=said.tail, since=since(said.since, context.now))
        tail = Tail(host, said.name, begun, timestamps=said.timestamps)
        while news is not None and tail.step():
            news.wait()
    return OK


def _of_command(host: Host, said: argparse.Namespace, moment: t.Optional[str]) -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import execs

    if said.follow:
        raise Invalid("--follow", "it cannot go with --exec")
    kept = execs.get(host, said.name, said.exec)
    _write(logs.read_files(kept.folder, tail=said.tail, since=moment), said.timestamps)
    return OK


class Tail:
    """What a container wrote, and what it goes on to write; written here as it comes."""

    def __init__(
        self, host: Host, name: str, begun: t.Sequence[logs.Line] = (), *, since: str = "", timestamps: bool = False
    ) -> None:
        self._host, self._name, self._timestamps = host, name, timestamps
        self._seen = Seen(begun, since)
        _write(begun, timestamps)

    def step(self) -> bool:
        """False when there will be no more."""
        lives = observe.container(self._host, self._name).running is not None
        while self._show() and not lives:
            continue
        return lives

    def _show(self) -> bool:
        found = self._seen.new(logs.read(self._host, self._name, since=self._seen.time or None))
        _write(found, self._timestamps)
        return bool(found)


def since(text: t.Optional[str], now: float) -> t.Optional[str]:
    """Pure. As the log has it. Raises Invalid."""
    if text is None:
        return None
    number, unit = text[:-1], text[-1:]
    if number.isascii() and number.isdigit() and unit in _SPANS:
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now - int(number) * _SPANS[unit]))
    try:
        time.strptime(text[:10], "%Y-%m-%d")
    except ValueError:
        raise Invalid("--since", "%r is neither a time such as 2026-01-31T12:00:00 nor a span such as 90s, 10m, 2h or 1d" % text) from None
    return text


class Seen:
    """Lines that were written at once have the same time: how many of the last one were shown already."""

    def __init__(self, shown: t.Sequence[logs.Line], since: str = "") -> None:
        self.time, self._count = since, 0
        self._note(shown)

    def new(self, found: t.Sequence[logs.Line]) -> t.List[logs.Line]:
        """Of those since `time`, what was not there before."""
        old = self._count if self.time else 0
        fresh = [line for line in found if line.time > self.time] if self.time else list(found)
        again = [line for line in found if line.time == self.time][old:] if self.time else []
        self._note([*again, *fresh])
        return [*again, *fresh]

    def _note(self, shown: t.Sequence[logs.Line]) -> None:
        if shown:
            last = shown[-1].time
            self._count = sum(line.time == last for line in shown) + (self._count if last == self.time else 0)
            self.time = last


def _write(lines: t.Iterable[logs.Line], timestamps: bool) -> None:
    for line in lines:
        stream = sys.stderr if line.stream == "stderr" else sys.stdout
        stream.buffer.write(b"%s %s" % (line.time.encode(), line.content) if timestamps else line.content)
        stream.flush()


COMMANDS: t.Dict[str, t.Tuple[t.Callable[[argparse.ArgumentParser], None], t.Callable[[Context, argparse.Namespace], int]]] = {
    "logs": (_shape, _logs),
}
