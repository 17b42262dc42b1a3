# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes, CPU counts, CPU lists and signals, as people write them."""
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model import units
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

MIB, GIB = 1 << 20, 1 << 30


@pytest.mark.parametrize(("text", "size"), [
    ("0", 0), ("1", 1), (1, 1), ("512B", 512), ("512M", 512 * MIB), ("512m", 512 * MIB), ("512MB", 512 * MIB), ("512MiB", 512 * MIB),
    ("512Mi", 512 * MIB), (" 512 M ", 512 * MIB), ("1g", GIB), ("1.5G", GIB + GIB // 2), (".5G", GIB // 2), ("2k", 2048),
    ("1T", 1 << 40), ("1P", 1 << 50), ("536870912", 512 * MIB), ("unlimited", -1), ("Unlimited", -1), ("-1", -1), (-1, -1),
])
def test_sizes(text: t.Union[str, int], size: int) -> None:
    assert units.parse_size(text, "memory") == size


@pytest.mark.parametrize("text", [
    "", " ", "M", "1X", "1MM", "1BM", "1KB M", "1im", "1bb", "1i", "-2", "-1M", "+1", "1e3", "0x10", "1_000", "1,5G", "1.5.G", "1.", ".",
    "nan", "inf",
    "half", "50%", "\u0665", "1\u00b2", "None", "True", "9223372036854775808", "9000P", "1" * 5000,
])
def test_what_is_no_size_is_refused_and_the_option_is_named(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        units.parse_size(text, "memory_swap")
    assert caught.value.subject == "memory_swap"


@pytest.mark.parametrize(("value", "nano"), [
    (0.5, 500000000), ("0.5", 500000000), (2, 2000000000), ("2", 2000000000), (1.25, 1250000000), (".5", 500000000), (0, 0),
    ("0.0000000019", 1), (0.1, 100000000), (1.1, 1100000000),
])
def test_cpus(value: t.Union[str, float, int], nano: int) -> None:
    assert units.parse_cpus(value, "cpus") == nano


@pytest.mark.parametrize("value", ["", "-1", -0.5, "half", "1/2", "50%", float("nan"), float("inf"), 1e-05, "1e2", True])
def test_what_is_no_number_of_cpus_is_refused(value: t.Any) -> None:
    with pytest.raises(Invalid, match="option cpus"):
        units.parse_cpus(value, "cpus")


@pytest.mark.parametrize(("text", "normal"), [
    ("0", "0"), ("0,1", "0-1"), ("1,0", "0-1"), ("0-2,5", "0-2,5"), ("5,0-2", "0-2,5"), ("0-1,1-3", "0-3"), (" 0 - 1 ", "0-1"),
    ("3,3", "3"), ("1-1", "1"),
])
def test_one_set_of_cpus_has_one_text(text: str, normal: str) -> None:
    assert units.parse_cpuset(text, "cpuset_cpus") == normal


@pytest.mark.parametrize("text", ["", ",", "0,", "a", "0-", "-1", "3-1", "0-2-4", "0;1", "8192", "0-99999999999999999999999", "1" * 5000])
def test_what_is_no_set_of_cpus_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="option cpuset_cpus"):
        units.parse_cpuset(text, "cpuset_cpus")


@pytest.mark.parametrize(("text", "number"), [
    ("TERM", 15), ("SIGTERM", 15), ("sigterm", 15), ("term", 15), ("15", 15), (15, 15), ("KILL", 9), ("USR1", 10), ("SIGQUIT", 3),
    ("WINCH", 28),
    ("SIGPOLL", 29), ("IOT", 6), ("RTMIN", 34), ("SIGRTMIN+3", 37), ("RTMAX", 64), ("rtmax-1", 63), ("RTMIN+30", 64), ("64", 64),
])
def test_signals(text: t.Union[str, int], number: int) -> None:
    assert units.parse_signal(text, "stop_signal") == number


@pytest.mark.parametrize("text", [
    "", "SIG", "TERMINATE", "0", "65", "-1", "RTMIN-3", "RTMIN3", "RTMIN+31", "RTMAX+1", "RTMAX-31", "RTMIN+", "1.5", "\u0665",
])
def test_what_is_no_signal_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="option stop_signal"):
        units.parse_signal(text, "stop_signal")


@pytest.mark.parametrize("number", range(1, 65))
def test_the_name_of_a_signal_leads_back_to_it(number: int) -> None:
    assert units.parse_signal(units.signal_name(number), "stop_signal") == number


def test_a_signal_with_two_names_is_shown_by_its_usual_one() -> None:
    assert [units.signal_name(number) for number in (6, 17, 29)] == ["SIGABRT", "SIGCHLD", "SIGIO"]
