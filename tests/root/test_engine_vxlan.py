# SPDX-License-Identifier: GPL-3.0-or-later
"""One network over three hosts, each a namespace with an engine, a store and a /run of its own; nothing but the play ties them together.

    host 1 198.51.100.1, host 2 198.51.100.2, host 3 198.51.100.3: ports of a bridge on host 1; all of fd51::/64, too
"""
from __future__ import annotations

import contextlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import hostinfo, networks
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import modules
from ansible_collections.cocker.engine.plugins.module_utils.model import vxlan
from ansible_collections.cocker.engine.plugins.module_utils.model.container import Attachment
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.network import NetworkSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT, NetworkWish
from ansible_collections.cocker.engine.tests.root import enginelab, netlab

pytestmark = [pytest.mark.root, pytest.mark.skipif(modules.find("vxlan") is False, reason="no vxlan")]

SUBNET = "10.66.50.0/24"
HOSTS = (1, 2, 3)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        found = {number: stack.enter_context(enginelab.host(str(tmp_path_factory.mktemp("host%d" % number)))) for number in HOSTS}
        hub = found[1].lab
        hub.call("ip", "link", "add", "under0", "type", "bridge", "mcast_snooping", "0")
        for number in (2, 3):
            peer = ("peer", "name", "under0", "netns", str(found[number].lab._keeper))
            hub.call("ip", "link", "add", "to%d" % number, "type", "veth", *peer)
            hub.call("ip", "link", "set", "to%d" % number, "master", "under0", "up")
        for number, engine in found.items():
            engine.lab.call("ip", "addr", "add", "198.51.100.%d/24" % number, "dev", "under0")
            engine.lab.call("ip", "addr", "add", "fd51::%d/64" % number, "dev", "under0", "nodad")
            engine.lab.call("ip", "link", "set", "under0", "up")
            engine.lab.call("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")
            engine.number = number
        yield found


@pytest.fixture(params=[HOSTS])
def engines(hosts, request):
    """Of those hosts that a test has something to do with."""
    with contextlib.ExitStack() as stack:
        yield {number: stack.enter_context(enginelab.clean(hosts[number])) for number in request.param}


on_one = pytest.mark.parametrize("engines", [(1,)], indirect=True, ids=["one"])
on_two = pytest.mark.parametrize("engines", [(1, 2)], indirect=True, ids=["two"])


def peers(names: t.Optional[t.Mapping[int, t.Mapping[str, str]]] = None, form: str = "198.51.100.%d", only: t.Sequence[int] = HOSTS) -> vxlan.Peers:
    """As a play says it to each host: all of them, with what containers are called there."""
    return tuple(vxlan.peer(form % number, (names or {}).get(number)) for number in only)


def ensure(engine, number, *, check=False, state="present", before=lambda: None, force=False, **said):
    own = {"driver": "vxlan", "subnet": SUBNET, "ip_range": "10.66.50.%d/26" % (64 * number), "vni": 42, "peers": peers(), **said}

    def run():
        before()
        with enginelab.plain_errors():
            wish = NetworkWish(NetworkSpec("span", **(own if state == "present" else {})), state=state, force=force)
            return networks.ensure(open_host(engine.home, dry_run=check), wish)
    return engine.lab.run(run)


def ping(engine, target, name="c"):
    return engine.exec(name + "%d" % engine.number, "/bin/ping", "-c", "1", "-W", "1", target)["rc"] == 0


def knows(engine, name):
    return name in engine.read("c%d" % engine.number, "cat /etc/hosts")


def start(engines, **said):
    for number, engine in engines.items():
        ensure(engine, number, **said)
        engine.start("c%d" % number, networks=(Attachment("span", aliases=("alias%d" % number,)),), command=enginelab.SERVER)


def shown(outcomes):
    """`names` of each host, as it told them."""
    return {number: outcome.result["network"]["Names"] for number, outcome in outcomes.items()}


def everywhere(engines, **said):
    return {number: ensure(engine, number, **said) for number, engine in engines.items()}


def forwarding(engine):
    link = engine.lab.call("sh", "-c", "ls /sys/class/net/span/brif | grep ^vx").strip()
    lines = [line.split() for line in engine.lab.call("bridge", "fdb", "show", "dev", link).splitlines() if " dst " in line]
    return {(words[0], words[words.index("dst") + 1]) for words in lines}


def test_containers_of_three_hosts_reach_one_another_by_name(engines):
    start(engines)
    names = shown(everywhere(engines))
    assert names[1] == {"c1": ["10.66.50.64"], "alias1": ["10.66.50.64"]} and names[2]["c2"] == ["10.66.50.128"]
    foreseen = ensure(engines[1], 1, peers=peers(names), check=True)
    assert not knows(engines[1], "c2")
    done = everywhere(engines, peers=peers(names))
    assert foreseen.actions == done[1].actions and foreseen.diff == done[1].diff and done[1].plan["reasons"] == ["peers changed"]
    for number, engine in engines.items():
        for other in HOSTS:
            assert ping(engine, "c%d" % other) and ping(engine, "alias%d" % other), (number, other)
    engines[3].read("c3", "wget -q -O- http://c1:8080/ | grep hello && head -c 3000000 /dev/zero > /www/big")
    assert engines[2].read("c2", "wget -q -O- http://c3:8080/big | wc -c") == "3000000"
    assert engines[1].read("c1", "cat /sys/class/net/eth0/mtu") == "1450"
    assert not any(outcome.changed for outcome in everywhere(engines, peers=peers(names)).values())
    for number, engine in engines.items():
        assert not engine.start("c%d" % number, networks=(Attachment("span", aliases=("alias%d" % number,)),), command=enginelab.SERVER).changed
    engines[1].read("c1", "ping -c 1 -w 2 192.0.2.2")


def test_hosts_come_and_go_while_containers_run(engines):
    start(engines)
    assert ping(engines[1], "10.66.50.192") and ("00:00:00:00:00:00", "198.51.100.3") in forwarding(engines[1])
    assert any(host == "198.51.100.3" and not mac.startswith("00:00") for mac, host in forwarding(engines[1]))
    without = peers({2: {"far": "10.66.50.128"}}, only=(1, 2))
    assert ensure(engines[1], 1, peers=without).changed and not ensure(engines[1], 1, peers=without).changed
    assert {host for _mac, host in forwarding(engines[1])} == {"198.51.100.2"}
    assert not ping(engines[1], "10.66.50.192") and ping(engines[1], "far")
    assert not ping(engines[3], "10.66.50.64"), "what comes from elsewhere is dropped"
    assert {host for _mac, host in forwarding(engines[1])} == {"198.51.100.2"}
    ensure(engines[1], 1)
    assert ping(engines[1], "10.66.50.192") and not knows(engines[1], "far")


@on_two
def test_what_is_taken_away_comes_back(engines):
    start(engines)
    link = engines[1].lab.call("sh", "-c", "ls /sys/class/net/span/brif | grep ^vx").strip()
    assert engines[1].lab.call("cat", "/sys/class/net/%s/brport/hairpin_mode" % link).strip() == "0"
    engines[1].lab.call("bridge", "fdb", "del", "00:00:00:00:00:00", "dev", link, "dst", "198.51.100.2")
    assert ensure(engines[1], 1).actions[0]["missing"] == ["peers"] and not ensure(engines[1], 1).changed
    engines[1].lab.call("ip", "link", "del", link)
    foreseen = ensure(engines[1], 1, check=True)
    assert foreseen.actions[0]["missing"] == ["tunnel"]
    said = {"networks": (Attachment("span", aliases=("alias1",)),), "command": enginelab.SERVER}
    assert engines[1].start("c1", **said).plan["action"] == "repair_network"
    assert ping(engines[1], "10.66.50.128") and not ensure(engines[1], 1).changed


@on_two
def test_number_port_and_mtu_change_under_containers_that_run(engines):
    start(engines)
    changed = everywhere(engines, vni=43, port=8472, mtu=1300)
    assert changed[1].plan["reasons"] == ["vni changed", "port changed", "mtu changed"]
    assert ping(engines[1], "10.66.50.128") and engines[1].read("c1", "cat /sys/class/net/eth0/mtu") == "1300"
    assert len(engines[1].lab.call("sh", "-c", "ls -d /sys/class/net/vx*").split()) == 1
    assert not any(outcome.changed for outcome in everywhere(engines, vni=43, port=8472, mtu=1300).values())
    with pytest.raises(Conflict, match="driver"):
        engines[1].network("span", subnet=SUBNET, ip_range="10.66.50.64/26")


@on_two
def test_hosts_that_speak_ipv6_and_containers_of_two_families(engines):
    said = {"peers": peers(form="fd51::%d"), "subnet6": "fd00:66:50::/64"}
    for number, engine in engines.items():
        ensure(engine, number, ip_range6="fd00:66:50:0:%d::/80" % number, **said)
        engine.start("c%d" % number, networks=(Attachment("span"),))
    assert ping(engines[1], "10.66.50.128") and ping(engines[1], "fd00:66:50:0:2::")
    assert engines[1].lab.call("cat", "/sys/class/net/span/mtu").strip() == "1430"
    assert not ensure(engines[1], 1, ip_range6="fd00:66:50:0:1::/80", **said).changed


@on_one
def test_a_container_gets_no_address_that_another_host_says_it_has(engines):
    known = peers({2: {"db": "10.66.50.64"}})
    ensure(engines[1], 1, peers=known)
    engines[1].start("c1", networks=(Attachment("span"),))
    assert "10.66.50.66/24" in engines[1].read("c1", "ip addr show eth0")
    with pytest.raises(Invalid, match="another host"):
        engines[1].start("c1", networks=(Attachment("span", "10.66.50.64"),))


@on_two
def test_without_icc_a_container_reaches_nobody(engines):
    start(engines, icc=False)
    assert not ping(engines[1], "10.66.50.128")
    ensure(engines[1], 1)
    ensure(engines[2], 2)
    assert ping(engines[1], "10.66.50.128")


@on_two
def test_another_firewall_that_stops_the_other_hosts_is_said_and_how_to_let_them_in(engines):
    start(engines)
    rules = "type filter hook input priority 0; policy drop; ct state established accept; iifname span accept; udp dport 53 accept;"
    engines[1].lab.call("nft", "table ip others { chain input { %s }; }" % rules)

    def found():
        checks = engines[1].lab.run(lambda: hostinfo.collect(open_host(engines[1].home, dry_run=True)))["host_info"]["Checks"]
        return checks["firewall of others, network span"]
    try:
        assert not ping(engines[2], "10.66.50.64") and not found()["ok"]
        assert found()["detail"].startswith("ip others input: its policy is drop. To let it pass: nft 'insert rule ip others input ip saddr")
        engines[1].lab.call("sh", "-c", found()["detail"].split("To let it pass: ")[1])
        assert found()["ok"] and ping(engines[2], "10.66.50.64")
    finally:
        engines[1].lab.call("nft", "delete table ip others")
    assert found() == {"ok": True, "detail": "none stops UDP port 4789 of the other hosts"}


@on_one
@pytest.mark.parametrize("said, kind, option", [
    ({"vni": None}, Invalid, "vni"), ({"vni": 1 << 24}, Invalid, "vni"), ({"port": 0}, Invalid, "port"), ({"ip_range": None}, Invalid, "iprange"),
    ({"subnet": None}, Invalid, "subnet"), ({"mode": "l2"}, Invalid, "mode"), ({"parent": "nowhere0"}, NotFound, "nowhere0"),
    ({"peers": (*peers(), vxlan.peer("fd51::9", None))}, Invalid, "peers"), ({"peers": (*peers(), *peers())}, Invalid, "twice"),
    ({"peers": (vxlan.peer("198.51.100.9", {"a": "10.66.51.1"}),)}, Invalid, "names"), ({"local": "198.51.100.2"}, Invalid, "twice"),
    ({"driver": "bridge"}, Invalid, "vni"),
], ids=repr)
def test_what_cannot_be_is_refused(engines, said, kind, option):
    before = engines[1].snapshot()
    for check in (True, False):
        with pytest.raises(kind, match=option):
            ensure(engines[1], 1, check=check, **said)
    assert engines[1].snapshot() == before


@on_one
def test_a_failure_leaves_nothing_or_what_was_there(engines):
    before = engines[1].snapshot()
    with pytest.raises(OSError, match="made to fail"):
        ensure(engines[1], 1, before=enginelab.failing("kernel.fdb.change"))
    assert engines[1].snapshot() == before
    ensure(engines[1], 1)
    before = engines[1].snapshot(), forwarding(engines[1])
    with pytest.raises(OSError, match="made to fail"):
        ensure(engines[1], 1, peers=peers({2: {"far": "10.66.50.128"}}, only=(2,)), before=enginelab.failing("engine.networks.refresh"))
    assert (engines[1].snapshot(), forwarding(engines[1])) == before


@on_one
def test_a_task_that_is_killed_leaves_nothing_for_whoever_comes_next(engines):
    before = engines[1].snapshot()
    with pytest.raises(netlab.LabError):
        ensure(engines[1], 1, before=enginelab.dying("kernel.fdb.change"))
    assert engines[1].snapshot() != before
    ensure(engines[1], 1, state=ABSENT)
    assert engines[1].snapshot() == before


@on_one
def test_absent_removes_all(engines):
    before = engines[1].snapshot()
    ensure(engines[1], 1)
    engines[1].lab.call("ip", "link", "del", "span")     # its ports stay when a bridge goes
    assert ensure(engines[1], 1).actions[0]["missing"][0] == "link"
    assert ensure(engines[1], 1, state=ABSENT).changed and not ensure(engines[1], 1, state=ABSENT).changed
    assert engines[1].snapshot() == before
