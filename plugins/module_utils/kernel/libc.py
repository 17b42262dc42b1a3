# SPDX-License-Identifier: BSD-2-Clause
"""The C library: prototypes set once, one funnel from errno to KernelError, raw system calls by number.

Not here: what a call means. Each man page has its function in the file of its subject.
"""
from __future__ import annotations

import ctypes
import errno
import os
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError

Function = t.Callable[..., int]

_INT, _UINT, _ULONG = ctypes.c_int, ctypes.c_uint, ctypes.c_ulong
_TEXT, _POINTER, _SIZE, _LONG = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long
_NULL = _POINTER(None)

_PROTOTYPES: t.Dict[str, t.Tuple[t.Any, ...]] = {
    "capget": (_POINTER, _POINTER),
    "capset": (_POINTER, _POINTER),
    "fstatfs": (_INT, _POINTER),
    "inotify_add_watch": (_INT, _TEXT, _UINT),
    "inotify_init1": (_INT,),
    "mount": (_TEXT, _TEXT, _TEXT, _ULONG, _TEXT),
    "pivot_root": (_TEXT, _TEXT),
    "prctl": (_INT, _ULONG, _ULONG, _ULONG, _ULONG),
    "quotactl": (_INT, _TEXT, _INT, _POINTER),
    "setdomainname": (_TEXT, _SIZE),
    "sethostname": (_TEXT, _SIZE),
    "setfsgid": (_INT,),
    "setfsuid": (_INT,),
    "setns": (_INT, _INT),
    "signal": (_INT, _POINTER),
    "sigprocmask": (_INT, _POINTER, _POINTER),
    "socket": (_INT, _INT, _INT),
    "socketpair": (_INT, _INT, _INT, _POINTER),
    "umount2": (_TEXT, _INT),
    "unshare": (_INT,),
}

# From number 424 on, a system call has the same number on every architecture that we run on.
_SHARED = {
    "pidfd_send_signal": 424, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432,
    "fspick": 433, "pidfd_open": 434, "clone3": 435, "close_range": 436, "openat2": 437, "pidfd_getfd": 438,
    "faccessat2": 439, "mount_setattr": 442, "quotactl_fd": 443, "fchmodat2": 452, "statmount": 457, "listmount": 458,
}
_OLDER = ("add_key", "bpf", "execveat", "keyctl", "memfd_create", "seccomp", "rt_sigaction", "renameat2", "clone", "prlimit64")
_GENERIC = (217, 280, 281, 219, 279, 277, 134, 276, 220, 261)
_I386 = (286, 357, 358, 288, 356, 354, 174, 353, 120, 340)
_ARM = (309, 386, 387, 311, 385, 383, 174, 382, 120, 369)
_POWER = (269, 361, 362, 271, 360, 358, 173, 357, 120, 325)
_NUMBERS: t.Dict[str, t.Tuple[int, ...]] = {
    "aarch64": _GENERIC, "loongarch64": _GENERIC, "riscv64": _GENERIC,
    "arm": _ARM, "armv6l": _ARM, "armv7l": _ARM, "armv8l": _ARM,
    "i386": _I386, "i486": _I386, "i586": _I386, "i686": _I386,
    "ppc64": _POWER, "ppc64le": _POWER,
    "s390x": (278, 351, 354, 280, 350, 348, 174, 347, 120, 334),
    "x86_64": (248, 321, 322, 250, 319, 317, 13, 316, 56, 302),
}
_NARROW = {"aarch64": "arm", "x86_64": "i386"}      # a 32-bit interpreter on a 64-bit kernel

# Arguments with which a kernel that knows the call does nothing and says EINVAL or EBADF.
_PROBES: t.Dict[str, t.Tuple[t.Optional[int], ...]] = {
    "close_range": (1, 0, 0),
    "fsconfig": (-1, 0xFFFF, None, None, 0),
    "fsmount": (-1, 0xFFFFFFFF, 0),
    "fsopen": (None, 0xFFFFFFFF),
    "fspick": (-1, None, 0xFFFFFFFF),
    "mount_setattr": (-1, None, 0xFFFFFFFF, None, 0),
    "move_mount": (-1, None, -1, None, 0xFFFFFFFF),
    "open_tree": (-1, None, 0xFFFFFFFF),
    "openat2": (-1, None, None, 0),
    "pidfd_open": (-1, 0),
    "quotactl_fd": (-1, 0, 0, None),
    "pidfd_send_signal": (-1, 0, None, 0xFFFFFFFF),
}


def system_call_numbers(machine: str, *, wide: bool) -> t.Dict[str, int]:
    """The table of one architecture; an unknown one has the shared numbers only."""
    name = machine if wide else _NARROW.get(machine, machine)
    return dict(zip(_OLDER, _NUMBERS.get(name, ())), **_SHARED)


def _load() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    for name, arguments in _PROTOTYPES.items():
        function = getattr(library, name)
        function.argtypes = arguments
        function.restype = _INT
    library.signal.restype = ctypes.c_ssize_t
    library.syscall.restype = ctypes.c_long
    return library


libc = _load()
NR = system_call_numbers(os.uname().machine, wide=sys.maxsize > 2**32)
_known: t.Dict[str, bool] = {}


def call(function: Function, *args: t.Any, op: str, subject: str = "") -> int:
    """The result, or KernelError with the errno of exactly this call. `bytes` are text: C would read only up to a zero in them."""
    for arg in args:
        if arg.__class__ is bytes and 0 in arg:
            raise KernelError(op, subject, errno.EINVAL, hint="there is a zero byte in it")
    result = function(*args)
    if result == -1:
        raise KernelError(op, subject, ctypes.get_errno())
    return result


def syscall(number: int, *args: t.Any, op: str, subject: str = "") -> int:
    """syscall(2). Integers, bytes, None and ctypes pointers; integers travel as long, so that no upper half is left over."""
    words = [_LONG(arg) if isinstance(arg, int) else _NULL if arg is None else arg for arg in args]
    return call(libc.syscall, _LONG(number), *words, op=op, subject=subject)


def is_missing(name: str) -> bool:
    """Whether the kernel lacks the call, or a seccomp filter hides it. Asked once a process, by a call that cannot act.

    A call that has no such form counts as there.
    """
    if name not in _known:
        _known[name] = name in NR and (name not in _PROBES or _answers(name))
    return not _known[name]


def _answers(name: str) -> bool:
    try:
        syscall(NR[name], *_PROBES[name], op=name)
    except KernelError as error:
        return error.errno not in (errno.ENOSYS, errno.EPERM)
    return True


def remember_missing(name: str) -> None:
    """For a caller who met ENOSYS, or EINVAL for a flag without which the call is of no use to it."""
    _known[name] = False


def prctl(option: int, *args: int, op: str) -> int:
    """prctl(2); arguments that are not given are zero, as the kernel demands of the newer options."""
    padded = (args + (0, 0, 0, 0))[:4]
    return call(libc.prctl, option, *padded, op=op)


def filesystem_type(fd: int) -> int:
    """The magic number of the file system that the descriptor is on (fstatfs(2); f_type is the first word)."""
    room = (ctypes.c_ulong * 32)()
    call(libc.fstatfs, fd, ctypes.addressof(room), op="statfs", subject="fd %d" % fd)
    return int(room[0]) & 0xFFFFFFFF


def is_procfs(fd: int) -> bool:
    return filesystem_type(fd) == consts.PROC_SUPER_MAGIC
