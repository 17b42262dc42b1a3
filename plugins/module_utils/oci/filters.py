# SPDX-License-Identifier: BSD-2-Clause
"""The seccomp filter of a container, compiled once and kept, and the agent that decides about calls for it.

Not here: what is in it, and compiling (kernel/seccomp.py).
"""
from __future__ import annotations

import _socket
import json
import os
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fds, libc, seccomp
from ansible_collections.cocker.engine.plugins.module_utils.model import oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Invalid
from ansible_collections.cocker.engine.plugins.module_utils.runtime import credentials

_NEEDED = frozenset(("read", "write"))


def prepare(profile: t.Optional[oci.Object]) -> t.Optional[seccomp.Prepared]:
    """Raises Invalid, Unsupported. With a listenerPath, loading it makes a descriptor for the agent."""
    if profile is None:
        return None
    credentials.check_filter(profile)
    folder = os.path.join(os.path.dirname(sys.path[0]), "seccomp")      # beside the copy of the engine that this runs from
    os.makedirs(folder, mode=0o700, exist_ok=True)
    agent = bool(profile.get("listenerPath"))
    if profile.get("defaultAction") == seccomp.NOTIFY or not agent and profile.get("listenerMetadata"):
        raise Invalid("linux.seccomp", "SCMP_ACT_NOTIFY cannot be the default, and listenerMetadata goes with listenerPath")
    for rule in profile.get("syscalls") or ():
        if rule.get("action") == seccomp.NOTIFY and not _NEEDED.isdisjoint(rule.get("names") or ()):
            raise Invalid("linux.seccomp", "SCMP_ACT_NOTIFY cannot be for %s: the agent is told by them" % " and ".join(sorted(_NEEDED)))
    flags = seccomp.flags(profile) | (seccomp.NEW_LISTENER if agent else 0)
    return seccomp.prepare(seccomp.cached(profile, folder, agent=agent), flags=flags)


def tell_agent(profile: oci.Object, state: t.Mapping[str, t.Any], pid: int, listener: int) -> None:
    """Hands over the descriptor, which is open in the process under this number, with the state (runtime spec, "Containerprocessstate")."""
    told = {
        "ociVersion": state["ociVersion"], "fds": ["seccompFd"], "pid": pid, "metadata": profile.get("listenerMetadata") or "",
        "state": state,
    }
    process_ = os.pidfd_open(pid)
    channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC, 0)
    try:
        copy = libc.syscall(libc.NR["pidfd_getfd"], process_, listener, 0, op="take descriptor of", subject=str(pid))      # Linux 5.6
        channel.connect(profile["listenerPath"])
        fds.send_fds(channel, json.dumps(told).encode(), [copy])
        os.close(copy)
    except OSError as error:
        raise CockerError("linux.seccomp.listenerPath", profile["listenerPath"], error.strerror or str(error)) from error
    finally:
        channel.close()
        os.close(process_)
