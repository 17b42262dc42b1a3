# SPDX-License-Identifier: GPL-3.0-or-later
"""What the processes of a container may do."""
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_container, parse_security
from ansible_collections.cocker.engine.plugins.module_utils.kernel import caps
from ansible_collections.cocker.engine.plugins.module_utils.model.container import Device
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

Security = t.Callable[..., t.Dict[str, t.Any]]


@pytest.fixture
def security(filled: t.Callable[..., t.Dict[str, t.Any]]) -> Security:
    return lambda **given: parse_security.security(filled(args_container.SPEC.options, {"name": "web", **given}))


def test_every_capability_that_the_kernel_has_is_accepted() -> None:
    assert {"CAP_" + name for name in parse_security.CAPABILITIES} == set(caps.NAMES)


@pytest.mark.parametrize(("given", "name", "value"), [
    ({}, "capabilities", None),
    ({"capabilities": []}, "capabilities", ()),
    ({"capabilities": ["sys_time", "CAP_NET_ADMIN", "cap_sys_time"]}, "capabilities", ("CAP_NET_ADMIN", "CAP_SYS_TIME")),
    ({"capabilities": ["all"]}, "capabilities", ("ALL",)),
    ({"cap_drop": ["CAP_ALL"]}, "cap_drop", ("ALL",)),
    ({"cap_drop": ["mknod"]}, "cap_drop", ("CAP_MKNOD",)),
    ({"security_opts": []}, "security_opts", ()),
    ({"security_opts": ["no-new-privileges:true", "seccomp=unconfined"]}, "security_opts", ("no-new-privileges", "seccomp=unconfined")),
    ({"security_opts": ["seccomp:unconfined"]}, "security_opts", ("seccomp=unconfined",)),
    ({"security_opts": ["systempaths=unconfined", "no-new-privileges"]}, "security_opts", ("no-new-privileges", "systempaths=unconfined")),
    ({"security_opts": ["no-new-privileges:false"]}, "security_opts", ()),
    ({"security_opts": ["label=disable", "apparmor:unconfined", "seccomp=default"]}, "security_opts", ()),
    ({"security_opts": ["unmask=ALL"]}, "security_opts", ("systempaths=unconfined",)),
    ({"security_opts": ['seccomp={"syscalls": [], "defaultAction": "SCMP_ACT_ALLOW"}']}, "security_opts",
     ('seccomp={"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []}',)),
    ({"device_cgroup_rules": ["c 42:*  mrw", "b 8:1 r", "b 8:1 r"]}, "device_cgroup_rules", ("b 8:1 r", "c 42:* rwm")),
    ({"privileged": True}, "privileged", True),
    ({"ipc_mode": ""}, "ipc_mode", "private"),
    ({"ipc_mode": "shareable"}, "ipc_mode", "private"),
    ({"ipc_mode": "container:other"}, "ipc_mode", "container:other"),
    ({"pid_mode": ""}, "pid_mode", "private"),
    ({"pid_mode": "host"}, "pid_mode", "host"),
    ({"pid_mode": "container:other"}, "pid_mode", "container:other"),
    ({"uts": "host"}, "uts", "host"),
    ({"cgroupns_mode": "host"}, "cgroupns_mode", "host"),
    ({"shm_size": "1G"}, "shm_size", 1 << 30),
    ({"devices": ["/dev/fuse"]}, "devices", (Device("/dev/fuse", "/dev/fuse", "rwm"),)),
    ({"devices": ["/dev/fuse:r"]}, "devices", (Device("/dev/fuse", "/dev/fuse", "r"),)),
    ({"devices": ["/dev/sdb:/dev/xvdb"]}, "devices", (Device("/dev/sdb", "/dev/xvdb", "rwm"),)),
    ({"devices": ["/dev/sdb:/dev/xvdb:mr"]}, "devices", (Device("/dev/sdb", "/dev/xvdb", "rm"),)),
    ({"devices": ["/dev/z", "/dev/a", "/dev/z:rwm"]}, "devices", (Device("/dev/a", "/dev/a"), Device("/dev/z", "/dev/z"))),
    ({"read_only": False}, "read_only", False),
    ({"sysctls": {}}, "sysctls", {}),
    ({"sysctls": {"net.ipv4.ip_forward": 1, "kernel.sem": "1 2 3 4"}}, "sysctls", {"net.ipv4.ip_forward": "1", "kernel.sem": "1 2 3 4"}),
    ({"sysctls": {"net/ipv4/conf/eth0.1/forwarding": "1"}}, "sysctls", {"net/ipv4/conf/eth0.1/forwarding": "1"}),
    ({"sysctls": {"net.ipv4.conf.eth0/1.forwarding": "1"}}, "sysctls", {"net/ipv4/conf/eth0.1/forwarding": "1"}),
    ({"sysctls": {"net/ipv4/tcp_rmem": " 4096\t87380  6291456"}}, "sysctls", {"net.ipv4.tcp_rmem": "4096 87380 6291456"}),
    ({"sysctls": {"net.core.somaxconn": 1}, "network_mode": "none"}, "sysctls", {"net.core.somaxconn": "1"}),
    ({"sysctls": {"fs.mqueue.msg_max": 10}, "network_mode": "host"}, "sysctls", {"fs.mqueue.msg_max": "10"}),
])
def test_an_option_means(security: Security, given: t.Dict[str, t.Any], name: str, value: t.Any) -> None:
    assert security(**given)[name] == value


@pytest.mark.parametrize(("option", "given"), [
    ("capabilities", {"capabilities": ["NET_ADMINISTRATION"]}),
    ("capabilities", {"capabilities": [""]}),
    ("cap_drop", {"cap_drop": ["CAP_CAP_CHOWN"]}),
    ("security_opts", {"security_opts": ["seccomp=/etc/profile.json"]}),
    ("security_opts", {"security_opts": ["label=type:mine_t"]}),
    ("security_opts", {"security_opts": ["apparmor=mine"]}),
    ("security_opts", {"security_opts": ["seccomp={}"]}),
    ("security_opts", {"security_opts": ["seccomp={not json"]}),
    ("security_opts", {"security_opts": ["seccomp=unconfined", "seccomp=default"]}),
    ("device_cgroup_rules", {"device_cgroup_rules": ["c 42 rwm"]}),
    ("device_cgroup_rules", {"device_cgroup_rules": ["x 42:1 rwm"]}),
    ("device_cgroup_rules", {"device_cgroup_rules": ["c 42:1 rrw"]}),
    ("device_cgroup_rules", {"device_cgroup_rules": ["c 42:1"]}),
    ("ipc_mode", {"ipc_mode": "container:"}),
    ("ipc_mode", {"ipc_mode": "web"}),
    ("pid_mode", {"pid_mode": "shareable"}),
    ("pid_mode", {"pid_mode": "container:"}),
    ("shm_size", {"shm_size": "0"}),
    ("shm_size", {"shm_size": "unlimited"}),
    ("security_opts", {"security_opts": ["no-new-privileges:maybe"]}),
    ("security_opts", {"security_opts": ["no-new-privileges", "no-new-privileges:false"]}),
    ("devices", {"devices": [""]}),
    ("devices", {"devices": ["fuse"]}),
    ("devices", {"devices": ["/etc/passwd"]}),
    ("devices", {"devices": ["/dev/"]}),
    ("devices", {"devices": ["/dev/../etc/passwd"]}),
    ("devices", {"devices": ["/dev/fuse:/dev/fuse:rwx"]}),
    ("devices", {"devices": ["/dev/fuse:/dev/fuse:rr"]}),
    ("devices", {"devices": ["/dev/fuse:/dev/fuse:"]}),
    ("devices", {"devices": ["/dev/fuse:/fuse"]}),
    ("devices", {"devices": ["/dev/a:/dev/x", "/dev/b:/dev/x"]}),
    ("sysctls", {"sysctls": {"kernel.panic": 1}}),
    ("sysctls", {"sysctls": {"vm.swappiness": 1}}),
    ("sysctls", {"sysctls": {"net.": 1}}),
    ("sysctls", {"sysctls": {"net..x": 1}}),
    ("sysctls", {"sysctls": {"net/../kernel/panic": 1}}),
    ("sysctls", {"sysctls": {"net.//.x": 1}}),
    ("sysctls", {"sysctls": {"net.core.somaxconn": "1\0"}}),
    ("sysctls", {"sysctls": {"net.core.somaxconn": True}}),
    ("sysctls", {"sysctls": {"net.core.somaxconn": None}}),
    ("sysctls", {"sysctls": {"net.core.somaxconn": 1.5}}),
    ("sysctls", {"sysctls": {"net.core.somaxconn": 1}, "network_mode": "host"}),
])
def test_a_bad_value_is_refused_and_the_option_is_named(security: Security, option: str, given: t.Dict[str, t.Any]) -> None:
    with pytest.raises(Invalid) as caught:
        security(**given)
    assert caught.value.subject == option


@pytest.mark.parametrize("said,found", [
    ({}, (None, None, None)),
    ({"userns_mode": ""}, ("host", None, None)),
    ({"userns_mode": "auto"}, ("auto", None, None)),
    ({"uidmap": ["0:5:6"]}, (None, ((0, 5, 6),), ((0, 5, 6),))),
    ({"gidmap": ["0:5:6"]}, (None, ((0, 5, 6),), ((0, 5, 6),))),
    ({"uidmap": ["0:5:6"], "gidmap": ["0:7:8"]}, (None, ((0, 5, 6),), ((0, 7, 8),))),
])
def test_users_of_its_own(filled: t.Any, said: t.Dict[str, t.Any], found: t.Any) -> None:
    spec = parse_security.security(filled(args_container.SECURITY | {"network_mode": {}}, said))
    assert (spec["userns_mode"], spec["uidmap"], spec["gidmap"]) == found


@pytest.mark.parametrize("said,option", [
    ({"userns_mode": "keep-id"}, "userns_mode"), ({"userns_mode": "auto", "uidmap": ["0:5:6"]}, "uidmap"), ({"gidmap": ["0"]}, "gidmap"),
])
def test_no_users_of_its_own(filled: t.Any, said: t.Dict[str, t.Any], option: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_security.security(filled(args_container.SECURITY | {"network_mode": {}}, said))
    assert caught.value.subject == option
