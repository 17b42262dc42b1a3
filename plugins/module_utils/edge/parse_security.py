# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_container that widen or narrow what its processes may do, read.

Not here: what a container may do where nothing is said (engine/ and runtime/).
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.edge import values
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import idmap, names, units
from ansible_collections.cocker.engine.plugins.module_utils.model.container import CONTAINER, HOST, PRIVATE, Device
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

ALL = "ALL"
SHAREABLE = "shareable"
LARGEST_PROFILE = 1 << 20
CAPABILITIES = frozenset((  # capabilities(7)
    "AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH",
    "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "MKNOD", "NET_ADMIN",
    "NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "PERFMON", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYSLOG", "SYS_ADMIN", "SYS_BOOT",
    "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG",
    "WAKE_ALARM",
))

NO_NEW_PRIVILEGES = "no-new-privileges"
SECURITY_OPTS = {  # as people write it -> as it is kept; None is what holds anyway
    "no-new-privileges": NO_NEW_PRIVILEGES,
    "no-new-privileges=true": NO_NEW_PRIVILEGES,
    "no-new-privileges=false": None,
    "seccomp=unconfined": "seccomp=unconfined",
    "seccomp=default": None,
    "seccomp=builtin": None,
    "apparmor=unconfined": None,
    "label=disable": None,
    "unmask=ALL": "systempaths=unconfined",
    "systempaths=unconfined": "systempaths=unconfined",
}

SYSCTLS = frozenset((  # those of an IPC namespace; namespaces(7)
    "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
    "kernel.shm_rmid_forced", "kernel.shmall", "kernel.shmmax", "kernel.shmmni",
))
SYSCTL_PREFIXES = ("fs.mqueue.", "net.")


def security(params: Params) -> t.Dict[str, t.Any]:
    """The keyword arguments of ContainerSpec. Raises Invalid."""
    return {
        "capabilities": _capabilities(params["capabilities"], "capabilities"),
        "cap_drop": _capabilities(params["cap_drop"], "cap_drop"),
        "security_opts": _security_opts(params["security_opts"]),
        "devices": _devices(params["devices"]),
        "device_cgroup_rules": _device_rules(params["device_cgroup_rules"]),
        "privileged": params["privileged"],
        "ipc_mode": _shared_mode(PRIVATE if params["ipc_mode"] == SHAREABLE else params["ipc_mode"], "ipc_mode", also=SHAREABLE + ", "),
        "pid_mode": _shared_mode(params["pid_mode"], "pid_mode"),
        "uts": params["uts"],
        "cgroupns_mode": params["cgroupns_mode"],
        **_user_namespace(params),
        "shm_size": _shm_size(params["shm_size"]),
        "read_only": params["read_only"],
        "sysctls": _sysctls(params["sysctls"], is_on_host=params["network_mode"] in (HOST, [HOST])),
    }


def _capabilities(given: t.Optional[t.Sequence[str]], option: str) -> t.Optional[values.Words]:
    return None if given is None else tuple(sorted({_capability(value, option) for value in given}))


def _capability(value: str, option: str) -> str:
    name = value.strip().upper()
    name = name[4:] if name.startswith("CAP_") else name
    if name == ALL:
        return ALL
    if name not in CAPABILITIES:
        raise Invalid(option, "%r is not a capability such as NET_ADMIN or CAP_NET_ADMIN, nor all" % value)
    return "CAP_" + name


def _security_opts(given: t.Optional[t.Sequence[str]]) -> t.Optional[values.Words]:
    if given is None:
        return None
    chosen: t.Dict[str, t.Optional[str]] = {}
    for value in given:
        word = value.strip() if "=" in value.partition(":")[0] else value.strip().replace(":", "=", 1)
        key, _equals, argument = word.partition("=")
        if word not in SECURITY_OPTS and not (key == "seccomp" and argument[:1] in ("/", "{")):
            accepted = ", ".join([*sorted(SECURITY_OPTS), "seccomp=/PATH/OF/A/PROFILE"])
            raise Invalid("security_opts", "%r is not one of %s" % (value, accepted))
        kept = SECURITY_OPTS[word] if word in SECURITY_OPTS else "seccomp=" + _profile(argument)
        if chosen.setdefault(key, kept) != kept:
            raise Invalid("security_opts", "%s is both switched on and off" % key)
    return tuple(sorted(kept for kept in chosen.values() if kept))


def _profile(argument: str) -> str:
    """What is in it counts, not where it is: it is kept whole, as JSON in one form."""
    import json  # most tasks have none

    text = values.read_file(argument, "security_opts", largest=LARGEST_PROFILE) if argument.startswith("/") else argument
    try:
        profile = json.loads(text)
    except ValueError as error:
        raise Invalid("security_opts", "the seccomp profile %s is not JSON: %s" % (argument[:80], error)) from None
    if not isinstance(profile, dict) or not isinstance(profile.get("defaultAction"), str):
        raise Invalid("security_opts", "the seccomp profile %s names no defaultAction" % argument[:80])
    return json.dumps(profile, sort_keys=True)


def _device_rules(given: t.Optional[t.Sequence[str]]) -> t.Optional[values.Words]:
    return None if given is None else tuple(sorted({_device_rule(value) for value in given}))


def _device_rule(value: str) -> str:
    kind, numbers, access = (*value.split(), "", "", "")[:3]
    major, colon, minor = numbers.partition(":")
    good = kind in ("a", "b", "c") and colon and all(number == "*" or (number.isascii() and number.isdigit()) for number in (major, minor))
    if not good or len(value.split()) != 3 or not set(access) <= set("rwm") or len(set(access)) != len(access):
        hint = "such as `c 42:* rwm`: a kind (a, b, c), MAJOR:MINOR each a number or *, letters of rwm"
        raise Invalid("device_cgroup_rules", "%r is not a rule" % value, hint=hint)
    return "%s %s %s" % (kind, numbers, "".join(letter for letter in "rwm" if letter in access))


def _shared_mode(value: t.Optional[str], option: str, *, also: str = "") -> t.Optional[str]:
    if value is None or value in ("", PRIVATE, HOST):
        return PRIVATE if value == "" else value
    kind, colon, name = value.partition(":")
    if kind + colon != CONTAINER:
        raise Invalid(option, "%r is not one of private, %shost, container:NAME" % (value, also))
    return CONTAINER + names.object_name(name, option)


def _user_namespace(params: Params) -> t.Dict[str, t.Any]:
    """Where only one of the two maps is said, it is that of users and of groups, as podman has it."""
    mode = params["userns_mode"]
    maps = {option: idmap.parse(params[option], option) for option in ("uidmap", "gidmap") if params[option]}
    if mode not in (None, "", idmap.HOST, idmap.AUTO):
        raise Invalid("userns_mode", "%r is neither auto nor host; a map of your own is said in uidmap" % mode)
    if mode and maps:
        raise Invalid(next(iter(maps)), "it is a map of your own, and does not go with userns_mode: %s" % mode)
    both = maps.get("uidmap", maps.get("gidmap")), maps.get("gidmap", maps.get("uidmap"))
    return {"userns_mode": idmap.HOST if mode == "" else mode, "uidmap": both[0], "gidmap": both[1]}


def _shm_size(value: t.Optional[str]) -> t.Optional[int]:
    if value is None:
        return None
    size = units.parse_size(value, "shm_size")
    if size < 1:
        raise Invalid("shm_size", "%r is not a size above 0" % value)
    return size


def _devices(given: t.Optional[t.Sequence[str]]) -> t.Optional[t.Tuple[Device, ...]]:
    if given is None:
        return None
    found: t.Dict[str, Device] = {}
    for device in (_device(value) for value in given):
        if found.setdefault(device.target, device) != device:
            raise Invalid("devices", "%s is given twice" % device.target)
    return tuple(found[target] for target in sorted(found))


def _device(value: str) -> Device:
    source, *rest = value.strip().split(":")
    permissions = rest.pop() if rest and rest[-1] and set(rest[-1]) <= set("rwm") else "rwm"
    target = rest.pop() if rest else source
    if rest or not (_is_device(source) and _is_device(target)) or len(set(permissions)) != len(permissions):
        raise Invalid("devices", "%r is not /dev/NAME[:/dev/NAME IN THE CONTAINER][:PERMISSIONS], permissions being letters of rwm" % value)
    return Device(source, target, "".join(letter for letter in "rwm" if letter in permissions))


def _is_device(path: str) -> bool:
    parts = path.split("/")
    return path.startswith("/dev/") and bool(parts[-1]) and ".." not in parts and "\0" not in path


def _sysctls(given: t.Optional[t.Mapping[t.Any, t.Any]], *, is_on_host: bool) -> t.Optional[t.Dict[str, str]]:
    if given is None:
        return None
    pairs = sorted(given.items(), key=lambda pair: str(pair[0]))
    return {_sysctl_name(key, is_on_host=is_on_host): _sysctl_value(key, value) for key, value in pairs}


def _sysctl_name(key: t.Any, *, is_on_host: bool) -> str:
    """sysctl(8): the first of `.` and `/` separates, and the other one is then part of a word, as in net.ipv4.conf.eth0/1.forwarding."""
    separator = next((letter for letter in str(key) if letter in "./"), ".")
    words = str(key).split(separator)
    words = [word.replace("/", ".") for word in words] if separator == "." else words
    dotted = ".".join(words)
    if any(word in ("", ".", "..") for word in words) or not (dotted in SYSCTLS or dotted.startswith(SYSCTL_PREFIXES)):
        accepted = ", ".join([*sorted(SYSCTLS), *(prefix + "*" for prefix in SYSCTL_PREFIXES)])
        raise Invalid("sysctls", "%r is not the container's own; accepted is %s" % (key, accepted))
    if words[0] == "net" and is_on_host:
        raise Invalid("sysctls", "%s would be set on the host, whose network the container uses" % key)
    return dotted if all("." not in word for word in words) else "/".join(words)


def _sysctl_value(key: t.Any, value: t.Any) -> str:
    """Of several numbers, such as those of a range, it does not matter how they are kept apart."""
    text = " ".join(str(value).split())
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not text.isascii() or not text.isprintable():
        raise Invalid("sysctls", "the value of %s is %r; plain text or a whole number is accepted" % (key, value))
    return text
