# SPDX-License-Identifier: BSD-2-Clause
"""What every container gets unless it is said otherwise: capabilities, mounts, devices, hidden paths. Tables only."""
from __future__ import annotations

import typing as t

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

CAPABILITIES = (
    "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
)

MASKED_PATHS = (
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
    "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
)
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

SHM_SIZE = 64 * 1024 * 1024


class DefaultMount(t.NamedTuple):
    destination: str
    type: str
    source: str
    options: t.Tuple[str, ...]


MOUNTS = (
    DefaultMount("/proc", "proc", "proc", ("nosuid", "noexec", "nodev")),
    DefaultMount("/dev", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
    DefaultMount("/dev/pts", "devpts", "devpts", ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")),
    DefaultMount("/dev/shm", "tmpfs", "shm", ("nosuid", "noexec", "nodev", "mode=1777")),
    DefaultMount("/dev/mqueue", "mqueue", "mqueue", ("nosuid", "noexec", "nodev")),
    DefaultMount("/sys", "sysfs", "sysfs", ("nosuid", "noexec", "nodev", "ro")),
    DefaultMount("/sys/fs/cgroup", "cgroup", "cgroup", ("nosuid", "noexec", "nodev", "relatime", "ro")),
)

# In /dev of every container: name, major, minor; character devices that anybody may read and write.
DEVICES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))
DEVICE_LINKS = (
    ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"), ("ptmx", "pts/ptmx"),
)

Rule = t.Dict[str, t.Any]


def _allow(major: int, minor: t.Optional[int] = None) -> Rule:
    rule: Rule = {"allow": True, "type": "c", "major": major, "access": "rwm"}
    return rule if minor is None else dict(rule, minor=minor)


# Making a node is harmless: opening it is what is controlled.
DEVICE_RULES: t.Tuple[Rule, ...] = (
    {"allow": False, "access": "rwm"},
    {"allow": True, "type": "c", "access": "m"},
    {"allow": True, "type": "b", "access": "m"},
    *[_allow(major, minor) for _name, major, minor in DEVICES],
    _allow(5, 1),       # /dev/console
    _allow(5, 2),       # /dev/ptmx
    _allow(136),        # /dev/pts/*
)
ALL_DEVICES: t.Tuple[Rule, ...] = ({"allow": True, "access": "rwm"},)
