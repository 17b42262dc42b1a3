# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters as libseccomp makes them, run by a small evaluator of classic BPF; nothing is loaded into the kernel."""
from __future__ import annotations

import os
import pathlib
import struct
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import seccomp
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.runtime.seccomp_profile import default_profile

try:
    seccomp.library()
except Unsupported:
    pytest.skip("libseccomp is not installed", allow_module_level=True)

X86_64, I386 = 0xC000003E, 0x40000003
ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0, 0x50001, 0x50026
ARCHITECTURES = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
# Of x86-64.
READ, SOCKET, CLONE, MOUNT, PERSONALITY, UNSHARE, CLONE3 = 0, 41, 56, 165, 135, 272, 435


def run(code: bytes, number: int, *arguments: int, architecture: int = X86_64) -> int:
    """The answer for one call: struct seccomp_data goes in, an action comes out."""
    filled = (arguments + (0,) * 6)[:6]
    data = struct.pack("<IIQ6Q", number, architecture, 0, *filled)
    accumulator, place = 0, 0
    while True:
        operation, if_true, if_false, value = struct.unpack_from("=HBBI", code, place * 8)
        place += 1
        if operation == 0x20:
            accumulator = struct.unpack_from("<I", data, value)[0]
        elif operation == 0x54:
            accumulator &= value
        elif operation == 0x05:
            place += value
        elif operation == 0x06:
            return value
        else:
            test = {0x15: accumulator == value, 0x25: accumulator > value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}
            place += if_true if test[operation] else if_false


def profile(*rules: t.Mapping[str, t.Any], default: str = "SCMP_ACT_ERRNO") -> t.Dict[str, t.Any]:
    return {"defaultAction": default, "architectures": ARCHITECTURES, "syscalls": list(rules)}


def allow(name: str, *arguments: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": list(arguments)}


def test_a_listed_call_passes_and_others_do_not() -> None:
    code = seccomp.compile(profile(allow("read")))
    assert run(code, READ) == ALLOW and run(code, MOUNT) == EPERM


def test_each_architecture_has_its_own_numbers() -> None:
    code = seccomp.compile(profile(allow("read")))
    assert run(code, 3, architecture=I386) == ALLOW and run(code, READ, architecture=I386) == EPERM


def test_a_foreign_architecture_is_killed() -> None:
    assert run(seccomp.compile(profile(allow("read"))), READ, architecture=0xC00000B7) == KILL


def test_x32_is_not_a_way_around() -> None:
    code = seccomp.compile(profile(allow("read")))
    assert run(code, 0x40000000 | MOUNT) == EPERM


def test_calls_newer_than_the_library_seem_to_be_missing() -> None:
    code = seccomp.compile(profile(allow("read")))
    assert run(code, 1000) == ENOSYS and run(code, 1000, architecture=I386) == ENOSYS


def test_an_open_profile_lets_newer_calls_pass() -> None:
    code = seccomp.compile(profile({"names": ["mount"], "action": "SCMP_ACT_ERRNO"}, default="SCMP_ACT_ALLOW"))
    assert run(code, 1000) == ALLOW and run(code, MOUNT) == EPERM


@pytest.mark.parametrize(
    ("action", "number", "answer"),
    [
        ("SCMP_ACT_ERRNO", 38, 0x50026), ("SCMP_ACT_ERRNO", None, 0x50001), ("SCMP_ACT_KILL", None, 0), ("SCMP_ACT_KILL_THREAD", None, 0),
        ("SCMP_ACT_KILL_PROCESS", None, 0x80000000), ("SCMP_ACT_TRAP", None, 0x30000), ("SCMP_ACT_TRACE", 7, 0x7FF00007),
        ("SCMP_ACT_LOG", None, 0x7FFC0000),
    ],
)
def test_actions(action: str, number: t.Optional[int], answer: int) -> None:
    rule = {"names": ["mount"], "action": action, "errnoRet": number}
    assert run(seccomp.compile(profile(rule, default="SCMP_ACT_ALLOW")), MOUNT) == answer


@pytest.mark.parametrize(
    ("op", "value", "value_two", "passes"),
    [
        ("NE", 5, 0, [4, 6]), ("LT", 5, 0, [4]), ("LE", 5, 0, [4, 5]), ("EQ", 5, 0, [5]), ("GE", 5, 0, [5, 6]), ("GT", 5, 0, [6]),
        ("MASKED_EQ", 4, 4, [4, 5, 6]), ("MASKED_EQ", 1, 0, [4, 6]),
    ],
)
def test_comparisons(op: str, value: int, value_two: int, passes: t.List[int]) -> None:
    argument = {"index": 1, "value": value, "valueTwo": value_two, "op": "SCMP_CMP_" + op}
    code = seccomp.compile(profile(allow("read", argument)))
    assert [each for each in (4, 5, 6) if run(code, READ, 0, each) == ALLOW] == passes


def test_comparisons_of_different_arguments_hold_together() -> None:
    both = [{"index": index, "value": 1, "op": "SCMP_CMP_EQ"} for index in (0, 1)]
    code = seccomp.compile(profile(allow("read", *both)))
    assert run(code, READ, 1, 1) == ALLOW and run(code, READ, 1, 0) == EPERM


def test_comparisons_of_one_argument_are_alternatives() -> None:
    either = [{"index": 0, "value": value, "op": "SCMP_CMP_EQ"} for value in (1, 2)]
    code = seccomp.compile(profile(allow("read", *either)))
    assert [run(code, READ, each) == ALLOW for each in (1, 2, 3)] == [True, True, False]


def test_a_name_that_the_library_does_not_know_is_left_out_when_allowing() -> None:
    code = seccomp.compile(profile(allow("not_yet_invented"), allow("read")))
    assert run(code, READ) == ALLOW


def test_but_not_when_forbidding() -> None:
    with pytest.raises(Unsupported, match="not_yet_invented"):
        seccomp.compile(profile({"names": ["not_yet_invented"], "action": "SCMP_ACT_ERRNO"}, default="SCMP_ACT_ALLOW"))


def test_notify_is_refused() -> None:
    with pytest.raises(Unsupported, match="NOTIFY"):
        seccomp.compile(profile({"names": ["mount"], "action": "SCMP_ACT_NOTIFY"}))


@pytest.mark.parametrize(
    "bad",
    [
        {"defaultAction": "ALLOW"}, {}, profile({"names": ["read"], "action": "no"}),
        profile(allow("read", {"index": 0, "value": 1, "op": "="})), profile(allow("read", {"index": 6, "value": 1, "op": "SCMP_CMP_EQ"})),
    ],
)
def test_bad_profiles_are_refused(bad: t.Mapping[str, t.Any]) -> None:
    with pytest.raises(Invalid):
        seccomp.compile(bad)


def test_unknown_architectures_are_refused() -> None:
    with pytest.raises(Unsupported, match="SCMP_ARCH_PDP11"):
        seccomp.compile({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_PDP11"]})


def test_architectures_of_another_byte_order_are_refused() -> None:
    with pytest.raises(Unsupported, match="libseccomp"):
        seccomp.compile({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_S390X"]})


def test_flags_are_read_by_name() -> None:
    assert seccomp.flags({"flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]}) == 6
    with pytest.raises(Invalid, match="seccomp.flags"):
        seccomp.flags({"flags": ["SECCOMP_FILTER_FLAG_FUTURE"]})


# the default profile


def test_the_default_profile_decides_as_it_reads() -> None:
    code = seccomp.compile(default_profile([], machine="x86_64"))
    assert [run(code, number) for number in (READ, MOUNT, UNSHARE, CLONE3)] == [ALLOW, EPERM, EPERM, ENOSYS]
    assert run(code, CLONE, 0x11) == ALLOW and run(code, CLONE, 0x10000011) == EPERM
    assert run(code, PERSONALITY, 8) == ALLOW and run(code, PERSONALITY, 0x40000) == EPERM
    assert run(code, SOCKET, 2) == ALLOW and run(code, SOCKET, 16) == ALLOW
    assert {run(code, SOCKET, family) for family in (38, 40, 1 << 32 | 38, 1 << 63 | 40)} == {EPERM}


def test_the_default_profile_opens_with_sys_admin() -> None:
    code = seccomp.compile(default_profile(["CAP_SYS_ADMIN"], machine="x86_64"))
    assert {run(code, number, 0x10000011) for number in (MOUNT, UNSHARE, CLONE, CLONE3)} == {ALLOW}


@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "armv7l", "i686", "ppc64le", "riscv64"])
def test_the_default_profile_can_be_made_for(machine: str) -> None:
    value = dict(default_profile([], machine=machine))
    assert len(seccomp.compile(value)) > 1000


# the cache


def test_the_second_time_comes_from_the_cache(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = seccomp.cached(profile(allow("read")), str(tmp_path))
    monkeypatch.setattr(seccomp, "compile", None)
    assert seccomp.cached(profile(allow("read")), str(tmp_path)) == code
    assert len(os.listdir(str(tmp_path))) == 1


def test_another_profile_is_another_entry(tmp_path: pathlib.Path) -> None:
    assert seccomp.cached(profile(allow("read")), str(tmp_path)) != seccomp.cached(profile(allow("write")), str(tmp_path))
    assert len(os.listdir(str(tmp_path))) == 2


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 400])
def test_a_damaged_entry_is_made_again(tmp_path: pathlib.Path, damage: bytes) -> None:
    code = seccomp.cached(profile(allow("read")), str(tmp_path))
    (entry,) = tmp_path.iterdir()
    entry.write_bytes(damage)
    assert seccomp.cached(profile(allow("read")), str(tmp_path)) == code
    assert entry.read_bytes()[32:] == code


@pytest.mark.parametrize("code", [b"", b"x" * 7, b"x" * 8 * 0x10000])
def test_what_is_not_a_filter_is_not_prepared(code: bytes) -> None:
    with pytest.raises(Invalid, match="not a filter"):
        seccomp.prepare(code)
