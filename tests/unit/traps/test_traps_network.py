# SPDX-License-Identifier: GPL-3.0-or-later
"""Traps about networks: ports, modes, addresses. Each row was a defect of an engine, or of a collection that people know."""
from __future__ import annotations

import typing as t

import pytest

pytest.importorskip("ansible.module_utils.common.arg_spec")

from ansible_collections.cocker.engine.tests.trapbench import SAME, Bench, Case, app, box, ids

TWO = [{"name": "a"}, {"name": "b"}]

PORTS: t.List[Case] = [
    ("the default address is no address", box(published_ports=["8080:80"]), box(published_ports=["0.0.0.0:8080:80/tcp"]), SAME),
    ("all addresses of both families", box(published_ports=["[::]:8080:80", "0.0.0.0:8080:80"]), box(published_ports=["8080:80"]), SAME),
    ("an address and all addresses", box(published_ports=["127.0.0.1:80:80"]), box(published_ports=["80:80"]), "published_ports update"),
    ("one of two that say the same", box(published_ports=["8080:80", "8080:80"]), box(published_ports=["8080:80"]), SAME),
    ("what all addresses have, one need not", box(published_ports=["80:80", "127.0.0.1:80:80"]), box(published_ports=["80:80"]), SAME),
    ("a range and its ports", box(published_ports=["8080-8081:80-81"]), box(published_ports=["8081:81", "8080:80"]), SAME),
    ("a list in one word", box(published_ports=["8080:80,8081:81"]), box(published_ports=["8080:80", "8081:81"]), SAME),
    ("a shorter range", box(published_ports=["8080-8082:80-82"]), box(published_ports=["8080-8081:80-81"]), "published_ports update"),
    ("the order", box(published_ports=["8080:80", "53:53/udp"]), box(published_ports=["53:53/udp", "8080:80"]), SAME),
    ("udp and tcp", box(published_ports=["53:53/udp"]), box(published_ports=["53:53"]), "published_ports update"),
    ("udp and tcp together", box(published_ports=["53:53/udp", "53:53"]), box(published_ports=["53:53/tcp", "53:53/UDP"]), SAME),
    ("an IPv6 address in two forms", box(published_ports=["[2001:DB8::1]:80:80"]), box(published_ports=["[2001:db8:0:0:0:0:0:1]:80:80"]), SAME),
    ("a port that is chosen, and one that is said", box(published_ports=["80"]), box(published_ports=["49153:80"]), "published_ports update"),
    ("the address for those that have none", box(default_host_ip="127.0.0.1", published_ports=["80:80"]),
     box(default_host_ip="127.0.0.1", published_ports=["127.0.0.1:80:80"]), SAME),
    ("the usual address for those that have none", box(default_host_ip="0.0.0.0", published_ports=["80:80"]), box(published_ports=["80:80"]), SAME),
    ("all that are gone, with the option", box(published_ports=["80:80"]), box(), "published_ports update"),
    ("none, and nothing said", box(published_ports=[]), box(), SAME),
    ("one host port for two", box(published_ports=["80:80", "80:81"]), box(), "refused published_ports"),
    ("what YAML has made of 22:22", box(published_ports=[1342]), box(), "refused published_ports"),
    ("tcp is what is offered", box(exposed_ports=[80]), box(exposed_ports=["80/tcp"]), SAME),
    ("a range that is offered", box(exposed_ports=["80-81"]), box(exposed_ports=["81", "80"]), SAME),
    ("what is offered by udp", box(exposed_ports=["53/udp"]), box(exposed_ports=["53"]), "exposed_ports update"),
    ("none offered, and nothing said", app(exposed_ports=[]), app(), SAME),
    ("all that are offered, and not", box(publish_all_ports=False), box(), SAME),
]

MODES: t.List[Case] = [
    ("two words for the default", box(network_mode="default"), box(network_mode="bridge"), SAME),
    ("the default, and nothing said", box(network_mode="default"), box(), SAME),
    ("whose network", box(network_mode="container:a"), box(network_mode="container:b"), "network_mode restart"),
    ("another container's, kept by its name", box(network_mode="container:a"), box(network_mode="container:a"), SAME),
    ("its own again", box(network_mode="host"), box(), "network_mode restart"),
    ("none", box(network_mode="none"), box(), "network_mode restart"),
    ("a network as a word, as a list and in full", box(network_mode="web0"), box(network_mode=["web0"], networks=[{"name": "web0"}]), SAME),
    ("a network by podman's word", box(network="web0"), box(networks=[{"name": "web0"}]), SAME),
    ("the first of several names the mode, as docker has it", box(network_mode="a", networks=TWO), box(networks=TWO), SAME),
    ("networks of a container that is in bridge mode", box(network_mode="bridge", networks=TWO), box(networks=TWO), SAME),
    ("a mode and a network", box(network_mode="host", networks=[{"name": "a"}]), box(), "refused networks"),
]

NETWORKS: t.List[Case] = [
    ("which is the first", box(networks=TWO), box(networks=TWO[::-1]), "networks update"),
    ("one that is gone", box(networks=TWO), box(networks=TWO[:1]), "networks update"),
    ("all that are gone, with the option", box(networks=TWO), box(), "networks update"),
    ("none at all is not the default one", box(networks=[]), box(), "networks update"),
    ("a MAC address in two forms", box(networks=[{"name": "a", "mac_address": "02-42-0A-00-00-01"}]),
     box(networks=[{"name": "a", "mac_address": "02:42:0a:00:00:01"}]), SAME),
    ("an IPv6 address in two forms", box(networks=[{"name": "a", "ipv6_address": "FD00::1"}]),
     box(networks=[{"name": "a", "ipv6_address": "fd00:0:0::1"}]), SAME),
    ("an address that is asked for, and one that is given", box(networks=[{"name": "a", "ipv4_address": "10.0.0.9"}]),
     box(networks=[{"name": "a"}]), "networks update"),
    ("the order of aliases", box(networks=[{"name": "a", "aliases": ["y", "x"]}]), box(networks=[{"name": "a", "aliases": ["x", "y"]}]), SAME),
    ("aliases for all", box(network_aliases=["x"], networks=TWO), box(networks=[{**each, "aliases": ["x"]} for each in TWO]), SAME),
    ("an alias that is gone", box(networks=[{"name": "a", "aliases": ["x", "y"]}]), box(networks=[{"name": "a", "aliases": ["x"]}]), "networks update"),
    ("the address of the only one", box(networks=[{"name": "a"}], ipv4_address="10.0.0.9"),
     box(networks=[{"name": "a", "ipv4_address": "10.0.0.9"}]), SAME),
    ("one twice", box(networks=[{"name": "a"}, {"name": "a"}]), box(), "refused networks"),
    ("an address of several interfaces", box(networks=[{"name": "a", "mac_address": "01:00:5e:00:00:01"}]), box(), "refused networks.mac_address"),
]

SHARED: t.List[Case] = [
    (option + ": " + what, box(**{option: one}), box(**({option: two} if two else {})), cost and "%s %s" % (option, cost))
    for option in ("ipc_mode", "pid_mode")
    for what, one, two, cost in (
        ("whose", "container:a", "container:b", "restart"), ("kept by its name", "container:a", "container:a", SAME),
        ("its own, and nothing said", "private", None, SAME), ("nothing in so many words", "", "private", SAME),
        ("the host's", "host", None, "restart"), ("its own again", "container:a", None, "restart"))
] + [
    ("its own, that others may share", box(ipc_mode="shareable"), box(ipc_mode="private"), SAME),
    ("its own name of the host", box(uts="private"), box(), SAME),
    ("its own cgroups", box(cgroupns_mode="private"), box(), SAME),
    ("the host's users", box(userns_mode="host"), box(), SAME),
    ("no such mode", box(ipc_mode="other"), box(), "refused ipc_mode"),
]

IPV6: t.List[Case] = [
    ("a server", box(dns_servers=["2001:DB8::1"]), box(dns_servers=["2001:db8:0:0:0:0:0:1"]), SAME),
    ("a host", box(etc_hosts={"a": "fd00::0001"}), box(etc_hosts={"a": "fd00:0::1"}), SAME),
    ("an address of its own", box(networks=[{"name": "a"}], ipv6_address="FD00:0::9"), box(networks=[{"name": "a", "ipv6_address": "fd00::9"}]), SAME),
    ("the address for ports that have none", box(default_host_ip="FD00:0::9", published_ports=["80:80"]),
     box(default_host_ip="fd00::9", published_ports=["[fd00::9]:80:80"]), SAME),
    ("the same text with another meaning", box(dns_servers=["fd00::1:0"]), box(dns_servers=["fd00::1"]), "dns_servers update"),
    ("the order of servers", box(dns_servers=["9.9.9.9", "fd00::1"]), box(dns_servers=["fd00::1", "9.9.9.9"]), "dns_servers update"),
    ("no servers are not the host's", box(dns_servers=[]), box(), "dns_servers update"),
    ("no address", box(etc_hosts={"a": "fd00:::1"}), box(), "refused etc_hosts"),
]


@pytest.mark.parametrize("_what,first,second,cost", PORTS, ids=ids(PORTS))
def test_published_and_exposed_ports(bench: Bench, _what: str, first: t.Any, second: t.Any, cost: str) -> None:
    assert bench.judged(first, second) == cost


@pytest.mark.parametrize("_what,first,second,cost", MODES, ids=ids(MODES))
def test_network_mode(bench: Bench, _what: str, first: t.Any, second: t.Any, cost: str) -> None:
    assert bench.judged(first, second) == cost


@pytest.mark.parametrize("_what,first,second,cost", NETWORKS, ids=ids(NETWORKS))
def test_networks(bench: Bench, _what: str, first: t.Any, second: t.Any, cost: str) -> None:
    assert bench.judged(first, second) == cost


@pytest.mark.parametrize("_what,first,second,cost", SHARED, ids=ids(SHARED))
def test_ipc_and_pid_mode(bench: Bench, _what: str, first: t.Any, second: t.Any, cost: str) -> None:
    assert bench.judged(first, second) == cost


@pytest.mark.parametrize("_what,first,second,cost", IPV6, ids=ids(IPV6))
def test_ipv6_addresses(bench: Bench, _what: str, first: t.Any, second: t.Any, cost: str) -> None:
    assert bench.judged(first, second) == cost
