# SPDX-License-Identifier: BSD-2-Clause
"""What can be known to go wrong before the first effect: sources of mounts, devices, addresses, ports, limits, the whole config.

Not here: what only the container's own files tell (inside.py), what only the kernel tells (refused.py).
"""
from __future__ import annotations

import os
import resource

from ansible_collections.cocker.engine.plugins.module_utils.engine import (
    compile,
    endpoints,
    hostnames,
    initsystem,
    limits,
    owning,
    processes,
    refused,
    sharing,
    usermaps,
)
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import caps, sysctl
from ansible_collections.cocker.engine.plugins.module_utils.model import logdriver, mounts, restarts
from ansible_collections.cocker.engine.plugins.module_utils.model.container import BRIDGE, CONTAINER, HOST, ContainerRecord, ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, Invalid, NotFound, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.storage import snapshots, volumes


def container(host: Host, record: ContainerRecord, *, ports: bool) -> None:
    """Changes nothing; `ports`: they have to be free now. Raises Invalid, NotFound, Conflict, Unsupported; each names the option."""
    _mounts(host, record.spec)
    usermaps.check(host, record.spec)
    owning.check(host, record.spec)
    initsystem.check(record)
    limits.check(host.kernel_name(record.spec.name), record.spec)
    _ulimits(record.spec)
    _log(record.spec)
    _restart(record.spec)
    _streams(record)
    _passed_over(record.spec)
    endpoints.check(host, record, ports=ports)
    refused.check(record.spec, compile.config(host, record))


def written(host: Host, name: str) -> None:
    """A container that goes on with what it has written needs it. Raises Damaged."""
    folder = host.layout.container(name)
    if snapshots.is_lost(folder):
        reason = "somebody has removed its writable layer %s, with all that it had written" % os.path.join(folder, snapshots.UPPER)
        raise Damaged("start container", name, reason, hint="put it back, or say recreate: true to begin with an empty one")


def _mounts(host: Host, spec: ContainerSpec) -> None:
    for mount in spec.mounts or ():
        if mount.kind == mounts.BIND and not mount.create and not os.path.lexists(mount.source):
            raise Invalid("volumes", "the host has no %s" % mount.source, hint="make it first; a named volume is made by itself")
        if mount.subpath:
            _subpath(host, mount, mount.subpath)


def _subpath(host: Host, mount: mounts.Mount, subpath: str) -> None:
    try:
        os.close(volumes.open_below(host.layout.volume_data(mount.source), subpath))
    except NotFound as error:
        raise Invalid("mounts.subpath", "the volume %s has no %s: %s" % (mount.source, subpath, error.reason)) from error


def _ulimits(spec: ContainerSpec) -> None:
    """What the kernel would refuse, and that only when what runs has been stopped; setrlimit(2)."""
    for limit in spec.ulimits or ():
        most = int(sysctl.read("fs.nr_open")) if limit.name == "nofile" else -1
        if most >= 0 and not 0 <= limit.hard <= most:
            raise Invalid("ulimits", "nofile: %d is above fs.nr_open of this host, %d" % (limit.hard, most))
        number = getattr(resource, "RLIMIT_" + limit.name.upper(), None)     # Python has no name for locks, which Linux passes over
        mine = -1 if number is None else resource.getrlimit(number)[1]
        if mine >= 0 and not 0 <= limit.hard <= mine and "CAP_SYS_RESOURCE" not in caps.current()["effective"]:
            hint = "the engine itself lacks CAP_SYS_RESOURCE on this host"
            raise Unsupported("option", "ulimits", "%s: %d is above the engine's own, %d" % (limit.name, limit.hard, mine), hint=hint)


def _log(spec: ContainerSpec) -> None:
    driver = spec.log_driver or logdriver.JSON_FILE
    logdriver.refuse_foreign(driver, spec.log_options)
    if driver == logdriver.JOURNALD and not os.path.exists(logdriver.JOURNAL):
        raise Unsupported("option", "log_driver", "this host has no journal: there is no %s" % logdriver.JOURNAL)


def _streams(record: ContainerRecord) -> None:
    for option in ("tty", "interactive"):
        if getattr(record.spec, option) and not processes.process(record.spec, record.config).args:
            raise Invalid(option, "it is the command's, and there is none, neither of the task nor of the image")


def _passed_over(spec: ContainerSpec) -> None:
    """What would have no effect, since the namespace is not the container's own."""
    mode, reasons = spec.network_mode or BRIDGE, {}
    if mode.startswith(CONTAINER):
        reasons = dict.fromkeys(hostnames.OPTIONS - {"networks"}, "with network_mode: %s it has the files of that container" % mode)
    if mode != BRIDGE:
        reasons["links"] = "it needs network_mode: bridge"
    if spec.uts == HOST:
        reasons["hostname"] = "it would be set on the host, whose name the container has (uts: host)"
    if spec.ipc_mode not in (None, *sharing.OWN):
        reasons["shm_size"] = "with ipc_mode: %s the shared memory is not its own" % spec.ipc_mode
    for option in sorted(reasons):
        if getattr(spec, option):
            raise Invalid(option, reasons[option])


def _restart(spec: ContainerSpec) -> None:
    if spec.restart_retries and spec.restart_policy != restarts.ON_FAILURE:
        raise Invalid("restart_retries", "it goes with restart_policy: on-failure, not with %s" % (spec.restart_policy or restarts.NO))
    if spec.auto_remove and (spec.restart_policy or restarts.NO) != restarts.NO:
        reason = "a container that goes when it has ended cannot start again (restart_policy: %s)" % spec.restart_policy
        raise Invalid("auto_remove", reason)
