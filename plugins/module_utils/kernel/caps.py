# SPDX-License-Identifier: BSD-2-Clause
"""Capabilities of the calling thread: names, sets, bounding and ambient (capabilities(7)). Not here: which ones a container gets."""
from __future__ import annotations

import ctypes
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts, structs
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import call, libc, prctl
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, KernelError

# The position is the number.
_ORDER = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE"
    " NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN"
    " SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE"
    " MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
NAMES: t.Dict[str, int] = {"CAP_" + name: number for number, name in enumerate(_ORDER.split())}
Names = t.Iterable[str]
_MOST = 64
_SETS = ("effective", "permitted", "inheritable")


def parse(name: str) -> str:
    """The full name, `CAP_NET_ADMIN`, of what may be given as `net_admin`. Invalid when there is none such."""
    if name in NAMES:
        return name
    full = name.strip().upper()
    full = full if full.startswith("CAP_") else "CAP_" + full
    if full not in NAMES:
        raise Invalid("capabilities", "%r is no capability; see capabilities(7) for the names" % name)
    return full


def last_cap() -> int:
    """The highest one that the running kernel knows."""
    if _bounding_has(len(NAMES)) is None and _bounding_has(len(NAMES) - 1) is not None:
        return len(NAMES) - 1   # as is usual, the last of those above
    low, high = 0, _MOST - 1    # CAP_CHOWN exists since ever; PR_CAPBSET_READ is EINVAL above the last
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _bounding_has(middle) is not None else (low, middle - 1)
    return low


def _bounding_has(number: int) -> t.Optional[bool]:
    try:
        return prctl(consts.PR_CAPBSET_READ, number, op="read bounding set") == 1
    except KernelError:
        return None


def limit_bounding(keep: Names) -> None:
    """Drops all others, for good. Takes CAP_SETPCAP, unless they are gone already."""
    kept = {NAMES[parse(name)] for name in keep}
    for number in range(_MOST):
        if number in kept or libc.prctl(consts.PR_CAPBSET_DROP, number, 0, 0, 0) == 0:
            continue
        if not _drop(number):
            return


def _drop(number: int) -> bool:
    """Whether there is such a capability. What it has lost already, a thread need not be allowed to drop."""
    try:
        prctl(consts.PR_CAPBSET_DROP, number, op="drop capability %d from the bounding set" % number)
    except KernelError:
        held = _bounding_has(number)
        if held:
            raise
        return held is not None
    return True


def keep_across_setuid(*, keep: bool) -> None:
    """Whether the permitted set survives leaving uid 0; an exec resets it."""
    prctl(consts.PR_SET_KEEPCAPS, int(keep), op="set keepcaps")


def apply(
    *, bounding: t.Optional[Names] = None, effective: Names, permitted: Names, inheritable: Names = (), ambient: Names = ()
) -> None:
    """Sets all five; the bounding set unless it is limited already. Ones that this kernel does not know are passed over. Ambient ones
    must be permitted and inheritable.

    Changing to another uid comes between: limit_bounding(), keep_across_setuid(), setuid, apply().
    """
    if bounding is not None:
        limit_bounding(bounding)
    prctl(consts.PR_CAP_AMBIENT, consts.PR_CAP_AMBIENT_CLEAR_ALL, op="clear ambient capabilities")
    highest = last_cap()
    _capset(*[mask(names) & (2 << highest) - 1 for names in (effective, permitted, inheritable)])
    for number in sorted({NAMES[parse(name)] for name in ambient}):
        if number <= highest:
            prctl(consts.PR_CAP_AMBIENT, consts.PR_CAP_AMBIENT_RAISE, number, op="raise ambient capability %d" % number)


def mask(names: Names) -> int:
    return sum(1 << number for number in {NAMES[parse(name)] for name in names})


def _capset(effective: int, permitted: int, inheritable: int) -> None:
    header = structs.CapabilityHeader(consts.CAPABILITY_VERSION_3, 0)
    words = (structs.CapabilityWord * 2)()
    for place, word in enumerate(words):
        for name, value in zip(_SETS, (effective, permitted, inheritable)):
            setattr(word, name, value >> 32 * place & 0xFFFFFFFF)
    call(libc.capset, ctypes.addressof(header), ctypes.addressof(words), op="set capabilities")


def current() -> t.Dict[str, t.FrozenSet[str]]:
    """The thread's effective, permitted and inheritable sets (capget(2))."""
    return {name: frozenset(cap for cap, number in NAMES.items() if value >> number & 1) for name, value in numbers().items()}


def numbers() -> t.Dict[str, int]:
    """The same, as the kernel has them: a bit for each."""
    header = structs.CapabilityHeader(consts.CAPABILITY_VERSION_3, 0)
    words = (structs.CapabilityWord * 2)()
    call(libc.capget, ctypes.addressof(header), ctypes.addressof(words), op="read capabilities")
    return {name: getattr(words[0], name) | getattr(words[1], name) << 32 for name in _SETS}
