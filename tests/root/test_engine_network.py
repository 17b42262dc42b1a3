# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's networks and ports through the engine: several at once, changed while it runs, shared, published automatically."""
from __future__ import annotations

import socket

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll
from ansible_collections.cocker.engine.plugins.module_utils.model.container import Attachment
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.network import endpoint
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root

FRONT, BACK = Attachment("front"), Attachment("back")


@pytest.fixture
def engine(lab):
    with enginelab.clean(lab) as found:
        found.network("front", subnet="10.66.1.0/24")
        found.network("back", subnet="10.66.2.0/24", internal=True)
        yield found


def addresses(engine, name="web"):
    """Interface -> address, as the container sees it."""
    lines = engine.read(name, "ip -o -4 addr show").splitlines()
    return {words[1]: words[3] for words in map(str.split, lines) if words[1] != "lo"}


def default_route(engine, name="web"):
    return engine.read(name, "ip route | grep ^default || true").split()[:5]


def fetch(address, port):
    with socket.socket() as one:
        one.settimeout(2)
        try:
            one.connect((address, port))
            one.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return one.recv(20)[:8]
        except OSError:
            return None


def test_a_container_on_two_networks_leaves_by_the_one_that_leads_out(engine):
    engine.start(networks=(BACK, FRONT))
    assert addresses(engine) == {"eth0": "10.66.2.2/24", "eth1": "10.66.1.2/24"}
    assert default_route(engine) == ["default", "via", "10.66.1.1", "dev", "eth1"]
    assert not engine.start(networks=(BACK, FRONT)).changed


def test_networks_come_and_go_while_the_container_runs(engine):
    engine.start(networks=(FRONT,))
    pid = engine.state("web")["Pid"]
    foreseen = engine.start(networks=(FRONT, BACK), check=True)
    assert addresses(engine) == {"eth0": "10.66.1.2/24"}
    done = engine.start(networks=(FRONT, BACK))
    assert done.plan["action"] == "update" and (foreseen.plan, foreseen.actions, foreseen.diff) == (done.plan, done.actions, done.diff)
    assert addresses(engine) == {"eth0": "10.66.1.2/24", "eth1": "10.66.2.2/24"}
    assert not engine.start(networks=(FRONT, BACK)).changed
    engine.start(networks=(BACK,))
    assert addresses(engine) == {"eth1": "10.66.2.2/24"} and default_route(engine) == []
    engine.start(networks=(BACK, Attachment("front", "10.66.1.9", "02:42:00:00:00:09")))
    assert addresses(engine) == {"eth1": "10.66.2.2/24", "eth0": "10.66.1.9/24"}
    assert engine.read("web", "cat /sys/class/net/eth0/address") == "02:42:00:00:00:09"
    assert default_route(engine) == ["default", "via", "10.66.1.1", "dev", "eth0"]
    engine.start(networks=())
    assert addresses(engine) == {} and engine.state("web")["Pid"] == pid


def test_ports_follow_when_the_network_changes(engine):
    said = {"command": enginelab.SERVER, "published_ports": ["18080:8080"]}
    engine.start(networks=(FRONT,), **said)
    engine.network("other", subnet="10.66.3.0/24")
    engine.start(networks=(Attachment("other"),), **said)
    assert engine.lab.run(fetch, "127.0.0.1", 18080) is not None
    assert addresses(engine) == {"eth0": "10.66.3.2/24"}


def test_a_change_that_fails_leaves_the_former_networks(engine):
    engine.start(networks=(FRONT,))
    before = addresses(engine), default_route(engine)

    def fail_once():
        whole, calls = endpoint.attach, []

        def attach(netns, endpoints):
            calls.append(netns)
            whole(netns, endpoints)
            if len(calls) == 1:
                raise OSError(5, "made up")
        endpoint.attach = attach

    with pytest.raises(OSError, match="made up"):
        engine.start(networks=(BACK, Attachment("front", "10.66.1.77")), before=fail_once)
    assert (addresses(engine), default_route(engine)) == before
    assert not engine.start(networks=(FRONT,)).changed


def test_an_address_or_a_mac_of_another_container_is_refused(engine):
    engine.start("db", networks=(Attachment("front", "10.66.1.5", "02:42:00:00:00:05"),))
    engine.start(networks=(FRONT,))
    for wanted in (Attachment("front", "10.66.1.5"), Attachment("front", None, "02:42:00:00:00:05")):
        with pytest.raises(Conflict, match="container db has"):
            engine.start(networks=(wanted,))
        with pytest.raises(Conflict, match="container db has"):
            engine.start(networks=(wanted,), check=True)
    with pytest.raises(NotFound):
        engine.start(networks=(Attachment("nowhere"),))
    assert addresses(engine) == {"eth0": "10.66.1.2/24"}


def test_a_network_is_shared(engine):
    engine.start("db", networks=(FRONT,))
    engine.start(network_mode="container:db")
    assert addresses(engine) == {"eth0": "10.66.1.2/24"}
    assert engine.read("web", "cat /etc/hosts") == engine.read("db", "cat /etc/hosts")
    assert not engine.start(network_mode="container:db").changed
    engine.start("third", network_mode="container:web")
    assert addresses(engine, "third") == {"eth0": "10.66.1.2/24"}
    engine.start("alone", network_mode="none")
    engine.start("with", network_mode="container:alone")
    assert engine.read("with", "readlink /proc/self/ns/net") == engine.read("alone", "readlink /proc/self/ns/net")


def test_a_network_that_cannot_be_shared(engine):
    with pytest.raises(NotFound, match="container db"):
        engine.start(network_mode="container:db")
    engine.start("db", state="present")
    with pytest.raises(Conflict, match="db, whose network it shares, is not running"):
        engine.start(network_mode="container:db")
    assert engine.start(network_mode="container:db", state="present").changed
    with pytest.raises(Invalid, match="leads back"):
        engine.start("db", network_mode="container:web", state="present")


def ports(engine, name="web"):
    found = engine.find(name)["NetworkSettings"]["Ports"]
    return {key: sorted((each["HostIp"], int(each["HostPort"])) for each in value) for key, value in found.items()}


def test_host_ports_are_chosen_and_kept(engine):
    said = {"exposed_ports": ("53/udp", "80/tcp"), "publish_all_ports": True, "default_host_ip": "127.0.0.1"}
    engine.start("db", published_ports=["80"])
    assert ports(engine, "db") == {"80/tcp": [("0.0.0.0", 49153)]}
    engine.start(**said)
    mine = ports(engine)
    assert mine == {"53/udp": [("127.0.0.1", 49153)], "80/tcp": [("127.0.0.1", 49154)]}
    engine.ensure("db", state="absent")
    assert not engine.start(**said).changed and engine.start(restart=True, **said).changed
    assert ports(engine) == mine
    done = engine.start(published_ports=["127.0.0.1:5353:53/udp"], **said)
    assert done.plan["action"] == "update" and ports(engine) == {"53/udp": [("127.0.0.1", 5353)], "80/tcp": [("127.0.0.1", 49154)]}


def test_a_port_is_chosen_out_of_a_range_and_kept(engine):
    said = {"published_ports": ["18080-18082:8080"], "command": enginelab.SERVER, "networks": (FRONT,)}
    engine.start("db", published_ports=["18080:80"])
    foreseen = engine.start(**said, check=True)
    done = engine.start(**said)
    assert (done.plan, done.actions) == (foreseen.plan, foreseen.actions) and ports(engine) == {"8080/tcp": [("0.0.0.0", 18081)]}
    assert engine.lab.run(fetch, "192.0.2.1", 18081, where="outside") is not None
    assert engine.find("web")["HostConfig"]["PortBindings"] == {"8080/tcp": [{"HostIp": "0.0.0.0", "HostPort": "18080-18082"}]}
    engine.ensure("db", state="absent")
    assert not engine.start(**said).changed and engine.start(restart=True, **said).changed
    engine.ensure("web", state="stopped")
    assert engine.start(**said).changed and ports(engine) == {"8080/tcp": [("0.0.0.0", 18081)]}
    done = engine.start(**{**said, "published_ports": ["18090-18091:8080"]})
    assert done.plan["action"] == "update" and ports(engine) == {"8080/tcp": [("0.0.0.0", 18090)]}
    assert engine.lab.run(fetch, "192.0.2.1", 18081, where="outside") is None
    engine.start("db", published_ports=["18091:80"])
    for check in (True, False):
        with pytest.raises(Conflict, match="18090-18091:80/tcp: every port of the host from 18090 to 18091 is taken"):
            engine.start("more", published_ports=["18090-18091:80"], check=check)
    assert engine.find("more") is None


def test_a_port_that_a_process_holds_is_not_chosen(engine):
    server = engine.lab.spawn(["busybox", "httpd", "-f", "-p", "49153"])
    try:
        engine.lab.run(lambda: poll.until(lambda: fetch("127.0.0.1", 49153) is not None, timeout=5))
        engine.start(published_ports=["80"])
    finally:
        engine.lab.end(server)
    assert ports(engine) == {"80/tcp": [("0.0.0.0", 49154)]}


def test_a_thousand_ports(engine):
    said = {"networks": (FRONT,), "command": enginelab.SERVER, "published_ports": ["20000-20999:20000-20999", "18080:8080"]}
    engine.start(**said)
    assert engine.lab.run(fetch, "192.0.2.1", 18080, where="outside") is not None
    assert not engine.start(**said).changed
    with pytest.raises(Conflict, match="container web publishes port 20500/tcp"):
        engine.start("db", published_ports=["20500:80"])
