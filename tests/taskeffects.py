# SPDX-License-Identifier: GPL-3.0-or-later
"""What a random task (taskoptions.py) has to have done to its container, and what the kernel shows of it: two dictionaries to compare.

Both are made from the task alone, and from the laboratory's image: nothing of the engine is asked what it meant.
"""
from __future__ import annotations

import json
import os
import shlex
import subprocess
import typing as t

from ansible_collections.cocker.engine.tests.taskoptions import Task

Effects = t.Dict[str, t.Any]

ENV = {"box": {"PATH": "/bin", "FROM": "image"}, "top-of-box": {"PATH": "/bin"}}
USERS: t.Dict[str, t.Tuple[int, int, t.List[int], str]] = {
    "web": (1000, 1000, [2000], "/www"), "1000:7": (1000, 7, [], "/www"), "0": (0, 0, [], "/root"), "web:extra": (1000, 2000, [], "/www"),
}
GROUPS = {"extra": 2000}
NUMBERS = {     # capabilities(7)
    "CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "FSETID": 4, "KILL": 5, "SETGID": 6, "SETUID": 7, "SETPCAP": 8, "NET_BIND_SERVICE": 10,
    "NET_RAW": 13, "SYS_CHROOT": 18, "MKNOD": 27, "AUDIT_WRITE": 29, "SETFCAP": 31, "NET_ADMIN": 12, "SYS_TIME": 25,
}
USUAL = list(NUMBERS)[:14]
NO_LIMIT = -1
SIZES = {"K": 1 << 10, "M": 1 << 20}


def size(text: t.Any, otherwise: t.Any = None) -> t.Any:
    if text is None or text == "-1":
        return otherwise
    return int(text[:-1]) * SIZES[text[-1].upper()]


def expected(task: Task) -> Effects:
    return {**_process(task), **_rights(task), **_mounts(task), **_limits(task), **_network(task), **_settings(task)}


def _words(value: t.Any) -> t.List[str]:
    return shlex.split(value) if isinstance(value, str) else list(value or ())


def _process(task: Task) -> Effects:
    argv = [*_words(task.get("entrypoint")), *_words(task["command"])]
    hostname = task.get("hostname", "web") if task.get("uts") != "host" else os.uname().nodename
    uid, gid, groups, home = USERS[task.get("user", "0")]
    env: t.Dict[str, t.Optional[str]] = {"HOME": home, "HOSTNAME": hostname, **({"TERM": "xterm"} if task.get("tty") else {})}
    env.update({**ENV[task["image"].split(":")[0]], **(task.get("env") or {})})
    while argv[0] == "/bin/env":
        name, _equals, value = argv[1].partition("=")
        argv, env[name] = argv[2:], value
    return {
        "command": argv,
        "env": {key: value for key, value in env.items() if value is not None},
        "ids": [uid, gid, sorted({*groups, *(GROUPS.get(name) or int(name) for name in task.get("groups") or ())})],
        "umask": int(task.get("umask", "0022"), 8),
        "cwd": "/" + "/".join(part for part in task.get("working_dir", "/").split("/") if part),
        "init": bool(task.get("init")),
        "hostname": hostname,
        "domainname": task.get("domainname", "(none)"),
    }


def _capabilities(task: Task) -> t.Optional[int]:
    """None is more than what is usual."""
    def names(option: str) -> t.Set[str]:
        return {name.upper().replace("CAP_", "") for name in task.get(option) or ()}
    if task.get("privileged") and "ALL" not in names("cap_drop"):
        return None
    dropped = set(USUAL) if "ALL" in names("cap_drop") else names("cap_drop")
    return sum(1 << NUMBERS[name] for name in (set(USUAL) - dropped) | names("capabilities"))


def _rights(task: Task) -> Effects:
    said = task.get("security_opts") or ()
    seccomp = not task.get("privileged") and "seccomp=unconfined" not in said
    return {
        "capabilities": _capabilities(task),
        "no_new_privileges": "no-new-privileges" in said,
        "seccomp": seccomp,
        "oom_score_adj": task.get("oom_score_adj", 0),
        "nofile": [512, 1024] if task.get("ulimits") else None,
        "own_users": task.get("userns_mode") == "auto",
        **{kind: task.get(option) != "host" for kind, option in (("ipc", "ipc_mode"), ("pid", "pid_mode"), ("cgroup", "cgroupns_mode"))},
        "mine": "1:5 r" if task.get("devices") else None,
        "ttl": 77 if task.get("sysctls") else 64,
        "shm": size(task.get("shm_size"), 64 << 20),
    }


def _mounts(task: Task) -> Effects:
    """target -> its file system, and words that have to be said of it."""
    found: Effects = {"/": "rw" if not task.get("read_only") else "ro"}
    for each in task.get("volumes") or ():
        parts = each.split(":")
        options = set(parts[2].split(",")) if len(parts) == 3 else set()
        found[parts[1] if len(parts) > 1 else parts[0]] = ",".join(sorted({"ro" if "ro" in options else "rw", *(options & {"noexec"})}))
    for each in task.get("mounts") or ():
        found[each["target"]] = "ro" if each.get("read_only", each["type"] == "content") else "rw"
    tmpfs = task.get("tmpfs") or ()
    for target, said in tmpfs.items() if isinstance(tmpfs, dict) else [each.partition(":")[::2] for each in tmpfs]:
        found[target] = ",".join(sorted({"rw", *({"noexec"} & set(said.split(",")))})) + " tmpfs"
    if task["image"].startswith("top-of-box"):
        found.setdefault("/kept", "rw")
    return {"mounts": found}


def _limits(task: Task) -> Effects:
    memory = size(task.get("memory"), NO_LIMIT)
    cpus = task.get("cpus")
    return {
        "memory": memory,
        "reservation": size(task.get("memory_reservation"), NO_LIMIT),
        "swap": size(task.get("memory_swap"), NO_LIMIT if task.get("memory_swap") else memory),
        "quota": int(cpus * 100000) if cpus else task.get("cpu_quota") or NO_LIMIT,
        "period": 100000 if cpus else task.get("cpu_period", 100000),
        "shares": task.get("cpu_shares") or 1024,
        "cpuset": task.get("cpuset_cpus"),
        "pids": task.get("pids_limit", NO_LIMIT),
    }


def _network(task: Task) -> Effects:
    mode = task.get("network_mode", "bridge")
    networks = task.get("networks", [{"name": "cocker0"}]) if mode == "bridge" else []
    ports = sorted(_port(each) for each in task.get("published_ports") or ())
    return {
        "links": None if mode == "host" else len(networks),
        "addresses": sorted(each["ipv4_address"] for each in networks if each.get("ipv4_address")),
        "ports": sorted({port for some in ports for port in some}),
        "hosts": sorted(set(task.get("etc_hosts") or ())),
        "servers": task.get("dns_servers") or None,
        "search": task.get("dns_search_domains") or [],
    }


def _port(text: str) -> t.List[int]:
    first, _dash, last = text.partition("/")[0].split(":")[-2].partition("-")
    return list(range(int(first), int(last or first) + 1))


def _settings(task: Task) -> Effects:
    """What the supervisor goes by: it is told by a signal, and reads it in config.json."""
    policy = task.get("restart_policy", "no")
    check = task.get("healthcheck")
    return {
        "restart": policy,
        "stop_timeout": str(task.get("stop_timeout", 10)),
        "log_size": str(1 << 20 if task.get("log_options") else 10 << 20),
        "log_driver": task.get("log_driver", "json-file"),
        "health": check["test"] if check and check["test"] != ["NONE"] else None,
        "labels": {**({"of": "image"} if task["image"].startswith("box") else {"of": "top"}),
                   **{key: str(value) for key, value in (task.get("labels") or {}).items()}},
    }


def seen(engine: t.Any, name: str = "web") -> Effects:
    """Of a container that runs."""
    shown = engine.find(name)
    pid = shown["State"]["Pid"]
    with open(os.path.join(engine.layout.container(name), "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    return t.cast(Effects, engine.lab.run(lambda: _look(pid, shown, config)))


def _look(pid: int, shown: t.Any, config: t.Any) -> Effects:
    is_init = _read(pid, "comm").strip() == "cocker-init"
    command = int(_read(pid, "task/%d/children" % pid).split()[0]) if is_init else pid
    return {**_seen_process(pid, command, is_init=is_init), **_seen_rights(pid, command), **_seen_mounts(command),
            **_seen_limits(shown["Cocker"]["Cgroups"]), **_seen_network(pid, shown), **_seen_settings(shown, config)}


def _read(pid: int, name: str) -> str:
    with open("/proc/%d/%s" % (pid, name), encoding="utf-8") as file:
        return file.read()


def _status(pid: int) -> t.Dict[str, str]:
    found = (line.partition(":\t") for line in _read(pid, "status").splitlines())
    return {name: value for name, _colon, value in found}


def _is_hosts(pid: int, kind: str) -> bool:
    return os.stat("/proc/%d/ns/%s" % (pid, kind)).st_ino == os.stat("/proc/self/ns/%s" % kind).st_ino


def _within(pid: int, *argv: str) -> str:
    """In its network and with its names, by programs of the host."""
    return subprocess.run(["nsenter", "-t", str(pid), "-n", "-u", *argv], check=True, capture_output=True, text=True).stdout.strip()


def _mapped(pid: int, kind: str) -> int:
    """The host's number for the container's 0."""
    return int(_read(pid, "%s_map" % kind).split()[1])


def _seen_process(pid: int, command: int, *, is_init: bool) -> Effects:
    status = _status(command)
    uid, gid = _mapped(command, "uid"), _mapped(command, "gid")
    root = os.readlink("/proc/%d/root" % command)
    cwd = os.readlink("/proc/%d/cwd" % command)
    words = _read(command, "environ").split("\0")
    return {
        "command": _read(command, "cmdline").split("\0")[:-1],
        "env": {name: value for name, _equals, value in (word.partition("=") for word in words if word)},
        "ids": [int(status["Uid"].split()[0]) - uid, int(status["Gid"].split()[0]) - gid,
                sorted(int(group) - gid for group in status["Groups"].split())],
        "umask": int(status["Umask"], 8),
        "cwd": cwd[len(root):] if root != "/" and cwd.startswith(root) else cwd,
        "init": is_init,
        "hostname": _within(pid, "cat", "/proc/sys/kernel/hostname"),
        "domainname": _within(pid, "cat", "/proc/sys/kernel/domainname"),
    }


def _seen_rights(pid: int, command: int) -> Effects:
    status = _status(command)
    bounding = int(status["CapBnd"], 16)
    limit = next(line for line in _read(command, "limits").splitlines() if line.startswith("Max open files"))
    files = [int(word) for word in limit.split()[3:5]]
    device = "/proc/%d/root/dev/mine" % command
    facts = os.stat(device) if os.path.exists(device) else None
    return {
        "capabilities": None if bounding >> 16 & 1 else bounding,      # SYS_MODULE
        "no_new_privileges": status["NoNewPrivs"] == "1",
        "seccomp": status["Seccomp"] == "2",
        "oom_score_adj": int(_read(command, "oom_score_adj")),
        "nofile": files if files == [512, 1024] else None,
        "own_users": _mapped(command, "uid") != 0,
        **{kind: not _is_hosts(command, kind) for kind in ("ipc", "pid", "cgroup")},
        "mine": None if facts is None else "%d:%d r" % (os.major(facts.st_rdev), os.minor(facts.st_rdev)),
        "ttl": int(_within(pid, "cat", "/proc/sys/net/ipv4/ip_default_ttl")),
        "shm": os.statvfs("/proc/%d/root/dev/shm" % command).f_blocks * os.statvfs("/proc/%d/root/dev/shm" % command).f_frsize,
    }


_OURS = ("/proc", "/sys", "/dev", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf")


def _seen_mounts(command: int) -> Effects:
    found = {}
    for line in _read(command, "mountinfo").splitlines():
        words = line.split()
        target, options, kind = words[4].replace("\\040", " "), words[5].split(","), words[words.index("-") + 1]
        if target in _OURS or target.startswith(("/proc/", "/sys/", "/dev/")):
            continue
        said = {"ro" if "ro" in options or (target == "/" and "ro" in words[-1].split(",")) else "rw", *({"noexec"} & set(options))}
        found[target] = ",".join(sorted(said)) + (" tmpfs" if kind == "tmpfs" else "")
    return {"mounts": found}


def _seen_limits(groups: t.Mapping[str, str]) -> Effects:
    def text(controller: str, name: str) -> str:
        with open(os.path.join(groups[controller], name), encoding="ascii") as file:
            return file.read().strip()

    def number(controller: str, name: str) -> int:
        found = text(controller, name)
        return NO_LIMIT if found == "max" or int(found) >= 1 << 62 else int(found)

    if not os.path.exists(os.path.join(groups["memory"], "memory.limit_in_bytes")):
        return {}       # cgroup v2 has other files; test_engine_options.py knows both
    swap = os.path.exists(os.path.join(groups["memory"], "memory.memsw.limit_in_bytes"))
    return {
        "memory": number("memory", "memory.limit_in_bytes"), "reservation": number("memory", "memory.soft_limit_in_bytes"),
        "swap": number("memory", "memory.memsw.limit_in_bytes") if swap else None,
        "quota": number("cpu", "cpu.cfs_quota_us"), "period": number("cpu", "cpu.cfs_period_us"), "shares": number("cpu", "cpu.shares"),
        "cpuset": text("cpuset", "cpuset.cpus"), "pids": number("pids", "pids.max"),
    }


def _seen_network(pid: int, shown: t.Any) -> Effects:
    links = json.loads(_within(pid, "ip", "-4", "-j", "addr"))
    own = [link for link in links if link.get("ifname") != "lo"]
    resolver = [line.split() for line in _read(pid, "root/etc/resolv.conf").splitlines()]
    rules = subprocess.run(["nft", "list", "ruleset"], check=True, capture_output=True, text=True).stdout
    return {
        "links": None if _is_hosts(pid, "net") else len(own),
        "addresses": sorted(each["local"] for link in own for each in link["addr_info"]),
        "ports": [port for port in (18080, 18081, 18082) if "%d :" % port in rules],
        "hosts": sorted({"db", "gate"} & set(_read(pid, "root/etc/hosts").split())),
        "servers": [words[1] for words in resolver if words[:1] == ["nameserver"]],
        "search": [word for words in resolver if words[:1] == ["search"] for word in words[1:]],
    }


def _seen_settings(shown: t.Any, config: t.Any) -> Effects:
    said = config["annotations"]
    health = json.loads(said["cocker.health"])[0] if "cocker.health" in said else None
    return {"restart": said["cocker.restart"], "stop_timeout": said["cocker.stop-timeout"], "log_size": said["cocker.log.max-size"],
            "log_driver": said["cocker.log.driver"], "health": health, "labels": shown["Config"]["Labels"]}


def differences(task: Task, found: Effects) -> t.Dict[str, t.Tuple[t.Any, t.Any]]:
    """name -> (what was to be seen, what was); addresses that nobody has asked for, and the host's servers, may be any."""
    wanted = expected(task)
    if not wanted["ipc"]:
        wanted["shm"] = found["shm"]
    if wanted["links"] is None:
        found = {**found, "addresses": wanted["addresses"], "ttl": wanted["ttl"]}
    found["addresses"] = [each for each in found["addresses"] if each in wanted["addresses"]]
    for name in ("servers", "cpuset", "swap"):
        if wanted[name] is None or found.get(name) is None:
            wanted[name] = found.get(name)
    return {name: (wanted[name], found[name]) for name in wanted if name in found and wanted[name] != found[name]}
