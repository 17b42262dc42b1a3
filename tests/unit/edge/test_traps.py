# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that are written in several ways: where they mean the same, nothing changes; where they do not, something does.

Each row was a defect of an engine or of a collection that people know.
"""
from __future__ import annotations

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
    ("a user by name and by number", {"user": "root"}, {"user": "0"}),
    ("which network is the first", {"networks": [{"name": "a"}, {"name": "b"}]}, {"networks": [{"name": "b"}, {"name": "a"}]}),
]
REFUSED: t.List[t.Tuple[str, str, Task]] = [
    ("a boolean as a variable", "env", {"env": {"DEBUG": True}}),
    ("a number as a variable", "env", {"env": {"SIZE": 1}}),
    ("a boolean in a command", "command", {"command": ["app", True]}),
    ("a boolean as a sysctl", "sysctls", {"sysctls": {"net.core.somaxconn": True}}),
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
