# SPDX-License-Identifier: BSD-2-Clause
"""A config.json that somebody else wrote: what the engine's own reader knows, and besides it what only foreign bundles have.

A field that is set and not honoured is refused by its name. Not here: acting on it (build.py, create.py).
"""
from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import caps, namespaces
from ansible_collections.cocker.engine.plugins.module_utils.model import oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Invalid, NotFound, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.oci import machine
from ansible_collections.cocker.engine.plugins.module_utils.runtime import defaults

Json = t.Dict[str, t.Any]

HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
_BOTH = ("pid", "mount")            # the engine's reader wants these
_OWN_KIND = "user"                  # which is read here, with its maps (spaces.py)
_IDMAP, _COPY_UP = {"idmap": False, "ridmap": True}, "tmpcopyup"
MOUNT_WORDS = (*_IDMAP, _COPY_UP)   # besides those of runtime/mount_options.py
PERSONALITIES = {"LINUX": 0x0, "LINUX32": 0x8}
_LARGEST = 1 << 24
_SCHEDULER_FLAGS = (
    "SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM", "SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_KEEP_POLICY", "SCHED_FLAG_KEEP_PARAMS",
    "SCHED_FLAG_UTIL_CLAMP_MIN", "SCHED_FLAG_UTIL_CLAMP_MAX",
)
POLICIES = {
    "SCHED_OTHER": 0, "SCHED_FIFO": 1, "SCHED_RR": 2, "SCHED_BATCH": 3, "SCHED_ISO": 4, "SCHED_IDLE": 5, "SCHED_DEADLINE": 6,
}
CLASSES = {"IOPRIO_CLASS_NONE": 0, "IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}


class Hook(t.NamedTuple):
    """`timeout` in seconds, None for none."""

    path: str
    args: t.Tuple[str, ...]
    env: t.Tuple[str, ...]
    timeout: t.Optional[int]


class Range(t.NamedTuple):
    """A line of an id map."""

    inside: int
    outside: int
    size: int


class MountExtras(t.NamedTuple):
    """Id maps, and whether they hold for the mounts below, too; `copy_up`: the tmpfs begins with what it covers."""

    uids: t.Tuple[Range, ...] = ()
    gids: t.Tuple[Range, ...] = ()
    recursive: bool = False
    copy_up: bool = False


class Scheduler(t.NamedTuple):
    """As sched_setattr(2) takes it; times in nanoseconds."""

    policy: int
    nice: int
    priority: int
    flags: int
    runtime: int
    deadline: int
    period: int


class Process(t.NamedTuple):
    """What is special to one process: `core` as the engine knows it, and the rest. `io_priority` as ioprio_set(2) takes it."""

    core: oci.Process
    terminal: bool
    rows: int
    columns: int
    apparmor: str
    selinux: str
    affinity: machine.Affinity
    scheduler: t.Optional[Scheduler]
    io_priority: t.Optional[int]


class Config(t.NamedTuple):
    """`bundle.root` is absolute, as are the sources of bind mounts. `extras` are by the place of a mount."""

    bundle: oci.Bundle
    process: Process
    hooks: t.Mapping[str, t.Tuple[Hook, ...]]
    uids: t.Tuple[Range, ...]
    gids: t.Tuple[Range, ...]
    extras: t.Mapping[int, MountExtras]
    cgroups_path: str
    personality: t.Optional[int]
    mount_label: str
    offsets: t.Mapping[str, t.Tuple[int, int]]
    annotations: t.Mapping[str, str]
    propagation: str
    memory_policy: t.Optional[machine.MemoryPolicy]
    net_devices: t.Tuple[machine.Device, ...]


def load(folder: str) -> Json:
    """The text of a bundle. Raises NotFound, Invalid."""
    path = os.path.join(folder, "config.json")
    return read_json(path, "the bundle %s has no config.json" % folder)


def read_json(path: str, missing: str) -> Json:
    try:
        with open(path, "rb") as stream:
            value = json.loads(stream.read(_LARGEST))
    except FileNotFoundError as error:
        raise NotFound("read", path, missing) from error
    except (ValueError, RecursionError) as error:
        raise Invalid(path, "not JSON: %s" % error) from error
    if not isinstance(value, dict):
        raise Invalid(path, "an object is wanted")
    return value


def parse(given: Json, folder: str) -> Config:
    """Raises Invalid for what is wrong and Unsupported for what is not honoured; each names the field."""
    top, linux = dict(given), dict(_object(given, "linux", ""))
    if not _object(top, "process", ""):
        raise Invalid("process", "a container without a process cannot be started")
    events = hooks(top)
    own, process = split_process(_object(top, "process", ""))
    annotations = top.pop("annotations", None) or {}
    top.pop("hooks", None)
    spaces = _namespaces(linux)
    uids, gids = (_ranges(linux, key, "linux") for key in ("uidMappings", "gidMappings"))
    mounts, extras = _mounts(top.get("mounts") or [], folder, own=MountExtras(uids, gids))
    path, personality, label = linux.pop("cgroupsPath", None) or "", _personality(linux), linux.pop("mountLabel", None) or ""
    offsets = _offsets(linux)
    policy, devices = machine.memory_policy(_pop(linux, "memoryPolicy"), "linux.memoryPolicy"), _pop(linux, "netDevices")
    linux["sysctl"] = dict(_object(linux, "sysctl", "linux."))
    domain = linux["sysctl"].pop("kernel.domainname", None)     # it belongs to the uts namespace, as the name of its own field
    if domain and not top.get("domainname"):
        top["domainname"] = domain
    linux["namespaces"] = [{"type": kind} for kind in {**dict.fromkeys(_BOTH), **dict.fromkeys(space.kind for space in spaces)}
                           if kind in oci.NAMESPACES and kind != _OWN_KIND]
    bundle = oci.parse(dict(top, process=own, linux=linux, mounts=mounts))
    bundle = bundle._replace(
        namespaces=spaces, root=os.path.normpath(os.path.join(folder, bundle.root)), resources=with_usual_devices(bundle.resources))
    found = Config(
        bundle=bundle, process=process(bundle.process), hooks=events, uids=uids, gids=gids, extras=extras, cgroups_path=path,
        personality=personality, mount_label=label, offsets=offsets, annotations=annotations,
        propagation=linux.get("rootfsPropagation") or "", memory_policy=policy,
        net_devices=machine.devices(devices, "linux.netDevices"),
    )
    _check(found)
    return found


def with_usual_devices(resources: oci.Object) -> oci.Object:
    """Those that every process may open, whatever the bundle says: it is given their nodes. As runc adds them."""
    given = resources.get("devices") or []
    if not isinstance(given, list):
        raise Invalid("linux.resources.devices", "a list is wanted")
    return dict(resources, devices=[*given, *(rule for rule in defaults.DEVICE_RULES if rule["allow"])])


def parse_process(given: Json) -> Process:
    """Of a process.json, for `exec`."""
    own, process = split_process(given)
    namespaces = [{"type": kind} for kind in _BOTH]
    return process(oci.parse({"ociVersion": "1.0.0", "process": own, "linux": {"namespaces": namespaces}}).process)


def split_process(given: t.Mapping[str, t.Any]) -> t.Tuple[Json, t.Callable[[oci.Process], Process]]:
    """What the engine's reader takes, and what makes the whole of its answer."""
    own = dict(given)
    size = _object(own, "consoleSize", "process.")
    own.pop("consoleSize", None)
    _refuse(size, ("height", "width"), "process.consoleSize")
    rest = Process(
        core=oci.Process((), (), ""), terminal=_truth(own.pop("terminal", None), "process.terminal"),
        rows=_number(size, "height", "process.consoleSize"), columns=_number(size, "width", "process.consoleSize"),
        apparmor=_text(own, "apparmorProfile"), selinux=_text(own, "selinuxLabel"),
        affinity=machine.affinity(_object(own, "execCPUAffinity", "process."), "process.execCPUAffinity"),
        scheduler=_scheduler(_object(own, "scheduler", "process.")), io_priority=_io_priority(_object(own, "ioPriority", "process.")),
    )
    for key in ("scheduler", "ioPriority", "execCPUAffinity"):
        own.pop(key, None)
    return own, lambda core: rest._replace(core=core._replace(capabilities=_possible(core.capabilities)))


def _possible(sets: oci.Capabilities) -> oci.Capabilities:
    """Without names that are none, and ambient ones that the kernel would refuse (capabilities(7)): as runc reads them."""
    known = oci.Capabilities(*[tuple(name for name in names if name in caps.NAMES) for names in sets])
    held = set(known.permitted).intersection(known.inheritable)
    return known._replace(ambient=tuple(name for name in known.ambient if name in held))


def _text(value: Json, key: str) -> str:
    found = value.pop(key, None) or ""
    if not isinstance(found, str):
        raise Invalid("process." + key, "a string is wanted, not %r" % (found,))
    return found


def _truth(value: t.Any, path: str) -> bool:
    if value not in (None, True, False):
        raise Invalid(path, "true or false is wanted, not %r" % (value,))
    return bool(value)


def _object(value: t.Mapping[str, t.Any], key: str, path: str) -> Json:
    found = value.get(key)
    if found is not None and not isinstance(found, dict):
        raise Invalid(path + key, "an object is wanted, not %r" % (found,))
    return found or {}


def _pop(linux: Json, key: str) -> Json:
    found = _object(linux, key, "linux.")
    linux.pop(key, None)
    return found


def _objects(value: t.Mapping[str, t.Any], key: str, path: str) -> t.List[Json]:
    found = value.get(key) or []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise Invalid(path + key, "a list of objects is wanted")
    return found


def _number(value: t.Mapping[str, t.Any], key: str, path: str, *, low: int = 0, high: int = 2**32 - 1) -> int:
    found = value.get(key)
    found = 0 if found is None else found
    if isinstance(found, bool) or not isinstance(found, int) or not low <= found <= high:
        raise Invalid("%s.%s" % (path, key), "%r is not a whole number between %d and %d" % (found, low, high))
    return found


def _refuse(value: t.Mapping[str, t.Any], known: t.Collection[str], path: str) -> None:
    for key in sorted(value):
        if key not in known and value[key] not in (None, "", [], {}, False):
            raise Unsupported("config.json", "%s.%s" % (path, key), "this field is not supported")


def _words(value: Json, key: str, path: str) -> t.Tuple[str, ...]:
    found = value.get(key) or []
    if not isinstance(found, list) or not all(isinstance(word, str) and "\0" not in word for word in found):
        raise Invalid("%s.%s" % (path, key), "a list of strings is wanted")
    return tuple(found)


def hooks(given: Json) -> t.Dict[str, t.Tuple[Hook, ...]]:
    """Those of a config.json."""
    return _hooks(_object(given, "hooks", ""))


def _hooks(given: Json) -> t.Dict[str, t.Tuple[Hook, ...]]:
    _refuse(given, HOOKS, "hooks")
    return {stage: tuple(_hook(item, "hooks.%s[%d]" % (stage, place)) for place, item in enumerate(_objects(given, stage, "hooks.")))
            for stage in HOOKS if given.get(stage)}


def _hook(item: Json, path: str) -> Hook:
    _refuse(item, ("path", "args", "env", "timeout"), path)
    program = item.get("path")
    if not isinstance(program, str) or not program.startswith("/"):
        raise Invalid(path + ".path", "%r is not absolute" % (program,))
    timeout = None if item.get("timeout") is None else _number(item, "timeout", path, low=1)
    return Hook(program, _words(item, "args", path) or (program,), _words(item, "env", path), timeout)


def _namespaces(linux: Json) -> t.Tuple[oci.Namespace, ...]:
    found: t.Dict[str, oci.Namespace] = {}
    for place, item in enumerate(_objects(linux, "namespaces", "linux.")):
        path = "linux.namespaces[%d]" % place
        _refuse(item, ("type", "path"), path)
        kind, where = item.get("type"), item.get("path") or ""
        if kind not in namespaces.KINDS:
            raise Invalid(path + ".type", "%r is not one of %s" % (kind, ", ".join(sorted(namespaces.KINDS))))
        if kind in found:
            raise Invalid(path + ".type", "%s is there twice" % kind)
        if where and not where.startswith("/"):
            raise Invalid(path + ".path", "%r is not absolute" % where)
        found[kind] = oci.Namespace(kind, where)
    if "mount" not in found:
        raise Unsupported("config.json", "linux.namespaces", "a container without a mount namespace is not supported")
    return tuple(found.values())


def _mounts(given: t.List[Json], folder: str, *, own: MountExtras) -> t.Tuple[t.List[Json], t.Dict[int, MountExtras]]:
    """Relative destinations and sources as absolute ones; what the engine's mounts lack apart. `own` are the container's id maps."""
    found, extras = [], {}
    for place, item in enumerate(_objects({"mounts": given}, "mounts", "")):
        mount, path = dict(item), "mounts[%d]" % place
        uids, gids = (_ranges(mount, key, path) for key in ("uidMappings", "gidMappings"))
        words = _words(mount, "options", path)
        extra = MountExtras(uids, gids, any(_IDMAP.get(word) for word in words), _COPY_UP in words)
        if not (uids or gids) and not _IDMAP.keys().isdisjoint(words):
            extra = extra._replace(uids=own.uids, gids=own.gids)
        if bool(extra.uids) != bool(extra.gids) or not extra.uids and not _IDMAP.keys().isdisjoint(words):
            raise Invalid(path, "id maps have uidMappings and gidMappings")
        if extra.copy_up and mount.get("type") != "tmpfs":
            raise Invalid(path + ".options", "%s is for a tmpfs" % _COPY_UP)
        extras.update({place: extra} if extra != MountExtras() else {})
        options = mount["options"] = [word for word in words if word not in MOUNT_WORDS]
        if isinstance(mount.get("destination"), str):
            mount["destination"] = "/" + mount["destination"].lstrip("/")
        is_bind = mount.get("type") in ("bind", "rbind") or "bind" in options or "rbind" in options
        if is_bind and isinstance(mount.get("source"), str):
            mount["source"] = os.path.join(folder, mount["source"])
        found.append(mount)
    return found, extras


def _ranges(value: Json, key: str, path: str) -> t.Tuple[Range, ...]:
    where = "%s.%s" % (path, key)
    items = _objects(value, key, path + ".")
    value.pop(key, None)
    for item in items:
        _refuse(item, ("containerID", "hostID", "size"), where)
    return tuple(Range(*(_number(item, name, where) for name in ("containerID", "hostID", "size"))) for item in items)


def _personality(linux: Json) -> t.Optional[int]:
    given = _pop(linux, "personality")
    _refuse(given, ("domain",), "linux.personality")
    if not given:
        return None
    if given.get("domain") not in PERSONALITIES:
        raise Invalid("linux.personality.domain", "%r is not one of %s" % (given.get("domain"), ", ".join(PERSONALITIES)))
    return PERSONALITIES[given["domain"]]


def _offsets(linux: Json) -> t.Dict[str, t.Tuple[int, int]]:
    given = _pop(linux, "timeOffsets")
    _refuse(given, ("monotonic", "boottime"), "linux.timeOffsets")
    path = "linux.timeOffsets"
    return {clock: (_number(value, "secs", path, low=-2**63, high=2**63 - 1), _number(value, "nanosecs", path))
            for clock, value in given.items() if value}


def _scheduler(given: Json) -> t.Optional[Scheduler]:
    path = "process.scheduler"
    _refuse(given, ("policy", "nice", "priority", "flags", "runtime", "deadline", "period"), path)
    if not given:
        return None
    if given.get("policy") not in POLICIES:
        raise Invalid(path + ".policy", "%r is not one of %s" % (given.get("policy"), ", ".join(POLICIES)))
    flags = 0
    for word in _words(given, "flags", path):
        if word not in _SCHEDULER_FLAGS:
            raise Invalid(path + ".flags", "%r is not one of %s" % (word, ", ".join(_SCHEDULER_FLAGS)))
        flags |= 1 << _SCHEDULER_FLAGS.index(word)
    return Scheduler(
        POLICIES[given["policy"]], _number(given, "nice", path, low=-20, high=19), _number(given, "priority", path, high=99), flags,
        *(_number(given, key, path, high=2**64 - 1) for key in ("runtime", "deadline", "period")))


def _io_priority(given: Json) -> t.Optional[int]:
    """The class in the upper bits, from 13 on (ioprio_set(2))."""
    path = "process.ioPriority"
    _refuse(given, ("class", "priority"), path)
    if not given:
        return None
    if given.get("class") not in CLASSES:
        raise Invalid(path + ".class", "%r is not one of %s" % (given.get("class"), ", ".join(CLASSES)))
    return CLASSES[given["class"]] << 13 | _number(given, "priority", path, high=7)


def _check(found: Config) -> None:
    kinds = {space.kind: space.path for space in found.bundle.namespaces}
    if kinds.get("user") == "" and not (found.uids and found.gids):
        raise Invalid("linux.uidMappings", "a new user namespace needs uidMappings and gidMappings")
    if (found.uids or found.gids) and "user" not in kinds:
        raise Invalid("linux.uidMappings", "it needs a user namespace")
    if found.net_devices and "network" not in kinds:
        raise Invalid("linux.netDevices", "it needs a network namespace")
    if found.offsets and kinds.get("time") != "":
        raise Invalid("linux.timeOffsets", "it needs a new time namespace")
    if not os.path.isdir(found.bundle.root):
        raise NotFound("root.path", found.bundle.root, "no such directory")
    for label, name in ((found.process.selinux, "process.selinuxLabel"), (found.mount_label, "linux.mountLabel")):
        if label:
            raise Unsupported("config.json", name, "labels of SELinux are not supported")
    if found.bundle.overlay() is not None:
        raise CockerError("config.json", "mounts", "nothing can be mounted on /")
