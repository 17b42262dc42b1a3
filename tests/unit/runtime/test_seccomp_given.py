# SPDX-License-Identifier: GPL-3.0-or-later
"""Profiles that somebody wrote, in the two forms there are."""
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Invalid, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.runtime import seccomp_given

ALLOW = "SCMP_ACT_ALLOW"


def read(given: t.Dict[str, t.Any], *capabilities: str, machine: str = "x86_64", kernel: t.Tuple[int, int] = (5, 10)) -> t.Dict[str, t.Any]:
    return seccomp_given.profile({"defaultAction": "SCMP_ACT_ERRNO", **given}, capabilities=capabilities, machine=machine, kernel=kernel)


def names(*rules: t.Dict[str, t.Any], **options: t.Any) -> t.List[str]:
    held = options.pop("held", ())
    return [name for rule in read({"syscalls": list(rules)}, *held, **options)["syscalls"] for name in rule["names"]]


def test_the_form_of_the_runtime_specification_stays_as_it_is() -> None:
    given = {"defaultErrnoRet": 38, "architectures": ["SCMP_ARCH_X86_64"], "flags": ["SECCOMP_FILTER_FLAG_LOG"],
             "syscalls": [{"names": ["read"], "action": ALLOW, "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}], "errnoRet": 1}]}
    assert read(given) == {"defaultAction": "SCMP_ACT_ERRNO", **given}


def test_architectures_of_this_machine_are_taken_from_the_map() -> None:
    found = read({"archMap": [{"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
                              {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]}]})
    assert found["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]


def test_a_single_name_is_a_list_of_one() -> None:
    assert read({"syscalls": [{"name": "read", "action": ALLOW, "comment": "x", "args": None}]})["syscalls"] == [{"action": ALLOW, "names": ["read"]}]


@pytest.mark.parametrize("condition,options,holds", [
    ({"includes": {"caps": ["CAP_BPF"]}}, {}, False),
    ({"includes": {"caps": ["CAP_BPF"]}}, {"held": ["CAP_BPF"]}, True),
    ({"excludes": {"caps": ["CAP_BPF"]}}, {"held": ["CAP_BPF"]}, False),
    ({"excludes": {"caps": ["CAP_BPF"]}}, {}, True),
    ({"includes": {"arches": ["arm64", "amd64"]}}, {}, True),
    ({"includes": {"arches": ["arm64"]}}, {}, False),
    ({"excludes": {"arches": ["s390x"]}}, {"machine": "s390x"}, False),
    ({"includes": {"minKernel": "4.8"}}, {}, True),
    ({"includes": {"minKernel": "5.11"}}, {}, False),
    ({"excludes": {"minKernel": "5.10"}}, {}, False),
    ({"includes": {}, "excludes": None}, {}, True),
])
def test_a_rule_is_in_force_under_its_conditions(condition: t.Dict[str, t.Any], options: t.Dict[str, t.Any], holds: bool) -> None:
    assert names({"names": ["read"], "action": ALLOW, **condition}, **options) == (["read"] if holds else [])


@pytest.mark.parametrize("given,kind", [
    ({"defaultAction": None}, Invalid),
    ({"syscalls": [{"action": ALLOW}]}, Invalid),
    ({"syscalls": ["read"]}, Invalid),
    ({"rules": [1]}, Unsupported),
    ({"syscalls": [{"names": ["read"], "priority": 1}]}, Unsupported),
    ({"syscalls": [{"names": ["read"], "includes": {"minKernel": "new"}}]}, Invalid),
])
def test_what_is_not_understood_is_refused(given: t.Dict[str, t.Any], kind: t.Type[CockerError]) -> None:
    with pytest.raises(kind):
        read(given)
