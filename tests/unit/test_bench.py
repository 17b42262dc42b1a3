# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's arithmetic, and that what it looks into is there."""
from __future__ import annotations

import pathlib
import sys
import types

import pytest

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture(autouse=True)
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))


def test_the_table_compares_with_peers_and_with_the_target() -> None:
    from benchmark import measure

    rows = [measure.Row("start", "ms", 20.0, 30, {"docker": 400.0}), measure.Row("stack", "ms", 12.0, 10)]
    lines = measure.table(rows, {"docker": "", "podman": "not installed"}).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[2] == ["start", "<= 30 ms", "20.0 ms", "ok", "400 ms (20.0x)", "not installed"]
    assert cells[3] == ["stack", "<= 10 ms", "12.0 ms", "OVER", "-", "not installed"]


def test_a_phase_has_only_its_own_time_and_the_rest_is_what_nobody_has() -> None:
    from benchmark import measure

    owner, phases = types.SimpleNamespace(), measure.Phases()
    owner.inner = lambda: None
    owner.outer = lambda: [owner.inner() for _once in range(1)]
    phases.watch(owner, "inner", "inside")
    phases.watch(owner, "outer", "outside")
    owner.outer()
    found = phases.take(1000.0)
    assert sorted(found) == ["inside", "outside", "rest"]
    assert sum(found.values()) == pytest.approx(1000.0) and found["rest"] > 900
    assert phases.take(1.0) == {"rest": 1.0}


def test_medians_take_a_missing_phase_as_no_time() -> None:
    from benchmark import measure

    assert measure.medians([{"a": 1.0}, {"a": 3.0, "b": 2.0}, {"a": 2.0}]) == {"a": 2.0, "b": 0.0}


def test_an_archive_has_about_the_size_and_the_number_that_is_asked_for(tmp_path: pathlib.Path) -> None:
    from benchmark import files

    (tmp_path / "lib").mkdir()
    for number in range(40):
        (tmp_path / "lib" / ("%02d" % number)).write_bytes(b"x" * (1000 if number % 4 else 30000))
    found = files.chosen(str(tmp_path), size=60000, entries=20)
    assert 10 <= len(found) <= 20
    assert sum((tmp_path / name).stat().st_size for name in found) <= 60000


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the benchmark runs in make's own environment")
def test_every_phase_that_is_timed_is_there() -> None:
    from benchmark import lifecycle

    assert [name for owner, name, _phase in lifecycle.PHASES if not callable(getattr(owner, name, None))] == []
