# SPDX-License-Identifier: BSD-2-Clause
"""PURE: where the firewall of others stops what containers send or are sent. nft's JSON in, findings out.

An accept of ours ends our chain only: a packet that another table drops stays dropped, and other tables are not ours to change. What is
not forwarded (between containers of one network, from and to the host itself, ports published to the host) passes nevertheless.
Rules with conditions that are not about links are taken as if they did not match. Not here: our own rules (ruleset.py).
"""
from __future__ import annotations

import dataclasses
import typing as t

Command = t.Dict[str, t.Any]
Rules = t.Mapping[str, t.Sequence[t.Sequence[t.Any]]]

_ACCEPT, _STOP = "accept", ("drop", "reject")
_NEUTRAL = ("counter", "log", "limit", "comment")
_DEEPEST = 16


@dataclasses.dataclass(frozen=True)
class Finding:
    """`family table chain` is where; `allow` the command that lets through what our own rules let through."""

    where: str
    why: str
    allow: str


def findings(ruleset: t.Sequence[Command], *, bridges: t.Sequence[str], own: str) -> t.List[Finding]:
    """Sorted by place. `own` is the name of our table."""
    rules: t.Dict[t.Tuple[str, str], t.Dict[str, t.List[t.Any]]] = {}
    bases = []
    for command in ruleset:
        chain, rule = command.get("chain"), command.get("rule")
        if rule is not None:
            rules.setdefault((rule["family"], rule["table"]), {}).setdefault(rule["chain"], []).append(rule.get("expr", []))
        elif chain is not None and chain.get("hook") == "forward" and chain["family"] in ("ip", "ip6", "inet") and chain["table"] != own:
            bases.append(chain)
    found = [_finding(chain, rules.get((chain["family"], chain["table"]), {}), bridges) for chain in bases]
    return sorted((each for each in found if each is not None), key=lambda each: each.where)


def _finding(chain: Command, rules: Rules, bridges: t.Sequence[str]) -> t.Optional[Finding]:
    policy = chain.get("policy", _ACCEPT)
    ways = [(key, bridge) for key in ("iifname", "oifname") for bridge in bridges]
    stopped = [way for way in ways if (_verdict(chain["name"], rules, way, 0) or policy) != _ACCEPT]
    if not stopped:
        return None
    where = "%s %s %s" % (chain["family"], chain["table"], chain["name"])
    why = "its policy is %s" % policy if policy != _ACCEPT else "a rule of it stops what no other rule lets through"
    links = ", ".join('"%s"' % bridge for bridge in bridges)
    insert = "; ".join("insert rule %s %s { %s } accept" % (where, key, links) for key in ("iifname", "oifname"))
    return Finding(where, why, "nft '%s'" % insert)


def _verdict(chain: str, rules: Rules, way: t.Tuple[str, str], depth: int) -> t.Optional[str]:
    """What the chain decides for a new packet that comes from (iifname) or goes to (oifname) the bridge; None if it does not."""
    for rule in rules.get(chain, ()) if depth < _DEEPEST else ():
        decided = _decided(rule, rules, way, depth)
        if decided == "return":
            return None
        if decided is not None:
            return decided
    return None


def _decided(rule: t.Sequence[t.Any], rules: Rules, way: t.Tuple[str, str], depth: int) -> t.Optional[str]:
    for expression in rule:
        if not isinstance(expression, dict):
            return None
        kind, value = next(iter(expression.items()))
        if kind == "match":
            if not _matches(value, way):
                return None
        elif kind in (_ACCEPT, "return"):
            return str(kind)
        elif kind in _STOP:
            return "drop"
        elif kind in ("jump", "goto"):
            return _verdict(value["target"], rules, way, depth + 1)
        elif kind not in _NEUTRAL:
            return None
    return None


def _matches(match: t.Mapping[str, t.Any], way: t.Tuple[str, str]) -> bool:
    left, right = match.get("left"), match.get("right")
    if match.get("op") != "==" or left != {"meta": {"key": way[0]}}:
        return False
    words = right.get("set", ()) if isinstance(right, dict) else [right]
    return any(way[1] == word or (str(word).endswith("*") and way[1].startswith(str(word)[:-1])) for word in words)
