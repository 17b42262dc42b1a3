# SPDX-License-Identifier: GPL-3.0-or-later
"""How containers find one another by name, and what is in /etc/hosts and /etc/resolv.conf, while it changes."""
from __future__ import annotations

import os
import signal

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll
from ansible_collections.cocker.engine.plugins.module_utils.model.container import Attachment
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root


@pytest.fixture
def engine(lab):
    with enginelab.clean(lab) as found:
        found.network("front", subnet="10.66.1.0/24")
        found.network("back", subnet="10.66.2.0/24", internal=True)
        yield found


def resolve(engine, word, name="web"):
    """All addresses that the container's hosts file has for the word."""
    lines = [line.split() for line in engine.read(name, "cat /etc/hosts").splitlines()]
    return [words[0] for words in lines if words and word in words[1:]]


def on(network, *aliases, address=None):
    return Attachment(network, address, None, aliases or None)


def test_names_follow_who_runs(engine):
    engine.start(networks=(on("front"),))
    assert resolve(engine, "db") == []
    engine.start("db", networks=(on("front", "database", address="10.66.1.9"),), hostname="else.example")
    assert resolve(engine, "db") == resolve(engine, "database") == ["10.66.1.9"]
    assert engine.read("web", "ping -c 1 -w 2 database | head -1").startswith("PING database (10.66.1.9)")
    assert resolve(engine, "web", "db") == ["10.66.1.2"] and "10.66.1.9" in resolve(engine, "else.example", "db")
    engine.start("db", networks=(on("front", "sql", address="10.66.1.10"),), hostname="else.example")
    assert resolve(engine, "database") == [] and resolve(engine, "sql") == ["10.66.1.10"]
    engine.ensure("db", state="stopped")
    assert resolve(engine, "db") == []
    engine.ensure("db", state="started")
    assert resolve(engine, "db") == ["10.66.1.10"]
    engine.ensure("db", state="absent")
    assert resolve(engine, "db") == []


def test_only_neighbours_are_known_and_a_network_that_is_left_is_forgotten(engine):
    engine.start("db", networks=(on("back"),))
    engine.start(networks=(on("front"),))
    assert resolve(engine, "db") == [] and resolve(engine, "web", "db") == []
    engine.start(networks=(on("front"), on("back")))
    assert resolve(engine, "db") == ["10.66.2.2"] and resolve(engine, "web", "db") == ["10.66.2.3"]
    engine.start(networks=(on("front"),))
    assert resolve(engine, "db") == [] and resolve(engine, "web", "db") == []


def test_links_are_names_for_one_container_alone(engine):
    engine.start("db", networks=(on("front"),))
    engine.start(networks=(on("front"),), links=(("db", "database"),))
    engine.start("other", networks=(on("front"),))
    assert resolve(engine, "database") == ["10.66.1.2"] and resolve(engine, "database", "other") == []
    done = engine.start(networks=(on("front"),), links=(("db", "sql"),))
    assert done.plan["action"] == "update" and resolve(engine, "database") == [] and resolve(engine, "sql") == ["10.66.1.2"]
    assert not engine.start(networks=(on("front"),), links=(("db", "sql"),)).changed


def test_hosts_and_dns_change_while_it_runs(engine):
    said = {"networks": (on("front"),), "etc_hosts": {"me": "host-gateway", "six": "fd00::1"}, "dns_servers": ("192.0.2.53",)}
    engine.start(dns_search_domains=("a.example",), dns_opts=("ndots:2",), **said)
    assert resolve(engine, "me") == ["10.66.1.1"] and resolve(engine, "six") == ["fd00::1"]
    text = "nameserver 192.0.2.53\nsearch a.example\noptions ndots:2"
    assert engine.read("web", "cat /etc/resolv.conf") == text
    pid = engine.state("web")["Pid"]
    done = engine.start(**{**said, "etc_hosts": {}, "dns_servers": ()}, dns_search_domains=(), dns_opts=())
    assert done.plan["action"] == "update" and engine.state("web")["Pid"] == pid
    assert engine.read("web", "cat /etc/resolv.conf") == "" and resolve(engine, "me") == []
    assert not engine.start(**{**said, "etc_hosts": {}, "dns_servers": ()}, dns_search_domains=(), dns_opts=()).changed


def test_an_internal_network_resolves_nothing_outside(engine):
    engine.start(networks=(on("back"),))
    assert "nameserver" not in engine.read("web", "cat /etc/resolv.conf")


def test_what_a_container_writes_into_its_files_does_not_stay(engine):
    engine.start(networks=(on("front"),))
    engine.read("web", "echo 10.9.9.9 db >> /etc/hosts; head -c 5000 /dev/zero >> /etc/hosts")
    engine.start("db", networks=(on("front"),))
    assert resolve(engine, "db") == ["10.66.1.3"] and "\0" not in engine.read("web", "cat /etc/hosts")


def test_a_killed_neighbour_is_forgotten(engine):
    engine.start("db", networks=(on("front"),))
    engine.start(networks=(on("front"),))
    os.kill(engine.state("db")["Pid"], signal.SIGKILL)
    run = engine.layout.container_run("db")
    assert engine.lab.run(lambda: poll.until(lambda: not os.path.exists(run), timeout=10))
    assert resolve(engine, "db") == []
