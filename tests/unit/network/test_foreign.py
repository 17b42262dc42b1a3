# SPDX-License-Identifier: GPL-3.0-or-later
"""Rulesets as Docker, firewalld, ufw and people write them: do they let through what containers send and are sent?"""
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.network import foreign

Rule = t.List[t.Dict[str, t.Any]]
ACCEPT, DROP, COUNTER = {"accept": None}, {"drop": None}, {"counter": {"packets": 1, "bytes": 2}}
REJECT = {"reject": {"type": "icmpx", "expr": "admin-prohibited"}}
KNOWN = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}


def link(key: str, right: t.Any, op: str = "==") -> t.Dict[str, t.Any]:
    return {"match": {"op": op, "left": {"meta": {"key": key}}, "right": right}}


def jump(target: str) -> t.Dict[str, t.Any]:
    return {"jump": {"target": target}}


def ruleset(policy: str, *rules: Rule, others: t.Optional[t.Mapping[str, t.Sequence[Rule]]] = None, table: str = "filter",
            hook: str = "forward", family: str = "ip") -> t.List[t.Dict[str, t.Any]]:
    place, base = {"family": family, "table": table}, hook.upper()
    found: t.List[t.Dict[str, t.Any]] = [{"chain": {**place, "name": base, "hook": hook, "policy": policy}}]
    for chain, content in {base: rules, **(others or {})}.items():
        found += [{"rule": {**place, "chain": chain, "expr": rule}} for rule in content]
    return found


def stops(commands: t.Sequence[t.Dict[str, t.Any]]) -> bool:
    return bool(foreign.findings(commands, bridges=["web0"], own="cocker"))


DOCKER: t.Tuple[Rule, ...] = ([jump("DOCKER-USER")], [COUNTER, KNOWN, ACCEPT], [link("iifname", "docker0"), ACCEPT])
FREE = [[link("iifname", "web0"), ACCEPT], [link("oifname", "web0"), ACCEPT]]


@pytest.mark.parametrize("commands, stopped", [
    (ruleset("accept"), False),
    (ruleset("drop"), True),
    (ruleset("drop", table="cocker"), False),
    (ruleset("drop", *DOCKER, others={"DOCKER-USER": [[COUNTER, {"return": None}]]}), True),
    (ruleset("drop", *DOCKER, others={"DOCKER-USER": FREE}), False),
    (ruleset("drop", FREE[0]), True),
    (ruleset("drop", *FREE), False),
    (ruleset("drop", [ACCEPT]), False),
    (ruleset("drop", [KNOWN, ACCEPT], [link("iifname", {"set": ["eth1", "web0"]}), ACCEPT], [link("oifname", "web*"), ACCEPT]), False),
    (ruleset("accept", [KNOWN, ACCEPT], [jump("policy")], [REJECT], others={"policy": [[link("iifname", "eth0"), ACCEPT]]}), True),
    (ruleset("accept", [link("iifname", "eth0"), DROP]), False),
    (ruleset("accept", [link("iifname", "eth0", "!="), DROP]), False),
    (ruleset("drop", [{"xt": {"type": "match", "name": "conntrack"}}, ACCEPT]), True),
    (ruleset("drop", [jump("FORWARD")]), True),
], ids=lambda value: "" if isinstance(value, list) else str(value))
def test_what_stops_containers(commands: t.List[t.Dict[str, t.Any]], stopped: bool) -> None:
    assert stops(commands) is stopped


def test_what_would_let_it_pass_is_said() -> None:
    (found,) = foreign.findings(ruleset("drop"), bridges=["web0", "db0"], own="cocker")
    assert (found.where, found.why) == ("ip filter FORWARD", "its policy is drop")
    assert found.allow == \
        """nft 'insert rule ip filter FORWARD iifname { "web0", "db0" } accept; insert rule ip filter FORWARD oifname { "web0", "db0" } accept'"""


def header(protocol: str, field: str, right: t.Any) -> t.Dict[str, t.Any]:
    return {"match": {"op": "==", "left": {"payload": {"protocol": protocol, "field": field}}, "right": right}}


def entering(policy: str, *rules: Rule, family: str = "ip", **said: t.Any) -> t.List[t.Dict[str, t.Any]]:
    return ruleset(policy, *rules, hook="input", family=family, **said)


LAN = {"prefix": {"addr": "192.0.2.0", "len": 28}}
UDP = header("ip", "protocol", "udp")
NEW = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "new"}}


@pytest.mark.parametrize("commands, stopped", [
    (entering("accept"), False),
    (ruleset("drop"), False),
    (entering("drop", table="cocker"), False),
    (entering("drop", [KNOWN, ACCEPT], [link("iifname", "lo"), ACCEPT], [header("tcp", "dport", 22), ACCEPT]), True),
    (entering("drop", [header("udp", "dport", 4789), ACCEPT]), False),
    (entering("drop", [UDP, NEW, header("udp", "dport", {"set": [53, {"range": [4000, 5000]}]}), COUNTER, ACCEPT]), False),
    (entering("drop", [header("udp", "dport", {"range": [1, 1023]}), ACCEPT]), True),
    (entering("drop", [header("ip", "saddr", LAN), ACCEPT]), False),
    (entering("drop", [header("ip", "saddr", {"set": ["192.0.2.7", "192.0.2.8"]}), UDP, ACCEPT]), False),
    (entering("drop", [header("ip", "saddr", "192.0.2.7"), ACCEPT]), True),
    (entering("drop", [header("ip", "saddr", {"prefix": {"addr": "192.0.2.0", "len": 29}}), ACCEPT]), True),
    (entering("accept", [header("udp", "dport", 4789), DROP]), True),
    (entering("accept", [link("iifname", "eth0"), DROP]), True),
    (entering("accept", [link("iifname", "eth1"), DROP]), False),
    (entering("drop", [jump("mine")], others={"mine": [[link("iifname", "eth*"), ACCEPT]]}), False),
    (entering("drop", family="ip6"), False),
    (entering("drop", family="inet"), True),
    (entering("drop", [link("nfproto", "ipv4"), ACCEPT], family="inet"), False),
], ids=lambda value: "" if isinstance(value, list) else str(value))
def test_what_stops_the_packets_of_other_hosts(commands: t.List[t.Dict[str, t.Any]], stopped: bool) -> None:
    found = foreign.tunnel_findings(commands, port=4789, peers=["192.0.2.7", "192.0.2.8"], parent="eth0", own="cocker")
    assert bool(found) is stopped


def test_other_hosts_are_named_by_their_family() -> None:
    commands = [*entering("drop", family="ip6"), *entering("drop", family="ip")]
    (found,) = foreign.tunnel_findings(commands, port=4789, peers=["2001:db8::2"], parent=None, own="cocker")
    assert found.allow == "nft 'insert rule ip6 filter INPUT ip6 saddr { 2001:db8::2 } udp dport 4789 accept'"
    assert not foreign.tunnel_findings(commands, port=4789, peers=[], parent=None, own="cocker")
