# SPDX-License-Identifier: BSD-2-Clause
"""Pure: OCI device rules, and what the v1 devices controller is told to hold them.

Later rules win, and what no rule names is denied: on v1 as on v2 (kernel/bpf.py), and as runc reads it.
"""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel.bpf import DeviceRule
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, Unsupported

EVERYTHING = "a *:* rwm"
ACCESS_ORDER = "rwm"
KINDS = {"a": "a", "b": "b", "c": "c", "u": "c"}


def rules(entries: t.Sequence[t.Mapping[str, t.Any]]) -> t.List[DeviceRule]:
    """From `linux.resources.devices`. Raises Invalid."""
    return [_rule(entry, option="devices[%d]" % place) for place, entry in enumerate(entries)]


def _rule(entry: t.Mapping[str, t.Any], *, option: str) -> DeviceRule:
    kind = entry.get("type") or "a"
    if kind not in KINDS:
        raise Invalid(option + ".type", "%r is not one of a, b, c, u" % kind)
    access = entry.get("access")
    access = ACCESS_ORDER if access is None or (access == "" and kind == "a") else access
    if not isinstance(access, str) or not set(access) <= set(ACCESS_ORDER):
        raise Invalid(option + ".access", "%r is not made of r, w and m" % (access,))
    if not isinstance(entry.get("allow"), bool):
        raise Invalid(option + ".allow", "true or false is required")
    numbers = []
    for key in ("major", "minor"):
        value = entry.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not -1 <= value < 2**31):
            raise Invalid("%s.%s" % (option, key), "%r is not a device number" % (value,))
        numbers.append(None if value is None or value < 0 else value)
    ordered = "".join(letter for letter in ACCESS_ORDER if letter in access)
    return DeviceRule(allow=entry["allow"], kind=KINDS[kind], major=numbers[0], minor=numbers[1], access=ordered)


class Allowance(t.NamedTuple):
    """What v1 can hold: either everything except, or nothing except, the listed rules."""

    everything: bool
    exceptions: t.Tuple[DeviceRule, ...]


def v1_allowance(wanted: t.Sequence[DeviceRule]) -> Allowance:
    """Raises Unsupported for a rule that takes a part out of a wider one: v1 has no words for it."""
    everything, exceptions = False, {}  # type: bool, t.Dict[t.Tuple[t.Any, ...], str]
    for rule in wanted:
        if rule.kind == "a" and rule.major is None and rule.minor is None and rule.access == ACCESS_ORDER:
            everything, exceptions = rule.allow, {}
            continue
        for single in _kinds(rule):
            if rule.allow != everything:
                place = (single.kind, single.major, single.minor)
                exceptions[place] = _join(exceptions.get(place, ""), single.access)
            else:
                exceptions = _without(exceptions, single)
    found = tuple(
        DeviceRule(allow=not everything, kind=place[0], major=place[1], minor=place[2], access=access)
        for place, access in exceptions.items()
    )
    return Allowance(everything=everything, exceptions=found)


def _kinds(rule: DeviceRule) -> t.List[DeviceRule]:
    """The kernel takes `a` to mean everything, whatever follows; so it is spelled as b and c."""
    if rule.kind != "a":
        return [rule]
    return [rule._replace(kind=kind) for kind in ("b", "c")]


def _join(one: str, two: str) -> str:
    return "".join(letter for letter in ACCESS_ORDER if letter in one + two)


def _without(exceptions: t.Dict[t.Tuple[t.Any, ...], str], rule: DeviceRule) -> t.Dict[t.Tuple[t.Any, ...], str]:
    left = {}
    for (kind, major, minor), access in exceptions.items():
        pairs = ((rule.major, major), (rule.minor, minor))
        touches = kind == rule.kind and all(None in pair or pair[0] == pair[1] for pair in pairs)
        if touches and set(access) & set(rule.access):
            if not all(of_rule in (None, number) for of_rule, number in pairs):
                raise Unsupported(
                    "limit", "devices", "cgroup v1 cannot take %s out of %s" % (line(rule), line(_place(kind, major, minor, access)))
                )
            access = "".join(letter for letter in access if letter not in rule.access)
        if access:
            left[kind, major, minor] = access
    return left


def _place(kind: str, major: t.Optional[int], minor: t.Optional[int], access: str) -> DeviceRule:
    return DeviceRule(allow=True, kind=kind, major=major, minor=minor, access=access)


def line(rule: DeviceRule) -> str:
    """As devices.allow and devices.deny take it, and devices.list shows it."""
    numbers = ("*" if number is None else str(number) for number in (rule.major, rule.minor))
    return "%s %s %s" % (rule.kind, ":".join(numbers), rule.access)


def v1_writes(wanted: Allowance, listed: str) -> t.List[t.Tuple[str, str]]:
    """(file, line) in order. From one short list to another, only the differences: nothing in use is denied for a moment.

    `listed` is devices.list; "a *:* rwm" hides exceptions, so from there everything is written.
    """
    lines = [line(rule) for rule in wanted.exceptions]
    if wanted.everything:
        return [("devices.allow", "a")] + [("devices.deny", each) for each in lines]
    present = [_canonical(each) for each in listed.splitlines()]
    if EVERYTHING in present:
        return [("devices.deny", "a")] + [("devices.allow", each) for each in lines]
    rights = {_split(each)[0]: _split(each)[1] for each in lines}
    surplus = []
    for each in present:
        place, access = _split(each)
        excess = "".join(letter for letter in access if letter not in rights.get(place, ""))
        if excess:
            surplus.append("%s %s" % (place, excess))
    return [("devices.allow", each) for each in lines if each not in present] + [("devices.deny", each) for each in surplus]


def _split(text: str) -> t.Tuple[str, str]:
    place, _blank, access = text.rpartition(" ")
    return place, access


def _canonical(text: str) -> str:
    place, access = _split(text)
    return "%s %s" % (place, _join(access, ""))
