# SPDX-License-Identifier: BSD-2-Clause
"""PURE: where the firewall of others stops what containers send or are sent. nft's JSON in, findings out.

An accept of ours ends our chain only: a packet that another table drops stays dropped, and other tables are not ours to change. What is
not forwarded (between containers of one network, from and to the host itself, ports published to the host) passes nevertheless.
What carries a network to other hosts is for the host itself, and stopped by chains of the hook input.
Rules with conditions that say nothing about such a packet are taken as if they did not match. Not here: our own rules (ruleset.py).
"""
from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

Command = t.Dict[str, t.Any]
Rules = t.Mapping[str, t.Sequence[t.Sequence[t.Any]]]
Packet = t.Mapping[str, t.Sequence[t.Union[str, int]]]      # what is known of it, by nft's own words; of several values each is one packet

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
    packets = [{key: (bridge,)} for key in ("iifname", "oifname") for bridge in bridges]
    links = ", ".join('"%s"' % bridge for bridge in bridges)
    allowed = ["%s { %s }" % (key, links) for key in ("iifname", "oifname")]
    return _stopping(ruleset, "forward", own, _Passage(("ip", "ip6", "inet"), packets, allowed))


def tunnel_findings(
    ruleset: t.Sequence[Command], *, port: int, peers: t.Sequence[str], parent: t.Optional[str], own: str,
) -> t.List[Finding]:
    """What stops the UDP packets that the hosts `peers` send to `port` by the link `parent`, or by any. Sorted by place."""
    found = []
    for word, version in (("ip", 4), ("ip6", 6)):
        hosts = [peer for peer in peers if ipaddress.ip_address(peer).version == version]
        packet: t.Dict[str, t.Sequence[t.Union[str, int]]] = {
            **dict.fromkeys(("l4proto", "protocol", "nexthdr"), ("udp",)), "nfproto": ("ipv%d" % version,), "state": ("new",),
            "udp dport": (port,), "%s saddr" % word: hosts,
        }
        if parent:
            packet["iifname"] = (parent,)
        allowed = ["%s saddr { %s } udp dport %d" % (word, ", ".join(hosts), port)]
        if hosts:
            found += _stopping(ruleset, "input", own, _Passage((word, "inet"), [packet], allowed))
    return found


class _Passage(t.NamedTuple):
    """Packets that are to pass the chains of these families, and the conditions of rules that would let them."""

    families: t.Sequence[str]
    packets: t.Sequence[Packet]
    allowed: t.Sequence[str]


def _stopping(ruleset: t.Sequence[Command], hook: str, own: str, passage: _Passage) -> t.List[Finding]:
    rules: t.Dict[t.Tuple[str, str], t.Dict[str, t.List[t.Any]]] = {}
    bases = []
    for command in ruleset:
        chain, rule = command.get("chain"), command.get("rule")
        if rule is not None:
            rules.setdefault((rule["family"], rule["table"]), {}).setdefault(rule["chain"], []).append(rule.get("expr", []))
        elif chain is not None and chain.get("hook") == hook and chain["family"] in passage.families and chain["table"] != own:
            bases.append(chain)
    found = [_finding(chain, rules.get((chain["family"], chain["table"]), {}), passage) for chain in bases]
    return sorted((each for each in found if each is not None), key=lambda each: each.where)


def _finding(chain: Command, rules: Rules, passage: _Passage) -> t.Optional[Finding]:
    policy = chain.get("policy", _ACCEPT)
    if all((_verdict(chain["name"], rules, packet, 0) or policy) == _ACCEPT for packet in passage.packets):
        return None
    where = "%s %s %s" % (chain["family"], chain["table"], chain["name"])
    why = "its policy is %s" % policy if policy != _ACCEPT else "a rule of it stops what no other rule lets through"
    return Finding(where, why, "nft '%s'" % "; ".join("insert rule %s %s accept" % (where, each) for each in passage.allowed))


def _verdict(chain: str, rules: Rules, packet: Packet, depth: int) -> t.Optional[str]:
    """What the chain decides for the packet; None if it does not."""
    for rule in rules.get(chain, ()) if depth < _DEEPEST else ():
        decided = _decided(rule, rules, packet, depth)
        if decided == "return":
            return None
        if decided is not None:
            return decided
    return None


def _decided(rule: t.Sequence[t.Any], rules: Rules, packet: Packet, depth: int) -> t.Optional[str]:
    for expression in rule:
        if not isinstance(expression, dict):
            return None
        kind, value = next(iter(expression.items()))
        if kind == "match":
            if not _matches(value, packet):
                return None
        elif kind in (_ACCEPT, "return"):
            return str(kind)
        elif kind in _STOP:
            return "drop"
        elif kind in ("jump", "goto"):
            return _verdict(value["target"], rules, packet, depth + 1)
        elif kind not in _NEUTRAL:
            return None
    return None


def _matches(match: t.Mapping[str, t.Any], packet: Packet) -> bool:
    known = packet.get(_field(match.get("left")), ())
    right = match.get("right")
    if not known or match.get("op") not in ("==", "in"):
        return False
    words = right.get("set", [right]) if isinstance(right, dict) else right if isinstance(right, list) else [right]
    return all(any(_covers(word, value) for word in words) for value in known)


def _field(left: t.Any) -> str:
    """`meta` and `ct` by their key, a field of a header with its protocol; the protocol's own field is one word for all."""
    if not isinstance(left, dict) or len(left) != 1:
        return ""
    kind, said = next(iter(left.items()))
    if kind in ("meta", "ct") and isinstance(said, dict):
        return str(said.get("key", ""))
    if kind != "payload" or not isinstance(said, dict):
        return ""
    field = str(said.get("field", ""))
    return field if field in ("protocol", "nexthdr") else "%s %s" % (said.get("protocol", ""), field)


def _covers(word: t.Any, value: t.Union[str, int]) -> bool:
    if not isinstance(word, dict):
        return bool(value == word or (str(word).endswith("*") and str(value).startswith(str(word)[:-1])))
    if "range" in word and isinstance(value, int):
        first, last = word["range"]
        return isinstance(first, int) and first <= value <= last
    if "prefix" in word and isinstance(value, str):
        prefix = word["prefix"]
        return ipaddress.ip_address(value) in ipaddress.ip_network("%s/%s" % (prefix["addr"], prefix["len"]), strict=False)
    return False
