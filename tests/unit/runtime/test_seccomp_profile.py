# SPDX-License-Identifier: GPL-3.0-or-later
"""The default profile as a value: what is in it, what comes with a capability, what differs by machine."""
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.runtime import seccomp_profile
from ansible_collections.cocker.engine.plugins.module_utils.runtime.seccomp_profile import default_profile


def allowed(*capabilities: str, machine: str = "x86_64", kernel: t.Tuple[int, int] = (6, 1)) -> t.Set[str]:
    """The calls that are allowed whatever their arguments."""
    rules = default_profile(capabilities, machine=machine, kernel=kernel)["syscalls"]
    return {name for rule in rules if rule["action"] == "SCMP_ACT_ALLOW" and not rule.get("args") for name in rule["names"]}


def conditions(call: str, *capabilities: str, machine: str = "x86_64") -> t.List[t.Dict[str, int]]:
    rules = default_profile(capabilities, machine=machine, kernel=(6, 1))["syscalls"]
    return [argument for rule in rules if call in rule["names"] for argument in rule.get("args", [])]


def test_what_is_not_listed_is_refused_with_eperm() -> None:
    profile = default_profile([])
    assert (profile["defaultAction"], profile["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 1)


@pytest.mark.parametrize("call", ["read", "openat", "execve", "fork", "futex", "epoll_wait", "mmap", "statx", "rt_sigreturn", "ptrace"])
def test_ordinary_calls_are_allowed(call: str) -> None:
    assert call in allowed()


@pytest.mark.parametrize(
    "call",
    [
        "add_key", "bpf", "clone", "clone3", "init_module", "io_uring_setup", "kexec_load",
        "keyctl", "mount", "move_pages", "open_by_handle_at", "perf_event_open", "pivot_root", "reboot",
        "setns", "settimeofday", "socket", "swapon", "umount2", "unshare", "userfaultfd",
    ],
)
def test_dangerous_calls_are_not(call: str) -> None:
    assert call not in allowed()


@pytest.mark.parametrize("capability", sorted(seccomp_profile.WITH_CAPABILITY))
def test_a_capability_brings_its_calls(capability: str) -> None:
    assert allowed(capability) - allowed() == set(seccomp_profile.WITH_CAPABILITY[capability].split()) - allowed()
    assert allowed(capability) >= set(seccomp_profile.WITH_CAPABILITY[capability].split())


def test_capabilities_without_calls_change_nothing() -> None:
    assert allowed("CAP_CHOWN", "CAP_KILL") == allowed()


def test_clone_makes_no_namespaces_without_sys_admin() -> None:
    assert conditions("clone") == [{"index": 0, "value": 0x7E020000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]
    assert conditions("clone", "CAP_SYS_ADMIN") == []
    assert conditions("clone", machine="s390x")[0]["index"] == 1


def test_clone3_pretends_to_be_missing_without_sys_admin() -> None:
    def refusals(*capabilities: str) -> t.List[t.Tuple[t.List[str], int]]:
        rules = default_profile(capabilities)["syscalls"]
        return [(rule["names"], rule["errnoRet"]) for rule in rules if rule["action"] == "SCMP_ACT_ERRNO"]

    assert refusals() == [(["clone3"], 38)]
    assert refusals("CAP_SYS_ADMIN") == []


def test_old_kernels_have_no_ptrace_without_its_capability() -> None:
    assert "ptrace" not in allowed(kernel=(4, 7)) and "ptrace" in allowed(kernel=(4, 8))
    assert "ptrace" in allowed("CAP_SYS_PTRACE", kernel=(4, 4))


def test_every_family_but_two_is_allowed() -> None:
    rules = conditions("socket")
    fine = [family for family in range(64) if any(family & rule["value"] == rule["valueTwo"] for rule in rules)]
    assert fine == [family for family in range(48) if family not in (38, 40)]


def test_a_high_bit_does_not_change_the_family() -> None:
    rules = conditions("socket")
    assert not any((1 << 32 | 38) & rule["value"] == rule["valueTwo"] for rule in rules)
    assert any((1 << 32 | 2) & rule["value"] == rule["valueTwo"] for rule in rules)


@pytest.mark.parametrize(
    ("machine", "architecture", "call"),
    [
        ("x86_64", "SCMP_ARCH_X32", "arch_prctl"), ("aarch64", "SCMP_ARCH_ARM", "cacheflush"),
        ("s390x", "SCMP_ARCH_S390", "s390_runtime_instr"),
    ],
)
def test_a_machine_has_its_architectures_and_calls(machine: str, architecture: str, call: str) -> None:
    assert architecture in default_profile([], machine=machine)["architectures"]
    assert call in allowed(machine=machine)
    assert call not in allowed(machine="ppc64le")


def test_an_unknown_machine_gets_the_native_architecture() -> None:
    assert default_profile([], machine="sparc64")["architectures"] == []


def test_same_input_same_profile() -> None:
    assert default_profile(["CAP_SYSLOG", "CAP_BPF"]) == default_profile(["CAP_BPF", "CAP_SYSLOG"])


def test_no_call_is_listed_twice() -> None:
    words = " ".join(seccomp_profile.ALWAYS).split()
    assert len(words) == len(set(words))
