# SPDX-License-Identifier: BSD-2-Clause
"""network_mode container:NAME: whose network namespace, hosts file and resolv.conf a container uses.

Not here: the networks themselves (endpoints.py).
"""
from __future__ import annotations

import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import observe, processes
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model.container import (
    BRIDGE,
    CONTAINER,
    HOST,
    NONE,
    ContainerSpec,
    ContainerState,
)
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid, NotFound, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.runtime import spec as runtime

OPTION = "network_mode"
OWN = ("private", "shareable")     # ipc_mode
_SHARED = {OPTION: ("net", "network"), "ipc_mode": ("ipc", "System V IPC"), "pid_mode": ("pid", "processes")}


def owner(host: Host, spec: ContainerSpec) -> ContainerSpec:
    """Itself, or at the end of a chain of containers the one that has a network of its own. Raises NotFound, Invalid."""
    found = _owner(host, spec)
    return spec if found is None or found.record is None else found.record.spec


def _owner(host: Host, spec: ContainerSpec) -> t.Optional[ContainerState]:
    """None: its own."""
    seen, found = [spec.name], None
    while (spec.network_mode or BRIDGE).startswith(CONTAINER):
        name = str(spec.network_mode)[len(CONTAINER):]
        if name in seen:
            raise Invalid(OPTION, "%s leads back to container %s" % (spec.network_mode, name))
        seen.append(name)
        found = observe.container(host, name)
        if found.record is None:
            raise NotFound("container", name, "network_mode of %s names it, and it does not exist" % seen[0])
        spec = found.record.spec
    return found


def network(host: Host, spec: ContainerSpec) -> t.Optional[str]:
    """As the runtime wants it: the path of a namespace, HOST, or None for one of its own with only loopback."""
    found = _owner(host, spec)
    mine = spec if found is None or found.record is None else found.record.spec
    mode = mine.network_mode or BRIDGE
    if mode == HOST:
        return runtime.HOST
    if mode != NONE:
        return host.netns(mine.name)
    return None if found is None else "/proc/%d/ns/net" % (found.running.pid if found.running else 0)


def namespaces(host: Host, spec: ContainerSpec) -> t.Dict[str, str]:
    """Those besides the network that are not the container's own: HOST, or the path of another container's."""
    modes = {"ipc": spec.ipc_mode, "pid": spec.pid_mode, "uts": spec.uts, "cgroup": spec.cgroupns_mode}
    return {kind: _shared(host, spec, kind, mode) for kind, mode in modes.items() if mode not in (None, "", *OWN)}


def hostname(spec: ContainerSpec) -> str:
    """What its processes are told: with `uts: host` that is the host's."""
    return os.uname().nodename if spec.uts == HOST else processes.hostname(spec)


def shm(host: Host, spec: ContainerSpec) -> str:
    """The host path of the POSIX shared memory that belongs to the System V one that is shared; empty for its own."""
    path = namespaces(host, spec).get("ipc", "")
    return "/dev/shm" if path == runtime.HOST else path.replace("/ns/ipc", "/root/dev/shm")


def _shared(host: Host, spec: ContainerSpec, kind: str, mode: t.Optional[str]) -> str:
    if mode == HOST:
        return runtime.HOST
    name = str(mode)[len(CONTAINER):]
    if name == spec.name:
        raise Invalid(kind + "_mode", "%s is the container itself" % mode)
    found = observe.container(host, name)
    if found.record is None:
        raise NotFound("container", name, "%s_mode of %s names it, and it does not exist" % (kind, spec.name))
    return "/proc/%d/ns/%s" % (found.running.pid if found.running else 0, kind)


def lost(host: Host, have: ContainerState) -> t.Dict[str, str]:
    """Options by which it has a namespace that the other container has no more, and why: that one has been started again since."""
    found: t.Dict[str, str] = {}
    if have.record is None or have.running is None:
        return found
    spec = have.record.spec
    for option, (kind, what) in _SHARED.items():
        name = spec.shares().get(option)
        if name is None or not observe.container(host, name).is_running:
            continue
        path = network(host, spec) if option == OPTION else _shared(host, spec, kind, CONTAINER + name)
        with tolerate(errno.ENOENT):
            if path not in (None, runtime.HOST) and not os.path.samefile("/proc/%d/ns/%s" % (have.running.pid, kind), str(path)):
                found[option] = "container %s, whose %s it shares, has been started again since" % (name, what)
    return found


def require_running(host: Host, spec: ContainerSpec) -> None:
    """For a container that is to start. Raises Conflict."""
    shared = spec.shares()
    for option in ("ipc_mode", "pid_mode"):
        what = _SHARED[option][1]
        other = observe.container(host, shared[option]) if option in shared else None
        if other is not None and other.record is not None and not other.is_running:
            reason = "container %s, whose %s it shares, is not running" % (other.name, what)
            raise Conflict("start container", spec.name, reason, hint="start that one first")
    found = _owner(host, spec)
    if found is not None and not found.is_running:
        reason = "container %s, whose network it shares, is not running" % found.name
        raise Conflict("start container", spec.name, reason, hint="start that one first")
