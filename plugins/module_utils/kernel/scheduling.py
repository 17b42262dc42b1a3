# SPDX-License-Identifier: BSD-2-Clause
"""How the kernel treats the calling thread: policy and CPUs, I/O class, nodes of memory, and which system it plays for it."""
from __future__ import annotations

import ctypes
import os
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import call, libc, syscall
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError, Unsupported

_WHO_PROCESS = 1        # ioprio_set(2)
_WORD = (1 << 64) - 1
# (sched_setattr, ioprio_set, set_mempolicy): generic numbers, and those of the architectures that have their own.
_GENERIC = (274, 30, 237)
_I386 = (351, 289, 276)
_NUMBERS = {
    "x86_64": (314, 251, 238), "ppc64le": (355, 273, 261), "s390x": (345, 282, 270), "i386": _I386, "i686": _I386,
    "armv7l": (380, 314, 321),
}


class _Attributes(ctypes.Structure):
    """struct sched_attr of sched_setattr(2), as of Linux 3.14."""

    _fields_ = [
        ("size", ctypes.c_uint32), ("policy", ctypes.c_uint32), ("flags", ctypes.c_uint64), ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32), ("runtime", ctypes.c_uint64), ("deadline", ctypes.c_uint64), ("period", ctypes.c_uint64),
    ]


def _number(place: int) -> int:
    return _NUMBERS.get(os.uname().machine, _GENERIC)[place]


def set_policy(policy: int, nice: int, priority: int, flags: int, runtime: int, deadline: int, period: int) -> None:
    """sched_setattr(2); times in nanoseconds."""
    value = _Attributes(ctypes.sizeof(_Attributes), policy, flags, nice, priority, runtime, deadline, period)
    syscall(_number(0), 0, ctypes.byref(value), 0, op="set scheduler")


def set_io_priority(value: int) -> None:
    """ioprio_set(2); the class in the bits from 13 on."""
    syscall(_number(1), _WHO_PROCESS, 0, value, op="set I/O priority")


def set_cpus(cpus: t.Iterable[int], *, option: str) -> None:
    """Raises Unsupported where the host has none of them, or the cgroup allows none."""
    try:
        os.sched_setaffinity(0, cpus)
    except OSError as error:
        raise Unsupported("set CPUs", option, os.strerror(error.errno or 0)) from error


def set_memory_policy(mode: int, nodes: t.Iterable[int]) -> None:
    """set_mempolicy(2). Raises Unsupported for a policy or nodes that this host lacks."""
    mask = sum(1 << node for node in set(nodes))
    words = [(mask >> place & _WORD).to_bytes(8, sys.byteorder) for place in range(0, mask.bit_length(), 64)]
    room = ctypes.create_string_buffer(b"".join(words), 8 * len(words))
    try:        # the kernel reads one bit less than it is told
        syscall(_number(2), mode, ctypes.byref(room) if mask else None, 64 * len(words) + 1 if mask else 0, op="set memory policy")
    except KernelError as error:
        raise Unsupported("set memory policy", "linux.memoryPolicy", error.reason) from error


def set_personality(persona: int) -> None:
    """personality(2), which is also what uname(2) says."""
    function = libc.personality
    function.argtypes, function.restype = (ctypes.c_ulong,), ctypes.c_int
    if call(function, persona, op="set personality") < 0:
        raise Unsupported("set personality", hex(persona), "the kernel refuses it")
