# SPDX-License-Identifier: BSD-2-Clause
"""How the kernel schedules the calling thread, its disk accesses, and which system it plays for it: policy, I/O class, personality."""
from __future__ import annotations

import ctypes
import os

from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import call, libc, syscall
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Unsupported

_WHO_PROCESS = 1        # ioprio_set(2)
# (sched_setattr, ioprio_set): generic numbers, and those of the architectures that have their own.
_GENERIC = (274, 30)
_NUMBERS = {"x86_64": (314, 251), "ppc64le": (355, 273), "s390x": (345, 282), "i386": (351, 289), "i686": (351, 289), "armv7l": (380, 314)}


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


def set_personality(persona: int) -> None:
    """personality(2), which is also what uname(2) says."""
    function = libc.personality
    function.argtypes, function.restype = (ctypes.c_ulong,), ctypes.c_int
    if call(function, persona, op="set personality") < 0:
        raise Unsupported("set personality", hex(persona), "the kernel refuses it")
