# SPDX-License-Identifier: GPL-3.0-or-later
"""cocker_container: what each option means, and what is refused before anything is touched."""
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_container, parse_container
from ansible_collections.cocker.engine.plugins.module_utils.model.container import Attachment, ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.container_fields import FIELDS
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.image import Platform
from ansible_collections.cocker.engine.plugins.module_utils.model.mounts import Mount
from ansible_collections.cocker.engine.plugins.module_utils.model.ports import PortMapping
from ansible_collections.cocker.engine.plugins.module_utils.model.remote_wishes import Access, ImagePull
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainerWish

Parse = t.Callable[..., ContainerSpec]


@pytest.fixture
def wish(filled: t.Callable[..., t.Dict[str, t.Any]]) -> t.Callable[..., ContainerWish]:
    return lambda **given: parse_container.wish(filled(args_container.SPEC.options, {"name": "web", **given}))


@pytest.fixture
def parse(wish: t.Callable[..., ContainerWish]) -> Parse:
    """A task with an image."""
    return lambda **given: wish(**({} if "images" in given else {"image": "debian"}), **given).spec


@pytest.fixture
def partial(wish: t.Callable[..., ContainerWish]) -> Parse:
    """A task without one."""
    return lambda **given: wish(**given).spec


def test_what_is_not_said_stays_unset(partial: Parse) -> None:
    assert partial() == ContainerSpec("web")


def test_no_option_that_is_compared_has_a_default() -> None:
    compared = {field.name for field in FIELDS} | {"image", "volumes", "tmpfs", "cpus", "ipv4_address"}
    assert {name for name, option in args_container.SPEC.options.items() if "default" in option} & compared == set()


def test_a_name_and_a_wish_to_restart_compare_nothing(wish: t.Callable[..., ContainerWish]) -> None:
    assert wish(restart=True) == ContainerWish(ContainerSpec("web"), state="started", restart=True)


def test_what_is_done_is_kept_apart_from_what_is_compared(wish: t.Callable[..., ContainerWish]) -> None:
    made = wish(state="stopped", recreate=True, on_change="live_only")
    assert (made.state, made.recreate, made.restart, made.on_change) == ("stopped", True, False, "live_only")


def test_a_registry_is_asked_only_where_that_is_said(wish: t.Callable[..., ContainerWish]) -> None:
    assert wish(image="registry.test/app:1").pull is None
    made = wish(image="registry.test/app:1", pull="always", platform="linux/arm64").pull
    assert made == ImagePull("always", Platform("linux", "arm64", ""))
    access = {"plain_http": True, "registry_timeout": 5, "validate_certs": True, "ca_path": None, "config_path": None}
    assert wish(images=["base", "registry.test/app"], pull="missing", registry=access).pull == ImagePull(
        "missing", access=Access(plain_http=True, timeout=5))


def test_how_an_image_is_fetched_does_not_matter_to_what_is_removed(wish: t.Callable[..., ContainerWish]) -> None:
    access = {"plain_http": True, "registry_timeout": 5, "validate_certs": True, "ca_path": None, "config_path": None}
    for said in ({"registry": access}, {"platform": "linux/arm64"}, {"pull": "missing"}, {"image": "a", "pull": "missing", "registry": access}):
        assert wish(state="absent", **said).pull is None


@pytest.mark.parametrize("said, option", [
    ({"image": "a", "platform": "linux/arm64"}, "platform"),
    ({"image": "a", "registry": {"plain_http": True}}, "registry"),
    ({"pull": "missing"}, "pull"),
    ({"from_image": "a", "pull": "missing"}, "pull"),
    ({"image": "a", "pull": "missing", "platform": "arm64"}, "platform"),
    ({"image": "a", "pull": "missing", "registry": {
        "plain_http": False, "registry_timeout": 0, "ca_path": None, "validate_certs": True, "config_path": None}}, "registry.registry_timeout"),
])
def test_what_does_not_go_with_a_fetched_image(wish: t.Callable[..., ContainerWish], said: t.Dict[str, t.Any], option: str) -> None:
    with pytest.raises(Invalid, match="option %s: " % option):
        wish(**said)


OPTIONS: t.List[t.Tuple[t.Dict[str, t.Any], str, t.Any]] = [
    ({"images": ["debian:12", "web"]}, "images", ("debian:12", "web")),
    ({}, "images", ("debian",)),
    ({"command": ["sleep", "1"]}, "command", ("sleep", "1")),
    ({"command": "sleep '1 2'"}, "command", ("sleep", "1 2")),
    ({"command": []}, "command", ()),
    ({"entrypoint": ["/entry", "-v"]}, "entrypoint", ("/entry", "-v")),
    ({"entrypoint": []}, "entrypoint", ()),
    ({"init": True}, "init", True),
    ({"init": False}, "init", False),
    ({"init": "yes"}, "init", True),
    ({"init": "systemd"}, "init", "systemd"),
    ({"env": {"A": "1", "GONE": None}}, "env", {"A": "1", "GONE": None}),
    ({"env": {}}, "env", {}),
    ({"user": "1000"}, "user", "1000"),
    ({"user": "www-data:adm"}, "user", "www-data:adm"),
    ({"working_dir": "/srv/"}, "working_dir", "/srv"),
    ({"hostname": "web-1.example.org"}, "hostname", "web-1.example.org"),
    ({"hostname": "x" * 64}, "hostname", "x" * 64),
    ({"network_mode": "host"}, "network_mode", "host"),
    ({"networks": [{"name": "a", "ipv4_address": "10.66.1.10"}, {"name": "b"}]}, "networks", (Attachment("a", "10.66.1.10"), Attachment("b"))),
    ({"networks": [{"name": "a", "mac_address": "02-42-0A-00-00-01", "aliases": ["db", "a.b"]}]}, "networks",
     (Attachment("a", None, "02:42:0a:00:00:01", ("a.b", "db")),)),
    ({"mac_address": "02:42:0a:00:00:01"}, "networks", (Attachment("cocker0", None, "02:42:0a:00:00:01"),)),
    ({"network_mode": "web0"}, "networks", (Attachment("web0"),)),
    ({"network_mode": "default"}, "network_mode", "bridge"),
    ({"network_mode": "container:db"}, "network_mode", "container:db"),
    ({"publish_all_ports": True}, "publish_all_ports", True),
    ({"exposed_ports": [80, "53/udp"]}, "exposed_ports", ("53/udp", "80/tcp")),
    ({"publish_scope": "loopback", "published_ports": ["80:80", "0.0.0.0:81:81"]}, "published_ports",
     (PortMapping("127.0.0.1", 80, 80), PortMapping(None, 81, 81))),
    ({"publish_scope": "loopback"}, "default_host_ip", "127.0.0.1"),
    ({"etc_hosts": {"db": "10.66.1.3", "me": "host-gateway"}}, "etc_hosts", {"db": "10.66.1.3", "me": "host-gateway"}),
    ({"dns_servers": ["fd00:0::1", "192.0.2.53"]}, "dns_servers", ("fd00::1", "192.0.2.53")),
    ({"dns_opts": ["ndots:2"]}, "dns_opts", ("ndots:2",)),
    ({"dns_search_domains": ["b.example", "a.example"]}, "dns_search_domains", ("b.example", "a.example")),
    ({"dns_search_domains": ["."]}, "dns_search_domains", ()),
    ({"links": ["db:database", "cache"]}, "links", (("cache", "cache"), ("db", "database"))),
    ({"publish_scope": "any"}, "default_host_ip", ""),
    ({"default_host_ip": "192.0.2.1", "published_ports": ["80"]}, "published_ports", (PortMapping("192.0.2.1", None, 80),)),
    ({"networks": []}, "networks", ()),
    ({"network_mode": "none", "networks": []}, "networks", ()),
    ({"ipv4_address": "10.166.88.9"}, "networks", (Attachment("cocker0", "10.166.88.9"),)),
    ({"ipv4_address": " 10.166.88.9"}, "networks", (Attachment("cocker0", "10.166.88.9"),)),
    ({"networks": [{"name": "web0"}], "ipv4_address": "10.66.1.10"}, "networks", (Attachment("web0", "10.66.1.10"),)),
    ({"published_ports": ["8080:80"]}, "published_ports", (PortMapping(None, 8080, 80, "tcp"),)),
    ({"published_ports": ["0.0.0.0:8080:80/tcp", "8080:80"]}, "published_ports", (PortMapping(None, 8080, 80, "tcp"),)),
    ({"published_ports": ["127.0.0.1:53:53/udp"]}, "published_ports", (PortMapping("127.0.0.1", 53, 53, "udp"),)),
    ({"published_ports": ["9001:81", "9000:80"]}, "published_ports", (PortMapping(None, 9000, 80), PortMapping(None, 9001, 81))),
    ({"published_ports": ["9000-9001:80-81"]}, "published_ports", (PortMapping(None, 9000, 80, "tcp"), PortMapping(None, 9001, 81, "tcp"))),
    ({"published_ports": ["80"]}, "published_ports", (PortMapping(None, None, 80, "tcp"),)),
    ({"published_ports": []}, "published_ports", ()),
    ({"published_ports": [], "network_mode": "host"}, "published_ports", ()),
    ({"volumes": ["webdata:/data"]}, "mounts", (Mount("volume", "webdata", "/data"),)),
    ({"volumes": []}, "mounts", ()),
    ({"tmpfs": []}, "mounts", ()),
    ({"volumes": ["webdata:/data"], "tmpfs": ["/a"]}, "mounts", (Mount("tmpfs", "", "/a"), Mount("volume", "webdata", "/data"))),
    ({"labels": {"a": 1, "b": True}}, "labels", {"a": "1", "b": "true"}),
    ({"labels": {}}, "labels", {}),
    ({"stop_timeout": 0}, "stop_timeout", 0),
    ({"stop_signal": "sigquit"}, "stop_signal", 3),
    ({"stop_signal": "3"}, "stop_signal", 3),
]


@pytest.mark.parametrize(("given", "name", "value"), OPTIONS, ids=[repr(given)[:60] for given, _name, _value in OPTIONS])
def test_an_option_means(parse: Parse, given: t.Dict[str, t.Any], name: str, value: t.Any) -> None:
    assert getattr(parse(**given), name) == value


SAME: t.List[t.Tuple[t.Dict[str, t.Any], t.Dict[str, t.Any]]] = [
    ({"volumes": ["b:/b", "a:/a/"]}, {"volumes": ["a:/a", "b://b"]}),
    ({"published_ports": ["8080:80", "443:443"]}, {"published_ports": ["443:443/tcp", "0.0.0.0:8080:80", "8080:80"]}),
    ({"env": {"A": "1", "B": "2"}}, {"env": {"B": "2", "A": "1"}}),
    ({"labels": {"a": 1}}, {"labels": {"a": "1"}}),
    ({"capabilities": ["net_admin", "CAP_CHOWN"]}, {"capabilities": ["CHOWN", "CAP_NET_ADMIN", "NET_ADMIN"]}),
    ({"cap_drop": ["all"]}, {"cap_drop": ["ALL"]}),
    ({"pids_limit": 0}, {"pids_limit": -1}),
    ({"memory": "512M"}, {"memory": "536870912"}),
    ({"memory": "0"}, {"memory": "unlimited"}),
    ({"cpus": 0.5}, {"cpus": 0.50}),
    ({"cpuset_cpus": "0,1,2"}, {"cpuset_cpus": "0-2"}),
    ({"ulimits": ["nofile:1024"]}, {"ulimits": ["nofile=1024:1024"]}),
    ({"security_opts": ["no-new-privileges:true"]}, {"security_opts": ["no-new-privileges"]}),
    ({"devices": ["/dev/fuse"]}, {"devices": ["/dev/fuse:/dev/fuse:mwr"]}),
    ({"sysctls": {"net.core.somaxconn": 1024}}, {"sysctls": {"net/core/somaxconn": "1024"}}),
    ({"stop_signal": "TERM"}, {"stop_signal": "SIGTERM"}),
    ({"command": "sleep 1"}, {"command": ["sleep", 1]}),
]


@pytest.mark.parametrize(("one", "other"), SAME, ids=[repr(one)[:60] for one, _other in SAME])
def test_two_ways_to_write_one_thing_are_no_change(parse: Parse, one: t.Dict[str, t.Any], other: t.Dict[str, t.Any]) -> None:
    assert parse(**one) == parse(**other)


@pytest.mark.parametrize(("one", "other"), [
    ({"command": ["Echo"]}, {"command": ["echo"]}),
    ({"command": []}, {}),
    ({"labels": {"A": "x"}}, {"labels": {"a": "x"}}),
    ({"published_ports": ["53:53/udp"]}, {"published_ports": ["53:53"]}),
    ({"networks": [{"name": "a"}, {"name": "b"}]}, {"networks": [{"name": "b"}, {"name": "a"}]}),
    ({"user": "0"}, {"user": "root"}),
])
def test_two_things_that_look_alike_are_a_change(parse: Parse, one: t.Dict[str, t.Any], other: t.Dict[str, t.Any]) -> None:
    assert parse(**one) != parse(**other)


BAD: t.List[t.Tuple[str, t.Dict[str, t.Any]]] = [
    ("name", {"name": "a/b"}),
    ("name", {"name": ".."}),
    ("name", {"name": ""}),
    ("images", {"images": []}),
    ("command", {"command": ["sleep", True]}),
    ("entrypoint", {"entrypoint": {"a": "b"}}),
    ("init", {"init": "upstart"}),
    ("init", {"init": 1}),
    ("env", {"env": {"A": 1}}),
    ("user", {"user": ""}),
    ("user", {"user": "a b"}),
    ("user", {"user": "a:"}),
    ("user", {"user": "a:b:c"}),
    ("user", {"user": "4294967295"}),
    ("user", {"user": "0:99999999999"}),
    ("groups", {"groups": ["4294967295"]}),
    ("working_dir", {"working_dir": "srv"}),
    ("hostname", {"hostname": ""}),
    ("hostname", {"hostname": "a b"}),
    ("hostname", {"hostname": "web_1"}),
    ("hostname", {"hostname": "-web"}),
    ("hostname", {"hostname": "web."}),
    ("hostname", {"hostname": "x" * 65}),
    ("networks.name", {"networks": [{"name": "a/b"}]}),
    ("networks", {"networks": [{"name": "a"}, {"name": "a"}]}),
    ("networks.ipv4_address", {"networks": [{"name": "a", "ipv4_address": "10.0.0"}]}),
    ("networks.ipv4_address", {"networks": [{"name": "a", "ipv4_address": "10.0.0.1/24"}]}),
    ("ipv4_address", {"ipv4_address": "fd00::1"}),
    ("ipv4_address", {"ipv4_address": "10.0.0.1", "networks": []}),
    ("ipv4_address", {"ipv4_address": "10.0.0.1", "networks": [{"name": "a"}, {"name": "b"}]}),
    ("ipv4_address", {"ipv4_address": "10.0.0.1", "networks": [{"name": "a", "ipv4_address": "10.0.0.2"}]}),
    ("ipv4_address", {"ipv4_address": "10.0.0.1", "network_mode": "host"}),
    ("networks", {"networks": [{"name": "a"}], "network_mode": "none"}),
    ("published_ports", {"published_ports": ["80:80"], "network_mode": "host"}),
    ("published_ports", {"published_ports": ["80:80"], "network_mode": "custom"}),
    ("published_ports", {"published_ports": [1342]}),
    ("published_ports", {"published_ports": [True]}),
    ("published_ports", {"published_ports": ["99999:80"]}),
    ("published_ports", {"published_ports": ["80-81:80-82"]}),
    ("published_ports", {"published_ports": ["80:80/sctp"]}),
    ("published_ports", {"published_ports": ["8080:80", "8080:81"]}),
    ("volumes", {"volumes": ["./a:/b"]}),
    ("volumes", {"volumes": ["a:/b"], "tmpfs": ["/b"]}),
    ("tmpfs", {"tmpfs": ["tmp"]}),
    ("labels", {"labels": {"a": None}}),
    ("stop_timeout", {"stop_timeout": -1}),
    ("stop_signal", {"stop_signal": "NONE"}),
]


@pytest.mark.parametrize(("option", "given"), BAD, ids=["%s %r" % (option, given) for option, given in BAD])
def test_a_bad_value_is_refused_and_the_option_is_named(parse: Parse, option: str, given: t.Dict[str, t.Any]) -> None:
    with pytest.raises(Invalid) as caught:
        parse(**given)
    assert caught.value.subject == option


def test_a_port_that_yaml_turned_into_a_number_gets_a_hint(parse: Parse) -> None:
    with pytest.raises(Invalid, match="quote it"):
        parse(published_ports=[484822])


@pytest.mark.parametrize("said", ["volumes", "tmpfs"])
def test_a_partial_task_cannot_drop_the_mounts_that_it_does_not_name(partial: Parse, said: str) -> None:
    with pytest.raises(Invalid, match="say all mounts together"):
        partial(**{said: ["/data:/data"] if said == "volumes" else ["/data"]})
    assert partial(volumes=["/data:/data"], tmpfs=[]).mounts == (Mount("bind", "/data", "/data"),)


def test_a_partial_task_cannot_move_the_container_to_the_default_network(partial: Parse) -> None:
    with pytest.raises(Invalid, match="must name the network"):
        partial(ipv4_address="10.66.1.10")
    assert partial(ipv4_address="10.66.1.10", networks=[{"name": "web0"}]).networks == (Attachment("web0", "10.66.1.10"),)


@pytest.mark.parametrize("given,state", [
    ({}, "started"),
    ({"state": "created"}, "present"),
    ({"state": "paused"}, "paused"),
    ({"paused": True}, "paused"),
    ({"paused": False}, "started"),
    ({"state": "paused", "paused": True}, "paused"),
])
def test_paused_is_a_state(wish: t.Callable[..., ContainerWish], given: t.Dict[str, t.Any], state: str) -> None:
    assert wish(**given).state == state


@pytest.mark.parametrize("given,signal", [
    ({}, None),
    ({"force_kill": True}, 9),
    ({"force_kill": True, "kill_signal": "SIGHUP"}, 1),
    ({"force_kill": True, "kill_signal": "12"}, 12),
])
def test_what_kills_in_place_of_the_stop_signal(wish: t.Callable[..., ContainerWish], given: t.Dict[str, t.Any], signal: t.Any) -> None:
    assert wish(**given).kill_signal == signal


@pytest.mark.parametrize("given,option", [
    ({"state": "stopped", "paused": True}, "paused"),
    ({"state": "paused", "paused": False}, "paused"),
    ({"kill_signal": "HUP"}, "kill_signal"),
    ({"force_kill": True, "kill_signal": "NONE"}, "kill_signal"),
])
def test_contradictions_about_the_state_are_refused(wish: t.Callable[..., ContainerWish], given: t.Dict[str, t.Any], option: str) -> None:
    with pytest.raises(Invalid) as caught:
        wish(**given)
    assert caught.value.subject == option
