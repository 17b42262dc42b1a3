# SPDX-License-Identifier: BSD-2-Clause
"""init: systemd. What an init system finds in its container, and what a host must have for one (systemd.io/CONTAINER_INTERFACE).

Not here: which command that is (processes.py), and how it is told to end (model/container.py).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import processes, usermaps
from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, mountinfo
from ansible_collections.cocker.engine.plugins.module_utils.model.container import HOST, SYSTEMD, ContainerRecord, ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.runtime import spec as runtime

OPTION = "init"
_ROOT = frozenset(("", "0", "root", "0:0", "root:root"))
_DELEGATES = "nsdelegate"
_VOLATILE = {"/run": 0o755, "/run/lock": 0o1777, "/tmp": 0o1777}


def environment(record: ContainerRecord) -> t.Dict[str, str]:
    """That it is in a container, and the number that its machine gets where the image has none (machine-id(5))."""
    return {"container": "cocker", "container_uuid": record.id[:32]} if record.spec.init == SYSTEMD else {}


def mounts(spec: ContainerSpec) -> t.Tuple[runtime.MountWish, ...]:
    """It may not mount these itself."""
    if spec.init != SYSTEMD:
        return ()
    return tuple(runtime.MountWish(runtime.TMPFS, path, mode=mode) for path, mode in _VOLATILE.items())


def check(record: ContainerRecord) -> None:
    """Before the first effect. Raises Invalid, Unsupported."""
    spec = record.spec
    if spec.init != SYSTEMD:
        return
    user = processes.process(spec, record.config).user
    if user not in _ROOT:
        raise Invalid(OPTION, "systemd runs as root, and this container's user is %s" % user)
    if spec.cgroupns_mode == HOST:
        raise Invalid(OPTION, "systemd needs a cgroup namespace of its own, which cgroupns_mode: host denies")
    if usermaps.is_wanted(spec):
        raise Unsupported("option", OPTION, "systemd in a container with users of its own (userns_mode, uidmap)")
    layout = cgroupfs.layout()
    if layout.mode != "v2":
        raise Unsupported("option", OPTION, "systemd needs a host with cgroup version 2 alone, this one has %s" % layout.mode)
    if not any(_DELEGATES in entry.super_options for entry in mountinfo.entries() if entry.fstype == "cgroup2"):
        hint = "mount -o remount,%s %s" % (_DELEGATES, layout.unified)
        raise Unsupported("option", OPTION, "without %s, the container could lift its own limits" % _DELEGATES, hint=hint)
