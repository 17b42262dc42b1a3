# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.cli import render


def test_columns_are_aligned_and_nothing_follows_the_last() -> None:
    assert render.table(("NAME", "SIZE"), [("web", "1B"), ("database", "20MB")]) == [
        "NAME       SIZE",
        "web        1B",
        "database   20MB",
    ]


def test_a_name_cannot_steer_the_terminal() -> None:
    assert render.table(("NAME",), [("a\x1b[31m\nb",)])[1] == "a\ufffd[31m\ufffdb"


@pytest.mark.parametrize(("count", "text"), [
    (None, "-"), (0, "0B"), (999, "999B"), (1000, "1kB"), (1_050_000, "1.05MB"), (194_600_000, "195MB"), (999_600, "1MB"), (5 * 10**12, "5TB"),
])
def test_sizes_have_three_digits(count: int, text: str) -> None:
    assert render.size(count) == text


@pytest.mark.parametrize(("duration", "text"), [
    (0.2, "Less than a second"), (1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (119, "1 minute"), (7200, "2 hours"), (100000, "27 hours"),
    (172800, "2 days"), (1209600, "2 weeks"), (63072000, "2 years"),
])
def test_spans_are_told_in_their_largest_unit(duration: float, text: str) -> None:
    assert render.span(duration) == text


NOW = 1_700_000_000.0
STARTED = "2023-11-14T22:10:20.000000Z"     # 180 seconds before NOW


@pytest.mark.parametrize(("state", "text"), [
    ({"Status": "running", "Running": True, "StartedAt": STARTED}, "Up 3 minutes"),
    ({"Status": "paused", "Running": True, "Paused": True, "StartedAt": STARTED}, "Up 3 minutes (Paused)"),
    ({"Status": "running", "Running": True, "StartedAt": STARTED, "Health": {"Status": "healthy"}}, "Up 3 minutes (healthy)"),
    ({"Status": "exited", "ExitCode": 137, "FinishedAt": STARTED}, "Exited (137) 3 minutes ago"),
    ({"Status": "created", "FinishedAt": "0001-01-01T00:00:00Z"}, "Created"),
    ({"Status": "dead"}, "Dead"),
])
def test_states_read_as_docker_says_them(state: dict, text: str) -> None:
    assert render.status(state, NOW) == text


@pytest.mark.parametrize(("words", "whole", "text"), [
    ((), False, "-"), (("",), False, '""'), (("sh", "-c", "x" * 20), False, '"sh -c xxxxxxxxxxxxx\u2026"'), (("a" * 30,), True, '"%s"' % ("a" * 30)),
])
def test_commands_are_quoted_where_there_is_one(words: t.Sequence[str], whole: bool, text: str) -> None:
    assert render.command(words, whole=whole) == text


def test_ports_are_told_with_their_host_side() -> None:
    bindings = {"8080/tcp": [{"HostIp": "0.0.0.0", "HostPort": "18080"}, {"HostIp": "::1", "HostPort": "80"}], "9000/udp": None}
    assert render.ports(bindings) == "0.0.0.0:18080->8080/tcp, [::1]:80->8080/tcp, 9000/udp"


def test_a_template_has_columns_by_name() -> None:
    titles, rows = ("CONTAINER ID", "CPU %"), [("1", "2%"), ("3", "4\x1b")]
    assert render.templated("{cpu}\\t<{container_id}>", titles, rows) == ["2%\t<1>", "4\ufffd\t<3>"]
    with pytest.raises(KeyError, match="nix"):
        render.templated("{nix}", titles, rows)


@pytest.mark.parametrize(("template", "lines"), [
    ("{{.Names}}: {{ .ID }}", ["web: 1", "d\ufffdb: 2"]), ("{{.ContainerID}}{names}", ["1web", "2d\ufffdb"]),
    ("table {{.Names}}\\t#{{.ID}}", ["NAMES   #CONTAINER ID", "web     #1", "d\ufffdb     #2"]),
])
def test_a_template_may_be_docker_s(template: str, lines: list) -> None:
    assert render.templated(template, ("CONTAINER ID", "NAMES"), [("1", "web"), ("2", "d\x1bb")]) == lines
