# SPDX-License-Identifier: BSD-2-Clause
"""Pure: what a container is to be (RuntimeWish) -> its OCI config.json. No file is looked at; same wish, same config.

Not here: reading a config back (model/oci.py).
"""
from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import caps
from ansible_collections.cocker.engine.plugins.module_utils.model import healthcheck, idmap, logdriver, oci, restarts, settings
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.runtime import defaults, mount_options, seccomp_profile, sysctls

OCI_VERSION = "1.2.0"
BIND, TMPFS, VOLUME = "bind", "tmpfs", "volume"
HOST = "host"
DEFAULT, UNCONFINED = "default", None

Json = t.Dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class MountWish:
    """`kind` is bind, volume (a bind of the engine's own directory) or tmpfs; `source` an absolute host path.

    `flags` are further words of mount(8), `below` where below the source it begins.
    """

    kind: str
    destination: str
    source: str = ""
    read_only: bool = False
    recursive: bool = True
    propagation: str = ""
    size: t.Union[None, int, str] = None
    mode: t.Optional[int] = None
    flags: t.Tuple[str, ...] = ()
    below: str = ""


@dataclasses.dataclass(frozen=True)
class DeviceWish:
    """A node to be made, as the caller found it on the host, and what may be done with it."""

    path: str
    kind: str
    major: int
    minor: int
    permissions: str = "rwm"
    mode: int = 0o666
    uid: int = 0
    gid: int = 0


@dataclasses.dataclass(frozen=True)
class UlimitWish:
    """`name` as in getrlimit(2), any case, without RLIMIT_; -1 is no limit."""

    name: str
    soft: int
    hard: int


@dataclasses.dataclass(frozen=True)
class RuntimeWish:
    """`args` None with `init` is a container of sessions and services only. `lower` is topmost first; no `upper`: read-only root.

    `network` is the path of a network namespace, HOST, or None for one of its own with only loopback.
    `shared` maps other kinds of namespaces to HOST or a path; `device_rules` are OCI's, on top of the usual ones and those of `devices`.
    `maps` are those of a user namespace of its own, or of the one that the network namespace at `user_space` belongs to. What is below
    the root `is_mapped`, or belongs to these users on the disk.
    With `own_cgroup` it may make cgroups below its own, and move its processes there.
    `capabilities` is the whole set (capability_set computes it), of one that is `privileged`, too; `seccomp` is DEFAULT, UNCONFINED or a
    linux.seccomp mapping.
    """

    name: str
    lower: t.Tuple[str, ...]
    args: t.Optional[t.Tuple[str, ...]] = None
    upper: t.Optional[str] = None
    work: t.Optional[str] = None
    init: bool = False
    env: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    cwd: str = "/"
    user: str = ""
    groups: t.Tuple[str, ...] = ()
    umask: t.Optional[int] = None
    hostname: str = ""
    domainname: str = ""
    read_only: bool = False
    mounts: t.Tuple[MountWish, ...] = ()
    own_cgroup: bool = False
    network: t.Optional[str] = None
    resources: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    capabilities: t.Tuple[str, ...] = defaults.CAPABILITIES
    no_new_privileges: bool = False
    seccomp: t.Union[str, None, t.Mapping[str, t.Any]] = DEFAULT
    privileged: bool = False
    devices: t.Tuple[DeviceWish, ...] = ()
    device_rules: t.Tuple[t.Mapping[str, t.Any], ...] = ()
    shared: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    sysctls: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    ulimits: t.Tuple[UlimitWish, ...] = ()
    oom_score_adj: t.Optional[int] = None
    masked_paths: t.Optional[t.Tuple[str, ...]] = None
    readonly_paths: t.Optional[t.Tuple[str, ...]] = None
    shm_size: int = defaults.SHM_SIZE
    stop_signal: str = "TERM"
    stop_timeout: int = settings.DEFAULT_STOP_TIMEOUT
    log_driver: str = logdriver.JSON_FILE
    log_max_size: int = logdriver.DEFAULT_SIZE
    log_max_file: int = logdriver.DEFAULT_FILES
    log_fields: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    restart: str = restarts.NO
    health: t.Optional[healthcheck.Check] = None
    maps: t.Optional[idmap.Maps] = None
    is_mapped: bool = True
    user_space: str = ""
    terminal: bool = False
    stdin_open: bool = False
    annotations: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


def capability_set(*, add: t.Sequence[str] = (), drop: t.Sequence[str] = ()) -> t.Tuple[str, ...]:
    """The default set without `drop`, with `add`; ALL stands for every one. What is both dropped and added is there. Sorted."""
    dropped, added = _capabilities(drop), _capabilities(add)
    found = set() if "ALL" in dropped else set(defaults.CAPABILITIES) - dropped
    if "ALL" in added:
        found = set(caps.NAMES) - dropped
    return tuple(sorted((found | added) - {"ALL"}))


def _capabilities(names: t.Sequence[str]) -> t.Set[str]:
    return {"ALL" if name.strip().upper() in ("ALL", "CAP_ALL") else caps.parse(name) for name in names}


def compile_config(wish: RuntimeWish) -> Json:
    """Raises Invalid that names the option; what it returns, oci.parse takes."""
    names = tuple(caps.parse(name) for name in wish.capabilities)
    shared = {**wish.shared, **({"network": wish.network} if wish.network else {})}
    kinds = [kind for kind in ("pid", "mount", "ipc", "uts", "cgroup", "network") if shared.get(kind) != HOST]
    sysctls.check(wish.sysctls, private=kinds)
    if wish.shared.get("pid"):
        _check_shared_pids(wish)
    config: Json = {
        "ociVersion": OCI_VERSION,
        "root": {"path": "merged", "readonly": wish.read_only},
        "process": _process(wish, names),
        "mounts": _mounts(wish),
        "annotations": _annotations(wish),
        "linux": _linux(wish, names, kinds),
    }
    if "uts" in kinds:
        config.update({key: value for key, value in (("hostname", wish.hostname), ("domainname", wish.domainname)) if value})
    elif wish.domainname:
        raise Invalid("domainname", "it would be set on the host, whose name the container has (uts: host)")
    oci.parse(config)
    return config


def _check_shared_pids(wish: RuntimeWish) -> None:
    """An init signals all processes of its namespace, and a user namespace may only mount /proc of one that it has made."""
    if wish.init or wish.own_cgroup:
        raise Invalid("pid_mode", "with the processes of others there is no init of the container's own", hint="give it a command alone")
    if wish.maps is not None:
        raise Invalid("pid_mode", "it does not go with users of the container's own (userns_mode, uidmap, gidmap)")


def _process(wish: RuntimeWish, names: t.Sequence[str]) -> Json:
    env = dict({"PATH": defaults.PATH}, **({"HOSTNAME": wish.hostname} if wish.hostname else {}))
    if wish.terminal:
        env["TERM"] = "xterm"
    env.update(wish.env)
    process: Json = {
        "terminal": wish.terminal, "user": {"uid": 0, "gid": 0}, "cwd": wish.cwd,
        "env": ["%s=%s" % pair for pair in sorted(env.items())],
        "capabilities": {"bounding": list(names), "effective": list(names), "permitted": list(names), "inheritable": [], "ambient": []},
        "noNewPrivileges": wish.no_new_privileges,
    }
    if wish.args is not None:
        process["args"] = list(wish.args)
    if wish.ulimits:
        process["rlimits"] = [_rlimit(limit) for limit in wish.ulimits]
    if wish.umask is not None:
        process["user"]["umask"] = wish.umask
    if wish.oom_score_adj is not None:
        process["oomScoreAdj"] = wish.oom_score_adj
    return process


def _rlimit(limit: UlimitWish) -> Json:
    name = limit.name.upper()
    name = name[len("RLIMIT_"):] if name.startswith("RLIMIT_") else name
    if name not in oci.RLIMITS:
        raise Invalid("ulimits", "%r is not one of %s" % (limit.name, ", ".join(oci.RLIMITS).lower()))
    soft, hard = (2**64 - 1 if value < 0 else value for value in (limit.soft, limit.hard))
    if soft > hard:
        raise Invalid("ulimits", "the soft limit of %s is above the hard one" % name.lower())
    return {"type": "RLIMIT_" + name, "soft": soft, "hard": hard}


def _mounts(wish: RuntimeWish) -> t.List[Json]:
    """The root, what every container has, then the wished ones, outer before inner; one on a standard place replaces it."""
    wanted = {mount.destination.rstrip("/") or "/": mount for mount in wish.mounts}
    if len(wanted) < len(wish.mounts):
        raise Invalid("mounts", "two mounts have the same destination")
    for place in ("/", "/proc", "/sys") if not wish.privileged else ("/", "/proc"):
        if place in wanted:
            raise Invalid("mounts", "nothing can be mounted on %s" % place)
    found = [_root(wish)]
    found += [_default(mount, wish) for mount in defaults.MOUNTS if mount.destination not in wanted]
    return found + [_mount(wanted[place]) for place in sorted(wanted, key=lambda place: (place.count("/"), place))]


def _root(wish: RuntimeWish) -> Json:
    options = ["lowerdir+=" + path for path in wish.lower]
    if wish.upper is not None:
        options += ["upperdir=%s" % wish.upper, "workdir=%s" % wish.work]
    if wish.maps is not None and not wish.is_mapped:
        options.append(mount_options.OWNED)
    return {"destination": "/", "type": "overlay", "source": "cocker", "options": options}


def _default(mount: defaults.DefaultMount, wish: RuntimeWish) -> Json:
    options = list(mount.options)
    if mount.destination == "/dev/shm":
        options.append("size=%d" % wish.shm_size)
    if wish.privileged or (wish.own_cgroup and mount.type == "cgroup"):
        options = [option for option in options if option != "ro"]
    return {"destination": mount.destination, "type": mount.type, "source": mount.source, "options": options}


def _mount(mount: MountWish) -> Json:
    if mount.propagation and mount.propagation not in mount_options.PROPAGATION:
        raise Invalid("mounts", "%r is not one of %s" % (mount.propagation, ", ".join(mount_options.PROPAGATION)))
    if mount.kind == TMPFS:
        options = ["nosuid", "nodev", "ro" if mount.read_only else "rw"]
        options += [] if mount.size is None else ["size=%s" % mount.size]
        options += [] if mount.mode is None else ["mode=%o" % mount.mode]
        return {"destination": mount.destination, "type": "tmpfs", "source": "tmpfs", "options": [*options, *mount.flags]}
    if mount.kind not in (BIND, VOLUME):
        raise Invalid("mounts", "%r is not one of bind, volume, tmpfs" % mount.kind)
    options = ["rbind" if mount.recursive else "bind", mount.propagation or "rprivate"]
    options += (["rro"] if mount.recursive else ["ro"]) if mount.read_only else ["rw"]
    options += [mount_options.BELOW + mount.below] if mount.below else []
    return {"destination": mount.destination, "type": "bind", "source": mount.source, "options": [*options, *mount.flags]}


def _annotations(wish: RuntimeWish) -> t.Dict[str, str]:
    """Annotations of others are kept; ours cannot be given from outside."""
    found = {key: value for key, value in wish.annotations.items() if not key.startswith("cocker.")}
    found.update({
        "cocker.name": wish.name, "cocker.init": "true" if wish.init else "false",
        "cocker.log.driver": wish.log_driver, "cocker.log.max-size": str(wish.log_max_size), "cocker.log.max-file": str(wish.log_max_file),
        "cocker.restart": wish.restart, "cocker.stop-signal": wish.stop_signal, "cocker.stop-timeout": str(wish.stop_timeout),
    })
    if wish.health is not None:
        found["cocker.health"] = healthcheck.to_json(wish.health)
    if wish.stdin_open:
        found["cocker.stdin-open"] = "true"
    if wish.log_fields:
        found["cocker.log.fields"] = json.dumps(dict(wish.log_fields), sort_keys=True)
    if wish.user:
        found["cocker.user"] = wish.user
    if wish.groups:
        found["cocker.groups"] = ",".join(wish.groups)
    return found


def _linux(wish: RuntimeWish, names: t.Sequence[str], kinds: t.Sequence[str]) -> Json:
    paths = {**wish.shared, "network": wish.network or ""}
    spaces = [{"type": kind, "path": paths[kind]} if paths.get(kind) else {"type": kind} for kind in kinds]
    shared = any("slave" in mount.propagation for mount in wish.mounts)
    linux: Json = {
        "namespaces": spaces,
        "cgroupsPath": "/cocker/" + wish.name,
        "resources": dict(wish.resources, devices=device_rules(wish)),
        "rootfsPropagation": "rslave" if shared else "rprivate",
        "maskedPaths": list(_paths(wish.masked_paths, defaults.MASKED_PATHS, wish)),
        "readonlyPaths": list(_paths(wish.readonly_paths, defaults.READONLY_PATHS, wish)),
    }
    if wish.maps is not None:
        spaces.append({"type": "user", "path": wish.user_space} if wish.user_space else {"type": "user"})
        for key, extents in (("uidMappings", wish.maps.uids), ("gidMappings", wish.maps.gids)):
            linux[key] = [dict(zip(("containerID", "hostID", "size"), extent)) for extent in extents]
    if wish.devices:
        linux["devices"] = [_device(device) for device in wish.devices]
    if wish.sysctls:
        linux["sysctl"] = {name: wish.sysctls[name] for name in sorted(wish.sysctls)}
    profile = _seccomp(wish, names)
    if profile is not None:
        linux["seccomp"] = profile
    return linux


def _paths(given: t.Optional[t.Tuple[str, ...]], usual: t.Tuple[str, ...], wish: RuntimeWish) -> t.Tuple[str, ...]:
    if given is not None:
        return given
    return () if wish.privileged else usual


def _seccomp(wish: RuntimeWish, names: t.Sequence[str]) -> t.Optional[Json]:
    if wish.seccomp is UNCONFINED or (wish.privileged and wish.seccomp == DEFAULT):
        return None
    if isinstance(wish.seccomp, str):
        if wish.seccomp != DEFAULT:
            raise Invalid("security_opts", "seccomp: %r is neither default nor a profile" % wish.seccomp)
        return seccomp_profile.default_profile(names)
    return dict(wish.seccomp)


def device_rules(wish: RuntimeWish) -> t.List[Json]:
    """All of OCI's linux.resources.devices."""
    if wish.privileged:
        return [dict(rule) for rule in defaults.ALL_DEVICES]
    return [dict(rule) for rule in (*defaults.DEVICE_RULES, *[_rule(device) for device in wish.devices], *wish.device_rules)]


def _rule(device: DeviceWish) -> Json:
    if not device.permissions or set(device.permissions) - set("rwm"):
        raise Invalid("devices", "%r is not made of r, w and m" % device.permissions)
    return {"allow": True, "type": device.kind, "major": device.major, "minor": device.minor, "access": device.permissions}


def _device(device: DeviceWish) -> Json:
    return {
        "path": device.path, "type": device.kind, "major": device.major, "minor": device.minor, "fileMode": device.mode,
        "uid": device.uid, "gid": device.gid,
    }
