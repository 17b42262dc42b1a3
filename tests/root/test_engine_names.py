# SPDX-License-Identifier: GPL-3.0-or-later
"""How containers find one another by name, and what is in /etc/hosts and /etc/resolv.conf, while it changes."""
from __future__ import annotations

import contextlib
import os
import random
import signal

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import hostnames, leased
from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll
from ansible_collections.cocker.engine.plugins.module_utils.model.container import Attachment
from ansible_collections.cocker.engine.plugins.module_utils.network import resolver
from ansible_collections.cocker.engine.plugins.module_utils.runtime import state
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout
from ansible_collections.cocker.engine.tests.root import enginelab, netlab
from ansible_collections.cocker.engine.tests.root.test_engine_together import at_once

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


@pytest.mark.parametrize("links", [None, (("db", "database"),)], ids=["a network", "links"])
def test_a_container_is_named_once_in_its_own_file(engine, links):
    engine.start("db", networks=(on("front"),))
    engine.start(networks=(on("front", "www"), on("back")), links=links)
    engine.start("db", networks=(on("front"),), restart=True)
    assert resolve(engine, "web") == ["10.66.1.3", "10.66.2.2"] and resolve(engine, "www") == ["10.66.1.3"]
    assert engine.read("web", "hostname -i") == "10.66.1.3"


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


# What each file says, whichever way it came to say it: by a line more, or written anew

def wanted(host):
    """By container that runs: the lines of its file, as they follow from the records, but for its own part."""
    known = {network.name: [lease for lease in leased.users(host, network.name) if lease.active] for network in leased.listed(host)}
    found = {}
    for name in sorted(known):
        for lease in known[name]:
            found.setdefault(lease.container, []).extend(resolver.neighbours(known[name], lease.links).splitlines())
    return {container: sorted(lines) for container, lines in found.items()}


def text_of(engine, name):
    with open(engine.layout.hosts(name)) as file:
        return file.read()


def told(engine):
    """The same as the files have it."""
    found = {}
    for container in engine.run(wanted):
        with open(os.path.join(engine.layout.container(container), "hosts.own")) as own:
            text, head = text_of(engine, container), own.read()
        assert text.startswith(head)
        itself = ["%s\t%s" % (words[0], " ".join(words[1:])) for words in map(str.split, head.splitlines()) if container in words[1:]]
        found[container] = sorted(text[len(head):].splitlines() + itself)
    return found


def inodes(engine):
    return {name: os.stat(engine.layout.hosts(name)).st_ino for name in engine.run(wanted)}


@pytest.mark.parametrize("seed", range(2))
def test_files_are_true_after_whatever_happened(engine, seed):
    chosen, names = random.Random(seed), ("a", "bb", "ccc")
    for step in range(8):
        name, before = chosen.choice(names), inodes(engine)
        places = chosen.choice((("front",), ("front",), ("front", "back")))
        networks = tuple(on(network, *chosen.sample(("one", "two"), chosen.randrange(2))) for network in places)
        links = ((chosen.choice(names), "linked"),) if chosen.random() < 0.3 else ()
        if chosen.random() < 0.3:
            engine.ensure(name, state="absent")
        else:
            engine.start(name, networks=networks, links=links)
        assert told(engine) == engine.run(wanted), step
        now = inodes(engine)
        assert all(now[other] == before[other] for other in now if other in before and other != name)


def test_one_that_comes_is_a_line_more_for_the_others(engine):
    engine.start("a", networks=(on("front"),))
    engine.start("b", networks=(on("front"),))
    before = {name: text_of(engine, name) for name in "ab"}
    engine.start("c", networks=(on("front"),))
    engine.run(lambda host: hostnames.follow(host, ["front"]))
    assert {name: text_of(engine, name) for name in "ab"} == {name: text + "10.66.1.4\tc\n" for name, text in before.items()}


@pytest.mark.parametrize("point,after", [("kernel.fs.append", True), ("kernel.fs.rewrite", True), ("engine.hostnames._tell", False)])
def test_files_that_a_killed_task_left_half_told_are_made_true_by_the_next(engine, point, after):
    for name in ("a", "b"):
        engine.start(name, networks=(on("front"),))
    for change in (lambda **more: engine.start("d", networks=(on("front", address="10.66.1.9"),), **more),
                   lambda **more: engine.ensure("a", state="stopped", **more)):
        with contextlib.suppress(netlab.LabError):
            change(before=enginelab.dying(point, after=after))
        engine.ensure("d", state="absent")
        engine.start("e", networks=(on("front", address="10.66.1.9"),))         # a line as long as that of d
        assert told(engine) == engine.run(wanted)
        engine.ensure("e", state="absent")


@pytest.mark.parametrize("spoil", [os.unlink, lambda path: os.truncate(path, 3), lambda path: os.truncate(path, 0)], ids=["gone", "cut", "empty"])
def test_what_was_told_is_told_again_where_that_is_not_known(engine, spoil):
    engine.start("a", networks=(on("front"),))
    engine.start("b", networks=(on("front"),))
    engine.lab.run(spoil, engine.layout.told)
    engine.start("c", networks=(on("front"),))
    assert told(engine) == engine.run(wanted)


def test_several_that_come_and_go_at_once_all_know_who_is_left(engine):
    at_once([lambda name=name: engine.start(name, networks=(on("front"),)) for name in "abcd"])
    assert told(engine) == engine.run(wanted) and len(told(engine)) == 4
    at_once([lambda: engine.ensure("a", state="absent"), lambda: engine.ensure("b", state="stopped"),
             lambda: engine.start("c", networks=(on("front", "other"),)), lambda: engine.start("e", networks=(on("front"),))])
    assert told(engine) == engine.run(wanted) and sorted(told(engine)) == ["c", "d", "e"]


def test_neighbours_hear_of_a_container_whose_task_was_killed_before_it_could_tell_them(engine):
    engine.start("db", networks=(on("front"),))
    with pytest.raises(netlab.LabError, match="died without an answer"):
        engine.start(networks=(on("front"),), before=enginelab.dying("engine.hostnames.follow"))
    run = Layout(engine.home).container_run("web")
    # The launcher had been asked. Nobody else may look meanwhile: who finds the intent before it runs rolls it back.
    assert engine.lab.run(lambda: poll.until(lambda: state.find(run), timeout=30) and True, timeout=40)
    engine.start(networks=(on("front"),))
    assert resolve(engine, "web", "db") == ["10.66.1.3"] and resolve(engine, "db") == ["10.66.1.2"]


def test_the_first_process_finds_all_names_and_what_it_writes_there_stays(engine):
    engine.start("db", networks=(on("front"),))
    script = "cat /etc/hosts >/seen; echo 192.0.2.1 mine >>/etc/hosts; exec sleep 600"
    engine.start(networks=(on("front"),), command=("/bin/sh", "-c", script))
    assert poll.until(lambda: resolve(engine, "mine") == ["192.0.2.1"], timeout=30)
    assert "10.66.1.2\tdb" in engine.read("web", "cat /seen").splitlines() and resolve(engine, "web", "db") == ["10.66.1.3"]
