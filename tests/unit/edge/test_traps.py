# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that are written in several ways: where they mean the same, nothing changes; where they do not, something does.

Each row was a defect of an engine or of a collection that people know.
"""
from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_container, parse_container
from ansible_collections.cocker.engine.plugins.module_utils.engine import processes
from ansible_collections.cocker.engine.plugins.module_utils.model import changes
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.container_fields import FIELDS
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageConfig

basic = pytest.importorskip("ansible.module_utils.common.arg_spec")

Task = t.Dict[str, t.Any]


def read(task: Task) -> ContainerSpec:
    spec = args_container.SPEC
    checked = basic.ArgumentSpecValidator(spec.options, **spec.rules).validate({"name": "web", **({} if "images" in task else {"image": "debian"}), **task})
    assert checked.error_messages == []
    return parse_container.wish(checked.validated_parameters).spec


SAME: t.List[t.Tuple[str, Task, Task]] = [
    ("the default address is no address", {"published_ports": ["8080:80"]}, {"published_ports": ["0.0.0.0:8080:80/tcp"]}),
    ("a port that is listed twice", {"published_ports": ["8080:80", "8080:80"]}, {"published_ports": ["8080:80"]}),
    ("a range and its ports", {"published_ports": ["8080-8081:80-81"]}, {"published_ports": ["8081:81", "8080:80"]}),
    ("slashes in mounts", {"volumes": ["/srv//data/:/data/"]}, {"volumes": ["/srv/data:/data"]}),
    ("the default mode of a mount", {"volumes": ["/srv:/data"]}, {"volumes": ["/srv:/data:rw"]}),
    ("the order of mounts", {"volumes": ["/a:/a", "/b:/b"]}, {"volumes": ["/b:/b", "/a:/a"]}),
    ("capabilities with prefix and case", {"capabilities": ["CAP_NET_ADMIN"]}, {"capabilities": ["net_admin"]}),
    ("the order of capabilities", {"cap_drop": ["KILL", "CHOWN"]}, {"cap_drop": ["CHOWN", "KILL"]}),
    ("all capabilities", {"cap_drop": ["all"]}, {"cap_drop": ["ALL"]}),
    ("a signal by name, short name and number", {"stop_signal": "SIGTERM"}, {"stop_signal": "15"}),
    ("a signal in lower case", {"stop_signal": "quit"}, {"stop_signal": "SIGQUIT"}),
    ("units of memory", {"memory": "1g"}, {"memory": "1024M"}),
    ("no limit of memory", {"memory": "-1"}, {"memory": "unlimited"}),
    ("no limit of processes", {"pids_limit": -1}, {"pids_limit": 0}),
    ("no quota", {"cpu_quota": 0}, {"cpu_quota": -1}),
    ("lists of CPUs", {"cpuset_cpus": "0,1,2"}, {"cpuset_cpus": "0-2"}),
    ("numbers as sysctls", {"sysctls": {"net.core.somaxconn": 1024}}, {"sysctls": {"net.core.somaxconn": "1024"}}),
    ("numbers and booleans as labels", {"labels": {"a": 1, "b": True}}, {"labels": {"a": "1", "b": "true"}}),
    ("a limit with one number", {"ulimits": ["nofile:1024"]}, {"ulimits": ["nofile=1024:1024"]}),
    ("a command as a string", {"command": "sh -c 'echo a b'"}, {"command": ["sh", "-c", "echo a b"]}),
    ("numbers in a command", {"command": ["sleep", 5]}, {"command": ["sleep", "5"]}),
    ("podman's words", {"cap_add": ["KILL"], "publish": ["80:80"], "workdir": "/", "label": {"a": "b"}},
     {"capabilities": ["KILL"], "published_ports": ["80:80"], "working_dir": "/", "labels": {"a": "b"}}),
    ("an IPC mode that is the usual one", {"ipc_mode": "shareable"}, {"ipc_mode": "private"}),
    ("security options with a colon", {"security_opts": ["no-new-privileges:true"]}, {"security_opts": ["no-new-privileges"]}),
    ("an IPv6 address in two forms", {"published_ports": ["[2001:DB8::1]:80:80"]}, {"published_ports": ["[2001:db8:0:0:0:0:0:1]:80:80"]}),
    ("an IPv6 server in two forms", {"dns_servers": ["2001:DB8::1"]}, {"dns_servers": ["2001:db8:0:0:0:0:0:1"]}),
    ("an IPv6 host in two forms", {"etc_hosts": {"a": "fd00::0001"}}, {"etc_hosts": {"a": "fd00:0::1"}}),
    ("an IPv6 address of a network in two forms", {"networks": [{"name": "a", "ipv6_address": "FD00::1"}]},
     {"networks": [{"name": "a", "ipv6_address": "fd00:0:0::1"}]}),
    ("a MAC address in two forms", {"networks": [{"name": "a", "mac_address": "02-42-0A-00-00-01"}]},
     {"networks": [{"name": "a", "mac_address": "02:42:0a:00:00:01"}]}),
    ("tcp is what a port is", {"exposed_ports": [80]}, {"exposed_ports": ["80/tcp"]}),
    ("a range that is exposed", {"exposed_ports": ["80-81"]}, {"exposed_ports": ["81", "80"]}),
    ("two words for the default network", {"network_mode": "default"}, {"network_mode": "bridge"}),
    ("a network as a word, a list and in full", {"network_mode": "web0"}, {"network_mode": ["web0"], "networks": [{"name": "web0"}]}),
    ("the order of aliases", {"network_aliases": ["b", "a"], "networks": [{"name": "n"}]}, {"networks": [{"name": "n", "aliases": ["a", "b"]}]}),
    ("options of a log as numbers and with underscores", {"log_options": {"max_size": "10m", "max-file": 3}},
     {"log_options": {"max-size": "10240k", "max-file": "3"}}),
    ("swappiness that is the host's", {"memory_swappiness": -1}, {}),
    ("a policy with its retries in it", {"restart_policy": "on-failure:3"}, {"restart_policy": "on-failure", "restart_retries": 3}),
    ("no policy, which YAML reads as false", {"restart_policy": "no"}, {"restart_policy": "False"}),
    ("options of tmpfs in another order", {"tmpfs": ["/tmp:mode=1777,size=64m"]}, {"tmpfs": {"/tmp": "rw,size=65536k,mode=1777"}}),
    ("tmpfs in the long form", {"tmpfs": ["/tmp:noexec"]}, {"mounts": [{"type": "tmpfs", "target": "/tmp", "tmpfs_options": [{"noexec": None}]}]}),
    ("a mount as a string", {"mounts": ["type=bind,src=/a,dst=/b,ro=true"]}, {"volumes": ["/a:/b:ro"]}),
    ("several numbers as a sysctl", {"sysctls": {"net.ipv4.ping_group_range": "0\t5"}}, {"sysctls": {"net.ipv4.ping_group_range": "0 5"}}),
    ("separators of a sysctl", {"sysctls": {"net/core/somaxconn": 1}}, {"sysctls": {"net.core.somaxconn": 1}}),
    ("the order of groups", {"groups": ["b", "a"]}, {"groups": ["a", "b"]}),
    ("the order of variables", {"env": {"B": "1", "A": "2"}}, {"env": {"A": "2", "B": "1"}}),
    ("letters of permissions", {"devices": ["/dev/fuse:/dev/fuse:mrw"]}, {"devices": ["/dev/fuse"]}),
]
DIFFERENT: t.List[t.Tuple[str, Task, Task]] = [
    ("the case of a value", {"env": {"MODE": "Prod"}}, {"env": {"MODE": "prod"}}),
    ("the case of a key", {"env": {"A": "1"}}, {"env": {"a": "1"}}),
    ("a variable that is gone", {"env": {"A": "1", "B": "2"}}, {"env": {"A": "1"}}),
    ("a variable that is unset and one that is not said", {"env": {"A": None}}, {"env": {}}),
    ("an empty variable and one that is unset", {"env": {"A": ""}}, {"env": {"A": None}}),
    ("no variables and nothing said", {"env": {}}, {}),
    ("the case of a label", {"labels": {"Owner": "a"}}, {"labels": {"owner": "a"}}),
    ("a command that is empty and one that is not said", {"command": []}, {}),
    ("quotes inside a word", {"command": ["echo", "'a'"]}, {"command": ["echo", "a"]}),
    ("the case of a command", {"command": ["Server"]}, {"command": ["server"]}),
    ("words and one word with blanks", {"command": ["a b"]}, {"command": ["a", "b"]}),
    ("udp and tcp", {"published_ports": ["53:53/udp"]}, {"published_ports": ["53:53"]}),
    ("an address and all addresses", {"published_ports": ["127.0.0.1:80:80"]}, {"published_ports": ["80:80"]}),
    ("swappiness 0 and not said", {"memory_swappiness": 0}, {}),
    ("the registry of an image", {"image": "registry.example/team/app"}, {"image": "other.example/team/app"}),
    ("the version of an image", {"image": "app:1.0"}, {"image": "app:1.0.0"}),
    ("the order of images", {"images": ["a", "b"]}, {"images": ["b", "a"]}),
    ("retries of a policy", {"restart_policy": "on-failure:3"}, {"restart_policy": "on-failure:4"}),
    ("a policy", {"restart_policy": "always"}, {"restart_policy": "unless-stopped"}),
    ("whose network is shared", {"network_mode": "container:a"}, {"network_mode": "container:b"}),
    ("whose shared memory is shared", {"ipc_mode": "container:a"}, {"ipc_mode": "container:b"}),
    ("the keys of variables that look like options", {"env": {"MAX_SIZE": "1"}}, {"env": {"max-size": "1"}}),
    ("a size of a log", {"log_options": {"max-size": "10m"}}, {"log_options": {"max-size": "11m"}}),
    ("a limit of processes and none", {"pids_limit": 100}, {"pids_limit": -1}),
    ("swap that is said and swap that follows", {"memory": "1g", "memory_swap": "2g"}, {"memory": "1g"}),
    ("the order of DNS servers", {"dns_servers": ["9.9.9.9", "1.1.1.1"]}, {"dns_servers": ["1.1.1.1", "9.9.9.9"]}),
    ("a user by name and by number", {"user": "root"}, {"user": "0"}),
    ("which network is the first", {"networks": [{"name": "a"}, {"name": "b"}]}, {"networks": [{"name": "b"}, {"name": "a"}]}),
]
REFUSED: t.List[t.Tuple[str, str, Task]] = [
    ("a boolean as a variable", "env", {"env": {"DEBUG": True}}),
    ("a number as a variable", "env", {"env": {"SIZE": 1}}),
    ("a boolean in a command", "command", {"command": ["app", True]}),
    ("a boolean as a sysctl", "sysctls", {"sysctls": {"net.core.somaxconn": True}}),
    ("an image by a part of its digest", "image", {"image": "app:1@sha256:" + 12 * "a"}),
    ("one target mounted in two ways", "volumes", {"volumes": ["/a:/data"], "tmpfs": ["/data"]}),
    ("swap that is less than memory", "memory_swap", {"memory": "1g", "memory_swap": "512m"}),
]


def changed(one: Task, two: Task) -> t.List[str]:
    return [change.name for change in changes.compare(FIELDS, read(one), read(two))]


@pytest.mark.parametrize("one,two", [row[1:] for row in SAME], ids=[row[0] for row in SAME])
def test_two_ways_to_say_one_thing_change_nothing(one: Task, two: Task) -> None:
    assert changed(one, two) == []


@pytest.mark.parametrize("one,two", [row[1:] for row in DIFFERENT], ids=[row[0] for row in DIFFERENT])
def test_what_looks_alike_and_is_not_is_a_change(one: Task, two: Task) -> None:
    assert len(changed(one, two)) == 1


@pytest.mark.parametrize("option,task", [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_would_become_something_else_is_refused(option: str, task: Task) -> None:
    with pytest.raises(Invalid) as caught:
        read(task)
    assert caught.value.subject == option


IMAGE = ImageConfig(env=("PATH=/bin", "FROM=image"), cmd=("server",), entrypoint=("/entry",), labels={"of": "image"}, user="web")


@pytest.mark.parametrize("task,field,seen", [
    ({}, "args", ("/entry", "server")),
    ({"command": []}, "args", ("/entry",)),
    ({"command": ["other"]}, "args", ("/entry", "other")),
    ({"entrypoint": ["/mine"]}, "args", ("/mine",)),
    ({"entrypoint": [], "command": ["x"]}, "args", ("x",)),
    ({"env": {"A": "1"}}, "env", ("A=1", "FROM=image", "PATH=/bin")),
    ({"env": {"FROM": None}}, "env", ("PATH=/bin",)),
    ({"labels": {"a": "b"}}, "labels", {"a": "b", "of": "image"}),
    ({"labels": {"of": "mine"}}, "labels", {"of": "mine"}),
    ({}, "user", "web"),
    ({"user": "0"}, "user", "0"),
])
def test_what_comes_from_the_image(task: Task, field: str, seen: t.Any) -> None:
    assert getattr(processes.process(read(task), IMAGE), field) == seen


def test_a_file_of_variables_counts_by_what_is_in_it(tmp_path: pathlib.Path) -> None:
    one, two, other = (tmp_path / name for name in ("one", "two", "other"))
    one.write_text("A=1\n")
    two.write_text("# the same\nA=1\n")
    other.write_text("A=2\n")
    assert changed({"env_file": [str(one)]}, {"env_file": [str(two)]}) == []
    assert changed({"env_file": [str(one)]}, {"env": {"A": "1"}}) == []
    assert changed({"env_file": [str(one)]}, {"env_file": [str(other)]}) == ["env"]


def test_nothing_that_the_engine_chooses_is_compared() -> None:
    assert [field.name for field in FIELDS if field.name in ("id", "created", "pid", "layers", "pins", "config", "address")] == []
    assert changes.compare(FIELDS, read({}), ContainerSpec("web", images=("debian",))) == ()
