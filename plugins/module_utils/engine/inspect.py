# SPDX-License-Identifier: BSD-2-Clause
"""PURE: our records in the shapes that `docker inspect` made familiar, so that templates written for it keep working.

Not here: reading the records (observe.py, info.py).
"""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model import healthcheck, idmap, logdriver, mounts, restarts
from ansible_collections.cocker.engine.plugins.module_utils.model.container import (
    BRIDGE,
    PAUSED,
    RESTARTING,
    RUNNING,
    STOP_TIMEOUT,
    ContainerRecord,
    ContainerSpec,
    ContainerState,
    DeviceRate,
    Health,
    health_check,
)
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageRecord, Provenance
from ansible_collections.cocker.engine.plugins.module_utils.model.lease import Lease
from ansible_collections.cocker.engine.plugins.module_utils.model.network import VXLAN, Network
from ansible_collections.cocker.engine.plugins.module_utils.model.ports import PortMapping

if t.TYPE_CHECKING:  # a value, whose file is of no other use here
    from ansible_collections.cocker.engine.plugins.module_utils.storage.volumes import Volume

Shown = t.Dict[str, t.Any]
SHM_SIZE = 64 << 20
_NEVER = "0001-01-01T00:00:00Z"


@dataclasses.dataclass(frozen=True)
class Process:
    """What runs, after the images' configs had their say; `env` as KEY=VALUE. `args` is the entry point and the command."""

    args: t.Tuple[str, ...] = ()
    entrypoint: t.Tuple[str, ...] = ()
    command: t.Tuple[str, ...] = ()
    init: bool = False
    systemd: bool = False
    hostname: str = ""
    stop_signal: str = ""
    env: t.Tuple[str, ...] = ()
    cwd: str = "/"
    user: str = ""
    labels: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Places:
    """Paths on the host, and whose its users are there."""

    bundle: str
    log: str
    volumes: t.Mapping[str, str]
    maps: t.Optional[idmap.Maps] = None
    netns: str = ""


def container(state: ContainerState, process: Process, leases: t.Mapping[str, t.Tuple[Lease, str]], places: Places) -> Shown:
    """`leases` maps a network's name to the container's lease on it and the network's gateway."""
    record = state.record
    if record is None:
        return {"Name": "/" + state.name, "State": _state(state), "Cocker": {"Bundle": places.bundle, "Damaged": True}}
    spec = record.spec
    return {
        "Id": record.id,
        "Name": "/" + state.name,
        "Created": record.created,
        "Path": process.args[0] if process.args else "",
        "Args": list(process.args[1:]),
        "Image": image_name(record),
        "LogPath": places.log,
        "RestartCount": _restart_count(state),
        "State": _state(state),
        "Config": _config(record, process),
        "HostConfig": {**_host_config(spec, process), **_mappings(places.maps)},
        "Mounts": [_mount(mount, places.volumes) for mount in spec.mounts or ()],
        "NetworkSettings": {**_network_settings(spec, leases), "SandboxKey": places.netns if state.is_running else ""},
        "Cocker": {
            "Bundle": places.bundle,
            "Root": "/proc/%d/root" % state.running.pid if state.running else "",
            "Images": [{"name": pin.name, "version": pin.version, "layers": list(pin.layers)} for pin in record.pins],
            "Layers": list(record.layers),
            "Source": record.source,
            "Cgroups": dict(state.running.cgroups) if state.running else {},
        },
    }


def image_name(record: ContainerRecord) -> str:
    top = record.pins[-1] if record.pins else None
    if top is None:
        return record.source
    return top.name if top.version == "_" else "%s:%s" % (top.name, top.version)


def _restart_count(state: ContainerState) -> int:
    found = state.running or state.exit
    return found.restart_count if found else 0


def _state(state: ContainerState) -> Shown:
    running, ended = state.running, state.running.last if state.status == RESTARTING and state.running else state.exit
    here = state.status in (RUNNING, PAUSED)
    return {
        "Status": state.status,
        "Running": state.is_running,
        "Paused": state.status == "paused",
        "Restarting": state.status == RESTARTING,
        "Dead": state.status == "dead",
        "OOMKilled": ended.oom_killed if ended and not here else False,
        "Pid": running.pid if running and here else 0,
        "ExitCode": ended.exit_code if ended and not here else 0,
        "Error": ended.error if ended and not here else "",
        "StartedAt": running.started_at if running else (ended.started_at if ended else "") or _NEVER,
        "FinishedAt": (ended.finished_at if ended and not here else "") or _NEVER,
        **_health(state),
    }


def _health(state: ContainerState) -> Shown:
    """Where there is a check; of a container that has ended it is unhealthy, as docker has it."""
    found = state.health
    if found is None:
        if state.exit is None or state.record is None or health_check(state.record) is None:
            return {}
        found = Health(healthcheck.UNHEALTHY)
    log = [{"Start": probe.start, "End": probe.end, "ExitCode": probe.exit_code, "Output": probe.output} for probe in found.log]
    return {"Health": {"Status": found.status, "FailingStreak": found.streak, "Log": log}}


def _config(record: ContainerRecord, process: Process) -> Shown:
    spec = record.spec
    check = healthcheck.merged(record.spec.healthcheck, record.config.healthcheck)
    return {
        **({"Healthcheck": check.shown()} if check.test else {}),
        "Hostname": process.hostname,
        "Domainname": spec.domainname or "",
        "User": process.user,
        "Env": list(process.env),
        "Cmd": list(process.command) or None,
        "Entrypoint": list(process.entrypoint) or None,
        "Image": image_name(record),
        "WorkingDir": process.cwd,
        "Tty": bool(spec.tty),
        "OpenStdin": bool(spec.interactive),
        "Labels": dict(process.labels),
        "StopSignal": process.stop_signal,
        "SystemdMode": process.systemd,
        "ExposedPorts": {port: {} for port in spec.exposed_ports or ()},
        "StopTimeout": spec.stop_timeout if spec.stop_timeout is not None else STOP_TIMEOUT,
    }


def _host_config(spec: ContainerSpec, process: Process) -> Shown:
    return {
        "Binds": [_bind(mount) for mount in spec.mounts or () if mount.kind in (mounts.BIND, mounts.VOLUME)],
        "Tmpfs": {mount.target: _tmpfs_options(mount) for mount in spec.mounts or () if mount.kind == mounts.TMPFS},
        "NetworkMode": spec.network_mode or (spec.networks[0].name if spec.networks else BRIDGE),
        "PortBindings": _bindings(spec.published_ports or ()),
        "AutoRemove": bool(spec.auto_remove),
        "PublishAllPorts": bool(spec.publish_all_ports),
        "Init": process.init,
        "ReadonlyRootfs": bool(spec.read_only),
        **_limits(spec),
        "Privileged": bool(spec.privileged),
        "GroupAdd": list(spec.groups or ()),
        "IpcMode": spec.ipc_mode or "private",
        "PidMode": "" if spec.pid_mode in (None, "private") else spec.pid_mode,
        "UTSMode": spec.uts or "",
        "UsernsMode": spec.userns_mode or "",
        "CgroupnsMode": spec.cgroupns_mode or "private",
        "ShmSize": spec.shm_size or SHM_SIZE,
        "DeviceCgroupRules": list(spec.device_cgroup_rules or ()),
        "CapAdd": list(spec.capabilities or ()),
        "CapDrop": list(spec.cap_drop or ()),
        "SecurityOpt": list(spec.security_opts or ()),
        "Sysctls": dict(spec.sysctls or {}),
        "Ulimits": [{"Name": limit.name, "Soft": limit.soft, "Hard": limit.hard} for limit in spec.ulimits or ()],
        "Devices": [
            {"PathOnHost": device.source, "PathInContainer": device.target, "CgroupPermissions": device.permissions}
            for device in spec.devices or ()
        ],
        "LogConfig": {"Type": spec.log_driver or logdriver.JSON_FILE, "Config": dict(spec.log_options or {})},
        "RestartPolicy": {"Name": spec.restart_policy or restarts.NO, "MaximumRetryCount": spec.restart_retries or 0},
    }


def _limits(spec: ContainerSpec) -> Shown:
    return {
        "Memory": max(spec.memory or 0, 0),
        "MemorySwap": spec.memory_swap or 0,
        "MemoryReservation": max(spec.memory_reservation or 0, 0),
        "MemorySwappiness": spec.memory_swappiness,
        "OomKillDisable": bool(spec.oom_killer),
        "OomScoreAdj": spec.oom_score_adj or 0,
        "NanoCpus": spec.nano_cpus or 0,
        "CpuPeriod": spec.cpu_period or 0,
        "CpuQuota": spec.cpu_quota or 0,
        "CpuShares": spec.cpu_shares or 0,
        "CpusetCpus": spec.cpuset_cpus or "",
        "CpusetMems": spec.cpuset_mems or "",
        "BlkioWeight": spec.blkio_weight or 0,
        **{key: [{"Path": each.path, "Rate": each.rate} for each in rates or ()] for key, rates in _throttles(spec)},
        "PidsLimit": spec.pids_limit,
    }


def _throttles(spec: ContainerSpec) -> t.Sequence[t.Tuple[str, t.Optional[t.Tuple[DeviceRate, ...]]]]:
    return (
        ("BlkioDeviceReadBps", spec.device_read_bps), ("BlkioDeviceWriteBps", spec.device_write_bps),
        ("BlkioDeviceReadIOps", spec.device_read_iops), ("BlkioDeviceWriteIOps", spec.device_write_iops),
    )


def _mappings(maps: t.Optional[idmap.Maps]) -> Shown:
    if maps is None:
        return {}
    return {"IDMappings": {name: ["%d:%d:%d" % extent for extent in extents]
                           for name, extents in (("UidMap", maps.uids), ("GidMap", maps.gids))}}


def _bind(mount: mounts.Mount) -> str:
    return "%s:%s:%s" % (mount.source, mount.target, ",".join(["ro" if mount.read_only else "rw", *(mount.flags or ())]))


def _tmpfs_options(mount: mounts.Mount) -> str:
    said = [("size=%s", mount.size), ("mode=%o", mount.mode)]
    words = [form % value for form, value in said if value is not None]
    return ",".join([*words, *(["ro"] if mount.read_only else []), *(mount.flags or ())])


def _mount(mount: mounts.Mount, volumes: t.Mapping[str, str]) -> Shown:
    shown: Shown = {
        "Type": mount.kind,
        "Source": volumes.get(mount.source, mount.source) if mount.kind == mounts.VOLUME else mount.source,
        "Destination": mount.target,
        "RW": not mount.read_only,
        "Propagation": mount.propagation,
    }
    if mount.kind == mounts.VOLUME:
        shown["Name"] = mount.source
    if mount.subpath:
        shown["SubPath"] = mount.subpath
    return shown


def _bindings(ports: t.Iterable[PortMapping]) -> Shown:
    bindings: Shown = {}
    for port in ports:
        host = {"HostIp": port.host_ip or "0.0.0.0", "HostPort": str(port.host_port or port.host_range or "")}
        bindings.setdefault("%d/%s" % (port.container_port, port.protocol), []).append(host)
    return bindings


def _network_settings(spec: ContainerSpec, leases: t.Mapping[str, t.Tuple[Lease, str]]) -> Shown:
    networks = {name: _endpoint(name, spec, lease, gateway) for name, (lease, gateway) in leases.items()}
    first = next(iter(networks.values()), {"IPAddress": "", "MacAddress": "", "Gateway": ""})
    ports = [port for lease, _gateway in leases.values() for port in lease.ports]
    return {
        "IPAddress": first["IPAddress"],
        "MacAddress": first["MacAddress"],
        "Gateway": first["Gateway"],
        "Ports": _bindings(ports or spec.published_ports or ()),
        "Networks": networks,
    }


def _endpoint(name: str, spec: ContainerSpec, lease: Lease, gateway: str) -> Shown:
    given = [attachment.ipv4_address for attachment in spec.attachments() if attachment.name == name]
    aliases = [word for attachment in spec.attachments() if attachment.name == name for word in attachment.aliases or ()]
    address, _slash, prefix = lease.address.partition("/")
    return {
        "IPAddress": address,
        "IPPrefixLen": int(prefix or 32),
        "Gateway": gateway,
        "MacAddress": lease.mac,
        "GlobalIPv6Address": lease.ip6 or "",
        "Aliases": aliases,
        "IPAMConfig": {"IPv4Address": given[0]} if given and given[0] else None,
    }


def network(found: Network, users: t.Iterable[Lease]) -> Shown:
    families = [(found.subnet, found.gateway, found.ip_range), (found.subnet6, found.gateway6, found.ip_range6)]
    config = [
        {"Subnet": subnet, "Gateway": gateway, **({"IPRange": ip_range} if ip_range else {})}
        for subnet, gateway, ip_range in families if subnet is not None
    ]
    said = {"uplink": found.uplink, "parent": found.parent, "mode": found.mode, "vni": found.vni, "port": found.port, "local": found.local}
    listed = list(users)
    return {
        "Name": found.name,
        "Id": found.link,
        "Driver": found.driver,
        "Scope": "local",
        "Internal": found.internal,
        "EnableIPv6": found.subnet6 is not None,
        "IPAM": {"Driver": "default", "Config": config},
        "Containers": {
            lease.container: {
                "Name": lease.container, "IPv4Address": lease.address, "IPv6Address": lease.address6 or "", "MacAddress": lease.mac,
                "Aliases": list(lease.aliases), "Active": lease.active,
            }
            for lease in listed
        },
        **_spanning(found, listed),
        "Options": {
            "mtu": str(found.mtu), "isolate": found.isolate, "icc": found.icc, "reserved": list(found.reserved),
            **{key: value for key, value in said.items() if value is not None},
        },
        "Labels": dict(found.labels),
    }


def _spanning(found: Network, users: t.Sequence[Lease]) -> Shown:
    """`Names` are this host's, in the form that the others' `peers.names` takes."""
    if found.driver != VXLAN:
        return {}
    names: t.Dict[str, t.List[str]] = {}
    for lease in users:
        for name in (lease.container, *lease.aliases):
            names.setdefault(name, []).extend(address for address in (lease.ip, lease.ip6) if address)
    return {"Peers": [peer.to_json() for peer in found.peers], "Names": names}


def volume(found: Volume, data: str) -> Shown:
    mode = None if found.mode is None else "%04o" % found.mode
    said = {"owner": found.owner, "group": found.group, "mode": mode, "size": found.size or None}
    return {
        "Name": found.name, "Driver": "local", "Mountpoint": data, "CreatedAt": found.created, "Labels": dict(found.labels),
        "Options": {key: str(value) for key, value in said.items() if value is not None}, "Scope": "local",
    }


def _repo_digests(origin: Provenance) -> t.List[str]:
    """What the registry that an image came from calls it, for ever."""
    if not origin.registry_digest:
        return []
    folder, slash, last = origin.path.partition("@")[0].rpartition("/")
    return ["%s%s%s@%s" % (folder, slash, last.partition(":")[0], origin.registry_digest)]


def image(record: ImageRecord) -> Shown:
    origin = record.provenance
    return {
        "Id": "sha256:" + record.id,
        "RepoTags": [str(record.ref)],
        "RepoDigests": _repo_digests(origin),
        "Created": record.created,
        "Size": record.size if record.size >= 0 else None,
        "Os": "linux",
        "Author": record.author,
        "Config": record.config.to_json(),
        "RootFS": {"Type": "layers", "Layers": list(record.layers)},
        "Cocker": {"Name": record.name, "Version": record.version, "Source": origin.source, "Digest": origin.digest, "Path": origin.path},
    }
