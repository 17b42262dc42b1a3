# SPDX-License-Identifier: BSD-2-Clause
"""Giving up capabilities and blocking signals by calls that were prepared before a fork (capabilities(7), sigprocmask(2)).

For processes that live on after the fork without an exec: all that happens here is the system calls themselves, so that next
to no memory shared with the other forks is touched. Everywhere else caps.py and the signal module say it better.
"""
from __future__ import annotations

import ctypes
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import caps, consts, structs
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import call, libc

_SIG_BLOCK = 0
_SIGSET_BYTES = 128


class Prepared(t.NamedTuple):
    """`dropped` leave the bounding set; `keep` holds the memory behind the two addresses."""

    dropped: t.Tuple[int, ...]
    header: int
    words: int
    keep: t.Tuple[t.Any, ...]


def prepare(*, bounding: caps.Names, permitted: caps.Names) -> Prepared:
    """Permitted and effective become the same; nothing stays inheritable or ambient."""
    kept, value = caps.mask(bounding), caps.mask(permitted)
    header = structs.CapabilityHeader(consts.CAPABILITY_VERSION_3, 0)
    words = (structs.CapabilityWord * 2)()
    for place, word in enumerate(words):
        word.effective = word.permitted = value >> 32 * place & 0xFFFFFFFF
    dropped = tuple(number for number in range(caps.last_cap() + 1) if not kept >> number & 1)
    return Prepared(dropped, ctypes.addressof(header), ctypes.addressof(words), (header, words))


def apply(prepared: Prepared) -> None:
    for number in prepared.dropped:
        call(libc.prctl, consts.PR_CAPBSET_DROP, number, 0, 0, 0, op="drop capability")
    call(libc.prctl, consts.PR_CAP_AMBIENT, consts.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0, op="clear ambient capabilities")
    call(libc.capset, prepared.header, prepared.words, op="set capabilities")


def signal_set(numbers: t.Iterable[int]) -> ctypes.Array[ctypes.c_char]:
    """sigset_t."""
    value = sum(1 << (number - 1) for number in set(numbers))
    return ctypes.create_string_buffer(value.to_bytes(_SIGSET_BYTES, "little"), _SIGSET_BYTES)


def block(signals: ctypes.Array[ctypes.c_char]) -> None:
    call(libc.sigprocmask, _SIG_BLOCK, signals, None, op="block signals")
