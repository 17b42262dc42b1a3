# SPDX-License-Identifier: BSD-2-Clause
"""Giving up capabilities and blocking signals by calls that were prepared before a fork (capabilities(7), sigprocmask(2)).

For processes that live on after the fork without an exec: all that happens here is the system calls themselves, so that next
to no memory shared with the other forks is touched. Everywhere else caps.py and the signal module say it better.
"""
from __future__ import annotations

import ctypes
import signal
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import caps, consts, structs
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import libc
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError

_SIG_BLOCK = 0
_SIGSET_BYTES = 128


class Prepared(t.NamedTuple):
    """`dropped` leave the bounding set; the other two are struct __user_cap_header_struct and two of __user_cap_data_struct."""

    dropped: t.Tuple[int, ...]
    header: bytes
    words: bytes


def prepare(*, bounding: caps.Names, permitted: caps.Names) -> Prepared:
    """Permitted and effective become the same; nothing stays inheritable or ambient."""
    kept, value = caps.mask(bounding), caps.mask(permitted)
    header = structs.CapabilityHeader(consts.CAPABILITY_VERSION_3, 0)
    words = (structs.CapabilityWord * 2)()
    for place, word in enumerate(words):
        word.effective = word.permitted = value >> 32 * place & 0xFFFFFFFF
    dropped = tuple(number for number in range(caps.last_cap() + 1) if not kept >> number & 1)
    return Prepared(dropped, bytes(header), bytes(words))


def apply(prepared: Prepared, *, no_new_privileges: bool) -> None:
    """Also not dumpable, and to be killed with its parent: whoever asks for that looks whether the parent lives (prctl(2))."""
    for number in prepared.dropped:
        _check(libc.prctl(consts.PR_CAPBSET_DROP, number, 0, 0, 0), "drop capability")
    _check(libc.prctl(consts.PR_CAP_AMBIENT, consts.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "clear ambient capabilities")
    _check(libc.capset(prepared.header, prepared.words), "set capabilities")
    if no_new_privileges:
        _check(libc.prctl(consts.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "set no_new_privs")
    _check(libc.prctl(consts.PR_SET_DUMPABLE, 0, 0, 0, 0), "set dumpable")
    _check(libc.prctl(consts.PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "set parent-death signal")


def signal_set(numbers: t.Iterable[int]) -> bytes:
    """sigset_t."""
    return sum(1 << (number - 1) for number in set(numbers)).to_bytes(_SIGSET_BYTES, "little")


def block(signals: bytes) -> None:
    _check(libc.sigprocmask(_SIG_BLOCK, signals, None), "block signals")


def _check(result: int, op: str) -> None:
    if result == -1:
        raise KernelError(op, "", ctypes.get_errno())
