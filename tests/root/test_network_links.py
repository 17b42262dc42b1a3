# SPDX-License-Identifier: GPL-3.0-or-later
"""Bridges and the links of containers: made, made again, found half-made, refused, removed."""
from __future__ import annotations

import dataclasses
import errno
import json
import os
import socket
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import namespaces, netlink, nft
from ansible_collections.cocker.engine.plugins.module_utils.model import names, network as model, ports
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Conflict, KernelError, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.lease import Endpoint
from ansible_collections.cocker.engine.plugins.module_utils.model.network import Network, NetworkSpec
from ansible_collections.cocker.engine.plugins.module_utils.network import bridge, endpoint, firewall, leases, routes, ruleset
from ansible_collections.cocker.engine.tests.root import netlab

pytestmark = pytest.mark.root

WEB = model.complete(NetworkSpec("web0", subnet="10.66.1.0/24"))
DB = model.complete(NetworkSpec("db0", subnet="10.66.2.0/24", mtu=1400, icc=False))


@pytest.fixture
def lab() -> t.Iterator[netlab.Lab]:
    with netlab.Lab() as made:
        yield made


def at(container: str) -> str:
    return "/run/netns/" + names.netns_name(container)


def place(network: Network, container: str, *, index: int = 0, wanted: t.Optional[str] = None) -> Endpoint:
    return Endpoint(network, leases.lease(network, (), container, wanted=wanted, index=index), default_route=index == 0)


def shown(lab: netlab.Lab, *command: str, where: str = netlab.HOST) -> t.List[t.Dict[str, t.Any]]:
    found: t.List[t.Dict[str, t.Any]] = json.loads(lab.call("ip", "-j", "-d", *command, where=where) or "[]")
    return found


# Bridges

def test_a_bridge_is_made_once(lab: netlab.Lab) -> None:
    assert lab.run(bridge.ensure, WEB) == ("link", "address", "up", "sysctls")
    before = lab.snapshot()
    assert lab.run(bridge.ensure, WEB) == ()
    assert lab.snapshot() == before
    (link,) = shown(lab, "addr", "show", "web0")
    assert (link["address"], link["mtu"], link["ifalias"]) == (WEB.mac, 1500, "cocker:web0")
    assert [(each["local"], each["prefixlen"]) for each in link["addr_info"]] == [("10.66.1.1", 24)]


def test_looking_changes_nothing_and_says_what_is_missing(lab: netlab.Lab) -> None:
    before = lab.snapshot()
    state = lab.run(bridge.observe, WEB)
    assert bridge.missing(WEB, state) == ("link", "address", "up", "sysctls")
    lab.run(bridge.check, WEB, state)
    assert lab.snapshot() == before


def test_ip_forward_is_switched_on(lab: netlab.Lab) -> None:
    assert lab.run(_read, "/proc/sys/net/ipv4/ip_forward") == "0"
    lab.run(bridge.ensure, WEB)
    assert lab.run(_read, "/proc/sys/net/ipv4/ip_forward") == "1"
    lab.run(_write, "/proc/sys/net/ipv4/ip_forward", "0")
    assert lab.run(bridge.ensure, WEB) == ("sysctls",)


def test_router_advertisements_of_a_container_do_not_reach_the_host(lab: netlab.Lab) -> None:
    lab.run(bridge.ensure, WEB)
    assert lab.run(_read, "/proc/sys/net/ipv6/conf/web0/accept_ra") == "0"
    assert lab.run(_read, "/proc/sys/net/ipv6/conf/web0/disable_ipv6") == "1"


@pytest.mark.parametrize("damage, step", [
    (("ip", "link", "set", "web0", "down"), "up"),
    (("ip", "addr", "flush", "dev", "web0"), "address"),
    (("ip", "link", "set", "web0", "mtu", "1300"), "mtu"),
])
def test_what_somebody_undid_is_seen_and_put_right(lab: netlab.Lab, damage: t.Sequence[str], step: str) -> None:
    lab.run(bridge.ensure, WEB)
    whole = lab.snapshot()
    lab.call(*damage)
    assert step in lab.run(bridge.ensure, WEB)
    assert lab.run(bridge.ensure, WEB) == () and lab.snapshot() == whole


def test_a_link_that_is_not_ours_is_neither_used_nor_removed(lab: netlab.Lab) -> None:
    lab.call("ip", "link", "add", "web0", "type", "bridge")
    before = lab.snapshot()
    with pytest.raises(Conflict, match="a link named web0 exists and is not ours"):
        lab.run(bridge.ensure, WEB)
    assert lab.run(bridge.remove, WEB) is False
    assert lab.snapshot() == before


@pytest.mark.parametrize("route", [
    ("addr", "add", "10.66.1.77/32", "dev", "lo"),
    ("route", "add", "10.66.0.0/16", "via", "192.0.2.2"),
    ("route", "add", "10.66.1.128/25", "via", "192.0.2.2", "table", "100"),
    ("route", "add", "blackhole", "10.66.1.0/24"),
])
def test_a_subnet_that_the_host_uses_is_refused(lab: netlab.Lab, route: t.Sequence[str]) -> None:
    lab.call("ip", "rule", "add", "from", "all", "lookup", "100")
    lab.call("ip", *route)
    before = lab.snapshot()
    with pytest.raises(Conflict, match=r"ipam_config.subnet 10.66.1.0/24 overlaps (route|address) 10.66.*choose a subnet"):
        lab.run(bridge.ensure, WEB)
    assert lab.snapshot() == before


def test_a_default_route_in_two_halves_is_no_overlap(lab: netlab.Lab) -> None:
    for half in ("0.0.0.0/1", "128.0.0.0/1", "default"):
        lab.call("ip", "route", "add", half, "via", "192.0.2.2")
    assert lab.run(bridge.ensure, WEB)


def test_a_failure_leaves_no_bridge(lab: netlab.Lab) -> None:
    before = lab.snapshot()
    with pytest.raises(OSError, match="sysctl"):
        lab.run(_ensure_with_broken_sysctl, WEB)
    assert lab.snapshot() == before


def _ensure_with_broken_sysctl(network: Network) -> None:
    def broken(name: str, value: t.Any) -> None:
        raise OSError(errno.EIO, "sysctl")

    bridge.sysctl.write = broken        # type: ignore[attr-defined]
    bridge.ensure(network)


# Endpoints

def test_a_container_gets_its_link(lab: netlab.Lab) -> None:
    lab.run(bridge.ensure, DB)
    one = place(DB, "web", wanted="10.66.2.9")
    lab.run(endpoint.attach, at("web"), [one])
    links = {link["ifname"]: link for link in shown(lab, "addr", where=at("web"))}
    assert sorted(links) == ["eth0", "lo"] and all("UP" in link["flags"] for link in links.values())
    assert (links["eth0"]["address"], links["eth0"]["mtu"]) == (one.lease.mac, 1400)
    assert [each["local"] for each in links["eth0"]["addr_info"]] == ["10.66.2.9"], "and no IPv6 address"
    found = [(each["dst"], each.get("gateway")) for each in shown(lab, "route", where=at("web"))]
    assert found == [("default", "10.66.2.1"), ("10.66.2.0/24", None)]
    (host,) = shown(lab, "link", "show", one.lease.link)
    assert (host["master"], host["ifalias"], host["mtu"]) == ("db0", "cocker-container:web", 1400)
    assert host["linkinfo"]["info_slave_data"]["isolated"] is True


def test_attaching_twice_changes_nothing(lab: netlab.Lab) -> None:
    lab.run(bridge.ensure, WEB)
    one = place(WEB, "web")
    lab.run(endpoint.attach, at("web"), [one])
    before = lab.snapshot(), indexes(lab, one.lease.link)
    lab.run(endpoint.attach, at("web"), [one])
    assert (lab.snapshot(), indexes(lab, one.lease.link)) == before


def indexes(lab: netlab.Lab, link: str) -> t.Any:
    (host,), (inside,) = shown(lab, "link", "show", link), shown(lab, "addr", "show", "eth0", where=at("web"))
    return host["ifindex"], inside["ifindex"], inside["addr_info"]


def test_a_container_on_three_networks_has_one_default_route(lab: netlab.Lab) -> None:
    inner = model.complete(NetworkSpec("inner", subnet="10.66.3.0/24", internal=True))
    for network in (WEB, DB, inner):
        lab.run(bridge.ensure, network)
    places = [place(network, "web", index=number) for number, network in enumerate((WEB, DB, inner))]
    lab.run(endpoint.attach, at("web"), places)
    found = {each["dst"]: each["dev"] for each in shown(lab, "route", where=at("web"))}
    assert found == {"default": "eth0", "10.66.1.0/24": "eth0", "10.66.2.0/24": "eth1", "10.66.3.0/24": "eth2"}
    assert len({each.lease.link for each in places}) == 3


def test_a_namespace_with_nothing_but_lo(lab: netlab.Lab) -> None:
    assert [lab.run(endpoint.prepare, at("web")) for _twice in range(2)] == [True, False]
    assert [link["ifname"] for link in shown(lab, "link", where=at("web")) if "UP" in link["flags"]] == ["lo"]


def test_a_plain_file_that_a_reboot_left_is_replaced_by_a_pin(lab: netlab.Lab) -> None:
    lab.run(_write, at("web"), "")
    assert lab.run(endpoint.is_pinned, at("web")) is False
    assert lab.run(endpoint.prepare, at("web")) is True


def test_a_pair_from_a_crash_is_replaced(lab: netlab.Lab) -> None:
    lab.run(bridge.ensure, WEB)
    one = place(WEB, "web")
    lab.run(endpoint.attach, at("web"), [one])
    lab.spawn(["sleep", "60"], where=at("web"))         # the old namespace lives on, unpinned, with its end of the pair
    lab.run(namespaces.unpin, at("web"))
    lab.run(endpoint.attach, at("web"), [one])
    assert [link["ifname"] for link in shown(lab, "link", where=at("web"))] == ["lo", "eth0"]


def test_a_link_of_somebody_else_is_not_taken(lab: netlab.Lab) -> None:
    lab.run(bridge.ensure, WEB)
    one = place(WEB, "web")
    lab.call("ip", "link", "add", one.lease.link, "type", "bridge")
    with pytest.raises(Conflict, match="is not this container's"):
        lab.run(endpoint.attach, at("web"), [one])
    assert lab.run(endpoint.detach, [one.lease.link]) == ()
    assert lab.run(routes.exists, one.lease.link)


def test_a_failure_at_the_second_network_takes_the_first_one_back(lab: netlab.Lab) -> None:
    lab.run(bridge.ensure, WEB)
    before = lab.snapshot()["links"]
    with pytest.raises(NotFound, match="network db0 has no bridge"):
        lab.run(endpoint.attach, at("web"), [place(WEB, "web"), place(DB, "web", index=1)])
    assert lab.snapshot()["links"] == before
    assert [link["ifname"] for link in shown(lab, "link", where=at("web"))] == ["lo"]


def test_live_detach_leaves_the_rest(lab: netlab.Lab) -> None:
    for network in (WEB, DB):
        lab.run(bridge.ensure, network)
    places = [place(WEB, "web"), place(DB, "web", index=1)]
    lab.run(endpoint.attach, at("web"), places)
    assert lab.run(endpoint.detach, [places[1].lease.link]) == (places[1].lease.link,)
    assert lab.run(endpoint.detach, [places[1].lease.link]) == ()
    assert [link["ifname"] for link in shown(lab, "link", where=at("web"))] == ["lo", "eth0"]


def test_many_links_leave_at_once(lab: netlab.Lab) -> None:
    lab.run(bridge.ensure, WEB)
    before = lab.snapshot()["links"]
    places = [place(WEB, "c%d" % number, wanted="10.66.1.%d" % (number + 2)) for number in range(5)]
    for number, one in enumerate(places):
        lab.run(endpoint.attach, at("c%d" % number), [one])
    assert len(lab.run(endpoint.detach, [one.lease.link for one in places])) == 5
    assert lab.snapshot()["links"] == before


def test_icc_changes_live(lab: netlab.Lab) -> None:
    lab.run(bridge.ensure, WEB)
    one = place(WEB, "web")
    lab.run(endpoint.attach, at("web"), [one])
    silent = dataclasses.replace(WEB, icc=False)
    assert lab.run(bridge.ensure, silent) == ("icc",)
    assert lab.run(routes.read, one.lease.link, "brport/isolated") == "1"
    assert lab.run(bridge.ensure, silent) == ()


def test_a_kernel_error_names_operation_and_subject(lab: netlab.Lab) -> None:
    with pytest.raises(KernelError, match="set link up nosuch: ") as error:
        lab.run(_run, netlink.set_up("nosuch"))
    assert error.value.errno == errno.ENODEV


def _run(*requests: netlink.Request) -> None:
    with netlink.Connection() as connection:
        connection.run(requests)


# The ruleset and the ports of the host

def test_a_thousand_ports_are_one_transaction(lab: netlab.Lab) -> None:
    web = dataclasses.replace(place(WEB, "web").lease, ports=ports.normalise(["10000-10999:20000-20999"]), active=True)
    assert lab.run(firewall.apply, [WEB], {"web0": [web]}) is True
    listed = lab.run(nft.list_table, ruleset.FAMILY, ruleset.TABLE)
    (found,) = [each["map"] for each in listed if each.get("map", {}).get("name") == "any_addr"]
    assert len(found["elem"]) == 1000
    assert lab.run(firewall.remove) is True and lab.call("nft", "list", "ruleset") == ""


def test_a_transaction_that_fails_changes_nothing(lab: netlab.Lab) -> None:
    lab.run(firewall.apply, [WEB], {})
    before = lab.call("nft", "-a", "list", "ruleset")
    bad = {"add": {"rule": {"family": "inet", "table": "cocker", "chain": "nosuch", "expr": [{"accept": None}]}}}
    with pytest.raises(CockerError, match="No such file or directory"):
        lab.run(nft.run, [*ruleset.removal(), bad])
    assert lab.call("nft", "-a", "list", "ruleset") == before


def test_no_descriptor_of_the_engine_survives_exec(lab: netlab.Lab) -> None:
    assert lab.run(_inheritable_after_use) == []


def _inheritable_after_use() -> t.List[str]:
    def inheritable() -> t.Set[int]:
        return {int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + fd) and os.get_inheritable(int(fd))}

    before = inheritable()
    bridge.ensure(WEB)
    endpoint.attach(at("web"), [place(WEB, "web")])
    firewall.apply([WEB], {})
    return [os.readlink("/proc/self/fd/%d" % fd) for fd in inheritable() - before]


def test_rules_go_into_the_namespace_that_the_caller_is_in(lab: netlab.Lab) -> None:
    lab.run(_apply_here_and_there, at("web"))
    assert lab.call("nft", "list", "tables") == "table inet cocker\n"
    assert lab.call("nft", "list", "tables", where=at("web")) == "table ip other\n"


def _apply_here_and_there(netns: str) -> None:
    endpoint.prepare(netns)
    firewall.apply([WEB], {})
    with open(netns, "rb") as inside, namespaces.entered(inside.fileno(), "network"):
        nft.run([{"add": {"table": {"family": "ip", "name": "other"}}}])


def test_a_port_that_a_process_of_the_host_has_is_refused_by_name(lab: netlab.Lab) -> None:
    with pytest.raises(Conflict, match=r"port 8080/tcp is in use on the host by \S+ \(pid \d+\)"):
        lab.run(_listen_and_ask, "127.0.0.1", "8080:80")
    with pytest.raises(Conflict):
        lab.run(_listen_and_ask, "::", "192.0.2.1:8080:80")
    lab.run(_listen_and_ask, "127.0.0.1", "192.0.2.1:8080:80")


def _listen_and_ask(address: str, spec: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as server:
        server.bind((address, 8080))
        server.listen(1)
        firewall.refuse_used(ports.parse(spec))


def test_rules_follow_a_bridge_that_was_made_anew(lab: netlab.Lab) -> None:
    """route_localnet goes with the link, and the second apply sees that."""
    web = dataclasses.replace(place(WEB, "web").lease, ports=ports.normalise(["8080:80"]), active=True)
    lab.run(bridge.ensure, WEB)
    lab.run(firewall.apply, [WEB], {"web0": [web]})
    lab.run(bridge.remove, WEB)
    lab.run(bridge.ensure, WEB)
    assert lab.run(firewall.apply, [WEB], {"web0": [web]}) is True
    assert lab.run(_read, "/proc/sys/net/ipv4/conf/web0/route_localnet") == "1"


def _read(path: str) -> str:
    with open(path, encoding="ascii") as stream:
        return stream.read().strip()


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as stream:
        stream.write(text)


def test_the_lab_has_no_way_out(lab: netlab.Lab) -> None:
    assert sorted(os.path.basename(each["ifname"]) for each in shown(lab, "link")) == ["lo", "uplink0"]
    assert sorted(each["ifname"] for each in shown(lab, "link", where=netlab.OUTSIDE)) == ["lo", "wan0"]
