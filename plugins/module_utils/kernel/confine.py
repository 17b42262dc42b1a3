# SPDX-License-Identifier: BSD-2-Clause
"""What capset(2) and sigprocmask(2) are handed, prepared for a process that lives on after its fork without an exec.

It makes the calls and nothing else, so that next to no memory shared with the other forks is touched (init/resident.py). Everywhere
else caps.py and the signal module say it better.
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import caps, consts, structs

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


def signal_set(numbers: t.Iterable[int]) -> bytes:
    """sigset_t."""
    return sum(1 << (number - 1) for number in set(numbers)).to_bytes(_SIGSET_BYTES, "little")
