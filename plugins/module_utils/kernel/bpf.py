# SPDX-License-Identifier: BSD-2-Clause
"""Device control on cgroup v2: a BPF_PROG_TYPE_CGROUP_DEVICE program from a list of rules, and bpf(2) to attach it.

`build` is pure. Not here: the v1 devices controller (runtime/cgroups/devices.py) and the rules' defaults.
"""
from __future__ import annotations

import ctypes
import errno
import os
import struct
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import libc
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError, Unsupported

# linux/bpf.h
PROG_LOAD, PROG_ATTACH, PROG_DETACH, PROG_GET_FD_BY_ID, PROG_QUERY = 5, 8, 9, 13, 16
PROG_TYPE_CGROUP_DEVICE = 15
ATTACH_CGROUP_DEVICE = 6
F_ALLOW_MULTI, F_REPLACE = 2, 4  # F_REPLACE: Linux 5.6
TYPES = {"b": 1, "c": 2}
ACCESS = {"m": 1, "r": 2, "w": 4}
ALL_ACCESS = 7
QUERY_ROOM = 64

LOAD_WORD, MOVE, AND, SHIFT_RIGHT, LOAD_NUMBER = 0x61, 0xBF, 0x57, 0x77, 0xB7
JUMP_EQUAL, JUMP_NOT_EQUAL, EXIT = 0x15, 0x55, 0x95
RESULT, CONTEXT, TYPE, WANTED, MAJOR, MINOR = 0, 1, 2, 3, 4, 5


class DeviceRule(t.NamedTuple):
    """kind is "a" (both), "b" or "c"; major and minor may be None (any); access is of the letters r, w and m."""

    allow: bool
    kind: str = "a"
    major: t.Optional[int] = None
    minor: t.Optional[int] = None
    access: str = "rwm"

    @property
    def bits(self) -> int:
        return sum(ACCESS[letter] for letter in set(self.access))


class Instruction(t.NamedTuple):
    """struct bpf_insn; destination and source are four bits each."""

    code: int
    destination: int = 0
    source: int = 0
    offset: int = 0
    number: int = 0

    def pack(self) -> bytes:
        return struct.pack("=BBhi", self.code, _registers(self.destination, self.source), self.offset, self.number)


def _registers(destination: int, source: int) -> int:
    low, high = (destination, source) if struct.pack("=H", 1) == b"\1\0" else (source, destination)
    return low | high << 4


def build(rules: t.Sequence[DeviceRule]) -> bytes:
    """Later rules win, for each access bit; what no rule names is denied. The program of struct bpf_insn as bytes."""
    program = [
        Instruction(LOAD_WORD, TYPE, CONTEXT, 0),  # bpf_cgroup_dev_ctx.access_type: access << 16 | type
        Instruction(LOAD_WORD, MAJOR, CONTEXT, 4),
        Instruction(LOAD_WORD, MINOR, CONTEXT, 8),
        Instruction(MOVE, WANTED, TYPE),
        Instruction(SHIFT_RIGHT, WANTED, number=16),
        Instruction(AND, TYPE, number=0xFFFF),
    ]
    for rule in reversed(rules):
        if rule.bits:
            program += _rule(rule)
        if rule.bits == ALL_ACCESS and (rule.kind, rule.major, rule.minor) == ("a", None, None):
            break  # the verifier refuses instructions that nothing reaches
    else:
        program += _answer(0)
    return b"".join(instruction.pack() for instruction in program)


def _rule(rule: DeviceRule) -> t.List[Instruction]:
    """The accesses that are still undecided are in WANTED; a rule decides its own ones or falls through."""
    if rule.bits == ALL_ACCESS:
        body = _answer(int(rule.allow))
    elif rule.allow:
        body = [Instruction(AND, WANTED, number=~rule.bits), Instruction(JUMP_NOT_EQUAL, WANTED, offset=2), *_answer(1)]
    else:
        body = [
            Instruction(MOVE, RESULT, WANTED), Instruction(AND, RESULT, number=rule.bits),
            Instruction(JUMP_EQUAL, RESULT, offset=2), *_answer(0),
        ]
    tests = []
    for register, wanted in ((TYPE, TYPES.get(rule.kind)), (MAJOR, rule.major), (MINOR, rule.minor)):
        if wanted is not None:
            tests.append((register, wanted))
    checks = [
        Instruction(JUMP_NOT_EQUAL, register, offset=len(body) + len(tests) - place - 1, number=wanted)
        for place, (register, wanted) in enumerate(tests)
    ]
    return checks + body


def _answer(value: int) -> t.List[Instruction]:
    return [Instruction(LOAD_NUMBER, RESULT, number=value), Instruction(EXIT)]


def attach(cgroup: int, program: bytes) -> None:
    """The program decides for the cgroup open as `cgroup`; one that was attached to it before is replaced, never removed first."""
    old = _attached(cgroup)
    new = _load(program)
    try:
        if len(old) != 1 or not _replace(cgroup, new, old[0]):
            _bpf(PROG_ATTACH, struct.pack("=IIII", cgroup, new, ATTACH_CGROUP_DEVICE, F_ALLOW_MULTI), op="attach bpf")
            for number in old:
                _detach(cgroup, number)
    finally:
        os.close(new)


def attached(cgroup: int) -> int:
    """How many device programs are attached to the cgroup itself."""
    return len(_attached(cgroup))


def _load(program: bytes) -> int:
    code, licence = ctypes.create_string_buffer(program, len(program)), ctypes.create_string_buffer(b"Dual BSD/GPL")
    request = struct.pack(
        "=IIQQIIQII", PROG_TYPE_CGROUP_DEVICE, len(program) // 8, ctypes.addressof(code), ctypes.addressof(licence), 0, 0, 0, 0, 0
    )
    try:
        return _bpf(PROG_LOAD, request, op="load bpf")
    except KernelError as error:
        if error.errno != errno.EPERM:
            raise
    # Before Linux 5.11 programs count as locked memory, and 64 KiB are the usual limit.
    import resource  # on hosts with cgroup v2
    before = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (OSError, ValueError):  # no CAP_SYS_RESOURCE
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (before[1], before[1]))
    try:
        return _bpf(PROG_LOAD, request, op="load bpf")
    finally:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, before)


def _attached(cgroup: int) -> t.List[int]:
    numbers = (ctypes.c_uint32 * QUERY_ROOM)()
    text = struct.pack("=IIIIQII", cgroup, ATTACH_CGROUP_DEVICE, 0, 0, ctypes.addressof(numbers), QUERY_ROOM, 0)
    request = ctypes.create_string_buffer(text, len(text))
    try:
        _call(PROG_QUERY, request, op="query bpf")
    except KernelError as error:
        if error.errno == errno.EINVAL:  # before Linux 4.15
            raise Unsupported("device control", "", "this kernel has no device programs for cgroup v2") from error
        raise
    count = struct.unpack_from("=I", request.raw, 24)[0]
    return list(numbers[:count])


def _replace(cgroup: int, new: int, old: int) -> bool:
    with _Program(old) as descriptor:
        request = struct.pack("=IIIII", cgroup, new, ATTACH_CGROUP_DEVICE, F_ALLOW_MULTI | F_REPLACE, descriptor)
        try:
            _bpf(PROG_ATTACH, request, op="replace bpf")
        except KernelError as error:
            if error.errno == errno.EINVAL:
                return False
            raise
    return True


def _detach(cgroup: int, number: int) -> None:
    with _Program(number) as descriptor:
        _bpf(PROG_DETACH, struct.pack("=III", cgroup, descriptor, ATTACH_CGROUP_DEVICE), op="detach bpf")


class _Program:
    """The descriptor of a loaded program, by its number."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __enter__(self) -> int:
        self.descriptor = _bpf(PROG_GET_FD_BY_ID, struct.pack("=III", self.number, 0, 0), op="open bpf")
        return self.descriptor

    def __exit__(self, *_exception: object) -> None:
        os.close(self.descriptor)


def _bpf(command: int, request: bytes, *, op: str) -> int:
    return _call(command, ctypes.create_string_buffer(request, len(request)), op=op)


def _call(command: int, request: "ctypes.Array[ctypes.c_char]", *, op: str) -> int:
    number = libc.NR.get("bpf")
    if number is None:
        raise Unsupported("device control", "", "bpf(2) has no known number on %s" % os.uname().machine)
    try:
        return libc.syscall(number, command, ctypes.byref(request), len(request), op=op)
    except KernelError as error:
        if error.errno == errno.ENOSYS:
            raise Unsupported("device control", "", "this kernel has no bpf(2)") from error
        raise
