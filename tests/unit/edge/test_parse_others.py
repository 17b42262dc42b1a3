# SPDX-License-Identifier: GPL-3.0-or-later
"""Images, networks, volumes, commands and what the info modules are asked for."""
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.edge import (
    args_exec,
    args_host,
    args_image,
    args_info,
    args_network,
    args_volume,
    args_volume_archive,
    parse_exec,
    parse_host,
    parse_image,
    parse_info,
    parse_network,
    parse_volume,
    parse_volume_archive,
)
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.network import NetworkSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.queries import ImageQuery
from ansible_collections.cocker.engine.plugins.module_utils.model.volume import VolumeSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.vxlan import Peer
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import (
    CommandWish,
    ExecWish,
    ImageWish,
    NetworkWish,
    ReadyWish,
    VolumeArchiveWish,
    VolumeWish,
)

Filled = t.Callable[..., t.Dict[str, t.Any]]
Given = t.Dict[str, t.Any]
DIGEST = "0123456789abcdef" * 4
X_DIGEST = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"      # of b"x"

READERS: t.Dict[str, t.Tuple[t.Any, t.Callable[..., t.Any]]] = {
    "image": (args_image.SPEC, parse_image.wish),
    "network": (args_network.SPEC, parse_network.wish),
    "volume": (args_volume.SPEC, parse_volume.wish),
    "volume_archive": (args_volume_archive.SPEC, parse_volume_archive.wish),
    "host": (args_host.SPEC, parse_host.wish),
    "exec": (args_exec.SPEC, parse_exec.task),
    "info": (args_info.NETWORK, parse_info.named),
    "image_info": (args_info.IMAGE, parse_info.image),
}


@pytest.fixture
def read(filled: Filled) -> t.Callable[[str, Given], t.Any]:
    def reader(what: str, given: Given) -> t.Any:
        spec, parse = READERS[what]
        return parse(filled(spec.options, given))

    return reader


@pytest.mark.parametrize(("what", "given", "wish"), [
    ("host", {}, ReadyWish()),
    ("host", {"kernel_modules": ["veth", "nft-nat", "veth"], "ip_forward": True, "incomplete": "stop", "needs_pyroute2": False},
     ReadyWish(modules=("veth", "nft-nat"), forwards=True, stops=True, with_pyroute2=False)),
    ("host", {"command_path": "/bin/cocker", "service": True, "command_interpreter": "/bin/python3", "command_archive": "eA==",
              "command_digest": X_DIGEST},
     ReadyWish(command=CommandWish("/bin/cocker", "/bin/cocker-runtime", "/bin/python3", X_DIGEST, b"x"), service=True)),
    ("image", {"name": "debian"}, ImageWish("debian")),
    ("image", {"name": "debian:12"}, ImageWish("debian", "12")),
    ("image", {"name": "debian", "version": "12"}, ImageWish("debian", "12")),
    ("image", {"name": "debian:_"}, ImageWish("debian", says_version=True)),
    ("image", {"name": "registry.example:5000/a/b:1.0"}, ImageWish("registry.example:5000/a/b", "1.0")),
    ("image", {"name": "calvin=rhel-7.4-x86_64", "version": "1.0.0"}, ImageWish("calvin=rhel-7.4-x86_64", "1.0.0")),
    ("image", {"name": "a", "state": "absent"}, ImageWish("a", state="absent")),
    ("image", {"name": "a", "state": "absent", "path": "/x", "force": True}, ImageWish("a", state="absent", path="/x", force=True)),
    ("image", {"name": "a", "source": "archive", "path": "/x/a.tar"}, ImageWish("a", source="archive", path="/x/a.tar")),
    ("image", {"name": "a", "source": "directory", "path": "/x/"}, ImageWish("a", source="directory", path="/x")),
    ("image", {"name": "a", "source": "host", "force": True}, ImageWish("a", source="host", force=True)),
    ("image", {"name": "a", "source": "host"}, ImageWish("a", source="host")),
    ("image", {"name": "a", "source": "host", "programs": ["sh", "/a", "sh"]}, ImageWish("a", source="host", programs=("/a", "sh"))),
    (
        "image",
        {"name": "a", "source": "archive", "remote_src": False, "archive_digest": DIGEST},
        ImageWish("a", source="archive", digest=DIGEST),
    ),
    ("image", {"name": "a", "source": "image", "from_image": "b"}, ImageWish("a", source="image", from_image="b")),
    ("image", {"name": "a:_", "source": "container", "from_container": "web", "mode": "move", "layers": "top"},
     ImageWish("a", source="container", from_container="web", mode="move", layers="top", says_version=True)),
    ("image", {"name": "a:1", "new_version": "2"}, ImageWish("a", "1", new_version="2")),
    ("image", {"name": "a:1", "new_version": "", "force": True}, ImageWish("a", "1", new_version="_", force=True)),
    ("image", {"name": "a", "config": {"cmd": "a 'b c'", "env": {"A": "1", "B": None}}},
     ImageWish("a", config={"cmd": ("a", "b c"), "env": {"A": "1", "B": None}})),
    ("image", {"name": "a", "config": {"exposed_ports": ["80", "53/udp"], "volumes": ["/b/", "/a"], "stop_signal": "quit"}},
     ImageWish("a", config={"exposed_ports": ("53/udp", "80/tcp"), "volumes": ("/a", "/b"), "stop_signal": "SIGQUIT"})),
    ("image", {"name": "a", "config": {"labels": {"a": True, "b": None}, "user": "", "working_dir": "/x/", "entrypoint": [], "author": "me"}},
     ImageWish("a", config={"labels": {"a": "true", "b": None}, "user": "", "working_dir": "/x", "entrypoint": (), "author": "me"})),
    ("image", {"name": "a", "config": {"healthcheck": {"test": "true", "interval": "1m30s", "timeout": "500ms", "retries": 3}}},
     ImageWish("a", config={"healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 90 * 10 ** 9, "Timeout": 5 * 10 ** 8, "Retries": 3}})),
    ("image", {"name": "a", "config": {"healthcheck": {"test": ["true", "x"], "start_period": "1h"}}},
     ImageWish("a", config={"healthcheck": {"Test": ["CMD", "true", "x"], "StartPeriod": 3600 * 10 ** 9}})),
    ("network", {"name": "web0"}, NetworkWish(NetworkSpec("web0"))),
    (
        "network",
        {"name": "a", "driver": "vxlan", "driver_options": {"id": "7", "port": 8472, "local": "192.0.2.1", "dev": "eth0"}, "peers": [
            {"address": "192.0.2.2 ", "names": {"db": "10.66.1.9", "a": ["10.66.1.8", "FD00::8"]}}, {"address": "192.0.2.3", "names": None}]},
        NetworkWish(NetworkSpec("a", driver="vxlan", vni=7, port=8472, local="192.0.2.1", parent="eth0", peers=(
            Peer("192.0.2.2", (("a", ("10.66.1.8", "fd00::8")), ("db", ("10.66.1.9",)))), Peer("192.0.2.3")))),
    ),
    ("network", {"name": "a", "peers": []}, NetworkWish(NetworkSpec("a", peers=()))),
    ("network", {"name": "web0", "state": "absent"}, NetworkWish(NetworkSpec("web0"), state="absent")),
    ("network", {"name": "web0", "ipam_config": []}, NetworkWish(NetworkSpec("web0"))),
    ("network", {"name": "web0", "ipam_config": [{"subnet": " 10.66.1.0/24 "}]}, NetworkWish(NetworkSpec("web0", subnet="10.66.1.0/24"))),
    (
        "network",
        {"name": "web0", "ipam_config": [{"subnet": "10.66.1.0/255.255.255.0", "gateway": "10.66.1.254", "iprange": "10.66.1.128/25",
                                          "aux_addresses": {"router": "10.66.1.9"}}]},
        NetworkWish(NetworkSpec("web0", subnet="10.66.1.0/24", gateway="10.66.1.254", ip_range="10.66.1.128/25", reserved=("10.66.1.9",))),
    ),
    (
        "network",
        {"name": "web0", "driver": "bridge", "mtu": 1400, "internal": True, "isolate": False, "icc": False, "labels": {"a": 1}},
        NetworkWish(NetworkSpec("web0", driver="bridge", mtu=1400, internal=True, isolate=False, icc=False, labels={"a": "1"})),
    ),
    ("volume", {"name": "data"}, VolumeWish(VolumeSpec("data"))),
    ("volume", {"name": "data", "labels": {}}, VolumeWish(VolumeSpec("data", labels={}))),
    ("volume", {"name": "data", "owner": "999", "group": "root", "mode": "750"}, VolumeWish(VolumeSpec("data", None, 999, 0, 0o750))),
    ("volume_archive", {"name": "a", "path": "/x/a.tar"}, VolumeArchiveWish("a", "/x/a.tar")),
    ("volume_archive", {"name": "a", "path": "/x/a.tgz"}, VolumeArchiveWish("a", "/x/a.tgz", compression="gzip")),
    ("volume_archive", {"name": "a", "path": "/x/a.zst", "compression": "none"}, VolumeArchiveWish("a", "/x/a.zst")),
    ("volume_archive", {"name": "a", "path": "/x", "operation": "restore", "force": False}, VolumeArchiveWish("a", "/x", "restore", force=False)),
    ("volume", {"name": "data", "labels": {"n": 1}, "state": "absent"}, VolumeWish(VolumeSpec("data", labels={"n": "1"}), state="absent")),
    ("info", {}, None),
    ("info", {"name": "web"}, "web"),
    ("image_info", {}, ImageQuery()),
    ("image_info", {"name": "debian"}, ImageQuery("debian")),
    ("image_info", {"name": "debian:12", "verify": True}, ImageQuery("debian:12", verify=True)),
    ("image_info", {"name": "debian:_", "stack": ["a", "b:1"]}, ImageQuery("debian:_", stack=("a", "b:1"))),
])
def test_options_mean(read: t.Callable[..., t.Any], what: str, given: Given, wish: t.Any) -> None:
    assert read(what, given) == wish


@pytest.mark.parametrize(("given", "wish"), [
    ({"command": "echo 'a b'"}, ExecWish("web", ("echo", "a b"))),
    ({"argv": ["echo", "a b", ""]}, ExecWish("web", ("echo", "a b", ""))),
    ({"argv": ["id"], "user": "1:2", "chdir": "/tmp/", "env": {"A": "1"}}, ExecWish("web", ("id",), {"A": "1"}, "1:2", "/tmp")),
    ({"command": ["echo", "a b", 1]}, ExecWish("web", ("echo", "a b", "1"))),
    ({"argv": ["cat"], "stdin": "x"}, ExecWish("web", ("cat",), stdin=b"x\n")),
    ({"argv": ["cat"], "stdin": ""}, ExecWish("web", ("cat",), stdin=b"\n")),
    ({"argv": ["cat"], "stdin": "\u00e9", "stdin_add_newline": False}, ExecWish("web", ("cat",), stdin=b"\xc3\xa9")),
    ({"argv": ["sleep", "9"], "timeout": 0.5}, ExecWish("web", ("sleep", "9"), timeout=0.5)),
])
def test_commands(read: t.Callable[..., t.Any], given: Given, wish: ExecWish) -> None:
    assert read("exec", {"container": "web", **given}).wish == wish


@pytest.mark.parametrize(("what", "option", "given"), [
    ("image", "name", {"name": "../etc"}),
    ("image", "name", {"name": "a b"}),
    ("image", "name", {"name": "debian:"}),
    ("image", "version", {"name": "debian", "version": "1/2"}),
    ("image", "version", {"name": "debian:12", "version": "12"}),
    ("image", "path", {"name": "a", "source": "archive"}),
    ("image", "path", {"name": "a", "source": "directory"}),
    ("image", "path", {"name": "a", "source": "archive", "path": "a.tar"}),
    ("image", "path", {"name": "a", "path": "/a.tar"}),
    ("image", "path", {"name": "a", "source": "host", "path": "/"}),
    ("image", "programs", {"name": "a", "programs": ["sh"]}),
    ("image", "programs", {"name": "a", "source": "host", "programs": [""]}),
    ("image", "programs", {"name": "a", "source": "host", "programs": ["/bin/"]}),
    ("image", "force", {"name": "a", "force": True}),
    ("image", "remote_src", {"name": "a", "source": "directory", "path": "/a", "remote_src": False}),
    ("image", "remote_src", {"name": "a", "source": "archive", "path": "/a", "remote_src": False}),
    ("image", "archive_digest", {"name": "a", "source": "archive", "archive_digest": "abc"}),
    ("image", "archive_digest", {"name": "a", "source": "host", "archive_digest": DIGEST}),
    ("network", "name", {"name": "web/0"}),
    ("network", "driver_options.vni", {"name": "a", "driver_options": {"vni": "x"}}),
    ("network", "driver_options.local", {"name": "a", "driver_options": {"local": "0.0.0.0"}}),
    ("network", "peers.address", {"name": "a", "peers": [{"address": "host1"}]}),
    ("network", "peers.names", {"name": "a", "peers": [{"address": "192.0.2.2", "names": {"a": "b"}}]}),
    ("network", "peers.names", {"name": "a", "peers": [{"address": "192.0.2.2", "names": {"a b": "10.0.0.1"}}]}),
    ("network", "ipam_config", {"name": "web0", "ipam_config": [{"subnet": "10.66.1.0/24"}, {"subnet": "10.66.2.0/24"}]}),
    ("network", "ipam_config.subnet", {"name": "web0", "ipam_config": [{"subnet": "10.66.1.0"}]}),
    ("network", "ipam_config.gateway", {"name": "web0", "ipam_config": [{"gateway": "10.66.1"}]}),
    ("network", "ipam_config.aux_addresses", {"name": "web0", "ipam_config": [{"aux_addresses": {"router": "10.66.1"}}]}),
    ("network", "labels", {"name": "web0", "labels": {"a": None}}),
    ("volume", "name", {"name": "."}),
    ("volume", "name", {"name": "a/b"}),
    ("volume", "owner", {"name": "a", "owner": "nobody-of-that-name"}),
    ("volume", "owner", {"name": "a", "owner": "4294967295"}),
    ("volume", "group", {"name": "a", "group": "-1"}),
    ("volume", "mode", {"name": "a", "mode": "u=rwx"}),
    ("volume_archive", "path", {"name": "a", "path": "x.tar"}),
    ("volume_archive", "force", {"name": "a", "path": "/x", "force": True}),
    ("volume_archive", "compression", {"name": "a", "path": "/x", "operation": "restore", "compression": "gzip"}),
    ("volume", "labels", {"name": "a", "labels": {"a": []}}),
    ("exec", "container", {"container": "a/b", "argv": ["id"]}),
    ("exec", "argv", {"container": "web", "argv": []}),
    ("exec", "command", {"container": "web", "command": ""}),
    ("exec", "command", {"container": "web", "command": "echo 'a"}),
    ("exec", "chdir", {"container": "web", "command": "id", "chdir": "tmp"}),
    ("exec", "env", {"container": "web", "command": "id", "env": {"A": 1}}),
    ("exec", "env", {"container": "web", "command": "id", "env": {"A": None}}),
    ("exec", "timeout", {"container": "web", "command": "id", "timeout": 0.0}),
    ("exec", "timeout", {"container": "web", "command": "id", "timeout": float("nan")}),
    ("exec", "user", {"container": "web", "command": "id", "user": "a b"}),
    ("info", "name", {"name": "a/b"}),
    ("image_info", "name", {"name": "a:b:c"}),
    ("host", "kernel_modules", {"kernel_modules": ["-r"]}),
    ("host", "commands", {"commands": ["../sh"]}),
    ("host", "service", {"service": True}),
    ("host", "command_path", {"command_path": "bin/cocker"}),
    ("host", "command_path", {"command_path": "/my bin/cocker"}),
    ("host", "command_path", {"command_path": "/bin/cocker-runtime"}),
    ("host", "command_archive", {"command_path": "/bin/cocker", "command_archive": "?"}),
    ("host", "command_archive", {"command_path": "/bin/cocker", "command_archive": "eA==", "command_digest": DIGEST}),
])
def test_a_bad_value_is_refused_and_the_option_is_named(read: t.Callable[..., t.Any], what: str, option: str, given: Given) -> None:
    with pytest.raises(Invalid) as caught:
        read(what, given)
    assert caught.value.subject == option


ENDED: Given = {
    "rc": 3, "stdout": b"out\xff\n\n", "stderr": b"err\r\n", "timed_out": False,
    "start": "2026-01-01 00:00:00.000000", "end": "2026-01-01 00:00:01.000000", "delta": "0:00:01.000000",
}


def test_a_command_that_fails_does_not_fail_the_task(read: t.Callable[..., t.Any]) -> None:
    result = parse_exec.executed(ENDED, read("exec", {"container": "web", "command": "false"}))
    assert (result["rc"], result["changed"], result.get("failed")) == (3, True, None)
    assert (result["stdout"], result["stderr"], result["delta"]) == ("out\ufffd", "err", "0:00:01.000000")


def test_the_ends_of_output_are_kept_on_request(read: t.Callable[..., t.Any]) -> None:
    result = parse_exec.executed(ENDED, read("exec", {"container": "web", "command": "false", "strip_empty_ends": False}))
    assert (result["stdout"], result["stderr"]) == ("out\ufffd\n\n", "err\r\n")


def test_a_command_that_does_not_end_in_time_fails_the_task_and_its_output_is_kept(read: t.Callable[..., t.Any]) -> None:
    result = parse_exec.executed({**ENDED, "timed_out": True}, read("exec", {"container": "web", "command": "sleep 9", "timeout": 0.5}))
    assert result["failed"] and "within 0.5 s" in result["msg"] and result["stdout"]
