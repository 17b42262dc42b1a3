# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of two families, of one uplink, on a parent; changed live and made anew under containers that run."""
from __future__ import annotations

import socket

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import networks
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import modules, poll
from ansible_collections.cocker.engine.plugins.module_utils.model.container import Attachment
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid, NotFound, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.model.network import NetworkSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import NetworkWish
from ansible_collections.cocker.engine.plugins.module_utils.network import endpoint
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root

DUAL = {"subnet": "10.66.1.0/24", "subnet6": "fd00:66:1::/64"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with enginelab.host(str(tmp_path_factory.mktemp("engine"))) as found:
        found.lab.call("ip", "addr", "add", "2001:db8:1::1/64", "dev", "uplink0", "nodad")
        found.lab.call("ip", "addr", "add", "2001:db8:1::2/64", "dev", "wan0", "nodad", where="outside")
        found.lab.call("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")
        found.lab.call("ip", "route", "add", "fd00::/8", "via", "2001:db8:1::1", where="outside")
        yield found


def ensure(engine, name, *, check=False, force=False, before=lambda: None, **said):
    def run():
        before()
        with enginelab.plain_errors():
            return networks.ensure(open_host(engine.home, dry_run=check), NetworkWish(NetworkSpec(name, **said), force=force))
    return engine.lab.run(run)


def addresses(engine, name="web"):
    lines = [line.split() for line in engine.read(name, "ip -o addr show").splitlines()]
    return {words[3] for words in lines if words[1] != "lo" and not words[3].startswith("fe80")}


def fetch(address, port):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as one:
        one.settimeout(0.5)
        try:
            one.connect((address, port))
            one.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return one.recv(20)[:4] == b"HTTP"
        except OSError:
            return False


def served(address, port):
    """Also where the machine takes its time."""
    return poll.until(lambda: fetch(address, port), timeout=30)


def test_two_families(engine):
    made = ensure(engine, "dual", **DUAL)
    assert [each["Subnet"] for each in made.result["network"]["IPAM"]["Config"]] == ["10.66.1.0/24", "fd00:66:1::/64"]
    assert not ensure(engine, "dual", **DUAL).changed
    serve = {"command": enginelab.SERVER, "networks": (Attachment("dual"),)}
    engine.start(published_ports=["18080:8080", "[2001:db8:1::1]:18081:8080"], **serve)
    engine.start("six", networks=(Attachment("dual", ipv6_address="fd00:66:1::66"),))
    assert addresses(engine) == {"10.66.1.2/24", "fd00:66:1::2/64"}
    assert addresses(engine, "six") == {"10.66.1.3/24", "fd00:66:1::66/64"}
    shown = engine.find("six")["NetworkSettings"]["Networks"]["dual"]
    assert shown["GlobalIPv6Address"] == "fd00:66:1::66"
    engine.read("six", "wget -q -O- http://[fd00:66:1::2]:8080/; ping -6 -c 1 -w 2 2001:db8:1::2")
    assert engine.lab.run(served, "fd00:66:1::2", 8080)
    for where, address, port in [
        ("outside", "2001:db8:1::1", 18080), ("outside", "2001:db8:1::1", 18081), ("host", "2001:db8:1::1", 18080),
        ("host", "fd00:66:1::2", 18080), ("outside", "192.0.2.1", 18080),
    ]:
        assert engine.lab.run(served, address, port, where=where), (where, address, port)
    assert not engine.lab.run(fetch, "fd00:66:1::2", 8080, where="outside")
    assert not engine.lab.run(fetch, "192.0.2.1", 18081, where="outside")
    assert engine.read("web", "grep six /etc/hosts | cut -f1") == "10.66.1.3\nfd00:66:1::66"
    assert engine.read("web", "cat /proc/sys/net/ipv6/conf/eth0/accept_ra") == "0"


def test_a_chosen_ipv6_subnet_is_kept_and_goes_when_it_is_not_wanted(engine):
    made = ensure(engine, "dual", subnet="10.66.1.0/24", enable_ipv6=True)
    chosen = made.result["network"]["IPAM"]["Config"][1]["Subnet"]
    assert chosen.startswith("fd") and not ensure(engine, "dual", subnet="10.66.1.0/24", enable_ipv6=True).changed
    assert ensure(engine, "dual", subnet="10.66.1.0/24").changed
    assert "inet6 fd" not in engine.lab.call("ip", "addr", "show", "dev", "dual")


def test_forwarding_keeps_the_hosts_own_router(engine):
    engine.lab.call("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/all/forwarding; echo 1 > /proc/sys/net/ipv6/conf/uplink0/accept_ra")
    ensure(engine, "dual", **DUAL)
    assert engine.lab.call("cat", "/proc/sys/net/ipv6/conf/uplink0/accept_ra") == "2\n"


@pytest.mark.parametrize("said, kind", [
    ({"subnet6": "2001:db8:1::/64"}, Conflict), ({"subnet6": "2001:db8::/32"}, Conflict), ({"subnet6": "fe80::/64"}, Invalid),
    ({"subnet6": "fd00:1::/64", "gateway6": "fd00:2::1"}, Invalid), ({"reserved": ("fd00::9",)}, Invalid),
    ({"uplink": "nowhere0"}, NotFound), ({"bridge_name": "uplink0"}, Conflict), ({"bridge_name": "a b"}, Invalid),
    ({"driver": "macvlan"}, Invalid), ({"driver": "macvlan", "parent": "nowhere0"}, NotFound),
    ({"driver": "macvlan", "parent": "uplink0", "mode": "l2"}, Invalid), ({"parent": "uplink0"}, Invalid),
], ids=repr)
def test_what_cannot_be_is_refused(engine, said, kind):
    before = engine.snapshot()
    for check in (True, False):
        with pytest.raises(kind):
            ensure(engine, "web0", check=check, **said)
    assert engine.snapshot() == before


def test_networks_do_not_overlap(engine):
    ensure(engine, "dual", **DUAL)
    engine.lab.call("ip", "link", "del", "dual")
    for said in ({"subnet": "10.66.0.0/16"}, {"subnet": "10.66.9.0/24", "subnet6": "fd00:66::/32"}):
        with pytest.raises(Conflict, match="network dual"):
            ensure(engine, "other", **said)


def test_an_uplink_is_the_only_way_out(engine):
    engine.lab.call("ip", "link", "add", "other0", "type", "veth", "peer", "name", "other1")
    engine.lab.call("ip", "link", "set", "other0", "up")
    try:
        ensure(engine, "front", subnet="10.66.1.0/24", uplink="uplink0")
        engine.start(networks=(Attachment("front"),))
        engine.read("web", "ping -c 1 -w 2 192.0.2.2")
        changed = ensure(engine, "front", subnet="10.66.1.0/24", uplink="other0")
        assert changed.plan["action"] == "update"
        assert engine.exec("web", "/bin/ping", "-c", "1", "-w", "1", "192.0.2.2")["rc"] != 0
    finally:
        engine.lab.call("ip", "link", "del", "other0")


def test_the_mtu_changes_on_both_ends(engine):
    ensure(engine, "front", subnet="10.66.1.0/24", bridge_name="br-front")
    engine.start(networks=(Attachment("front"),))
    ensure(engine, "front", subnet="10.66.1.0/24", bridge_name="br-front", mtu=1400)
    assert engine.read("web", "cat /sys/class/net/eth0/mtu") == "1400"
    assert {engine.lab.call("cat", "/sys/class/net/%s/mtu" % link).strip() for link in ("br-front", link_of(engine))} == {"1400"}
    assert not ensure(engine, "front", subnet="10.66.1.0/24", bridge_name="br-front", mtu=1400).changed


def link_of(engine):
    return engine.lab.call("sh", "-c", "ls /sys/class/net/br-front/brif").strip()


def test_a_network_in_use_is_made_anew_only_by_force(engine):
    ensure(engine, "front", subnet="10.66.1.0/24")
    said = {"networks": (Attachment("front"),), "command": enginelab.SERVER, "published_ports": ["18080:8080"]}
    engine.start(**said)
    with pytest.raises(Conflict, match="force"):
        ensure(engine, "front", subnet="10.66.2.0/24")
    done = ensure(engine, "front", subnet="10.66.2.0/24", force=True)
    assert done.changed and addresses(engine) == {"10.66.2.2/24"}
    assert engine.lab.run(served, "192.0.2.1", 18080, where="outside")
    engine.read("web", "ping -c 1 -w 2 192.0.2.2")
    assert not engine.start(**said).changed and not ensure(engine, "front", subnet="10.66.2.0/24", force=True).changed


def test_force_that_fails_leaves_the_former_network(engine):
    ensure(engine, "front", subnet="10.66.1.0/24")
    engine.start(networks=(Attachment("front", "10.66.1.9"),))
    with pytest.raises(Invalid, match="outside"):
        ensure(engine, "front", subnet="10.66.2.0/24", force=True)

    def fail_once():
        whole, calls = endpoint.attach, []

        def attach(*args):
            calls.append(args)
            if len(calls) == 1:
                raise OSError(5, "made up")
            whole(*args)
        endpoint.attach = attach

    with pytest.raises(OSError, match="made up"):
        ensure(engine, "front", subnet="10.66.0.0/16", force=True, before=fail_once)
    assert addresses(engine) == {"10.66.1.9/24"}
    assert not ensure(engine, "front", subnet="10.66.1.0/24").changed
    engine.read("web", "ping -c 1 -w 2 192.0.2.2")


OFFICE = {"subnet": "192.0.2.0/24", "gateway": "192.0.2.2", "ip_range": "192.0.2.64/27", "parent": "uplink0"}


def test_macvlan(engine):
    if modules.find("macvlan") is False:
        pytest.skip("this kernel has no macvlan")
    ensure(engine, "office", driver="macvlan", **OFFICE)
    assert not ensure(engine, "office", driver="macvlan", **OFFICE).changed
    ensure(engine, "front", subnet="10.66.1.0/24")
    engine.start(networks=(Attachment("office", mac_address="02:42:00:00:00:77"),))
    assert addresses(engine) == {"192.0.2.64/24"}
    engine.read("web", "ping -c 1 -w 2 192.0.2.2")
    both = {"networks": (Attachment("office"), Attachment("front")), "published_ports": ["18080:8080"]}
    engine.start(**both)
    assert addresses(engine) == {"192.0.2.64/24", "10.66.1.2/24"} and not engine.start(**both).changed
    engine.start(networks=(Attachment("front"),), published_ports=["18080:8080"])
    assert addresses(engine) == {"10.66.1.2/24"}
    with pytest.raises(Invalid, match="driver bridge"):
        engine.start("other", networks=(Attachment("office"),), published_ports=["80"])


def test_a_driver_that_the_kernel_lacks_is_named(engine):
    if modules.find("ipvlan") is not False:
        pytest.skip("this kernel has ipvlan")
    with pytest.raises(Unsupported, match="no module ipvlan"):
        ensure(engine, "office", driver="ipvlan", **OFFICE)
