# SPDX-License-Identifier: BSD-2-Clause
"""The options of cocker_containers: each container's, with the defaults of all under them, validated as cocker_container's are.

Not here: what each option means (parse_container.py).
"""
from __future__ import annotations

import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_container, parse_container, parse_container_network
from ansible_collections.cocker.engine.plugins.module_utils.edge.args_containers import DEPENDS_ON, MEMBER
from ansible_collections.cocker.engine.plugins.module_utils.edge.spec import Params
from ansible_collections.cocker.engine.plugins.module_utils.model import dependencies, names
from ansible_collections.cocker.engine.plugins.module_utils.model.container import CONTAINER
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ContainersWish, Member

OPTION, DEFAULTS = "containers", "defaults"
_CONDITIONS = {"started": False, "healthy": True, "service_started": False, "service_healthy": True}    # whether it has to be healthy
_EXCLUSIVE: t.Sequence[t.Tuple[str, ...]] = args_container.SPEC.rules["mutually_exclusive"]
_NAMES = {alias: name for name, option in MEMBER.items() for alias in (name, *option.get("aliases", ()))}

Said = t.Dict[str, t.Any]


def wish(params: Params) -> ContainersWish:
    """Raises Invalid, which names the container and the option."""
    validator = ArgumentSpecValidator(MEMBER, **args_container.SPEC.rules)
    defaults = _plain_names(params["defaults"] or {}, DEFAULTS)
    for option in ("name", DEPENDS_ON):
        if option in defaults:
            raise Invalid("defaults.%s" % option, "it is each container's own")
    members: t.Dict[str, Member] = {}
    for place, given in enumerate(params["containers"]):
        member = _member(validator, given, defaults, where=_where(place, given), state=params["state"])
        if member.wish.spec.name in members:
            raise Invalid(OPTION, "%s is listed twice" % member.wish.spec.name)
        members[member.wish.spec.name] = member
    order = dependencies.order({name: member.needs for name, member in members.items()}, DEPENDS_ON)
    warnings = sorted({warning for member in members.values() for warning in member.wish.warnings})
    return ContainersWish(tuple(members.values()), tuple(order), tuple(warnings))


def _where(place: int, given: t.Any) -> str:
    name = given.get("name") if isinstance(given, t.Mapping) else None
    return "%s[%s]" % (OPTION, place if name is None else name)


def _plain_names(given: t.Mapping[t.Any, t.Any], where: str) -> Said:
    """Aliases become the options that they mean."""
    found: Said = {}
    for key, value in given.items():
        name = _NAMES.get(str(key), str(key))
        if name in found:
            raise Invalid("%s.%s" % (where, name), "it is given twice, under two names")
        found[name] = value
    return found


def _member(validator: t.Any, given: t.Mapping[t.Any, t.Any], defaults: Said, *, where: str, state: t.Optional[str]) -> Member:
    own = _plain_names(given, where)
    said = {**_under(own, defaults), **own, **({} if state is None else {"state": state})}
    checked = validator.validate(said)
    if checked.error_messages:
        raise Invalid(where, "; ".join(checked.error_messages))
    params = checked.validated_parameters
    try:
        needs = _needs(params)
        return Member(parse_container.wish(params), tuple(needs), tuple(name for name, healthy in needs.items() if healthy))
    except Invalid as error:
        raise Invalid("%s.%s" % (where, error.subject), error.reason, hint=error.hint) from error


def _under(own: Said, defaults: Said) -> Said:
    """Defaults that do not contradict: of options that exclude one another, what a container says of one is said of all."""
    taken = {name for group in _EXCLUSIVE if not set(group).isdisjoint(own) for name in group}
    return {name: value for name, value in defaults.items() if name not in taken}


def _needs(params: Params) -> t.Dict[str, bool]:
    """Those that are named, and those whose namespaces are shared, with whether they have to be healthy."""
    found = dict(_need(given) for given in params[DEPENDS_ON] or ())
    modes = [*parse_container_network.words(params["network_mode"]), str(params["ipc_mode"] or ""), str(params["pid_mode"] or "")]
    shared = {mode[len(CONTAINER):] for mode in modes if mode.startswith(CONTAINER)}
    return {name: found.get(name, False) for name in sorted({*found, *shared})}


def _need(given: t.Any) -> t.Tuple[str, bool]:
    """A name, or a dictionary of name and condition. The words of compose files are known, too."""
    said = given if isinstance(given, dict) else {"name": given}
    if set(said) - {"name", "condition"} or not isinstance(said.get("name"), str):
        raise Invalid(DEPENDS_ON, "%r is neither a name nor a dictionary of name and condition" % (given,))
    condition = str(said.get("condition", "started"))
    if condition not in _CONDITIONS:
        raise Invalid(DEPENDS_ON, "the condition %r is not one of %s" % (condition, ", ".join(sorted(_CONDITIONS))))
    return names.object_name(said["name"], DEPENDS_ON), _CONDITIONS[condition]
