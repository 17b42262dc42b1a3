# SPDX-License-Identifier: GPL-3.0-or-later
"""Times, medians, and the table that they end in. Not here: what is measured."""
from __future__ import annotations

import dataclasses
import statistics
import time
import typing as t

MILLISECONDS, MEGABYTES, TIMES_TAR = "ms", "MB", "x tar"
NOT_MEASURED = "-"

Peers = t.Mapping[str, t.Optional[float]]


@dataclasses.dataclass(frozen=True)
class Row:
    """`target` is DESIGN's number for us; a peer that has no such thing, or is not there, is None. `notes` go below the table."""

    what: str
    unit: str
    cocker: float
    target: t.Optional[float] = None
    peers: Peers = dataclasses.field(default_factory=dict)
    notes: t.Tuple[str, ...] = ()


def timed(call: t.Callable[[], object]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def median(values: t.Iterable[float]) -> float:
    return statistics.median(values)


class Phases:
    """Where the time of a call goes: each named function is given the time that it spends outside of the other named ones."""

    def __init__(self) -> None:
        self._spent: t.Dict[str, float] = {}
        self._inner: t.List[float] = []

    def watch(self, owner: t.Any, name: str, phase: str) -> None:
        """From now on, for good: for a process that only measures."""
        original = getattr(owner, name)

        def call(*args: t.Any, **named: t.Any) -> t.Any:
            self._inner.append(0.0)
            started = time.perf_counter()
            try:
                return original(*args, **named)
            finally:
                whole = (time.perf_counter() - started) * 1000
                self._spent[phase] = self._spent.get(phase, 0.0) + whole - self._inner.pop()
                if self._inner:
                    self._inner[-1] += whole

        setattr(owner, name, call)

    def take(self, whole: float) -> t.Dict[str, float]:
        """The phases of a call that took `whole`, and the rest of it; begins anew."""
        spent, self._spent = self._spent, {}
        return {**spent, "rest": whole - sum(spent.values())}


def medians(samples: t.Sequence[t.Mapping[str, float]]) -> t.Dict[str, float]:
    """Largest first. A phase that a sample does not have took no time in it."""
    names = {name for sample in samples for name in sample}
    found = {name: median(sample.get(name, 0.0) for sample in samples) for name in names}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def shown(value: t.Optional[float], unit: str) -> str:
    if value is None:
        return NOT_MEASURED
    return "%.*f %s" % (0 if value >= 100 else 1 if value >= 10 else 2, value, unit)


def compared(value: t.Optional[float], ours: float, unit: str) -> str:
    """A peer's number and how many times ours it is."""
    if value is None:
        return NOT_MEASURED
    return "%s (%.1fx)" % (shown(value, unit), value / ours) if ours > 0 else shown(value, unit)


def verdict(row: Row) -> str:
    if row.target is None:
        return ""
    return "ok" if row.cocker <= row.target else "OVER"


def table(rows: t.Sequence[Row], peers: t.Mapping[str, str]) -> str:
    """`peers`: name -> why it is not there, empty for one that is. Markdown, so that it can be pasted into the documentation."""
    lines = [["what", "target", "cocker", "", *("%s (x cocker)" % name for name in peers)]]
    for row in rows:
        others = [reason or compared(row.peers.get(name), row.cocker, row.unit) for name, reason in peers.items()]
        target = "<= %g %s" % (row.target, row.unit) if row.target is not None else ""
        lines.append([row.what, target, shown(row.cocker, row.unit), verdict(row), *others])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join("| %s |" % " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) for line in lines)
