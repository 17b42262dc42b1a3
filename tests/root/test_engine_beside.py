# SPDX-License-Identifier: GPL-3.0-or-later
"""Beside the firewall of others: theirs stays as it is byte for byte, what it stops is said, and what was flushed comes back."""
from __future__ import annotations

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import hostinfo, networks
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import nftquery
from ansible_collections.cocker.engine.plugins.module_utils.model.container import Attachment
from ansible_collections.cocker.engine.plugins.module_utils.model.network import NetworkSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import NetworkWish
from ansible_collections.cocker.engine.tests.root import enginelab
from ansible_collections.cocker.engine.tests.root.test_engine_network import fetch

pytestmark = pytest.mark.root

DOCKER = """
table ip filter {
  chain DOCKER-USER { counter return; }
  chain DOCKER { iifname != "docker0" oifname "docker0" drop; }
  chain FORWARD {
    type filter hook forward priority filter; policy drop;
    counter jump DOCKER-USER
    oifname "docker0" ct state established,related accept
    oifname "docker0" jump DOCKER
    iifname "docker0" accept
  }
}
table ip nat {
  chain POSTROUTING { type nat hook postrouting priority srcnat; ip saddr 172.17.0.0/16 oifname != "docker0" masquerade; }
}
"""
FIREWALLD = """
table inet firewalld {
  chain filter_FORWARD {
    type filter hook forward priority filter + 10; policy accept;
    ct state established,related accept
    ct status dnat accept
    iifname "lo" accept
    jump filter_FORWARD_POLICIES
    ct state invalid drop
    reject with icmpx admin-prohibited
  }
  chain filter_FORWARD_POLICIES { iifname "uplink0" return; }
}
"""
UFW = """
table ip filter {
  chain INPUT { type filter hook input priority filter; policy drop; iifname "lo" accept; ct state established,related accept; }
  chain FORWARD { type filter hook forward priority filter; policy drop; jump ufw-before-forward; }
  chain ufw-before-forward { ct state established,related accept; meta l4proto icmp accept; }
}
"""
PLAIN = """
table inet mine {
  chain forward { type filter hook forward priority 0; policy accept; tcp dport 25 drop; }
}
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with enginelab.host(str(tmp_path_factory.mktemp("engine"))) as found:
        found.lab.call("sh", "-c", "for each in /proc/sys/net/bridge/bridge-nf-call-ip*tables; do test ! -e $each || echo 0 > $each; done")
        yield found


def without_ours(lab):
    text = lab.call("nft", "list", "ruleset")
    return text.replace(lab.call("nft", "list", "table", "inet", "cocker", check=False), "")


SAID = {"networks": (Attachment("front"),), "command": enginelab.SERVER, "published_ports": ["18080:8080"]}


@pytest.mark.parametrize("rules, stopped", [(DOCKER, True), (FIREWALLD, False), (UFW, True), (PLAIN, False)],
                         ids=["docker", "firewalld", "ufw", "plain"])
def test_beside(engine, rules, stopped):
    engine.lab.call("nft", rules)
    before = without_ours(engine.lab)
    try:
        engine.network("front", subnet="10.66.1.0/24")
        engine.start(**SAID)
        engine.start("other", networks=(Attachment("front"),))
        assert engine.lab.run(fetch, "127.0.0.1", 18080), "the host reaches what is published"
        assert engine.lab.run(fetch, "10.66.1.2", 8080) or rules is UFW, "and the container itself"
        engine.read("other", "wget -q -O- http://web:8080/")
        reached = engine.lab.run(fetch, "192.0.2.1", 18080, where="outside")
        assert bool(reached) is not stopped
        checks = engine.lab.run(lambda: hostinfo.collect(open_host(engine.home, dry_run=True)))["host_info"]["Checks"]
        found = checks["firewall of others"]
        if stopped:
            assert not found["ok"] and without_counters(without_ours(engine.lab)) == without_counters(before)
            engine.lab.call("sh", "-c", found["detail"].split("To let it pass: ")[1])
            assert engine.lab.run(fetch, "192.0.2.1", 18080, where="outside")
        else:
            engine.ensure("web", state="absent")
            assert without_counters(without_ours(engine.lab)) == without_counters(before)
    finally:
        engine.lab.call("sh", "-c", "nft list tables | grep -v cocker | while read line; do nft delete $line; done")


def without_counters(text):
    return [line for line in text.splitlines() if "counter" not in line]


def test_flushed_rules_come_back_with_the_next_task(engine):
    engine.network("front", subnet="10.66.1.0/24")
    engine.start(**SAID)
    engine.start("other", networks=(Attachment("front"),))
    rules = engine.lab.call("nft", "list", "ruleset")
    engine.lab.call("nft", "flush ruleset")
    assert engine.lab.run(fetch, "192.0.2.1", 18080, where="outside") is None
    foreseen = engine.start(check=True, **SAID)
    assert foreseen.plan["action"] == "repair_network" and engine.lab.call("nft", "list", "ruleset") == ""
    done = engine.start(**SAID)
    assert (foreseen.plan, foreseen.actions) == (done.plan, done.actions)
    assert engine.lab.call("nft", "list", "ruleset") == rules and not engine.start(**SAID).changed
    engine.lab.call("nft", "flush ruleset")
    wish = NetworkWish(NetworkSpec("front", subnet="10.66.1.0/24"))
    assert engine.lab.run(lambda: networks.ensure(open_host(engine.home, dry_run=False), wish)).plan["action"] == "bring_up"
    assert engine.lab.call("nft", "list", "ruleset") == rules
    assert engine.lab.run(fetch, "192.0.2.1", 18080, where="outside")


@pytest.mark.parametrize("what", ["ip link del front", "ip link del $(ls /sys/class/net/front/brif)"], ids=["bridge", "link"])
def test_a_link_that_somebody_took_comes_back(engine, what):
    engine.network("front", subnet="10.66.1.0/24")
    engine.start(**SAID)
    engine.lab.call("sh", "-c", what)
    assert engine.start(**SAID).plan["action"] == "repair_network"
    assert engine.lab.run(fetch, "192.0.2.1", 18080, where="outside") and not engine.start(**SAID).changed


def test_asking_for_a_chain(engine):
    assert engine.lab.run(nftquery.has_chain, "cocker", "state_x") is False
    engine.network("front", subnet="10.66.1.0/24")
    assert engine.lab.run(nftquery.has_chain, "cocker", "forward") is True
    assert engine.lab.run(nftquery.has_chain, "cocker", "forwards") is False
