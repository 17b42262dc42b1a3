# SPDX-License-Identifier: GPL-3.0-or-later
"""The wanted ruleset as a value: what is in which map, and that equal input gives equal output."""
from __future__ import annotations

import dataclasses
import json
import random
import typing as t

import hypothesis
import pytest
from hypothesis import strategies as st

from ansible_collections.cocker.engine.plugins.module_utils.model import network as model, ports, vxlan
from ansible_collections.cocker.engine.plugins.module_utils.model.lease import Lease
from ansible_collections.cocker.engine.plugins.module_utils.model.network import Network, NetworkSpec
from ansible_collections.cocker.engine.plugins.module_utils.network import ruleset

WEB = model.complete(NetworkSpec("web0", subnet="10.66.1.0/24"))
DB = model.complete(NetworkSpec("db0", subnet="10.66.2.0/24", internal=True, icc=False))
OPEN = model.complete(NetworkSpec("open0", subnet="10.66.3.0/24", isolate=False))


def lease(container: str, address: str, *published: str, active: bool = True) -> Lease:
    return Lease(container, address + "/24", model.mac_of(address), "eth0", "eth" + container, ports.normalise(published), active)


def objects(commands: t.Sequence[t.Dict[str, t.Any]], kind: str) -> t.Dict[str, t.Dict[str, t.Any]]:
    return {command["add"][kind]["name"]: command["add"][kind] for command in commands if kind in command.get("add", {})}


def elements(commands: t.Sequence[t.Dict[str, t.Any]], name: str) -> t.List[t.Any]:
    found = {**objects(commands, "set"), **objects(commands, "map")}[name].get("elem", [])
    return [[key["concat"], value] for key, value in found] if name.endswith(("_addr", "_port")) else list(found)


def table(networks: t.Sequence[Network] = (WEB,), **leases: t.Sequence[Lease]) -> t.List[t.Dict[str, t.Any]]:
    return ruleset.table(networks, leases)


def test_the_table_is_replaced_in_one_go() -> None:
    first = [next(iter(command)) + " " + next(iter(next(iter(command.values())))) for command in table()[:3]]
    assert first == ["add table", "delete table", "add table"]


def test_a_port_on_every_address_is_found_by_protocol_and_number() -> None:
    commands = table(web0=[lease("web", "10.66.1.2", "8080:80")])
    assert elements(commands, "any_addr") == [[["tcp", 8080], "10.66.1.2"]]
    assert elements(commands, "any_port") == [[["tcp", 8080], 80]]
    assert elements(commands, "at_addr") == []


def test_a_port_on_one_address_is_found_with_that_address_only() -> None:
    commands = table(web0=[lease("web", "10.66.1.2", "127.0.0.1:53:54/udp")])
    assert elements(commands, "at_addr") == [[["127.0.0.1", "udp", 53], "10.66.1.2"]]
    assert elements(commands, "at_port") == [[["127.0.0.1", "udp", 53], 54]]
    assert elements(commands, "any_addr") == []


def test_into_a_tunnel_come_packets_of_its_hosts_only() -> None:
    said = NetworkSpec("span", driver="vxlan", subnet="10.66.4.0/24", ip_range="10.66.4.64/26", vni=42,
                       peers=(vxlan.peer("192.0.2.10", None), vxlan.peer("192.0.2.9", None)))
    rules = [command["add"]["rule"]["expr"] for command in table((WEB, model.complete(said))) if "rule" in command.get("add", {})
             and command["add"]["rule"]["chain"] == "guard"]
    assert len(rules) == 2 and [each["match"]["right"] for each in rules[1][:-1]] == ["udp", 4789, 42, {"set": ["192.0.2.9", "192.0.2.10"]}]
    assert rules[1][3]["match"]["op"] == "!=" and rules[1][-1] == {"drop": None}
    alone = table((model.complete(dataclasses.replace(said, peers=())),))
    assert "saddr\"}}, \"right\": {\"set\"" not in json.dumps(alone)


def test_the_containers_own_address_answers_on_the_host_port() -> None:
    commands = table(web0=[lease("web", "10.66.1.2", "8080:80")])
    assert elements(commands, "own_port") == [[["10.66.1.2", "tcp", 8080], 80]]


def test_a_real_port_of_the_container_is_not_shadowed_by_a_host_port() -> None:
    commands = table(web0=[lease("web", "10.66.1.2", "8080:80", "9090:8080", "443:443")])
    assert elements(commands, "own_port") == [[["10.66.1.2", "tcp", 9090], 8080]]


def test_only_running_containers_are_published() -> None:
    commands = table(web0=[lease("web", "10.66.1.2", "8080:80", active=False)])
    assert elements(commands, "any_addr") == elements(commands, "own_addr") == []


def test_a_port_without_a_host_port_is_published_nowhere() -> None:
    assert elements(table(web0=[lease("web", "10.66.1.2", "80")]), "any_addr") == []


def test_a_record_that_gives_one_port_twice_does_not_stop_the_rest() -> None:
    commands = table(web0=[lease("b", "10.66.1.3", "8080:81"), lease("a", "10.66.1.2", "8080:80")])
    assert elements(commands, "any_addr") == [[["tcp", 8080], "10.66.1.2"]]
    assert elements(commands, "any_port") == [[["tcp", 8080], 80]]


def test_both_maps_of_a_pair_have_the_same_keys() -> None:
    web = [lease("a", "10.66.1.2", "8000-8010:80-90", "127.0.0.1:53:53/udp")]
    commands = table((WEB, DB), web0=web, db0=[lease("b", "10.66.2.2", "8005:1")])
    for name in ("any", "at", "own"):
        assert [key for key, _value in elements(commands, name + "_addr")] == [key for key, _value in elements(commands, name + "_port")]


def test_networks_are_in_the_sets_of_what_they_are() -> None:
    commands = table((WEB, DB, OPEN))
    assert elements(commands, "bridges") == ["db0", "open0", "web0"]
    assert elements(commands, "internal") == ["db0"]
    assert elements(commands, "isolated") == ["db0", "web0"]
    assert elements(commands, "talking") == [{"concat": ["open0", "open0"]}, {"concat": ["web0", "web0"]}]
    assert elements(commands, "silent") == [{"concat": ["db0", "db0"]}]


def test_an_internal_network_is_not_masqueraded_outwards() -> None:
    def rules(network: Network) -> int:
        text = [json.dumps(command) for command in table((network,)) if "rule" in command.get("add", {})]
        return sum(1 for rule in text if "masquerade" in rule and "saddr" in rule and network.subnet.partition("/")[0] in rule)

    assert (rules(WEB), rules(DB)) == (2, 1)


def test_same_input_same_output_in_any_order() -> None:
    networks = [WEB, DB, OPEN]
    leases = {"web0": [lease("c%d" % number, "10.66.1.%d" % number, "%d:80" % (8000 + number), "127.0.0.1:%d:81" % number)
                       for number in range(2, 30)]}
    expected = ruleset.table(networks, leases)
    for seed in range(5):
        shuffle = random.Random(seed).shuffle
        shuffle(networks)
        shuffle(leases["web0"])
        assert ruleset.table(networks, leases) == expected


def test_the_state_changes_with_the_content() -> None:
    one, same, other = (ruleset.state((WEB,), {"web0": [lease("web", "10.66.1.2", port)]}) for port in ("1:1", "1:1", "1:2"))
    assert one == same != other and one.startswith("state_")


def test_what_no_packet_meets_is_not_in_the_state() -> None:
    one = lease("web", "10.66.1.2", "1:1")
    named = dataclasses.replace(one, aliases=("other",), links=(("db", "it"),))
    stopped = lease("db", "10.66.1.3", "2:2", active=False)
    assert ruleset.state((WEB,), {"web0": [one]}) == ruleset.state((WEB,), {"web0": [stopped, named]})


# Few addresses and ports, so that records are wrong, too: one port given twice, an address on two networks.
_PORT = st.builds(ports.PortMapping, st.sampled_from([None, None, "127.0.0.1", "192.0.2.1", "fd00::9"]), st.sampled_from([None, 80, 81, 82, 83]),
                  st.sampled_from([80, 81, 90]), st.sampled_from(["tcp", "udp"]))
_LEASE = st.builds(
    lambda number, published, active, six: dataclasses.replace(
        lease("c%d" % number, "10.66.1.%d" % number, active=active), ports=tuple(published), address6="fd00:66::%d/64" % number if six else None),
    st.integers(2, 6), st.lists(_PORT, max_size=3), st.booleans(), st.booleans())
_LEASES = st.fixed_dictionaries({"web0": st.lists(_LEASE, max_size=5), "six0": st.lists(_LEASE, max_size=2)})
SIX = model.complete(NetworkSpec("six0", subnet="10.66.5.0/24", enable_ipv6=True))


def test_of_two_with_one_address_the_same_one_wins_on_whatever_network_they_are() -> None:
    one, other = (
        dataclasses.replace(lease("c2", "10.66.1.2", active=True), address6="fd00:66::2/64", ports=(ports.PortMapping(None, 80, inside, "udp"),))
        for inside in (80, 81))
    first = {"web0": [one], "six0": [other]}
    assert _maps(ruleset.table((WEB, SIX), first)) == _maps(ruleset.table((WEB, SIX), {"web0": [one, other], "six0": []}))
    assert _maps(ruleset.table((WEB, SIX), first)) == _maps(ruleset.table((WEB, SIX), {"web0": [other, one], "six0": []}))


@hypothesis.given(_LEASES, _LEASES, st.booleans())
def test_the_old_maps_and_the_difference_are_the_new_maps(
    former: t.Dict[str, t.List[Lease]], leases: t.Dict[str, t.List[Lease]], with_ipv6: bool,
) -> None:
    networks = (WEB, SIX) if with_ipv6 else (WEB,)
    old, new = (_maps(ruleset.table(networks, each)) for each in (former, leases))
    for change in ruleset.difference(networks, former, leases):
        for key in change.gone:
            del old[change.name][key]
        assert not old[change.name].keys() & change.come.keys()
        old[change.name].update(change.come)
    assert old == new
    assert (ruleset.state(networks, former) == ruleset.state(networks, leases)) <= (ruleset.difference(networks, former, leases) == [])


def _maps(commands: t.Sequence[t.Dict[str, t.Any]]) -> t.Dict[str, t.Dict[t.Any, t.Any]]:
    return {name: {tuple(key): value for key, value in elements(commands, name)} for name in objects(commands, "map")}


@pytest.mark.parametrize("count", [1, 1000])
def test_the_number_of_rules_does_not_grow_with_the_ports(count: int) -> None:
    commands = table(web0=[lease("web", "10.66.1.2", "10000-%d:10001-%d" % (9999 + count, 10000 + count))])
    assert sum(1 for command in commands if "rule" in command.get("add", {})) == 20
