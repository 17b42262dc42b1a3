# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reaches whom: containers, the host and a client outside, with real processes behind real published ports."""
from __future__ import annotations

import os
import socket
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import sysctl
from ansible_collections.cocker.engine.plugins.module_utils.model import names, network as model, ports
from ansible_collections.cocker.engine.plugins.module_utils.model.lease import Endpoint, Lease
from ansible_collections.cocker.engine.plugins.module_utils.model.network import Network, NetworkSpec
from ansible_collections.cocker.engine.plugins.module_utils.network import bridge, endpoint, firewall, leases
from ansible_collections.cocker.engine.tests.root import netlab
from ansible_collections.cocker.engine.tests.root.netlab import HOST, HOST_ADDRESS, HOST_OTHER_ADDRESS, OUTSIDE, OUTSIDE_ADDRESS

pytestmark = pytest.mark.root

BRIDGE_NETFILTER = "/proc/sys/net/bridge/bridge-nf-call-iptables"

# Answers each TCP connection and each UDP datagram with its name and the address that it sees.
SERVER = """
import select, socket, sys
name, sockets = sys.argv[1], []
for word in sys.argv[2:]:
    port, kind = word.split("/")
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("0.0.0.0", int(port)))
    if kind == "tcp":
        one.listen(16)
    sockets.append(one)
print("ready", flush=True)
while True:
    for one in select.select(sockets, [], [])[0]:
        if one.type == socket.SOCK_STREAM:
            connection, peer = one.accept()
            connection.sendall(("%s %s" % (name, peer[0])).encode())
            connection.close()
        else:
            _data, peer = one.recvfrom(100)
            one.sendto(("%s %s" % (name, peer[0])).encode(), peer)
"""


def serve(lab: netlab.Lab, where: str, *words: str) -> "subprocess.Popen[bytes]":
    process = lab.spawn([sys.executable, "-I", "-S", "-c", SERVER, *words], where=where, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    return process


def fetch(address: str, port: int, protocol: str = "tcp") -> t.Optional[t.List[str]]:
    """[who answers, whom it sees]; None where nothing comes back."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as one:
        one.settimeout(0.3)
        try:
            one.connect((address, port))
            if protocol == "udp":
                one.send(b"?")
            return one.recv(100).decode().split()
        except OSError:
            return None


def spec(name: str, third: int, **options: t.Any) -> Network:
    return model.complete(NetworkSpec(name, subnet="10.66.%d.0/24" % third, **options))


WEB, DB, CLOSED, OPEN, OPEN2, SILENT = (
    spec("web0", 1), spec("db0", 2), spec("closed0", 3, internal=True), spec("open0", 4, isolate=False), spec("open1", 5, isolate=False),
    spec("silent0", 6, icc=False),
)
NETWORKS = (WEB, DB, CLOSED, OPEN, OPEN2, SILENT)
# Container -> network, published ports. Each one listens on 80 (TCP and UDP) and 81 (TCP).
CONTAINERS: t.Dict[str, t.Tuple[Network, t.List[str]]] = {
    "web": (WEB, ["8080:80", "8080:80/udp", "192.0.2.11:8081:80", "127.0.0.1:8082:81"]),
    "neighbour": (WEB, []),
    "db": (DB, ["9090:80"]),
    "closed": (CLOSED, ["7070:80"]),
    "closed2": (CLOSED, []),
    "open": (OPEN, []),
    "open2": (OPEN2, []),
    "silent": (SILENT, ["6060:80"]),
    "silent2": (SILENT, []),
}


class World:
    """The lab with all containers in it. `at(name)` is the place to run things in, `ip(name)` the container's address."""

    def __init__(self, lab: netlab.Lab, *, bridge_netfilter: bool = False) -> None:
        self.lab = lab
        self.bridge_netfilter = bridge_netfilter
        self.before = lab.snapshot()
        if os.path.exists(BRIDGE_NETFILTER):
            lab.run(sysctl.write, BRIDGE_NETFILTER[len("/proc/sys/"):], int(bridge_netfilter))
        self.leases: t.Dict[str, t.Tuple[Lease, ...]] = {network.name: () for network in NETWORKS}
        for network in NETWORKS:
            lab.run(bridge.ensure, network)
        for name, (network, published) in CONTAINERS.items():
            self._start(name, network, ports.normalise(published))
        lab.run(firewall.apply, NETWORKS, self.leases)

    def _start(self, name: str, network: Network, published: ports.Ports) -> None:
        lease = leases.lease(network, self.leases[network.name], name, ports=published)
        self.leases[network.name] = leases.activated(leases.with_lease(self.leases[network.name], lease), name, active=True)
        self.lab.run(endpoint.attach, self.at(name), [Endpoint(network, lease)])
        serve(self.lab, self.at(name), name, "80/tcp", "80/udp", "81/tcp")

    def at(self, name: str) -> str:
        return name if name in (HOST, OUTSIDE) else "/run/netns/" + names.netns_name(name)

    def lease(self, name: str) -> Lease:
        found = leases.find(self.leases[CONTAINERS[name][0].name], name)
        assert found is not None
        return found

    def ip(self, name: str) -> str:
        return self.lease(name).ip if name in CONTAINERS else name

    def ask(self, who: str, address: str, port: int, protocol: str = "tcp") -> t.Optional[t.List[str]]:
        answer = self.lab.run(fetch, self.ip(address), port, protocol, where=self.at(who))
        return t.cast(t.Optional[t.List[str]], answer)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "br_netfilter"])
def world(request: pytest.FixtureRequest) -> t.Iterator[World]:
    """With br_netfilter, as Docker and Kubernetes load it, what is bridged passes the rules for what is routed, too."""
    if request.param and not os.path.exists(BRIDGE_NETFILTER):
        pytest.skip("br_netfilter is not loaded")
    with netlab.Lab() as lab:
        yield World(lab, bridge_netfilter=request.param)


@pytest.mark.parametrize("who, address, port, answers", [
    # what is published on every address
    (HOST, "127.0.0.1", 8080, "web"),
    (HOST, "127.0.0.9", 8080, "web"),
    (HOST, HOST_ADDRESS, 8080, "web"),
    (HOST, HOST_OTHER_ADDRESS, 8080, "web"),
    (HOST, WEB.gateway, 8080, "web"),
    (OUTSIDE, HOST_ADDRESS, 8080, "web"),
    (OUTSIDE, HOST_OTHER_ADDRESS, 8080, "web"),
    # the container's own address with the host's port
    (HOST, "web", 8080, "web"),
    (HOST, "web", 80, "web"),
    # hairpin: a neighbour, the container itself, one on another network
    ("neighbour", HOST_ADDRESS, 8080, "web"),
    ("neighbour", WEB.gateway, 8080, "web"),
    ("web", HOST_ADDRESS, 8080, "web"),
    ("db", HOST_ADDRESS, 8080, "web"),
    # neighbours, and networks that are not isolated
    ("neighbour", "web", 80, "web"),
    ("web", "neighbour", 81, "neighbour"),
    ("closed", "closed2", 80, "closed2"),
    ("open", "open2", 80, "open2"),
    # one address of the host
    (HOST, HOST_OTHER_ADDRESS, 8081, "web"),
    (OUTSIDE, HOST_OTHER_ADDRESS, 8081, "web"),
    ("db", HOST_OTHER_ADDRESS, 8081, "web"),
    # loopback
    (HOST, "127.0.0.1", 8082, "web"),
    # an internal network: the host itself only
    (HOST, HOST_ADDRESS, 7070, "closed"),
    (HOST, "127.0.0.1", 7070, "closed"),
    (HOST, "closed", 80, "closed"),
    # containers talk to themselves
    ("web", "127.0.0.1", 80, "web"),
])
def test_reaches(world: World, who: str, address: str, port: int, answers: str) -> None:
    answer = world.ask(who, address, port)
    assert answer is not None and answer[0] == answers


@pytest.mark.parametrize("who, address, port, why", [
    (HOST, HOST_ADDRESS, 8081, "it is bound to another address"),
    (OUTSIDE, HOST_ADDRESS, 8081, "it is bound to another address"),
    (HOST, HOST_ADDRESS, 8082, "it is bound to 127.0.0.1"),
    (OUTSIDE, HOST_ADDRESS, 8082, "it is bound to 127.0.0.1"),
    ("db", WEB.gateway, 8082, "it is bound to 127.0.0.1"),
    (OUTSIDE, "web", 80, "routed straight to the container"),
    (OUTSIDE, "web", 8080, "routed straight to the container"),
    (OUTSIDE, "neighbour", 80, "not published"),
    (OUTSIDE, "open", 80, "not published"),
    ("db", "web", 80, "another network"),
    ("db", "web", 8080, "another network"),
    ("web", "db", 80, "another network"),
    ("web", "open", 80, "another network"),
    ("open", "web", 80, "another network"),
    ("web", "closed", 80, "internal"),
    ("closed", "web", 80, "internal"),
    ("closed", OUTSIDE_ADDRESS, 5000, "internal"),
    ("closed", HOST_ADDRESS, 8080, "internal, even to what another one publishes"),
    (OUTSIDE, HOST_ADDRESS, 7070, "internal"),
    ("web", HOST_ADDRESS, 7070, "internal"),
    ("silent", "silent2", 80, "containers of this network do not talk to one another"),
    ("neighbour", HOST_ADDRESS, 81, "not published"),
    (HOST, "127.0.0.1", 80, "not published"),
])
def test_does_not_reach(world: World, who: str, address: str, port: int, why: str) -> None:
    assert world.ask(who, address, port) is None, why


@pytest.mark.parametrize("who, address", [
    (HOST, "127.0.0.1"), (HOST, HOST_ADDRESS), (HOST, "web"), (OUTSIDE, HOST_ADDRESS),
    ("neighbour", HOST_ADDRESS), ("web", HOST_ADDRESS), ("db", HOST_ADDRESS),
])
def test_udp_is_published_too(world: World, who: str, address: str) -> None:
    answer = world.ask(who, address, 8080, "udp")
    assert answer is not None and answer[0] == "web"


def test_silent_neighbours_reach_what_is_published(world: World) -> None:
    if world.bridge_netfilter:
        pytest.skip("translated within the bridge, between two isolated ports")
    assert world.ask("silent2", HOST_ADDRESS, 6060) is not None


def test_a_client_outside_is_seen_with_its_own_address(world: World) -> None:
    assert world.ask(OUTSIDE, HOST_ADDRESS, 8080) == ["web", OUTSIDE_ADDRESS]


def test_a_container_goes_out_with_the_address_of_the_host(world: World) -> None:
    server = serve(world.lab, OUTSIDE, "wide", "5000/tcp")
    assert world.ask("web", OUTSIDE_ADDRESS, 5000) == ["wide", HOST_ADDRESS]
    assert world.ask("closed", OUTSIDE_ADDRESS, 5000) is None
    world.lab.end(server)


def test_neighbours_see_one_another_untranslated(world: World) -> None:
    assert world.ask("neighbour", "web", 80) == ["web", world.ip("neighbour")]
    assert world.ask("open", "open2", 80) is not None


def test_loopback_of_the_host_is_closed_to_everybody_else(world: World) -> None:
    """CVE-2020-8558: the bridge routes 127.0.0.0/8 for the host's own connections to published ports."""
    server = serve(world.lab, HOST, "private", "5555/tcp")
    world.lab.run(_route_loopback_to, WEB.gateway, where=world.at("neighbour"))
    assert world.ask("neighbour", "127.1.2.3", 5555) is None
    assert world.ask(HOST, "127.1.2.3", 5555) == ["private", "127.0.0.1"]
    world.lab.end(server)


def _route_loopback_to(gateway: str) -> None:
    with open("/proc/sys/net/ipv4/conf/eth0/route_localnet", "w", encoding="ascii") as stream:
        stream.write("1")
    subprocess.run(["ip", "route", "del", "local", "127.0.0.0/8", "table", "local"], check=True)
    subprocess.run(["ip", "route", "add", "127.1.0.0/16", "via", gateway, "src", "10.66.1.3"], check=True)


def test_the_second_apply_changes_nothing(world: World) -> None:
    before = world.lab.call("nft", "-a", "list", "ruleset")
    assert world.lab.run(firewall.apply, NETWORKS, world.leases) is False
    assert world.lab.call("nft", "-a", "list", "ruleset") == before


def test_a_flushed_ruleset_comes_back_and_other_tables_are_not_touched(world: World) -> None:
    before = world.lab.call("nft", "list", "ruleset")
    world.lab.call("nft", "flush ruleset; add table ip other; add chain ip other keep")
    assert world.lab.run(firewall.is_current, NETWORKS, world.leases) is False
    assert world.lab.run(firewall.apply, NETWORKS, world.leases) is True
    other = world.lab.call("nft", "list table ip other")
    assert world.lab.call("nft", "list ruleset").replace(other, "") == before
    world.lab.call("nft", "delete table ip other")


def test_a_stopped_container_leaves_its_ports(world: World) -> None:
    stopped = dict(world.leases, web0=leases.activated(world.leases["web0"], "web", active=False))
    try:
        world.lab.run(firewall.apply, NETWORKS, stopped)
        assert world.ask(OUTSIDE, HOST_ADDRESS, 8080) is None and world.ask(OUTSIDE, HOST_ADDRESS, 9090) is not None
    finally:
        world.lab.run(firewall.apply, NETWORKS, world.leases)
    assert world.ask(OUTSIDE, HOST_ADDRESS, 8080) is not None


def test_nothing_is_left_after_removal() -> None:
    with netlab.Lab() as lab:
        world = World(lab)
        for name in CONTAINERS:
            for _twice in range(2):
                lab.run(endpoint.release, world.at(name), [world.lease(name).link])
        for network in NETWORKS:
            assert [lab.run(bridge.remove, network) for _twice in range(2)] == [True, False]
        assert [lab.run(firewall.apply, (), {}) for _twice in range(2)] == [True, False]
        assert lab.snapshot() == world.before
