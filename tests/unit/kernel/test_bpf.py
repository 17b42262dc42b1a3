# SPDX-License-Identifier: GPL-3.0-or-later
"""The device program decides as a plain reading of the rules does: a small evaluator runs it."""
from __future__ import annotations

import itertools
import struct
import typing as t

import pytest
from hypothesis import given, settings, strategies as st

from ansible_collections.cocker.engine.plugins.module_utils.kernel import bpf
from ansible_collections.cocker.engine.plugins.module_utils.kernel.bpf import DeviceRule

KINDS = {"b": 1, "c": 2}


class Access(t.NamedTuple):
    kind: str
    major: int
    minor: int
    bits: int


def run(program: bytes, access: Access) -> bool:
    """The instructions that `build` uses, with the kernel's 64-bit registers."""
    context = struct.pack("=III", access.bits << 16 | KINDS[access.kind], access.major, access.minor)
    registers = {1: 0}
    place = 0
    while True:
        code, both, offset, number = struct.unpack_from("=BBhi", program, place * 8)
        destination, source = both & 15, both >> 4
        place += 1
        if code == 0x61:
            assert source == 1
            registers[destination] = struct.unpack_from("=I", context, offset)[0]
        elif code == 0xBF:
            registers[destination] = registers[source]
        elif code == 0xB7:
            registers[destination] = number
        elif code == 0x57:
            registers[destination] &= number & (2**64 - 1)
        elif code == 0x77:
            registers[destination] >>= number
        elif code == 0x15:
            place += offset if registers[destination] == number else 0
        elif code == 0x55:
            place += offset if registers[destination] != number else 0
        elif code == 0x95:
            return bool(registers[0])
        else:
            raise AssertionError("opcode %#x" % code)


def allowed(rules: t.Sequence[DeviceRule], access: Access) -> bool:
    """For every bit that is asked for: the last rule that names the device and the bit decides; none means no."""

    def names(rule: DeviceRule) -> bool:
        return rule.kind in ("a", access.kind) and rule.major in (None, access.major) and rule.minor in (None, access.minor)

    for bit in (1, 2, 4):
        if access.bits & bit:
            verdicts = [rule.allow for rule in rules if names(rule) and rule.bits & bit]
            if not verdicts or not verdicts[-1]:
                return False
    return True


EVERY_ACCESS = [Access(*each) for each in itertools.product("bc", (0, 1, 10, 300), (0, 3, 1048575), range(1, 8))]
NULL = DeviceRule(allow=True, kind="c", major=1, minor=3)
DENY_ALL = DeviceRule(allow=False)

TABLE = {
    "no rules": [],
    "deny all": [DENY_ALL],
    "allow all": [DeviceRule(allow=True)],
    "one device": [DENY_ALL, NULL],
    "all but one": [DeviceRule(allow=True), DeviceRule(allow=False, kind="c", major=1, minor=3)],
    "mknod of everything, nothing else": [DENY_ALL, DeviceRule(True, "c", access="m"), DeviceRule(True, "b", access="m")],
    "read here, write by another rule": [DeviceRule(True, "c", 1, 3, "r"), DeviceRule(True, "c", 1, None, "w")],
    "write taken away again": [DeviceRule(True, "b", 10), DeviceRule(False, "b", 10, 3, "w")],
    "any minor": [DeviceRule(True, "c", 300)],
    "any major": [DeviceRule(True, "b", None, 0)],
    "a rule without access says nothing": [NULL, DeviceRule(False, access="")],
}


@pytest.mark.parametrize("rules", TABLE.values(), ids=TABLE.keys())
def test_program_decides_as_the_rules_read(rules: t.List[DeviceRule]) -> None:
    program = bpf.build(rules)
    assert [run(program, access) for access in EVERY_ACCESS] == [allowed(rules, access) for access in EVERY_ACCESS]


numbers = st.one_of(st.none(), st.sampled_from([0, 1, 3, 10, 300, 1048575]))
a_rule = st.builds(
    DeviceRule, allow=st.booleans(), kind=st.sampled_from("abc"), major=numbers, minor=numbers,
    access=st.sampled_from(["", "r", "w", "m", "rw", "rm", "wm", "rwm"]),
)


@settings(max_examples=150, deadline=None, database=None)
@given(st.lists(a_rule, max_size=8))
def test_any_list_of_rules_is_held(rules: t.List[DeviceRule]) -> None:
    program = bpf.build(rules)
    for access in EVERY_ACCESS[::3]:
        assert run(program, access) == allowed(rules, access)


@settings(max_examples=100, deadline=None, database=None)
@given(st.lists(a_rule, max_size=8))
def test_every_instruction_is_reachable_and_every_path_ends(rules: t.List[DeviceRule]) -> None:
    """Else the kernel's verifier refuses the program."""
    program = bpf.build(rules)
    seen: t.Set[int] = set()
    queue = [0]
    while queue:
        place = queue.pop()
        if place not in seen:
            seen.add(place)
            code, _both, offset, _number = struct.unpack_from("=BBhi", program, place * 8)
            queue += [] if code == 0x95 else [place + 1, place + 1 + offset] if code in (0x15, 0x55) else [place + 1]
    assert seen == set(range(len(program) // 8))
