# SPDX-License-Identifier: BSD-2-Clause
"""PURE: values as people read them in a terminal: tables, sizes, ages, ports. Not here: what is shown (look.py)."""
from __future__ import annotations

import calendar
import re
import time
import typing as t

_GAP = 3
_TABLE = "table "
_PLACE = re.compile(r"\{\{\s*\.(\w+)\s*\}\}|\{([^{}]*)\}")
# Columns as docker's templates name them, where that is another name.
_DOCKER = {
    "id": ("container_id", "image_id"), "repository": ("image",), "tag": ("version",),
    "createdsince": ("created",), "runningfor": ("created",),
}
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_SPANS = (("year", 31536000), ("month", 2592000), ("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
_NEVER = "0001-"
_SHORTEST = 2  # two weeks are still told in days, and so on, as docker does
SHORT_ID = 12


def table(titles: t.Sequence[str], rows: t.Iterable[t.Sequence[str]]) -> t.List[str]:
    """Aligned columns, three blanks apart; nothing behind the last."""
    lines = [list(titles), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
    return [(" " * _GAP).join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]


def key(title: str) -> str:
    """Of a column, as templates call it: `CONTAINER ID` is `container_id`."""
    return "".join(letter if letter.isalnum() else "_" for letter in title.lower()).strip("_")


def templated(template: str, titles: t.Sequence[str], rows: t.Iterable[t.Sequence[str]]) -> t.List[str]:
    """`{names}\\t{status}`, or as docker has it `{{.Names}}`: columns by name, the rest as it is written; behind `table ` in columns.

    Raises KeyError for another column.
    """
    text = template.replace("\\t", "\t").replace("\\n", "\n")
    if text.startswith(_TABLE):
        cells = [_pieces(cell, titles) for cell in text[len(_TABLE):].split("\t")]
        return table([_joined(cell, titles) for cell in cells], [[_joined(cell, row) for cell in cells] for row in rows])
    pieces = _pieces(text, titles)
    return [_joined(pieces, [printable(cell) for cell in row]) for row in rows]


def _pieces(text: str, titles: t.Sequence[str]) -> t.List[t.Union[str, int]]:
    """Texts, and numbers of columns."""
    found: t.List[t.Union[str, int]] = []
    end = 0
    for place in _PLACE.finditer(text):
        found += [text[end:place.start()], _column(place.group(1) or place.group(2), titles)]
        end = place.end()
    return [*found, text[end:]]


def _column(name: str, titles: t.Sequence[str]) -> int:
    wanted = name.lower()
    for column, title in enumerate(titles):
        if wanted in (key(title), key(title).replace("_", "")) or key(title) in _DOCKER.get(wanted, ()):
            return column
    raise KeyError(name)


def _joined(pieces: t.Sequence[t.Union[str, int]], row: t.Sequence[str]) -> str:
    return "".join(row[piece] if isinstance(piece, int) else piece for piece in pieces)


def printable(text: str) -> str:
    """No name, label or command can steer the terminal or break the table."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def size(count: t.Optional[int]) -> str:
    """Bytes in powers of 1000, three digits: 1.05MB."""
    if count is None:
        return "-"
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return "%.3g%s" % (value, _UNITS[unit]) if unit else "%dB" % count


def seconds(stamp: str) -> t.Optional[float]:
    """Of an RFC 3339 time in UTC, since the epoch; None where there is none."""
    if not stamp or stamp.startswith(_NEVER):
        return None
    try:
        return float(calendar.timegm(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S")))
    except ValueError:
        return None


def span(duration: float) -> str:
    """A duration in its largest unit: `3 minutes`."""
    if duration < 1:
        return "Less than a second"
    for name, length in _SPANS:
        count = int(duration // length)
        if count >= _SHORTEST or (count == 1 and name in ("second", "minute", "hour")):
            return "%d %s%s" % (count, name, "" if count == 1 else "s")
    return "1 second"


def age(stamp: str, now: float) -> str:
    since = seconds(stamp)
    return "" if since is None else "%s ago" % span(max(now - since, 0.0))


def status(state: t.Mapping[str, t.Any], now: float) -> str:
    """`Up 3 minutes (healthy)`, `Exited (137) 2 hours ago`, as docker says it."""
    word = str(state.get("Status"))
    if state.get("Running"):
        since = seconds(state.get("StartedAt", ""))
        text = "Up %s" % span(max(now - since, 0.0)) if since is not None else "Up"
        notes = [note for note in (state.get("Paused") and "Paused", (state.get("Health") or {}).get("Status")) if note]
        return text + "".join(" (%s)" % note for note in notes)
    if word in ("exited", "restarting"):
        ended = age(state.get("FinishedAt", ""), now)
        return " ".join(part for part in (word.capitalize(), "(%d)" % state.get("ExitCode", 0), ended) if part)
    return word.capitalize()


def ports(bindings: t.Mapping[str, t.Optional[t.Sequence[t.Mapping[str, str]]]]) -> str:
    """`0.0.0.0:18080->8080/tcp, 9000/udp`."""
    parts = []
    for inside, outside in bindings.items():
        parts += ["%s:%s->%s" % (host(each["HostIp"]), each["HostPort"], inside) for each in outside or ()]
        if not outside:
            parts.append(inside)
    return ", ".join(parts)


def host(address: str) -> str:
    return "[%s]" % address if ":" in address else address


def command(words: t.Sequence[str], *, whole: bool, width: int = 20) -> str:
    """A container that is like a small machine has none."""
    if not words:
        return "-"
    text = " ".join(words)
    return '"%s"' % (text if whole or len(text) <= width else text[: width - 1] + "\u2026")


def short_id(value: str, *, whole: bool) -> str:
    return value if whole else value.rpartition(":")[2][:SHORT_ID]
