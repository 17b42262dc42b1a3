# SPDX-License-Identifier: BSD-2-Clause
"""Networks: as a task wants them, and as a container that starts needs them.

Not here: a container's own links and ports (endpoints.py).
"""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import inspect
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Outcome, Plan, Step, execute, outcome
from ansible_collections.cocker.engine.plugins.module_utils.model import changes
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.model.network import (
    DEFAULT_NETWORK,
    FIELDS,
    Lease,
    Network,
    NetworkSpec,
    complete,
    network_from_json,
)
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT, NetworkWish
from ansible_collections.cocker.engine.plugins.module_utils.network import bridge, firewall, leases, routes
from ansible_collections.cocker.engine.plugins.module_utils.storage import records

LEASES = "leases"  # the one lock under which leases, ports and the ruleset made of them change
CREATE, UPDATE, BRING_UP, REMOVE = "create", "update", "bring_up", "remove"


@dataclasses.dataclass(frozen=True)
class Found:
    """`link` None: there is neither a record nor a wish to look for a link of."""

    network: t.Optional[Network]
    link: t.Optional[bridge.BridgeState]
    users: t.Tuple[Lease, ...]


def ensure(host: Host, wish: NetworkWish) -> Outcome:
    with host.locked("network", wish.spec.name), host.locked("firewall", LEASES):
        return _ensure(host, wish)


def _ensure(host: Host, wish: NetworkWish) -> Outcome:
    name = wish.spec.name
    have = find(host, name)
    want = None if wish.state == ABSENT else wanted(host, wish.spec, have)
    found = Found(have, bridge.observe(want or have) if want or have else None, users(host, name))
    plan = plan_network(name, want, found)
    if want is not None and found.link is not None and plan.actions:
        bridge.check(want, found.link)
    execute(plan, lambda action: _step(host, action, want, have), dry_run=host.dry_run)
    shown = None if want is None else inspect.network(want, users(host, name))
    return outcome(plan, {"network": shown})


def find(host: Host, name: str) -> t.Optional[Network]:
    return records.load(host.layout.network(name), network_from_json)


def get(host: Host, name: str) -> Network:
    """Raises NotFound."""
    found = find(host, name)
    if found is None:
        raise NotFound("network", name, "it does not exist", hint="make it with cocker_network")
    return found


def listed(host: Host) -> t.List[Network]:
    return [network for network in (find(host, name) for name in host.layout.network_names()) if network is not None]


def users(host: Host, name: str) -> t.Tuple[Lease, ...]:
    return tuple(leases.load(host.layout.leases(name)))


def ensure_up(host: Host, name: str) -> Network:
    """For a container that starts: the default network is made when it is first needed, a bridge lost in a reboot again."""
    found = find(host, name)
    if found is not None and not bridge.missing(found, bridge.observe(found)):
        return found
    if found is None and name != DEFAULT_NETWORK:
        return get(host, name)
    with host.locked("firewall", LEASES):  # the network's own lock is held by every container on it, shared
        if found is None:
            _ensure(host, NetworkWish(NetworkSpec(name)))
        else:
            bridge.ensure(found)
    return get(host, name)


def wanted(host: Host, spec: NetworkSpec, have: t.Optional[Network]) -> Network:
    """What is not said has its default; a subnet that was chosen for the network stays chosen."""
    if spec.subnet is None and have is not None:
        spec = dataclasses.replace(spec, subnet=have.subnet, gateway=spec.gateway or have.gateway)
    others = [network.subnet for network in listed(host) if network.name != spec.name]
    taken = [*others, *routes.subnets_in_use()] if spec.subnet is None else []
    return complete(spec, taken=taken)


def plan_network(name: str, want: t.Optional[Network], found: Found) -> Plan:
    """Pure. Raises Conflict where containers would lose their addresses."""
    have = found.network
    if want is None:
        return _plan_absent(name, found)
    if have is None:
        return Plan(CREATE, ("the network does not exist",), (Action(CREATE, name, {"subnet": want.subnet}),), {"exists": False}, _after(want))
    different = changes.compare(FIELDS, want, have)
    if changes.dearest(different) == changes.RECREATE and found.users:
        raise Conflict("network", name, "its %s cannot change while containers are on it: %s" % (
            ", ".join(change.name for change in different if change.cost == changes.RECREATE), _names(found.users)))
    if different:
        before = {change.name: changes.plain(change.before) for change in different}
        after = {change.name: changes.plain(change.after) for change in different}
        reasons = tuple("%s changed" % change.name for change in different)
        return Plan(UPDATE, reasons, (Action(UPDATE, name, {"options": sorted(before)}),), before, after)
    missing = bridge.missing(want, found.link) if found.link is not None else ()
    if missing:
        reason = "the bridge %s lacks: %s" % (want.link, ", ".join(missing))
        return Plan(BRING_UP, (reason,), (Action(BRING_UP, name, {"missing": list(missing)}),), {"up": False}, {"up": True})
    return Plan()


def _plan_absent(name: str, found: Found) -> Plan:
    if found.network is None:
        return Plan()
    if found.users:
        raise Conflict("remove network", name, "containers are on it: %s" % _names(found.users), hint="remove them first")
    return Plan(REMOVE, ("state absent is wanted",), (Action(REMOVE, name),), _after(found.network), {"exists": False})


def _after(network: Network) -> t.Dict[str, t.Any]:
    return {"exists": True, **{field.name: changes.plain(getattr(network, field.name)) for field in FIELDS}}


def _names(users_of: t.Iterable[Lease]) -> str:
    return ", ".join(sorted(lease.container for lease in users_of))


def _step(host: Host, action: Action, want: t.Optional[Network], have: t.Optional[Network]) -> Step:
    if action.kind == REMOVE and have is not None:
        return Step(lambda: _remove(host, have))
    if want is None:
        raise ValueError("no network to %s" % action.kind)
    return Step(lambda: _bring(host, want, have))


def _bring(host: Host, want: Network, have: t.Optional[Network]) -> None:
    """The record is last: until it is there, a bridge that a crash leaves is found by its mark and taken over."""
    if have is not None and (have.subnet, have.gateway) != (want.subnet, want.gateway):
        bridge.remove(have)
    made = bridge.ensure(want)
    try:
        records.write(host.layout.network(want.name), want.to_json())
        _refresh(host)
    except BaseException:
        if bridge.LINK in made:
            bridge.remove(want)
        raise


def _remove(host: Host, network: Network) -> None:
    bridge.remove(network)
    records.remove(host.layout.leases(network.name))
    records.remove(host.layout.network(network.name))
    _refresh(host)


def _refresh(host: Host) -> None:
    firewall.apply(listed(host), {network.name: users(host, network.name) for network in listed(host)})
