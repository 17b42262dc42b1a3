# SPDX-License-Identifier: BSD-2-Clause
"""config.json of the OCI runtime spec as values: what the runtime honours, read strictly.

A field that is set and not honoured is refused by its name, so nothing is silently left out. Not here: writing a config
(runtime/spec.py) and acting on it (runtime/child.py). Named tuples, not dataclasses: the launcher waits for this import.
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model import idmap, oci_shapes, settings
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, Unsupported

Words = t.Tuple[str, ...]
Object = t.Mapping[str, t.Any]

NAMESPACES = ("pid", "network", "mount", "ipc", "uts", "cgroup", "user")
PROPAGATION = ("private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable")
RLIMITS = (
    "AS", "CORE", "CPU", "DATA", "FSIZE", "LOCKS", "MEMLOCK", "MSGQUEUE", "NICE", "NOFILE", "NPROC", "RSS", "RTPRIO",
    "RTTIME", "SIGPENDING", "STACK",
)
INFINITY = -1
_ZERO_IS_A_LIMIT = 3            # the version 1.x of the spec from which on a limit of 0 processes is one
_USERS = ("cocker.user", "cocker.groups")
HIGHEST_ID = 2**32 - 2          # 2^32 - 1 means "leave it" to chown and setresuid


class Mount(t.NamedTuple):
    destination: str
    type: str = ""
    source: str = ""
    options: Words = ()


class Namespace(t.NamedTuple):
    """`path` is empty for a new one; of kind user it may be a network namespace, to whose owner the container then belongs."""

    kind: str
    path: str = ""


class Device(t.NamedTuple):
    """`kind` is c, b or p; `mode` the permission bits."""

    path: str
    kind: str
    major: int = 0
    minor: int = 0
    mode: int = 0o666
    uid: int = 0
    gid: int = 0


class Rlimit(t.NamedTuple):
    """`name` without RLIMIT_; INFINITY for no limit."""

    name: str
    soft: int
    hard: int


class Capabilities(t.NamedTuple):
    bounding: Words = ()
    effective: Words = ()
    permitted: Words = ()
    inheritable: Words = ()
    ambient: Words = ()


class Process(t.NamedTuple):
    """`user` is `name|uid[:group|gid]`, looked up in the image at each start; where it is empty, the numbers hold.

    `group_names` are names or numbers of groups besides, looked up in the same way. `maps` are those of its user namespace.
    """

    args: Words
    env: Words
    cwd: str
    user: str = ""
    uid: int = 0
    gid: int = 0
    groups: t.Tuple[int, ...] = ()
    umask: t.Optional[int] = None
    capabilities: Capabilities = Capabilities()
    rlimits: t.Tuple[Rlimit, ...] = ()
    no_new_privileges: bool = False
    oom_score_adj: t.Optional[int] = None
    group_names: Words = ()
    maps: t.Optional[idmap.Maps] = None
    terminal: bool = False


class Bundle(t.NamedTuple):
    """`root` is relative to the bundle's directory unless absolute. `resources` and `seccomp` are checked by their owners."""

    root: str
    read_only: bool
    process: Process
    mounts: t.Tuple[Mount, ...]
    hostname: str
    domainname: str
    namespaces: t.Tuple[Namespace, ...]
    devices: t.Tuple[Device, ...]
    resources: Object
    sysctl: t.Mapping[str, str]
    seccomp: t.Optional[Object]
    masked: Words
    readonly_paths: Words
    propagation: str
    settings: settings.Settings

    def namespace(self, kind: str) -> t.Optional[Namespace]:
        return next((found for found in self.namespaces if found.kind == kind), None)

    def overlay(self) -> t.Optional[Mount]:
        """The mount that makes the root, if the root is not a directory as it is."""
        return next((mount for mount in self.mounts if mount.destination == "/"), None)


class _Object:
    """A JSON object that remembers what was asked for, so that `finish` finds what nobody reads."""

    def __init__(self, value: t.Any, path: str) -> None:
        if not isinstance(value, dict):
            raise Invalid(path or "config.json", "an object is wanted, not %s" % type(value).__name__)
        self.path = path
        self._left = {str(key): item for key, item in value.items() if item is not None}

    def of(self, key: str) -> str:
        return "%s.%s" % (self.path, key) if self.path else key

    def take(self, key: str, kind: t.Type[t.Any], default: t.Any) -> t.Any:
        value = self._left.pop(key, default)
        if not isinstance(value, kind) or isinstance(value, bool) and kind is not bool:
            raise Invalid(self.of(key), "%s is wanted, not %r" % (_WORDS[kind], value))
        return value

    def text(self, key: str, default: str = "") -> str:
        value: str = self.take(key, str, default)
        if "\0" in value:
            raise Invalid(self.of(key), "a zero byte is in it")
        return value

    def number(self, key: str, default: int = 0, *, low: int = 0, high: int = 2**64 - 1) -> int:
        value: int = self.take(key, int, default)
        if not low <= value <= high:
            raise Invalid(self.of(key), "%d is not between %d and %d" % (value, low, high))
        return value

    def maybe_number(self, key: str, *, low: int, high: int) -> t.Optional[int]:
        return self.number(key, low=low, high=high) if key in self._left else None

    def flag(self, key: str) -> bool:
        return bool(self.take(key, bool, False))

    def strings(self, key: str) -> Words:
        return tuple(_plain(item, "%s[%d]" % (self.of(key), place)) for place, item in enumerate(self.take(key, list, [])))

    def pairs(self, key: str) -> t.Dict[str, str]:
        found = self.take(key, dict, {})
        return {_plain(name, self.of(key)): _plain(value, "%s[%s]" % (self.of(key), name)) for name, value in found.items()}

    def objects(self, key: str) -> t.List[_Object]:
        return [_Object(item, "%s[%d]" % (self.of(key), place)) for place, item in enumerate(self.take(key, list, []))]

    def object(self, key: str) -> _Object:
        return _Object(self._left.pop(key, {}), self.of(key))

    def raw(self, key: str, shape: oci_shapes.Shape) -> t.Optional[Object]:
        found = self.take(key, dict, {})
        oci_shapes.refuse_others(found, shape, self.of(key))
        return t.cast("t.Optional[Object]", found) or None

    def finish(self) -> None:
        """Empty values say nothing and are fine."""
        for key in sorted(self._left):
            if self._left[key] not in ("", [], {}, False):
                raise Unsupported("config.json", self.of(key), "this field is not supported")


_CONSOLE = {"height": None, "width": None}
_WORDS: t.Dict[type, str] = {str: "a string", int: "a whole number", bool: "true or false", list: "a list", dict: "an object"}


def _plain(value: t.Any, path: str) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise Invalid(path, "a string without zero bytes is wanted, not %r" % (value,))
    return value


def minor(version: str) -> int:
    """The second number of an `ociVersion` 1.x: some of what a bundle says means another thing since."""
    number = version.split(".")[1].partition("-")[0] if version.startswith("1.") else ""
    return int(number) if number.isascii() and number.isdigit() else 0


def since_then(version: str, resources: Object) -> Object:
    """Limits of a version as the newest has them. Before 1.3 no process at all meant any number of them."""
    pids = resources.get("pids")
    if minor(version) < _ZERO_IS_A_LIMIT and isinstance(pids, dict) and pids.get("limit") == 0:
        return dict(resources, pids=dict(pids, limit=-1))
    return resources


def parse(config: t.Any) -> Bundle:
    """Raises Invalid for what is wrong and Unsupported for what is not honoured; each names the field."""
    top = _Object(config, "")
    version = top.text("ociVersion")
    if not version.startswith("1."):
        raise Unsupported("config.json", "ociVersion", "%r is not 1.x" % version)
    root = top.object("root")
    path, read_only = root.text("path", "rootfs"), root.flag("readonly")
    root.finish()
    settings, user, groups = _settings(top.pairs("annotations"))
    process = _process(top.object("process"), user=user, init=settings.init)._replace(group_names=groups)
    mounts = tuple(_mount(item) for item in top.objects("mounts"))
    hostname, domainname = top.text("hostname"), top.text("domainname")
    linux = top.object("linux")
    process = process._replace(maps=_maps(linux))
    bundle = Bundle(
        root=path, read_only=read_only, process=process, mounts=mounts, hostname=hostname, domainname=domainname,
        namespaces=_namespaces(linux), devices=tuple(_device(item) for item in linux.objects("devices")),
        resources=since_then(version, linux.raw("resources", oci_shapes.RESOURCES) or {}), sysctl=linux.pairs("sysctl"),
        seccomp=linux.raw("seccomp", oci_shapes.SECCOMP),
        masked=_absolute(linux, "maskedPaths"), readonly_paths=_absolute(linux, "readonlyPaths"),
        propagation=_choice(linux, "rootfsPropagation", PROPAGATION, default="rprivate"), settings=settings,
    )
    linux.text("cgroupsPath")       # where the cgroup lies is the engine's decision: /cocker/<name>
    linux.finish()
    top.finish()
    if (hostname or domainname) and bundle.namespace("uts") is None:
        raise Invalid("hostname", "it needs a uts namespace of its own")
    if (bundle.namespace("user") is None) != (process.maps is None):
        raise Invalid("linux.uidMappings", "maps go with a namespace of kind user, and it with maps")
    return bundle


def _maps(linux: _Object) -> t.Optional[idmap.Maps]:
    uids, gids = (tuple(_extent(item) for item in linux.objects(key)) for key in ("uidMappings", "gidMappings"))
    if not uids and not gids:
        return None
    if idmap.outside(uids, 0) is None or idmap.outside(gids, 0) is None:
        raise Unsupported("config.json", "linux.uidMappings", "a container without its own user and group 0 is not supported")
    return idmap.Maps(uids, gids)


def _extent(value: _Object) -> idmap.Extent:
    found = [value.number(key, high=idmap.HIGHEST) for key in ("containerID", "hostID")]
    size = value.number("size", low=1, high=idmap.HIGHEST)
    value.finish()
    return idmap.Extent(found[0], found[1], size)


def _process(value: _Object, *, user: str, init: bool) -> Process:
    args, cwd = value.strings("args"), value.text("cwd", "/")
    if not args and not init:
        raise Invalid("process.args", "a command is needed")
    if not cwd.startswith("/"):
        raise Invalid("process.cwd", "%r is not absolute" % cwd)
    who, sets = value.object("user"), value.object("capabilities")
    found = Process(
        args=args, cwd=cwd, user=user, env=_environment(value.strings("env")),
        uid=who.number("uid", high=HIGHEST_ID), gid=who.number("gid", high=HIGHEST_ID),
        groups=_numbers(who, "additionalGids"), umask=who.maybe_number("umask", low=0, high=0o777),
        capabilities=Capabilities(*[sets.strings(name) for name in Capabilities._fields]),
        rlimits=tuple(_rlimit(item) for item in value.objects("rlimits")),
        no_new_privileges=value.flag("noNewPrivileges"),
        oom_score_adj=value.maybe_number("oomScoreAdj", low=-1000, high=1000), terminal=value.flag("terminal"),
    )
    value.raw("consoleSize", _CONSOLE)
    for rest in (who, sets, value):
        rest.finish()
    return found


def _environment(words: Words) -> Words:
    for word in words:
        if not word.partition("=")[0] or "=" not in word:
            raise Invalid("process.env", "%r is not NAME=VALUE" % word)
    return words


def _numbers(value: _Object, key: str) -> t.Tuple[int, ...]:
    found = value.take(key, list, [])
    for item in found:
        if isinstance(item, bool) or not isinstance(item, int) or not 0 <= item <= HIGHEST_ID:
            raise Invalid(value.of(key), "%r is not an id" % (item,))
    return tuple(found)


def _rlimit(value: _Object) -> Rlimit:
    kind = value.text("type")
    name = kind[len("RLIMIT_"):] if kind.startswith("RLIMIT_") else ""
    if name not in RLIMITS:
        raise Invalid(value.of("type"), "%r is not one of RLIMIT_%s" % (kind, ", RLIMIT_".join(RLIMITS)))
    soft, hard = value.number("soft", low=-1), value.number("hard", low=-1)
    value.finish()
    limit = Rlimit(name, *[INFINITY if number >= 2**63 else number for number in (soft, hard)])
    if limit.hard != INFINITY and not 0 <= limit.soft <= limit.hard:
        raise Invalid(value.path, "the soft limit of %s is above the hard one" % kind)
    return limit


def _mount(value: _Object) -> Mount:
    destination = value.text("destination")
    if not destination.startswith("/"):
        raise Invalid(value.of("destination"), "%r is not absolute" % destination)
    found = Mount(destination=destination, type=value.text("type"), source=value.text("source"), options=value.strings("options"))
    value.finish()
    return found


def _namespaces(linux: _Object) -> t.Tuple[Namespace, ...]:
    found: t.Dict[str, Namespace] = {}
    for item in linux.objects("namespaces"):
        kind, path = item.text("type"), item.text("path")
        item.finish()
        if kind not in NAMESPACES:
            raise Unsupported("config.json", item.of("type"), "%r is not one of %s" % (kind, ", ".join(NAMESPACES)))
        if kind in found:
            raise Invalid(item.of("type"), "%s is there twice" % kind)
        if path and (kind == "mount" or not path.startswith("/")):
            raise Unsupported("config.json", item.of("path"), "joining the %s namespace %s is not supported" % (kind, path))
        found[kind] = Namespace(kind, path)
    if "mount" not in found:
        raise Unsupported("config.json", "linux.namespaces", "a container without a mount namespace is not supported")
    return tuple(found.values())


def _device(value: _Object) -> Device:
    path, kind = value.text("path"), value.text("type")
    if not path.startswith("/"):
        raise Invalid(value.of("path"), "%r is not absolute" % path)
    if kind not in ("b", "c", "u", "p"):
        raise Invalid(value.of("type"), "%r is not one of b, c, u, p" % kind)
    found = Device(
        path=path, kind="c" if kind == "u" else kind,
        major=value.number("major", high=2**12 - 1), minor=value.number("minor", high=2**20 - 1),
        mode=value.number("fileMode", 0o666) & 0o7777,
        uid=value.number("uid", high=HIGHEST_ID), gid=value.number("gid", high=HIGHEST_ID),
    )
    value.finish()
    return found


def _absolute(value: _Object, key: str) -> Words:
    found = value.strings(key)
    for path in found:
        if not path.startswith("/"):
            raise Invalid(value.of(key), "%r is not absolute" % path)
    return found


def _choice(value: _Object, key: str, choices: t.Sequence[str], *, default: str) -> str:
    found = value.text(key) or default
    if found not in choices:
        raise Invalid(value.of(key), "%r is not one of %s" % (found, ", ".join(choices)))
    return found


def _settings(annotations: t.Mapping[str, str]) -> t.Tuple[settings.Settings, str, Words]:
    """Annotations of others are not ours to judge; an unknown one of ours is refused."""
    for key in annotations:
        if key.startswith("cocker.") and key not in _USERS and key[len("cocker."):] not in settings.TABLE:
            raise Unsupported("config.json", "annotations[%s]" % key, "no such setting")
    user, groups = (annotations.get(key, "") for key in _USERS)
    return settings.parse(annotations), user, tuple(groups.split(",")) if groups else ()
