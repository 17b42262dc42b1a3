# SPDX-License-Identifier: GPL-3.0-or-later
"""Random tasks on a container, and random changes of them: for tests of what holds whatever is asked."""
from __future__ import annotations

import typing as t

from hypothesis import strategies as st

Task = t.Dict[str, t.Any]

# Values that go together, whatever is chosen of the others; None leaves an option out.
VALUES: t.Dict[str, t.List[t.Any]] = {
    "image": ["box", "box:1", "top-of-box"],
    "command": [["/bin/sleep", "1000"], "/bin/sleep 1001", ["/bin/sh", "-c", "sleep 1000; true"]],
    "entrypoint": [None, [], ["/bin/env", "E=1"], "/bin/env 'E=a b'"],
    "init": [None, True, False],
    "env": [None, {}, {"A": "1"}, {"A": "1", "B": ""}, {"FROM": None, "A": "a=b"},
            {"A": "two\nlines", "\u00c4": "\u00fc \"'$A"}, {"PATH": "/www:/bin"}],
    "user": [None, "web", "1000:7", "0", "web:extra"],
    "groups": [None, [], ["extra", "77"]],
    "umask": [None, "0027"],
    "working_dir": [None, "/www/", "/made/anew"],
    "hostname": [None, "one.example", "two"],
    "domainname": [None, "example.org"],
    "tty": [None, True, False],
    "interactive": [None, True],
    "network_mode": [None, None, "bridge", "none", "host"],
    "networks": [None, [], [{"name": "front"}], [{"name": "back", "aliases": ["b", "a"]}, {"name": "front", "ipv4_address": "10.77.0.50"}]],
    "published_ports": [None, [], ["18080:80"], ["127.0.0.1:18081-18082:81-82/udp", "18080:80"],
                        ["18080:80/tcp", "18080:80/udp"]],
    "exposed_ports": [None, ["80", "443/udp"]],
    "etc_hosts": [None, {"db": "10.0.0.5"}, {"gate": "host-gateway"}],
    "dns_servers": [None, [], ["9.9.9.9"], ["1.1.1.1", "9.9.9.9"]],
    "dns_search_domains": [None, [], ["a.example", "b.example"]],
    "volumes": [None, [], ["data:/data"], ["/etc/passwd:/seen:ro,noexec", "data:/data:ro", "/scratch"]],
    "mounts": [
        None, [], [{"type": "volume", "source": "more", "target": "/more"}],
        [{"type": "volume", "source": "more", "target": "/more", "read_only": True},
         {"type": "bind", "source": "/etc", "target": "/seen too"}],
        [{"type": "content", "content": "one", "target": "/etc/app.conf"}],
        [{"type": "content", "content": "two", "target": "/etc/app.conf"}]],
    "tmpfs": [None, [], ["/fast:size=1M,noexec"], {"/fast": "mode=0700"}],
    "memory": [None, "32M", "64M", "-1"],
    "memory_swap": [None, "64M", "-1"],
    "memory_reservation": [None, "16M"],
    "cpus": [None, 0, 0.5, 1.0],
    "cpu_quota": [None, 0, 20000],
    "cpu_period": [None, 50000],
    "cpu_shares": [None, 0, 512, 2048],
    "cpuset_cpus": [None, "0"],
    "pids_limit": [None, -1, 50, 60],
    "oom_score_adj": [None, 100, 500],
    "ulimits": [None, [], ["nofile:512:1024", "core:0"]],
    "capabilities": [None, [], ["NET_ADMIN", "cap_sys_time"]],
    "cap_drop": [None, ["all"], ["CHOWN"]],
    "security_opts": [None, ["no-new-privileges"], ["seccomp=unconfined"]],
    "devices": [None, ["/dev/zero:/dev/mine:r"]],
    "device_cgroup_rules": [None, ["c 42:* rw"]],
    "read_only": [None, True, False],
    "shm_size": [None, "1M"],
    "sysctls": [None, {"net.ipv4.ip_default_ttl": 77}],
    "labels": [None, {}, {"a": 1}, {"a": "1", "of": "mine"}],
    "log_options": [None, {"max-size": "1m"}],
    "restart_policy": [None, "no", "on-failure:3", "always"],
    "userns_mode": [None, "auto", "host"],
    "cgroupns_mode": [None, "host"],
    "ipc_mode": [None, "host", "private"],
    "pid_mode": [None, "host"],
    "uts": [None, "host"],
    "privileged": [None, True, False],
    "healthcheck": [None, {"test": ["CMD", "/bin/true"], "interval": "1h"}, {"test": ["NONE"]}],
    "log_driver": [None, "json-file", "none"],
    "stop_timeout": [None, 0, 1],
    "stop_signal": ["KILL"],
}
# Option, its values, and the options that do not go with them.
CONFLICTS: t.List[t.Tuple[str, t.Tuple[t.Any, ...], t.Tuple[str, ...]]] = [
    ("cpus", (0, 0.5, 1.0), ("cpu_quota", "cpu_period")),
    ("network_mode", ("none", "host"), ("networks", "published_ports")),
    ("network_mode", ("host",), ("sysctls",)),
    ("networks", ([],), ("published_ports",)),
    ("log_driver", ("none",), ("log_options",)),
    ("uts", ("host",), ("hostname", "domainname")),
    ("ipc_mode", ("host",), ("shm_size",)),
    ("pid_mode", ("host",), ("init", "userns_mode")),
    ("userns_mode", ("auto",), ("privileged",)),
]
STATES = ("started", "started", "started", "present", "stopped", "paused")


def _without_none(task: Task) -> Task:
    said = {option: value for option, value in task.items() if value is not None}
    if "memory_swap" in said and said.get("memory", "-1") == "-1":
        said["memory"] = "64M"      # swap is told with memory
    if said.get("memory") == "-1":
        said.pop("memory_reservation", None)
    for option, found, others in CONFLICTS:
        if said.get(option) in found:
            said = {name: value for name, value in said.items() if name not in others}
    return said


def tasks(*, most: int = 12) -> st.SearchStrategy[Task]:
    """What a task says beside its name: its image, its command and up to `most` more options, and a state."""
    always = ("image", "command", "stop_signal")
    some = st.lists(st.sampled_from(sorted(set(VALUES) - set(always))), unique=True, max_size=most)
    return some.flatmap(lambda chosen: st.fixed_dictionaries({
        "state": st.sampled_from(STATES), **{option: st.sampled_from(VALUES[option]) for option in (*always, *chosen)},
    })).map(_without_none)


def stories() -> st.SearchStrategy[t.List[Task]]:
    """A task and changes of it: each of the following is the one before with another value of some options, or without them."""
    def changed(first: Task) -> st.SearchStrategy[t.List[Task]]:
        steps = st.lists(tasks(most=4), min_size=1, max_size=3)
        return steps.map(lambda found: _told(first, found))
    return tasks().flatmap(changed)


def _told(first: Task, changes: t.Sequence[Task]) -> t.List[Task]:
    told = [first]
    for change in changes:
        dropped = sorted(set(told[-1]) - {"image", "command", "stop_signal", "state", "memory", "memory_swap"})[::3]
        kept = {option: value for option, value in told[-1].items() if option not in dropped}
        told.append(_without_none({**kept, **change}))
    return told
