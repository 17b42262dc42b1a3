# SPDX-License-Identifier: BSD-2-Clause
"""A container's record turned into what the runtime is to do (RuntimeWish), and that into config.json.

Not here: the OCI form (runtime/spec.py), the files that a container finds at /etc/hosts and so on (hostnames.py).
"""
from __future__ import annotations

import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import limits, processes, sharing, supervision
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model import mounts
from ansible_collections.cocker.engine.plugins.module_utils.model.container import (
    STOP_TIMEOUT,
    ContainerRecord,
    ContainerSpec,
    Device,
)
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.runtime import spec as runtime
from ansible_collections.cocker.engine.plugins.module_utils.storage import snapshots
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

_GENERATED = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
_NO_NEW_PRIVILEGES, _NO_SECCOMP, _NO_MASKS = "no-new-privileges", "seccomp=unconfined", "systempaths=unconfined"


def runtime_wish(host: Host, record: ContainerRecord) -> runtime.RuntimeWish:
    """Reads the host's devices. Raises Invalid for one that is not there."""
    spec, layout = record.spec, host.layout
    said, security = processes.process(spec, record.config), set(spec.security_opts or ())
    bundle = layout.container(spec.name)
    hidden: t.Optional[t.Tuple[str, ...]] = () if _NO_MASKS in security else None
    return runtime.RuntimeWish(
        name=host.kernel_name(spec.name),
        lower=lower(layout, record),
        upper=os.path.join(bundle, "upper"),
        work=os.path.join(bundle, "work"),
        args=said.args or None,
        init=said.init,
        env=processes.pairs(said.env),
        cwd=said.cwd,
        user=said.user,
        hostname=said.hostname,
        read_only=bool(spec.read_only),
        mounts=_mounts(layout, spec, sharing.owner(host, spec).name),
        network=sharing.network(host, spec),
        resources=limits.resources(spec),
        capabilities=runtime.capability_set(add=spec.capabilities or (), drop=spec.cap_drop or ()),
        no_new_privileges=_NO_NEW_PRIVILEGES in security,
        seccomp=runtime.UNCONFINED if _NO_SECCOMP in security else runtime.DEFAULT,
        devices=tuple(_device(device) for device in spec.devices or ()),
        sysctls=spec.sysctls or {},
        oom_score_adj=spec.oom_score_adj,
        ulimits=tuple(runtime.UlimitWish(limit.name, limit.soft, limit.hard) for limit in spec.ulimits or ()),
        stop_signal=said.stop_signal,
        stop_timeout=spec.stop_timeout if spec.stop_timeout is not None else STOP_TIMEOUT,
        masked_paths=hidden,
        readonly_paths=hidden,
        **supervision.settings(record),
    )


def lower(layout: Layout, record: ContainerRecord) -> t.Tuple[str, ...]:
    """Topmost first; a layer that several images of the stack share is there once, where it is lowest. Raises Damaged."""
    return tuple(snapshots.lower_dirs(layout, [pin.layers for pin in record.pins]))


def _mounts(layout: Layout, spec: ContainerSpec, files_of: str) -> t.Tuple[runtime.MountWish, ...]:
    wished = [_mount(layout, mount) for mount in spec.mounts or ()]
    taken = {mount.destination for mount in wished}
    folders = {path: layout.container(spec.name if path == "/etc/hostname" else files_of) for path in _GENERATED}
    ours = [
        runtime.MountWish(runtime.BIND, path, os.path.join(folders[path], path.rpartition("/")[2]), recursive=False)
        for path in _GENERATED if path not in taken
    ]
    return (*ours, *wished)


def _mount(layout: Layout, mount: mounts.Mount) -> runtime.MountWish:
    source = layout.volume_data(mount.source) if mount.kind == mounts.VOLUME else mount.source
    propagation = "" if mount.kind == mounts.TMPFS else mount.propagation
    return runtime.MountWish(
        mount.kind, mount.target, source, read_only=mount.read_only, propagation=propagation, size=mount.size, mode=mount.mode)


def _device(device: Device) -> runtime.DeviceWish:
    try:
        status = os.stat(device.source)
    except OSError as error:
        raise Invalid("devices", "%s: %s" % (device.source, error.strerror)) from error
    kind = "c" if stat.S_ISCHR(status.st_mode) else "b" if stat.S_ISBLK(status.st_mode) else ""
    if not kind:
        raise Invalid("devices", "%s is not a device" % device.source)
    return runtime.DeviceWish(
        path=device.target, kind=kind, major=os.major(status.st_rdev), minor=os.minor(status.st_rdev), permissions=device.permissions,
        mode=stat.S_IMODE(status.st_mode), uid=status.st_uid, gid=status.st_gid,
    )
