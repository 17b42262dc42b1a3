# SPDX-License-Identifier: BSD-2-Clause
"""Pure: which kernel parameters a container may set: those of a namespace of its own. Not here: writing them."""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import sysctl
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

_IPC = frozenset((
    "kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem", "kernel/shmall", "kernel/shmmax", "kernel/shmmni",
    "kernel/shm_rmid_forced",
))
_ACCEPTED = "net.*, fs.mqueue.*, kernel.msg*, kernel.sem and kernel.shm*"


def check(wanted: t.Mapping[str, str], *, private: t.Collection[str]) -> None:
    """`private`: the kinds of namespaces that the container does not share. Raises Invalid."""
    for name, value in wanted.items():
        kind = kind_of(sysctl.path_of(name))
        if not kind:
            raise Invalid("sysctls", "%s belongs to the whole host; a container may set %s" % (name, _ACCEPTED))
        if kind not in private:
            raise Invalid("sysctls", "%s needs a %s namespace of its own" % (name, kind))
        if not value.isascii() or not value.isprintable():
            raise Invalid("sysctls", "the value of %s is not plain text" % name)


def kind_of(path: str) -> str:
    """Of namespace, that has a kernel parameter of its own; empty for none."""
    return "network" if path.startswith("net/") else "ipc" if path in _IPC or path.startswith("fs/mqueue/") else ""
