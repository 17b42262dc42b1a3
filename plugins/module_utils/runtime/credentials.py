# SPDX-License-Identifier: BSD-2-Clause
"""A process gives up what its container does not get: limits, groups, user, capabilities, system calls. Runs between fork and exec.

Not here: who the user is (users.py).
"""
from __future__ import annotations

import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import caps, process
from ansible_collections.cocker.engine.plugins.module_utils.model import oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.runtime.users import User

if t.TYPE_CHECKING:
    from ansible_collections.cocker.engine.plugins.module_utils.kernel import seccomp

# By number, as bits/resource.h has them: the resource module lacks names for some.
_RLIMITS = {
    "CPU": 0, "FSIZE": 1, "DATA": 2, "STACK": 3, "CORE": 4, "RSS": 5, "NPROC": 6, "NOFILE": 7, "MEMLOCK": 8, "AS": 9, "LOCKS": 10,
    "SIGPENDING": 11, "MSGQUEUE": 12, "NICE": 13, "RTPRIO": 14, "RTTIME": 15,
}


def check_filter(profile: t.Optional[oci.Object]) -> None:
    """Names that a host without libseccomp cannot filter are refused before the first effect."""
    if profile is not None:
        from ansible_collections.cocker.engine.plugins.module_utils.kernel import seccomp
        seccomp.library()


def set_limits(limits: t.Sequence[oci.Rlimit]) -> None:
    for limit in limits:
        try:
            process.set_limit(_RLIMITS[limit.name], limit.soft, limit.hard)
        except KernelError as error:
            if error.errno not in (errno.EPERM, errno.EINVAL):
                raise
            subject = "%s to %d:%d" % (limit.name.lower(), limit.soft, limit.hard)
            hint = "the engine itself lacks CAP_SYS_RESOURCE on this host, or the value is above fs.nr_open"
            raise Unsupported("raise ulimit", subject, "not permitted", hint=hint) from error


def assume(user: User, wanted: oci.Process, *, syscalls: t.Optional[seccomp.Prepared]) -> int:
    """In the order of runc: without no_new_privs a filter needs CAP_SYS_ADMIN, so it comes first; with it, last. As seccomp.load."""
    listener = -1
    if syscalls is not None and not wanted.no_new_privileges:
        listener = _load(syscalls)
    sets = permitted(wanted.capabilities)
    caps.limit_bounding(sets.bounding)
    caps.keep_across_setuid(keep=True)
    os.setgroups(user.groups)
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)
    caps.apply(effective=sets.effective, permitted=sets.permitted, inheritable=sets.inheritable, ambient=sets.ambient)
    caps.keep_across_setuid(keep=False)
    if wanted.no_new_privileges:
        process.set_no_new_privileges()
        if syscalls is not None:
            listener = _load(syscalls)
    return listener


def _load(syscalls: seccomp.Prepared) -> int:
    """Whoever has prepared them has imported what loads them: nothing can be, where this runs."""
    from ansible_collections.cocker.engine.plugins.module_utils.kernel import seccomp
    return seccomp.load(syscalls)


def permitted(wanted: oci.Capabilities) -> oci.Capabilities:
    """Without what the engine itself does not have: a container on a confined host cannot get more."""
    ours = caps.numbers()["permitted"]

    def held(names: oci.Words) -> oci.Words:
        return tuple([name for name in map(caps.parse, names) if ours >> caps.NAMES[name] & 1])

    return oci.Capabilities(
        bounding=tuple(map(caps.parse, wanted.bounding)), effective=held(wanted.effective), permitted=held(wanted.permitted),
        inheritable=held(wanted.inheritable), ambient=held(wanted.ambient),
    )
