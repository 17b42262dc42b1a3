# SPDX-License-Identifier: BSD-2-Clause
"""logs: what a container wrote, and what it goes on to write. Not here: reading the log (engine/logs.py)."""
from __future__ import annotations

import argparse
import contextlib
import re
import sys
import time
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.cli.context import OK, Context
from ansible_collections.cocker.engine.plugins.module_utils.engine import following, logs, observe
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

_SPAN = re.compile("(?=.)(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?")
_FRACTION = re.compile("[.]([0-9]+)")
_SECONDS = (86400, 3600, 60, 1)
_ALL = "all"
_LAST = "Z"         # behind a microsecond, it follows all that was written within that


def _shape(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the container ends")
    parser.add_argument("-n", "--tail", type=_lines, metavar="LINES|all", help="only the last ones")
    parser.add_argument("--since", metavar="TIME", help="RFC 3339, in UTC unless it says otherwise, or how long ago: 90s, 10m, 1h30m, 1d")
    parser.add_argument("--until", metavar="TIME", help="what was written before; as --since")
    parser.add_argument("-t", "--timestamps", action="store_true")
    parser.add_argument("--exec", "-exec", metavar="ID", help="of a command that exec -d has started, instead of the container's own")
    parser.add_argument("name", metavar="NAME")


def _lines(text: str) -> t.Optional[int]:
    if text != _ALL and not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError("%r is neither a number of lines nor all" % text)
    return None if text == _ALL else int(text)


def _logs(context: Context, said: argparse.Namespace) -> int:
    host, begin, end = context.looking(), since(said.since, context.now), since(said.until, context.now, "--until")
    if end is not None and said.follow:
        raise Invalid("--until", "it cannot go with --follow")
    if said.exec is not None:
        return _of_command(host, said, begin, end)
    with following.news(host, said.name) if said.follow else contextlib.nullcontext() as news:
        begun = _last(logs.read(host, said.name, tail=said.tail if end is None else None, since=begin), said.tail, end)
        tail = Tail(host, said.name, begun, timestamps=said.timestamps)
        while news is not None and tail.step():
            news.wait()
    return OK


def _last(found: t.List[logs.Line], count: t.Optional[int], end: t.Optional[str]) -> t.List[logs.Line]:
    if end is not None:
        found = [line for line in found if line.time <= end + _LAST]
    return found if count is None else found[max(len(found) - count, 0):]


def _of_command(host: Host, said: argparse.Namespace, begin: t.Optional[str], end: t.Optional[str]) -> int:
    from ansible_collections.cocker.engine.plugins.module_utils.engine import execs

    if said.follow:
        raise Invalid("--follow", "it cannot go with --exec")
    kept = execs.get(host, said.name, said.exec)
    found = logs.read_files(kept.folder, tail=said.tail if end is None else None, since=begin)
    _write(_last(found, said.tail, end), said.timestamps)
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


def since(text: t.Optional[str], now: float, option: str = "--since") -> t.Optional[str]:
    """Pure. As the log has it, to the microsecond: it goes before all that was written within that. Raises Invalid."""
    if text is None:
        return None
    ago = _SPAN.fullmatch(text)
    if ago is not None:
        return _written(now - sum(int(number) * length for number, length in zip(ago.groups("0"), _SECONDS)))
    import datetime  # few ask for a moment

    try:
        spelled = _FRACTION.sub(lambda digits: "." + digits.group(1)[:6].ljust(6, "0"), text.replace("Z", "+00:00"))
        found = datetime.datetime.fromisoformat(spelled)        # before Python 3.11 it takes a fraction of six digits, and no Z
    except ValueError:
        reason = "%r is neither a time such as 2026-01-31T12:00:00 nor a span such as 90s, 10m, 1h30m or 1d" % text
        raise Invalid(option, reason) from None
    return (found if found.tzinfo is None else found.astimezone(datetime.timezone.utc)).strftime("%Y-%m-%dT%H:%M:%S.%f")


def _written(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(moment)) + "%06d" % (moment % 1 * 1e6)


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
