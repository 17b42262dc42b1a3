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


def ruleset(policy: str, *rules: Rule, others: t.Optional[t.Mapping[str, t.Sequence[Rule]]] = None, table: str = "filter") -> t.List[t.Dict[str, t.Any]]:
    place = {"family": "ip", "table": table}
    found: t.List[t.Dict[str, t.Any]] = [{"chain": {**place, "name": "FORWARD", "hook": "forward", "policy": policy}}]
    for chain, content in {"FORWARD": rules, **(others or {})}.items():
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
