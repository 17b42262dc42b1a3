# SPDX-License-Identifier: BSD-2-Clause
"""Networks: as a task wants them, and as a container that starts needs them.

Not here: a container's own links and ports (endpoints.py).
"""
from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import inspect, leased, observe, rebuild, repair
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import (
    Action,
    Outcome,
    Plan,
    Step,
    also,
    execute,
    finish,
    is_undone,
    outcome,
)
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model import changes
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.model.network import (
    DEFAULT_NETWORK,
    FIELDS,
    VXLAN,
    Network,
    NetworkSpec,
    complete,
    network_from_json,
    refuse_overlap,
)
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT, NetworkWish
from ansible_collections.cocker.engine.plugins.module_utils.network import bridge, firewall, routes, vxlan
from ansible_collections.cocker.engine.plugins.module_utils.storage import intents, records
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import listed as names_in

NETWORK = "network"
LEASES = leased.LEASES
CREATE, UPDATE, BRING_UP, REMOVE = "create", "update", "bring_up", "remove"


@dataclasses.dataclass(frozen=True)
class Found:
    """`link` None: there is neither a record nor a wish to look for a link of."""

    network: t.Optional[Network]
    link: t.Optional[bridge.BridgeState]
    users: t.Tuple[str, ...]
    has_rules: bool = True


def ensure(host: Host, wish: NetworkWish) -> Outcome:
    with host.locked(NETWORK, wish.spec.name), host.locked("firewall", LEASES):
        return _ensure(host, wish)


def _ensure(host: Host, wish: NetworkWish) -> Outcome:
    name = wish.spec.name
    have = leased.find(host, name)
    want = None if wish.state == ABSENT else wanted(host, wish.spec, have)
    shape = want or have
    rules = have is None or not have.has_bridge or repair.has_rules(host)
    found = Found(have, bridge.observe(shape) if shape else None, _members(host, name) if have else (), rules)
    plan = plan_network(name, want, found, force=wish.force)
    if plan.actions:
        refuse_other_store(host)
        if want is not None and found.link is not None:
            refuse_overlap(want, leased.listed(host))
            bridge.check(want, found.link)
        if want is not None and have is not None and rebuild.is_due(want, have):
            rebuild.check(host, want)
    with _declared(host, plan, shape):
        execute(plan, lambda action: _step(host, action, want, have), dry_run=host.dry_run)
    shown = None if want is None else inspect.network(want, leased.users(host, name))
    return outcome(plan, {"network": shown})


@contextlib.contextmanager
def _declared(host: Host, plan: Plan, network: t.Optional[Network]) -> t.Iterator[None]:
    """As for containers: the names of what is to be made are on the disk before it is."""
    if host.dry_run or not plan.actions or network is None:
        yield
        return
    try:
        intents.declare(host.layout, NETWORK, network.name, {"network": network.to_json()})
        yield
    except BaseException as error:
        if is_undone(error):
            intents.settle(host.layout, NETWORK, network.name)
        raise
    intents.settle(host.layout, NETWORK, network.name)


def roll_back(host: Host, name: str, facts: t.Mapping[str, t.Any]) -> None:
    """After a crash: a bridge without a record goes, and the firewall follows the records. The caller holds the network's lock."""
    with host.locked("firewall", LEASES):
        if leased.find(host, name) is None:
            made = network_from_json(facts["network"]) if "network" in facts else Network(name, "", "")
            bridge.remove(made)
            records.remove(host.layout.leases(name))
        if not _other_store(host):
            refresh(host)
        _unclaim_networks(host)


def _members(host: Host, name: str) -> t.Tuple[str, ...]:
    """Containers with an address on it, and those that will have one when they start."""
    found = {lease.container for lease in leased.users(host, name)}
    for state in observe.containers(host):
        if state.record and name in [attachment.name for attachment in state.record.spec.attachments()]:
            found.add(state.name)
    return tuple(sorted(found))


@contextlib.contextmanager
def leases_changed(host: Host) -> t.Iterator[None]:
    """One at a time changes addresses and ports; the firewall follows when all is recorded."""
    with host.locked("firewall", LEASES):
        former = {network.name: leased.recorded(host, network.name) for network in leased.listed(host)}
        yield
        refresh(host, former)


def refresh(host: Host, former: t.Optional[firewall.Leases] = None) -> None:
    """The firewall follows the records; the caller holds its lock. `former` is what they were, if nothing else of them has changed."""
    bridges = [network for network in leased.listed(host) if network.has_bridge]
    users = {network.name: leased.users(host, network.name) for network in bridges}
    firewall.apply(bridges, users, former=former, memory=_Memory(host))


class _Memory(firewall.Memory):
    """`note` is for whoever looks whether the rules are still there, without making them (repair.py)."""

    def __init__(self, host: Host) -> None:
        self._noted, self._kept = repair.state_file(host), repair.state_file(host) + ".generation"

    def note(self, state: str) -> None:
        self._write(self._noted, state)

    def keep(self, applied: t.Optional[firewall.Applied]) -> None:
        self._write(self._kept, "%s %d" % applied if applied is not None else "")

    def last(self) -> t.Optional[firewall.Applied]:
        with contextlib.suppress(FileNotFoundError, ValueError), open(self._kept, encoding="ascii") as stream:
            state, generation = stream.read().split(" ")
            return state, int(generation)
        return None

    @staticmethod
    def _write(path: str, text: str) -> None:
        if text:
            fs.write_atomic(path, text.encode("ascii"), durable=False)
        else:
            with tolerate(errno.ENOENT):
                os.unlink(path)


def refuse_other_store(host: Host) -> None:
    """Bridges and the firewall's table are the host's: one store at a time has networks. Raises Conflict."""
    other = _other_store(host)
    if other:
        raise Conflict("use networks", host.layout.home, "the networks of this host are those of the store %s" % other,
                       hint="remove them there first, or use network_mode none or host")


def _other_store(host: Host) -> str:
    """Empty where none has networks, or this one."""
    home = ""
    with tolerate(errno.ENOENT), open(_claim(host), encoding="utf-8", errors="surrogateescape") as stream:
        home = stream.read()
    return home if home not in ("", host.layout.home) and names_in(os.path.join(home, "networks"), suffix=".json") else ""


def _claim_networks(host: Host) -> None:
    with fs.lock(_claim(host) + ".lock", timeout=10.0):
        refuse_other_store(host)
        fs.write_atomic(_claim(host), host.layout.home.encode("utf-8", "surrogateescape"), durable=False)


def _unclaim_networks(host: Host) -> None:
    """The last network has gone: another store may have some now."""
    if not _other_store(host) and not leased.listed(host):
        for path in (_claim(host), host.layout.told):
            with tolerate(errno.ENOENT):
                os.unlink(path)


def _claim(host: Host) -> str:
    return os.path.join(host.layout.run_root, "networks-of")


def ensure_up(host: Host, name: str) -> Network:
    """For a container that starts: the default network is made when it is first needed, a bridge lost in a reboot again."""
    found = leased.find(host, name)
    if found is not None and not bridge.missing(found, bridge.observe(found, with_ports=False)):
        return found
    if found is None and name != DEFAULT_NETWORK:
        return leased.get(host, name)
    with host.locked("firewall", LEASES):  # the network's own lock is held by every container on it, shared
        if leased.find(host, name) is None:
            _ensure(host, NetworkWish(NetworkSpec(name)))
        elif found is not None:
            _claim_networks(host)
            bridge.ensure(found)
    return leased.get(host, name)


def wanted(host: Host, spec: NetworkSpec, have: t.Optional[Network]) -> Network:
    """What is not said has its default; a subnet that was chosen for the network stays chosen."""
    if spec.subnet is None and have is not None:
        spec = dataclasses.replace(spec, subnet=have.subnet, gateway=spec.gateway or have.gateway)
    if spec.enable_ipv6 and spec.subnet6 is None and have is not None:
        spec = dataclasses.replace(spec, subnet6=have.subnet6, gateway6=spec.gateway6 or have.gateway6)
    others = [subnet for network in leased.listed(host) if network.name != spec.name for subnet in network.subnets if ":" not in subnet]
    taken = [*others, *routes.subnets_in_use()] if spec.subnet is None else []
    return complete(_spanning(spec) if spec.driver == VXLAN else spec, taken=taken)


def _spanning(spec: NetworkSpec) -> NetworkSpec:
    """What only this host knows: which of the hosts it is, and how large a packet may be."""
    peers = vxlan.without_self(spec.peers or ())
    mtu = vxlan.mtu(peers, spec.parent, spec.local) if spec.mtu is None else spec.mtu
    return dataclasses.replace(spec, peers=peers, mtu=mtu)


def plan_network(name: str, want: t.Optional[Network], found: Found, *, force: bool = False) -> Plan:
    """Pure. Raises Conflict where containers would lose their addresses."""
    have = found.network
    if want is None:
        return _plan_absent(name, found)
    if have is None:
        action = Action(CREATE, name, {"subnet": want.subnet})
        return Plan(CREATE, ("the network does not exist",), (action,), {"exists": False}, _after(want))
    different = changes.compare(FIELDS, want, have)
    if changes.dearest(different) == changes.RECREATE and found.users and not force:
        raise Conflict("network", name, "its %s cannot change while containers are on it: %s" % (
            ", ".join(change.name for change in different if change.cost == changes.RECREATE), ", ".join(found.users)),
            hint="force: true connects them anew, with other addresses")
    if different:
        before = {change.name: changes.plain(change.before) for change in different}
        after = {change.name: changes.plain(change.after) for change in different}
        reasons = tuple("%s changed" % change.name for change in different)
        return Plan(UPDATE, reasons, (Action(UPDATE, name, {"options": sorted(before)}),), before, after)
    missing = bridge.missing(want, found.link) if found.link is not None else ()
    if missing or not found.has_rules:
        missing = missing if found.has_rules else (*missing, "firewall")
        reason = "the bridge %s lacks: %s" % (want.link, ", ".join(missing))
        return Plan(BRING_UP, (reason,), (Action(BRING_UP, name, {"missing": list(missing)}),), {"up": False}, {"up": True})
    return Plan()


def _plan_absent(name: str, found: Found) -> Plan:
    if found.network is None:
        return Plan()
    if found.users:
        raise Conflict("remove network", name, "containers are on it: %s" % ", ".join(found.users), hint="remove them first")
    return Plan(REMOVE, ("state absent is wanted",), (Action(REMOVE, name),), _after(found.network), {"exists": False})


def _after(network: Network) -> t.Dict[str, t.Any]:
    return {"exists": True, **{field.name: changes.plain(getattr(network, field.name)) for field in FIELDS}}


def _step(host: Host, action: Action, want: t.Optional[Network], have: t.Optional[Network]) -> Step:
    if action.kind == REMOVE and have is not None:
        return Step(lambda: _remove(host, have))
    if want is None:
        raise ValueError("no network to %s" % action.kind)
    return Step(lambda: _bring(host, want, have))


def _bring(host: Host, want: Network, have: t.Optional[Network]) -> None:
    """The record is last: until it is there, a bridge that a crash leaves is found by its mark and taken over."""
    _claim_networks(host)
    made: t.Tuple[str, ...] = ()
    try:
        if have is not None and rebuild.is_due(want, have):
            rebuild.disconnect(host, have)
            bridge.remove(have)
        made = bridge.ensure(want)
        records.write(host.layout.network(want.name), want.to_json())
        if have is not None and rebuild.is_due(want, have):
            rebuild.connect(host, want)
        elif have is not None and have.mtu != want.mtu:
            rebuild.set_mtu(host, want)
        refresh(host)
        _tell_names(host, want, have)
    except BaseException as first:
        also(first, finish([lambda: _restore(host, want, have, made)]))
        raise


def _restore(host: Host, want: Network, have: t.Optional[Network], made: t.Sequence[str]) -> None:
    if have is None:
        records.remove(host.layout.network(want.name))
    else:
        records.write(host.layout.network(want.name), have.to_json())
    again = have is not None and rebuild.is_due(want, have)
    if again:
        rebuild.disconnect(host, want)
    if have is None or bridge.LINK in made:
        bridge.remove(want)
    if have is not None:
        bridge.ensure(have)
        if again:
            rebuild.connect(host, have)
        _tell_names(host, have, want)
    refresh(host)
    _unclaim_networks(host)


def _tell_names(host: Host, network: Network, former: t.Optional[Network]) -> None:
    """Containers that run know those of the other hosts."""
    if former is not None and former.peers != network.peers:
        from ansible_collections.cocker.engine.plugins.module_utils.engine import hostnames  # for those that span hosts only

        hostnames.update(host, [network.name])


def _remove(host: Host, network: Network) -> None:
    """The firewall follows while the bridge is still there, so that a failure leaves a network that works."""
    records.remove(host.layout.leases(network.name))
    records.remove(host.layout.network(network.name))
    try:
        refresh(host)
    except BaseException:
        records.write(host.layout.network(network.name), network.to_json())
        raise
    bridge.remove(network)
    _unclaim_networks(host)
