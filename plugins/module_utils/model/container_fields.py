# SPDX-License-Identifier: BSD-2-Clause
"""The table of a container's options: what a change of each costs, and how its value is read back from a record.

Not here: the options themselves (ContainerSpec in container.py) and what is done about a change (engine/).
"""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model import contentfile, healthcheck, idmap, logdriver, mounts, restarts, units
from ansible_collections.cocker.engine.plugins.module_utils.model.changes import LIVE, RECREATE, RESTART, Field
from ansible_collections.cocker.engine.plugins.module_utils.model.container import (
    BRIDGE,
    PRIVATE,
    STOP_TIMEOUT,
    SYSTEMD,
    Attachment,
    ContainerRecord,
    ContainerSpec,
    Device,
    DeviceRate,
    Pin,
    Ulimit,
)
from ansible_collections.cocker.engine.plugins.module_utils.model.image import config_from_json
from ansible_collections.cocker.engine.plugins.module_utils.model.ports import PortMapping


def _dict(value: t.Any) -> t.Any:
    return dict(value)


def _init(value: t.Any) -> t.Union[bool, str]:
    return SYSTEMD if value == SYSTEMD else bool(value)


def _each(kind: t.Callable[..., t.Any]) -> t.Callable[[t.Any], t.Any]:
    return lambda value: tuple(kind(**item) for item in value)


def _attachment(aliases: t.Optional[t.Iterable[str]] = None, **said: t.Any) -> Attachment:
    return Attachment(aliases=None if aliases is None else tuple(aliases), **said)


def _extents(value: t.Any) -> idmap.Extents:
    return tuple(idmap.Extent(**said) for said in value)


def _mount(flags: t.Optional[t.Iterable[str]] = None, content: t.Optional[t.Mapping[str, t.Any]] = None, **said: t.Any) -> mounts.Mount:
    written = None if content is None else contentfile.Content(**content)
    return mounts.Mount(flags=None if flags is None else tuple(flags), content=written, **said)


FIELDS = (
    Field("images", RECREATE, tuple),
    Field("command", RESTART, tuple),
    Field("entrypoint", RESTART, tuple),
    Field("init", RESTART, _init, single=True),
    Field("env", RESTART, _dict, {}),
    Field("user", RESTART, str),
    Field("groups", RESTART, tuple, ()),
    Field("umask", RESTART, int, 0o022),
    Field("working_dir", RESTART, str),
    Field("tty", RESTART, bool, False),
    Field("interactive", RESTART, bool, False),
    Field("hostname", RESTART, str),
    Field("domainname", RESTART, str),
    Field("network_mode", RESTART, str, BRIDGE),
    Field("networks", LIVE, lambda value: tuple(_attachment(**item) for item in value)),
    Field("published_ports", LIVE, _each(PortMapping), ()),
    Field("publish_all_ports", LIVE, bool, False),
    Field("exposed_ports", LIVE, tuple, ()),
    Field("default_host_ip", LIVE, str, ""),
    Field("etc_hosts", LIVE, _dict, {}),
    Field("dns_servers", LIVE, tuple),
    Field("dns_opts", LIVE, tuple),
    Field("dns_search_domains", LIVE, tuple),
    Field("links", LIVE, lambda value: tuple((link[0], link[1]) for link in value), ()),
    Field("mounts", RESTART, _each(_mount), ()),
    Field("memory", LIVE, int, units.UNLIMITED),
    Field("memory_swap", LIVE, int),
    Field("memory_reservation", LIVE, int, units.UNLIMITED),
    Field("memory_swappiness", LIVE, int),
    Field("oom_killer", LIVE, bool, False),
    Field("oom_score_adj", LIVE, int),
    Field("nano_cpus", LIVE, int, 0),
    Field("cpu_period", LIVE, int, 100000),
    Field("cpu_quota", LIVE, int, units.UNLIMITED),
    Field("cpuset_cpus", LIVE, str),
    Field("cpuset_mems", LIVE, str),
    Field("cpu_shares", LIVE, int),
    Field("pids_limit", LIVE, int, units.UNLIMITED),
    Field("blkio_weight", LIVE, int),
    Field("device_read_bps", LIVE, _each(DeviceRate), ()),
    Field("device_write_bps", LIVE, _each(DeviceRate), ()),
    Field("device_read_iops", LIVE, _each(DeviceRate), ()),
    Field("device_write_iops", LIVE, _each(DeviceRate), ()),
    Field("capabilities", RESTART, tuple, ()),
    Field("cap_drop", RESTART, tuple, ()),
    Field("security_opts", RESTART, tuple, ()),
    Field("devices", RESTART, _each(Device), ()),
    Field("device_cgroup_rules", LIVE, tuple, ()),
    Field("privileged", RESTART, bool, False),
    Field("ipc_mode", RESTART, str, PRIVATE),
    Field("pid_mode", RESTART, str, PRIVATE),
    Field("uts", RESTART, str, PRIVATE),
    Field("cgroupns_mode", RESTART, str, PRIVATE),
    Field("userns_mode", RESTART, str, idmap.HOST),
    Field("uidmap", RESTART, _extents),
    Field("gidmap", RESTART, _extents),
    Field("shm_size", RESTART, int),
    Field("read_only", RESTART, bool, False),
    Field("sysctls", RESTART, _dict, {}),
    Field("ulimits", RESTART, _each(Ulimit), ()),
    Field("labels", LIVE, _dict, {}),
    Field("stop_timeout", LIVE, int, STOP_TIMEOUT),
    Field("stop_signal", LIVE, int),
    Field("log_driver", LIVE, str, logdriver.JSON_FILE),
    Field("log_options", LIVE, _dict, {}),
    Field("restart_policy", LIVE, str, restarts.NO),
    Field("restart_retries", LIVE, int, 0),
    Field("healthcheck", LIVE, healthcheck.load),
    Field("auto_remove", LIVE, bool, False),
)


def record_from_json(value: t.Mapping[str, t.Any]) -> ContainerRecord:
    """Raises KeyError, TypeError or ValueError where the record is not ours; storage.records names the file."""
    said = value["spec"]
    spec = ContainerSpec(name=said["name"], **{field.name: field.load(said[field.name]) for field in FIELDS if field.name in said})
    pins = tuple(Pin(pin["name"], pin["version"], tuple(pin["layers"])) for pin in value["pins"])
    return ContainerRecord(
        value["id"], value["created"], spec, pins, config_from_json(value["config"]), layers=tuple(value.get("layers", ())),
        born=int(value.get("born", 0)), source=str(value.get("source", "")), own=config_from_json(value.get("own", {})))


# Options that say the same in another way: with the one, what is recorded of the others goes.
_IN_PLACE_OF = {
    "nano_cpus": ("cpu_quota", "cpu_period"), "cpu_quota": ("nano_cpus",), "cpu_period": ("nano_cpus",),
    "userns_mode": ("uidmap", "gidmap"), "uidmap": ("userns_mode",), "gidmap": ("userns_mode",),
    "networks": ("network_mode",),
}


def completed(want: ContainerSpec, have: ContainerSpec) -> ContainerSpec:
    """A partial task laid over what is recorded: what it does not say stays, also of a health check without a test."""
    said = {field.name: getattr(want, field.name) for field in FIELDS if getattr(want, field.name) is not None}
    gone: t.Dict[str, t.Any] = {other: None for option in said for other in _IN_PLACE_OF.get(option, ())}
    if (want.network_mode or BRIDGE) != BRIDGE:
        gone["networks"] = None
    if have.network_mode == BRIDGE:
        gone.pop("network_mode", None)      # it is where networks are
    if want.healthcheck is not None and not want.healthcheck.test and have.healthcheck is not None:
        said["healthcheck"] = want.healthcheck.over(have.healthcheck)
    return dataclasses.replace(have, **{**gone, **said})
