# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import caps, libc, structs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, KernelError


@pytest.mark.parametrize("given", ["NET_ADMIN", "CAP_NET_ADMIN", "cap_net_admin", " net_admin "])
def test_names_may_be_short_and_small(given: str) -> None:
    assert caps.parse(given) == "CAP_NET_ADMIN"


@pytest.mark.parametrize("given", ["", "CAP_", "ALL", "CAP_CAP_KILL", "NET ADMIN", "12"])
def test_what_is_no_capability(given: str) -> None:
    with pytest.raises(Invalid):
        caps.parse(given)


@pytest.mark.parametrize(
    ("name", "number"), [("CAP_CHOWN", 0), ("CAP_SETPCAP", 8), ("CAP_SYS_ADMIN", 21), ("CAP_SETFCAP", 31), ("CAP_CHECKPOINT_RESTORE", 40)]
)
def test_numbers(name: str, number: int) -> None:
    assert caps.NAMES[name] == number


def test_mask_counts_each_name_once() -> None:
    assert caps.mask(["CHOWN", "CAP_CHOWN", "SETFCAP", "AUDIT_READ"]) == 1 | 1 << 31 | 1 << 37


def test_highest_capability_is_what_the_kernel_states() -> None:
    assert caps.last_cap() == int(pathlib.Path("/proc/sys/kernel/cap_last_cap").read_text())


@pytest.mark.parametrize("highest", [0, 1, 37, 40, 62, 63])
def test_highest_capability_is_found_on_any_kernel(monkeypatch: pytest.MonkeyPatch, highest: int) -> None:
    def read(_option: int, number: int, *, op: str) -> int:
        if number > highest:
            raise KernelError(op, "", 22)
        return 1

    monkeypatch.setattr(caps, "prctl", read)
    assert caps.last_cap() == highest


def test_sets_are_read_as_proc_shows_them() -> None:
    lines = pathlib.Path("/proc/thread-self/status").read_text().splitlines()
    shown = {line.split(":")[0]: int(line.split()[1], 16) for line in lines if line.startswith("Cap")}
    now = caps.current()
    assert {name: caps.mask(now[name]) for name in now} == {
        "effective": shown["CapEff"], "permitted": shown["CapPrm"], "inheritable": shown["CapInh"],
    }


def test_words_of_capset_hold_32_capabilities_each(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: t.List[t.Tuple[int, ...]] = []

    def record(_function: object, _header: int, words: int, *, op: str) -> int:
        found = (structs.CapabilityWord * 2).from_address(words)
        seen.extend((word.effective, word.permitted, word.inheritable) for word in found)
        return 0

    monkeypatch.setattr(caps, "call", record)
    caps._capset(1 << 32 | 5, 1 << 40, 0)
    assert seen == [(5, 0, 0), (1, 1 << 8, 0)]


def test_library_calls_are_there() -> None:
    assert libc.libc.capset and libc.libc.capget
