# SPDX-License-Identifier: GPL-3.0-or-later
"""Capabilities as the kernel reports them after an exec, each case in a child process."""
from __future__ import annotations

import os
import subprocess
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import caps
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError
from ansible_collections.cocker.engine.tests.root import kernel_sandbox as sandbox

pytestmark = pytest.mark.root

FEW = ["CAP_CHOWN", "CAP_KILL", "CAP_AUDIT_READ"]
FEW_MASK = 1 << 0 | 1 << 5 | 1 << 37


def after_exec() -> t.Dict[str, int]:
    text = subprocess.run(["cat", "/proc/self/status"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return {line[3:6]: int(line.split()[1], 16) for line in text.splitlines() if line.startswith("Cap")}


def test_container_gets_what_is_listed_and_nothing_else() -> None:
    def action() -> t.Dict[str, int]:
        caps.apply(bounding=FEW, effective=FEW, permitted=FEW)
        return after_exec()

    assert sandbox.run(action, flags=0) == {"Inh": 0, "Prm": FEW_MASK, "Eff": FEW_MASK, "Bnd": FEW_MASK, "Amb": 0}


def test_none_at_all() -> None:
    def action() -> t.Dict[str, int]:
        caps.apply(bounding=[], effective=[], permitted=[])
        return after_exec()

    assert sandbox.run(action, flags=0) == {"Inh": 0, "Prm": 0, "Eff": 0, "Bnd": 0, "Amb": 0}


def test_ambient_ones_reach_another_user() -> None:
    def action() -> t.Dict[str, int]:
        caps.limit_bounding(FEW)
        caps.keep_across_setuid(keep=True)
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        caps.apply(bounding=FEW, effective=FEW, permitted=FEW, inheritable=["KILL"], ambient=["KILL"])
        return after_exec()

    assert sandbox.run(action, flags=0) == {"Inh": 1 << 5, "Prm": 1 << 5, "Eff": 1 << 5, "Bnd": FEW_MASK, "Amb": 1 << 5}


def test_other_user_has_none_after_an_exec() -> None:
    def action() -> t.List[int]:
        caps.limit_bounding(FEW)
        caps.keep_across_setuid(keep=True)
        os.setuid(65534)
        caps.apply(bounding=FEW, effective=FEW, permitted=FEW)
        found = after_exec()
        return [found["Eff"], found["Prm"]]

    assert sandbox.run(action, flags=0) == [0, 0]


def test_ambient_that_is_not_inheritable_is_refused() -> None:
    def action() -> bool:
        with pytest.raises(KernelError):
            caps.apply(bounding=FEW, effective=FEW, permitted=FEW, ambient=["KILL"])
        return True

    assert sandbox.run(action, flags=0)


def test_ambient_ones_of_before_are_cleared() -> None:
    def action() -> int:
        every = sorted(caps.current()["permitted"])
        caps.apply(bounding=every, effective=every, permitted=every, inheritable=["KILL"], ambient=["KILL"])
        caps.apply(bounding=every, effective=every, permitted=every, inheritable=["KILL"])
        return after_exec()["Amb"]

    assert sandbox.run(action, flags=0) == 0


def test_what_this_kernel_does_not_know_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def action() -> t.Dict[str, int]:
        caps.apply(bounding=["KILL", "FUTURE"], effective=["KILL", "FUTURE"], permitted=["KILL", "FUTURE"])
        return after_exec()

    monkeypatch.setitem(caps.NAMES, "CAP_FUTURE", 62)
    assert sandbox.run(action, flags=0)["Eff"] == 1 << 5
