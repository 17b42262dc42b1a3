# SPDX-License-Identifier: BSD-2-Clause
"""A container's record turned into what the runtime is to do (RuntimeWish), and that into config.json.

Not here: the OCI form (runtime/spec.py), the files that a container finds at /etc/hosts and so on (hostnames.py).
"""
from __future__ import annotations

import json
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import (
    contents,
    initsystem,
    limits,
    processes,
    sharing,
    supervision,
    usermaps,
)
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model import mounts
from ansible_collections.cocker.engine.plugins.module_utils.model.container import (
    STOP_TIMEOUT,
    ContainerRecord,
    ContainerSpec,
    Device,
)
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.runtime import defaults, seccomp_given, spec as runtime
from ansible_collections.cocker.engine.plugins.module_utils.storage import owners, snapshots
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

_GENERATED = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
_NO_NEW_PRIVILEGES, _NO_MASKS = "no-new-privileges", "systempaths=unconfined"
_SECCOMP, _NO_SECCOMP = "seccomp=", "seccomp=unconfined"
_ALL = "ALL"
_latest: t.List[t.Tuple[runtime.RuntimeWish, runtime.Json]] = []


def config(host: Host, record: ContainerRecord) -> runtime.Json:
    """What config.json says; the caller leaves it as it is. Asked for when a start is checked, and when it is made. Raises Invalid."""
    wish = runtime_wish(host, record)
    if not _latest or _latest[0][0] != wish:
        _latest[:] = [(wish, runtime.compile_config(wish))]
    return _latest[0][1]


def runtime_wish(host: Host, record: ContainerRecord) -> runtime.RuntimeWish:
    """Reads the host's devices. Raises Invalid for one that is not there."""
    spec, layout = record.spec, host.layout
    said = processes.process(spec, record.config)
    bundle, maps, network = layout.container(spec.name), usermaps.of(host, spec), sharing.network(host, spec)
    owner = owners.find(os.path.join(bundle, snapshots.UPPER))      # as a start has made it
    is_mapped = maps is not None and owner is None
    return runtime.RuntimeWish(
        name=host.kernel_name(spec.name),
        lower=_below(host, record, owner),
        upper=os.path.join(bundle, "upper"),
        work=os.path.join(bundle, "work"),
        args=said.args or None,
        init=said.init,
        env={**initsystem.environment(record), **processes.pairs(said.env)},
        cwd=said.cwd,
        user=said.user,
        groups=spec.groups or (),
        umask=spec.umask,
        terminal=bool(spec.tty),
        stdin_open=bool(spec.interactive),
        hostname=sharing.hostname(spec),
        domainname=spec.domainname or "",
        read_only=bool(spec.read_only),
        mounts=_mounts(layout, spec, sharing.owner(host, spec).name, shm=sharing.shm(host, spec), is_mapped=is_mapped),
        own_cgroup=said.systemd,
        network=network,
        maps=maps, is_mapped=is_mapped,
        user_space=network if maps is not None and network == host.netns(spec.name) else "",
        resources=limits.resources(spec),
        shared=sharing.namespaces(host, spec),
        shm_size=spec.shm_size or defaults.SHM_SIZE,
        sysctls=spec.sysctls or {},
        oom_score_adj=spec.oom_score_adj,
        ulimits=tuple(runtime.UlimitWish(limit.name, limit.soft, limit.hard) for limit in spec.ulimits or ()),
        stop_signal=said.stop_signal,
        stop_timeout=spec.stop_timeout if spec.stop_timeout is not None else STOP_TIMEOUT,
        **_security(spec),
        **supervision.settings(record),
    )


def _below(host: Host, record: ContainerRecord, owner: owners.OptionalMaps) -> t.Tuple[str, ...]:
    """In check mode layers may be still to be fetched."""
    return () if host.kept.foreseen else tuple(owners.shown(diff, owner) for diff in lower(host.layout, record))


def lower(layout: Layout, record: ContainerRecord) -> t.Tuple[str, ...]:
    """Topmost first; a layer that several images of the stack share is there once, where it is lowest. Raises Damaged."""
    return tuple(snapshots.lower_dirs(layout, record.stack()))


def _mounts(layout: Layout, spec: ContainerSpec, files_of: str, *, shm: str, is_mapped: bool) -> t.Tuple[runtime.MountWish, ...]:
    wished = [_mount(layout, spec.name, mount, mapped=is_mapped) for mount in spec.mounts or ()]
    taken = {mount.destination for mount in wished}
    owned = (mounts.MAPPED,) if is_mapped else ()
    folders = {path: layout.container(spec.name if path == "/etc/hostname" else files_of) for path in _GENERATED}
    ours = [
        runtime.MountWish(runtime.BIND, path, os.path.join(folders[path], path.rpartition("/")[2]), recursive=False, flags=owned)
        for path in _GENERATED if path not in taken
    ]
    if shm and "/dev/shm" not in taken:
        ours.append(runtime.MountWish(runtime.BIND, "/dev/shm", shm, recursive=False))
    ours += [mount for mount in initsystem.mounts(spec) if mount.destination not in taken]
    return (*ours, *wished)


def _mount(layout: Layout, container: str, mount: mounts.Mount, *, mapped: bool) -> runtime.MountWish:
    if mount.kind == mounts.CONTENT:
        written = contents.path(layout, container, mount.target)
        return runtime.MountWish(
            runtime.BIND, mount.target, written, read_only=mount.read_only, recursive=False, flags=(mounts.MAPPED,) if mapped else ())
    source = layout.volume_data(mount.source) if mount.kind == mounts.VOLUME else mount.source
    flags = mount.flags or ()
    flags = (*flags, mounts.MAPPED) if mapped and mount.kind == mounts.VOLUME else flags
    propagation = "" if mount.kind == mounts.TMPFS else mount.propagation
    return runtime.MountWish(
        mount.kind, mount.target, source, read_only=mount.read_only, propagation=propagation, size=mount.size, mode=mount.mode,
        recursive=mount.recursive, flags=flags, below=mount.subpath or "")


def _security(spec: ContainerSpec) -> t.Dict[str, t.Any]:
    """What its processes may do."""
    security = set(spec.security_opts or ())
    dropped = spec.cap_drop or ()
    usual = (_ALL,) if spec.privileged and _ALL not in dropped else ()
    capabilities = runtime.capability_set(add=(*usual, *(spec.capabilities or ())), drop=dropped)
    hidden: t.Optional[t.Tuple[str, ...]] = () if _NO_MASKS in security else None
    return {
        "capabilities": capabilities,
        "privileged": bool(spec.privileged),
        "no_new_privileges": _NO_NEW_PRIVILEGES in security,
        "seccomp": _seccomp(security, capabilities),
        "devices": tuple(_devices(spec)),
        "device_rules": tuple(_device_rule(rule) for rule in spec.device_cgroup_rules or ()),
        "masked_paths": hidden,
        "readonly_paths": hidden,
    }


def _seccomp(security: t.Collection[str], capabilities: t.Sequence[str]) -> t.Union[str, None, t.Mapping[str, t.Any]]:
    if _NO_SECCOMP in security:
        return runtime.UNCONFINED
    given = [word[len(_SECCOMP):] for word in security if word.startswith(_SECCOMP)]
    if not given:
        return runtime.DEFAULT
    host = os.uname()
    kernel = tuple(int("".join(filter(str.isdigit, part)) or 0) for part in host.release.split("-")[0].split(".")[:2])
    return seccomp_given.profile(json.loads(given[0]), capabilities=capabilities, machine=host.machine, kernel=(kernel[0], kernel[1]))


def _device_rule(text: str) -> t.Dict[str, t.Any]:
    """From the form of devices.allow, in which they are kept; `*` is -1."""
    kind, numbers, access = text.split(" ")
    major, minor = (-1 if number == "*" else int(number) for number in numbers.split(":"))
    return {"allow": True, "type": kind, "major": major, "minor": minor, "access": access}


def _devices(spec: ContainerSpec) -> t.Iterator[runtime.DeviceWish]:
    """Those that are named, and for a privileged container the host's."""
    named = {device.target: device for device in spec.devices or ()}
    if spec.privileged:
        for path in _host_devices("/dev"):
            named.setdefault(path, Device(path, path))
    for target in sorted(named):
        yield _device(named[target])


def _host_devices(top: str) -> t.Iterator[str]:
    """Without what every container has of its own."""
    own = {"/dev/" + name for name in (*(device[0] for device in defaults.DEVICES), "console", "ptmx", "pts", "shm", "mqueue")}
    with os.scandir(top) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            mode = entry.stat(follow_symlinks=False).st_mode
            if entry.path in own or entry.is_symlink():
                continue
            if stat.S_ISDIR(mode):
                yield from _host_devices(entry.path)
            elif stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
                yield entry.path


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
