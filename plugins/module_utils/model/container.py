# SPDX-License-Identifier: BSD-2-Clause
"""A container as it is wanted (ContainerSpec), as it is recorded (ContainerRecord) and as it is found (ContainerState).

Not here: what a change of each option costs (container_fields.py), reading options (edge/parse_container.py), looking at the
host (engine/observe.py), deciding (engine/container_plan.py).
"""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model import healthcheck, idmap, mounts, units
from ansible_collections.cocker.engine.plugins.module_utils.model.changes import plain
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageConfig
from ansible_collections.cocker.engine.plugins.module_utils.model.network import DEFAULT_NETWORK
from ansible_collections.cocker.engine.plugins.module_utils.model.ports import PortMapping

BRIDGE, HOST, NONE, CUSTOM = "bridge", "host", "none", "custom"
NETWORK_MODES = (BRIDGE, HOST, NONE, CUSTOM)
PRIVATE = "private"  # ipc_mode, pid_mode, uts, cgroupns_mode: its own
CONTAINER = "container:"  # network_mode, ipc_mode, pid_mode: before the name of the container whose namespace is shared

SYSTEMD = "systemd"  # init: the image's own init system is process 1
SYSTEMD_STOP = "RTMIN+3"  # systemd(1): halt

CREATED, RUNNING, PAUSED, RESTARTING, EXITED, DEAD = "created", "running", "paused", "restarting", "exited", "dead"

STOP_TIMEOUT = 10  # seconds between the stop signal and SIGKILL
LOST_EXIT_CODE = 255  # the supervisor died: nobody saw how the container ended

Words = t.Tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Attachment:
    """A network that the container is on; an address that is not given is chosen at the first start and kept.

    A MAC address that is not given follows from the address. `aliases` are names for the neighbours, sorted.
    """

    name: str
    ipv4_address: t.Optional[str] = None
    mac_address: t.Optional[str] = None
    aliases: t.Optional[Words] = None
    ipv6_address: t.Optional[str] = None


@dataclasses.dataclass(frozen=True)
class Device:
    """`permissions` is a subset of `rwm` (read, write, mknod)."""

    source: str
    target: str
    permissions: str = "rwm"


@dataclasses.dataclass(frozen=True)
class DeviceRate:
    """How much a second may be read from or written to the block device at `path`: bytes or operations."""

    path: str
    rate: int


@dataclasses.dataclass(frozen=True)
class Ulimit:
    """getrlimit(2) without the RLIMIT_ prefix, lower case; -1 is no limit."""

    name: str
    soft: int
    hard: int


@dataclasses.dataclass(frozen=True)
class ContainerSpec:
    """What the task says, normalised. None is `not said`; an empty value is `wanted empty`."""

    name: str
    images: t.Optional[Words] = None
    command: t.Optional[Words] = None
    entrypoint: t.Optional[Words] = None
    init: t.Union[None, bool, str] = None  # or SYSTEMD
    env: t.Optional[t.Mapping[str, t.Optional[str]]] = None
    user: t.Optional[str] = None
    groups: t.Optional[Words] = None
    umask: t.Optional[int] = None
    working_dir: t.Optional[str] = None
    tty: t.Optional[bool] = None
    interactive: t.Optional[bool] = None
    hostname: t.Optional[str] = None
    domainname: t.Optional[str] = None
    network_mode: t.Optional[str] = None
    networks: t.Optional[t.Tuple[Attachment, ...]] = None
    published_ports: t.Optional[t.Tuple[PortMapping, ...]] = None
    publish_all_ports: t.Optional[bool] = None
    exposed_ports: t.Optional[Words] = None
    default_host_ip: t.Optional[str] = None
    etc_hosts: t.Optional[t.Mapping[str, str]] = None
    dns_servers: t.Optional[Words] = None
    dns_opts: t.Optional[Words] = None
    dns_search_domains: t.Optional[Words] = None
    links: t.Optional[t.Tuple[t.Tuple[str, str], ...]] = None
    mounts: t.Optional[t.Tuple[mounts.Mount, ...]] = None
    memory: t.Optional[int] = None
    memory_swap: t.Optional[int] = None
    memory_reservation: t.Optional[int] = None
    memory_swappiness: t.Optional[int] = None
    oom_killer: t.Optional[bool] = None  # true switches it off: docker_container's word
    oom_score_adj: t.Optional[int] = None
    nano_cpus: t.Optional[int] = None
    cpu_period: t.Optional[int] = None
    cpu_quota: t.Optional[int] = None
    cpuset_cpus: t.Optional[str] = None
    cpuset_mems: t.Optional[str] = None
    cpu_shares: t.Optional[int] = None
    pids_limit: t.Optional[int] = None
    blkio_weight: t.Optional[int] = None
    device_read_bps: t.Optional[t.Tuple[DeviceRate, ...]] = None
    device_write_bps: t.Optional[t.Tuple[DeviceRate, ...]] = None
    device_read_iops: t.Optional[t.Tuple[DeviceRate, ...]] = None
    device_write_iops: t.Optional[t.Tuple[DeviceRate, ...]] = None
    capabilities: t.Optional[Words] = None
    cap_drop: t.Optional[Words] = None
    security_opts: t.Optional[Words] = None
    devices: t.Optional[t.Tuple[Device, ...]] = None
    device_cgroup_rules: t.Optional[Words] = None
    privileged: t.Optional[bool] = None
    ipc_mode: t.Optional[str] = None
    pid_mode: t.Optional[str] = None
    uts: t.Optional[str] = None
    cgroupns_mode: t.Optional[str] = None
    userns_mode: t.Optional[str] = None
    uidmap: t.Optional[idmap.Extents] = None
    gidmap: t.Optional[idmap.Extents] = None
    shm_size: t.Optional[int] = None
    read_only: t.Optional[bool] = None
    sysctls: t.Optional[t.Mapping[str, str]] = None
    ulimits: t.Optional[t.Tuple[Ulimit, ...]] = None
    labels: t.Optional[t.Mapping[str, str]] = None
    stop_timeout: t.Optional[int] = None
    stop_signal: t.Optional[int] = None
    log_driver: t.Optional[str] = None
    log_options: t.Optional[t.Mapping[str, str]] = None
    restart_policy: t.Optional[str] = None
    restart_retries: t.Optional[int] = None
    healthcheck: t.Optional[healthcheck.Check] = None
    auto_remove: t.Optional[bool] = None

    def shares(self) -> t.Dict[str, str]:
        """The containers whose namespaces it uses, by the option that names them."""
        modes = {"network_mode": self.network_mode, "ipc_mode": self.ipc_mode, "pid_mode": self.pid_mode}
        return {option: mode[len(CONTAINER):] for option, mode in modes.items() if mode and mode.startswith(CONTAINER)}

    def attachments(self) -> t.Tuple[Attachment, ...]:
        """The networks of bridge mode; empty in the other modes. The default bridge where nothing is said."""
        if (self.network_mode or BRIDGE) != BRIDGE:
            return ()
        return self.networks if self.networks is not None else (Attachment(DEFAULT_NETWORK),)

    def is_partial(self) -> bool:
        """A task without images manages only what it says of a container that exists."""
        return self.images is None


@dataclasses.dataclass(frozen=True)
class Pin:
    """An image of the stack, resolved once: `layers` bottom first."""

    name: str
    version: str
    layers: Words


@dataclasses.dataclass(frozen=True)
class ContainerRecord:
    """containers/<name>/spec.json. `created` is RFC 3339. Images and their merged config stay those of the creation.

    `layers` are its own, above those of its images and below the writable one: `born` of them it was made with, from the image
    `source` that became this container, or from another container; the others were its writable layer before. `own` is what these say.
    """

    id: str
    created: str
    spec: ContainerSpec
    pins: t.Tuple[Pin, ...]
    config: ImageConfig = ImageConfig()
    layers: Words = ()
    born: int = 0
    source: str = ""
    own: ImageConfig = ImageConfig()

    def stack(self) -> t.List[Words]:
        """Everything below the writable layer, bottom first."""
        return [*(pin.layers for pin in self.pins), self.layers]

    def to_json(self) -> t.Dict[str, t.Any]:
        said = {key: getattr(self, key) for key in ("id", "created", "spec", "pins", "layers", "born", "source")}
        return dict(plain(said), config=self.config.to_json(), own=self.own.to_json())


@dataclasses.dataclass(frozen=True)
class Exit:
    """containers/<name>/exit.json: how the last run ended. Times are RFC 3339."""

    exit_code: int
    oom_killed: bool
    started_at: str
    finished_at: str
    error: str = ""
    restart_count: int = 0


@dataclasses.dataclass(frozen=True)
class Running:
    """PID 1 of the container and its supervisor, as the host sees them; each pid with its start time.

    `last` is how the run before ended, where the supervisor started this one, or is about to.
    """

    pid: int
    start_time: int
    supervisor_pid: int
    supervisor_start_time: int
    started_at: str
    cgroups: t.Mapping[str, str]
    restart_count: int = 0
    last: t.Optional[Exit] = None


@dataclasses.dataclass(frozen=True)
class Probe:
    """One run of the health check. `exit_code` is -1 for one that took too long or could not be run. Times are RFC 3339."""

    start: str
    end: str
    exit_code: int
    output: str


@dataclasses.dataclass(frozen=True)
class Health:
    """`status` is starting, healthy or unhealthy; `streak` counts failures in a row; `log` has the last results, oldest first."""

    status: str
    streak: int = 0
    log: t.Tuple[Probe, ...] = ()


@dataclasses.dataclass(frozen=True)
class ContainerState:
    """What was found. `record` is None where the container does not exist, `health` where nothing is checked.

    `remains`: nothing is known of a run, and there are processes of one.
    """

    name: str
    status: t.Optional[str] = None
    record: t.Optional[ContainerRecord] = None
    running: t.Optional[Running] = None
    exit: t.Optional[Exit] = None
    health: t.Optional[Health] = None
    remains: bool = False

    @property
    def is_running(self) -> bool:
        """There is a first process; it may be paused."""
        return self.status in (RUNNING, PAUSED, RESTARTING)


def health_check(record: ContainerRecord) -> t.Optional[healthcheck.Check]:
    """What is run, if anything is."""
    return healthcheck.effective(record.spec.healthcheck, record.config.healthcheck)


def stop_signal(spec: ContainerSpec, image_signal: t.Optional[str]) -> int:
    if spec.stop_signal is not None:
        return spec.stop_signal
    usual = SYSTEMD_STOP if spec.init == SYSTEMD else "TERM"
    return units.parse_signal(image_signal or usual, "stop_signal")
