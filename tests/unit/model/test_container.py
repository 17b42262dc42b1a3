# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's record: what is written is what is read; what a partial task leaves alone; which networks it is on."""
from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model import changes, container, container_fields, idmap
from ansible_collections.cocker.engine.plugins.module_utils.model.container import (
    Attachment,
    ContainerRecord,
    ContainerSpec,
    Device,
    DeviceRate,
    Pin,
    Ulimit,
)
from ansible_collections.cocker.engine.plugins.module_utils.model.container_fields import FIELDS
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.healthcheck import Check
from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import Mount
from ansible_collections.cocker.engine.plugins.module_utils.model.ports import PortMapping

VALUES: t.Dict[str, t.Any] = {
    "images": ("debian:12", "web"),
    "command": ("sleep", "1"),
    "entrypoint": (),
    "init": False,
    "env": {"A": "1", "GONE": None},
    "user": "1000:1000",
    "groups": ("100", "audio"),
    "umask": 0o27,
    "domainname": "example.org",
    "device_cgroup_rules": ("c 42:* rwm",),
    "privileged": False,
    "ipc_mode": "container:other",
    "pid_mode": "host",
    "uts": "host",
    "cgroupns_mode": "private",
    "userns_mode": "auto",
    "uidmap": (idmap.Extent(0, 100000, 1000), idmap.Extent(1000, 200000, 1)),
    "gidmap": (idmap.Extent(0, 100000, 65536),),
    "shm_size": 1 << 20,
    "working_dir": "/srv",
    "tty": True,
    "interactive": False,
    "hostname": "web",
    "network_mode": "bridge",
    "networks": (Attachment("web0", "10.66.1.10", "02:42:0a:42:01:0a", ("db",)), Attachment("cocker0")),
    "publish_all_ports": True,
    "exposed_ports": ("53/udp", "80/tcp"),
    "default_host_ip": "127.0.0.1",
    "etc_hosts": {"db": "10.66.1.3"},
    "dns_servers": ("192.0.2.53",),
    "dns_opts": ("ndots:2",),
    "dns_search_domains": ("a.example",),
    "links": (("db", "database"),),
    "published_ports": (PortMapping(None, 8080, 80, "tcp"), PortMapping("127.0.0.1", None, 53, "udp")),
    "mounts": (
        Mount("volume", "data", "/data"),
        Mount("tmpfs", "", "/tmp", size=1, mode=0o1777),
        Mount("bind", "/a", "/b", read_only=True, propagation="rslave"),
    ),
    "memory": 64 << 20,
    "memory_swap": -1,
    "memory_reservation": 32 << 20,
    "memory_swappiness": 0,
    "oom_killer": True,
    "oom_score_adj": -500,
    "nano_cpus": 500000000,
    "cpu_period": 50000,
    "cpu_quota": -1,
    "cpuset_mems": "0",
    "blkio_weight": 300,
    "device_read_bps": (DeviceRate("/dev/sda", 1 << 20),),
    "device_write_bps": (),
    "device_read_iops": (DeviceRate("/dev/sda", 100), DeviceRate("/dev/sdb", 200)),
    "device_write_iops": (DeviceRate("/dev/sdb", 1),),
    "cpuset_cpus": "0-1",
    "cpu_shares": 512,
    "pids_limit": 50,
    "capabilities": ("CAP_NET_ADMIN",),
    "cap_drop": ("ALL",),
    "security_opts": ("no-new-privileges",),
    "devices": (Device("/dev/fuse", "/dev/fuse", "rw"),),
    "read_only": True,
    "sysctls": {"net.core.somaxconn": "1024"},
    "ulimits": (Ulimit("nofile", 1024, 2048),),
    "labels": {"tier": "web"},
    "stop_timeout": 0,
    "stop_signal": 3,
    "log_driver": "journald",
    "log_options": {"tag": "mine"},
    "restart_policy": "on-failure",
    "restart_retries": 3,
    "auto_remove": True,
    "healthcheck": Check(("CMD", "true"), 10 ** 9, retries=2),
}


def through_json(spec: ContainerSpec) -> ContainerSpec:
    record = ContainerRecord("id", "2026-01-01T00:00:00Z", spec, (Pin("debian", "12", ("L1", "L2")),))
    read = container_fields.record_from_json(json.loads(json.dumps(record.to_json())))
    assert dataclasses.replace(read, spec=spec) == record
    return read.spec


def test_the_table_of_options_is_complete() -> None:
    spec_fields = {field.name for field in dataclasses.fields(ContainerSpec)} - {"name"}
    assert {field.name for field in FIELDS} == spec_fields == set(VALUES)


@pytest.mark.parametrize("name", sorted(VALUES))
def test_what_is_written_is_what_is_read(name: str) -> None:
    spec = ContainerSpec("web", **{name: VALUES[name]})
    assert through_json(spec) == spec


@pytest.mark.parametrize("name", [name for name in sorted(VALUES) if isinstance(VALUES[name], (tuple, dict))])
def test_wanted_empty_is_not_read_as_unset(name: str) -> None:
    spec = ContainerSpec("web", **{name: type(VALUES[name])()})
    assert through_json(spec) == spec != ContainerSpec("web")


def test_a_whole_spec_survives() -> None:
    spec = ContainerSpec("web", **VALUES)
    assert through_json(spec) == spec
    assert changes.compare(FIELDS, through_json(spec), spec) == ()


def test_a_record_that_is_not_ours_is_noticed() -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        container_fields.record_from_json({"id": "x"})


def test_a_partial_task_keeps_what_it_does_not_say() -> None:
    have = ContainerSpec("web", **VALUES)
    said = container_fields.completed(ContainerSpec("web", memory=1 << 30, env={}), have)
    assert said == dataclasses.replace(have, memory=1 << 30, env={})


@pytest.mark.parametrize(("have", "said", "found"), [
    ({"nano_cpus": 5}, {"cpu_quota": 2000}, {"cpu_quota": 2000}),
    ({"cpu_quota": 2000, "cpu_period": 9000}, {"nano_cpus": 5}, {"nano_cpus": 5}),
    ({"cpu_quota": 2000}, {"cpu_period": 9000}, {"cpu_quota": 2000, "cpu_period": 9000}),
    ({"userns_mode": "auto"}, {"uidmap": ("u",), "gidmap": ("g",)}, {"uidmap": ("u",), "gidmap": ("g",)}),
    ({"uidmap": ("u",), "gidmap": ("g",)}, {"userns_mode": "host"}, {"userns_mode": "host"}),
    ({"network_mode": "none"}, {"networks": (Attachment("web0"),)}, {"networks": (Attachment("web0"),)}),
    ({"networks": (Attachment("web0"),)}, {"network_mode": "host"}, {"network_mode": "host"}),
    ({"network_mode": "bridge"}, {"networks": (Attachment("web0"),)}, {"network_mode": "bridge", "networks": (Attachment("web0"),)}),
    ({"networks": (Attachment("web0"),)}, {"network_mode": "bridge"}, {"network_mode": "bridge", "networks": (Attachment("web0"),)}),
    ({"healthcheck": Check(("CMD", "a"), 5, 6)}, {"healthcheck": Check((), 7)}, {"healthcheck": Check(("CMD", "a"), 7, 6)}),
    ({"healthcheck": Check(("CMD", "a"), 5, 6)}, {"healthcheck": Check(("CMD", "b"))}, {"healthcheck": Check(("CMD", "b"))}),
])
def test_what_a_partial_task_says_in_another_way_is_not_what_was_said_before(
    have: t.Dict[str, t.Any], said: t.Dict[str, t.Any], found: t.Dict[str, t.Any],
) -> None:
    assert container_fields.completed(ContainerSpec("web", **said), ContainerSpec("web", **have)) == ContainerSpec("web", **found)


@pytest.mark.parametrize(("spec", "names"), [
    ({}, ["cocker0"]),
    ({"network_mode": "bridge"}, ["cocker0"]),
    ({"networks": (Attachment("web0"), Attachment("db0"))}, ["web0", "db0"]),
    ({"networks": ()}, []),
    ({"network_mode": "host"}, []),
    ({"network_mode": "none"}, []),
    ({"network_mode": "custom", "networks": (Attachment("web0"),)}, []),
])
def test_which_networks_a_container_is_on(spec: t.Dict[str, t.Any], names: t.List[str]) -> None:
    assert [attachment.name for attachment in ContainerSpec("web", **spec).attachments()] == names


@pytest.mark.parametrize(("given", "image", "signal"), [
    (None, None, 15), (None, "SIGQUIT", 3), (9, "SIGQUIT", 9), (None, "SIGRTMIN+3", 37), (None, "", 15),
])
def test_the_stop_signal_is_the_tasks_then_the_images_then_term(given: t.Optional[int], image: t.Optional[str], signal: int) -> None:
    assert container.stop_signal(ContainerSpec("web", stop_signal=given), image) == signal


def test_an_init_system_is_told_to_halt_where_nobody_says_otherwise() -> None:
    spec = ContainerSpec("web", init=container.SYSTEMD)
    assert [container.stop_signal(spec, None), container.stop_signal(spec, "SIGTERM")] == [37, 15]


def test_an_image_with_a_bad_stop_signal_is_noticed() -> None:
    with pytest.raises(Invalid, match="stop_signal"):
        container.stop_signal(ContainerSpec("web"), "SIGNONE")
