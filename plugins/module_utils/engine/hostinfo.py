# SPDX-License-Identifier: BSD-2-Clause
"""What this host offers, what is missing, and what cannot be done because of it. Changes nothing.

Not here: mending it (the `host` role).
"""
from __future__ import annotations

import ctypes
import dataclasses
import os
import platform
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import leased, usermaps
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, libc, modules, netlink, nft
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.model.network import DEFAULT_NETWORK, TABLE, VXLAN, Network
from ansible_collections.cocker.engine.plugins.module_utils.network import foreign
from ansible_collections.cocker.engine.plugins.module_utils.storage import quotas

_ROLE = "the role cocker.engine.host brings it"
_BRIDGED = "/proc/sys/net/bridge/bridge-nf-call-iptables"
_CONTROLLERS = (
    ("memory", "memory, memory_swap"),
    ("cpu", "cpus, cpu_shares"),
    ("cpuset", "cpuset_cpus"),
    ("pids", "pids_limit"),
)


@dataclasses.dataclass(frozen=True)
class Check:
    """`disables` says in a few words what does not work without it; `required` means that no container can run."""

    name: str
    ok: bool
    detail: str
    disables: str
    required: bool = False


def collect(host: Host) -> t.Dict[str, t.Any]:
    ours = (_owner_check(host), *_firewall_checks(host), _size_check(host))
    checks = [*_kernel_checks(), *_cgroup_checks(), *_library_checks(), *_network_checks(), *ours]
    return {
        "can_run_containers": all(check.ok for check in checks if check.required),
        "missing": [
            {"name": check.name, "detail": check.detail, "disables": check.disables, "required": check.required}
            for check in checks if not check.ok
        ],
        "host_info": {
            "Kernel": platform.release(),
            "Architecture": platform.machine(),
            "Python": "%d.%d.%d" % sys.version_info[:3],
            "Interpreter": os.path.realpath(sys.executable),
            "CockerHome": host.layout.home,
            "Cgroup": _cgroup_facts(),
            "UserNamespaces": _user_namespaces(host),
            "Checks": {check.name: {"ok": check.ok, "detail": check.detail} for check in checks},
        },
    }


def _kernel_checks() -> t.Iterator[Check]:
    yield _filesystem("overlay", "images and containers", required=True)
    yield _filesystem("tmpfs", "containers", required=True)
    yield _filesystem("mqueue", "POSIX message queues in containers")
    for kind in ("mnt", "pid", "uts", "ipc", "net"):
        yield Check("namespace %s" % kind, os.path.exists("/proc/self/ns/" + kind), "/proc/self/ns/" + kind, "containers", required=True)
    yield Check("namespace cgroup", os.path.exists("/proc/self/ns/cgroup"), "Linux 4.6", "a private view of the cgroups")
    yield _call("openat2", "5.6", "the fast way to resolve paths inside a root")
    yield _call("fsopen", "5.2", "stacks of more than about 40 layers")
    yield _call("mount_setattr", "5.12", "recursive read-only mounts")
    yield Check("users of their own", usermaps.is_possible(), "/proc/self/ns/user", "userns_mode, uidmap and gidmap")
    yield _call("pidfd_open", "5.3", "signals that are proof against reused pids")
    seccomp = os.path.exists("/proc/sys/kernel/seccomp/actions_avail")
    without = "the system call filter: security_opts seccomp=unconfined is needed"
    yield Check("seccomp filter", seccomp, "CONFIG_SECCOMP_FILTER", without, required=True)


def _owner_check(host: Host) -> Check:
    detail = "Linux %d.%d, and a file system such as ext4, xfs and btrfs for %s" % (*usermaps.OLDEST, host.layout.home)
    return Check("files shown as those of other users", usermaps.shows_owners(host), detail,
                 "userns_mode, uidmap and gidmap without copies: layers are copied once for each map, with other owners")


def _filesystem(name: str, disables: str, *, required: bool = False) -> Check:
    with open("/proc/filesystems", encoding="ascii") as listed:
        known = any(line.split()[-1] == name for line in listed)
    loadable = known or bool(modules.find(name))
    detail = "known to the kernel" if known else "a module that is loaded when needed" if loadable else "unknown to the kernel"
    return Check("file system %s" % name, loadable, detail, disables, required)


def _call(name: str, since: str, disables: str) -> Check:
    return Check("system call %s" % name, not libc.is_missing(name), "Linux %s" % since, disables)


def _cgroup_checks() -> t.Iterator[Check]:
    try:
        layout = cgroupfs.layout()
    except CockerError as error:
        yield Check("cgroups", False, str(error), "containers", required=True)
        return
    yield Check("cgroups", True, layout.mode, "containers", required=True)
    for controller, options in _CONTROLLERS:
        version = layout.version(controller)
        yield Check("cgroup %s" % controller, bool(version), "v%d" % version if version else "no such controller", options)
    swap = _has_swap_accounting(layout)
    yield Check("swap accounting", swap, "memory.memsw or memory.swap", "limits of swap: memory_swap")


def _has_swap_accounting(layout: cgroupfs.Layout) -> bool:
    point = layout.controllers.get("memory")
    if point is None:
        return False
    if layout.version("memory") == 1:
        return cgroupfs.has(point, "memory.memsw.limit_in_bytes")
    return os.path.exists("/proc/swaps")


def _cgroup_facts() -> t.Dict[str, t.Any]:
    try:
        layout = cgroupfs.layout()
    except CockerError as error:
        return {"Mode": "none", "Error": str(error)}
    return {"Mode": layout.mode, "Controllers": dict(layout.controllers), "Unified": layout.unified}


def _user_namespaces(host: Host) -> str:
    """How the files of a container become those of its users."""
    return "none" if not usermaps.is_possible() else "mapped" if usermaps.shows_owners(host) else "copied"


def _library_checks() -> t.Iterator[Check]:
    yield _library("libseccomp.so.2", "containers with the default system call filter", required=True)
    yield _library("libnftables.so.1", "bridge networks and published ports")
    found = netlink.is_available()
    yield Check("pyroute2", found, "importable" if found else _ROLE, "bridge networks")


def _library(soname: str, disables: str, *, required: bool = False) -> Check:
    try:
        ctypes.CDLL(soname)
    except OSError:
        return Check(soname, False, "not found; " + _ROLE, disables, required)
    return Check(soname, True, "found", disables, required)


def _network_checks() -> t.Iterator[Check]:
    forwards = _text("/proc/sys/net/ipv4/ip_forward") == "1"
    without = "ports that are reachable from other hosts, until a network is made"
    yield Check("net.ipv4.ip_forward", forwards, "1" if forwards else "0", without)
    for module in ("bridge", "veth", "nf_tables"):
        yield Check("module %s" % module, bool(modules.find(module)), "built in, loaded or loadable", "bridge networks")


def _text(path: str) -> str:
    with open(path, encoding="ascii") as value:
        return value.read().strip()


def _firewall_checks(host: Host) -> t.Iterator[Check]:
    """What others drop stays dropped, whatever our own rules say."""
    networks = leased.listed(host)
    bridges = [network.link for network in networks if network.has_bridge] or [DEFAULT_NETWORK]
    try:
        ruleset = nft.list_ruleset()
    except CockerError as error:
        yield Check("firewall of others", True, "it cannot be read: %s" % error, "")
        return
    found = foreign.findings(ruleset, bridges=bridges, own=TABLE)
    detail = _findings(found)
    if found and os.path.exists(_BRIDGED) and _text(_BRIDGED) == "1":
        detail += ". net.bridge.bridge-nf-call-iptables is 1, so that it stops containers of one network, too"
    what = "published ports from other hosts, and the way out of containers: another firewall stops what is forwarded"
    yield Check("firewall of others", not found, detail or "none stops what containers send or are sent", what)
    for network in networks:
        if network.driver == VXLAN:
            yield _tunnel_check(ruleset, network)


def _tunnel_check(ruleset: t.Sequence[foreign.Command], network: Network) -> Check:
    peers = [peer.address for peer in network.peers]
    found = foreign.tunnel_findings(ruleset, port=network.port or 0, peers=peers, parent=network.parent, own=TABLE)
    what = "what containers on other hosts send to this one by the network %s: another firewall stops its packets" % network.name
    detail = _findings(found) or "none stops UDP port %s of the other hosts" % network.port
    return Check("firewall of others, network %s" % network.name, not found, detail, what)


def _size_check(host: Host) -> Check:
    reason, mend = quotas.lacking(host.layout.volumes)
    detail = "%s%s" % (reason, mend and ": " + mend) if reason else "the file system has them"
    return Check("quotas of directories", not reason, detail, "volumes of a size: size of cocker_volume")


def _findings(found: t.Sequence[foreign.Finding]) -> str:
    return "; ".join("%s: %s. To let it pass: %s" % (each.where, each.why, each.allow) for each in found)
