# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses: which is chosen, which is refused, and what is on disk."""
from __future__ import annotations

import dataclasses
import json
import pathlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model import network as model
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Damaged, Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.network import Network, NetworkSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.ports import PortMapping
from ansible_collections.cocker.engine.plugins.module_utils.network import leases
from ansible_collections.cocker.engine.plugins.module_utils.network.leases import Leases


def network(**options: t.Any) -> Network:
    return model.complete(NetworkSpec("web0", **{"subnet": "10.66.1.0/24", **options}))


def taken(*addresses: str, on: t.Optional[Network] = None) -> Leases:
    found: Leases = ()
    for address in addresses:
        found = leases.with_lease(found, leases.lease(on or network(), found, "of-" + address, wanted=address))
    return found


def test_the_lowest_free_address_is_chosen() -> None:
    assert leases.choose(network(), ()) == "10.66.1.2/24"
    assert leases.choose(network(), taken("10.66.1.2", "10.66.1.4")) == "10.66.1.3/24"


def test_gateway_reserved_addresses_and_the_ends_are_never_chosen() -> None:
    small = network(subnet="10.66.1.0/29", gateway="10.66.1.2", reserved=("10.66.1.1", "10.66.1.4"))
    free = []
    found: Leases = ()
    for name in "abc":
        found = leases.with_lease(found, leases.lease(small, found, name))
        free.append(leases.find(found, name))
    assert [each.address for each in free if each] == ["10.66.1.3/29", "10.66.1.5/29", "10.66.1.6/29"]
    with pytest.raises(Conflict, match="no address of 10.66.1.0/29 is free"):
        leases.choose(small, found)


def test_automatic_addresses_come_from_the_range_and_wanted_ones_from_the_subnet() -> None:
    ranged = network(ip_range="10.66.1.128/30")
    assert leases.choose(ranged, ()) == "10.66.1.128/24"
    assert leases.choose(ranged, (), "10.66.1.9") == "10.66.1.9/24"
    with pytest.raises(Conflict):
        leases.choose(ranged, taken("10.66.1.128", "10.66.1.129", "10.66.1.130", "10.66.1.131"))


@pytest.mark.parametrize("wanted, says", [
    ("10.66.2.2", "outside 10.66.1.0/24"), ("10.66.1.0", "network address"), ("10.66.1.255", "broadcast address"),
    ("10.66.1.1", "gateway address"), ("10.66.1.9", "reserved"),
    ("web", "not an IPv4 address"), ("10.66.1.2/24", "not an IPv4 address"), ("fd00::1", "IPv4"),
])
def test_an_address_that_cannot_be_is_invalid(wanted: str, says: str) -> None:
    with pytest.raises(Invalid, match=says) as error:
        leases.choose(network(reserved=("10.66.1.9",)), (), wanted)
    assert error.value.subject == "networks.ipv4_address"


def test_an_address_of_another_container_is_a_conflict_that_names_it() -> None:
    with pytest.raises(Conflict, match="container of-10.66.1.5 has it on network web0"):
        leases.choose(network(), taken("10.66.1.5"), "10.66.1.5")


def test_a_container_keeps_its_address() -> None:
    found = taken("10.66.1.2")
    first = leases.lease(network(), found, "web", wanted="10.66.1.9")
    found = leases.with_lease(found, first)
    assert leases.lease(network(), found, "web") == first
    assert leases.lease(network(), found, "web", wanted="10.66.1.7").ip == "10.66.1.7"


def test_an_address_that_fits_no_longer_is_chosen_anew() -> None:
    found = leases.with_lease((), leases.lease(network(), (), "web", wanted="10.66.1.9"))
    assert leases.lease(network(subnet="10.66.2.0/24"), found, "web").address == "10.66.2.2/24"


def test_link_names_follow_the_container_and_the_number_of_the_network() -> None:
    assert [(each.ifname, each.link) for each in (leases.lease(network(), (), "test", index=number) for number in (0, 1))] \
        == [("eth0", "eth098F6BCD46"), ("eth1", "eth098F6BCD4n1")]


def test_leases_are_kept_on_disk_as_they_are(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "web0.json")
    assert leases.load(path) == ()
    one = leases.lease(network(), (), "web", ports=(PortMapping("127.0.0.1", 8080, 80), PortMapping(None, 53, 53, "udp")))
    stored = leases.activated(leases.with_lease(taken("10.66.1.10"), one), "web", active=True)
    leases.save(path, stored, network="web0")
    assert leases.load(path) == stored and [each.active for each in stored] == [True, False]
    assert json.loads((tmp_path / "web0.json").read_text())["schema"] == 1


def test_a_record_is_plain_json_and_what_was_written_is_what_is_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "web0.json"
    mapping = PortMapping("127.0.0.1", 8080, 80, "tcp")
    stored = [leases.lease(network(), (), name, ports=(mapping,), aliases=("a\udc80",)) for name in ("web", "w\"eb")]
    stored[1] = dataclasses.replace(stored[1], address="10.66.1.9/24", links=(("web", "it"),), active=True)
    leases.save(str(path), stored, network="n\"o")
    value = {"schema": 1, "network": "n\"o", "leases": [each.to_json() for each in stored]}
    assert path.read_text() == json.dumps(value, sort_keys=True) + "\n"
    kept = leases.load(str(path))
    leases._recent.clear()
    assert leases.load(str(path)) == kept == tuple(stored)


def test_what_somebody_else_wrote_is_seen(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "web0.json")
    for name in ("web", "db", "web"):
        leases.save(path, [leases.lease(network(), (), name)], network="web0")
        assert [each.container for each in leases.load(path)] == [name]


def test_a_change_that_changes_nothing_writes_nothing(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "web0.json"
    leases.change(str(path), lambda have: leases.without(have, "web"), network="web0")
    assert not path.exists()
    leases.change(str(path), lambda have: leases.with_lease(have, leases.lease(network(), have, "web")), network="web0")
    before = path.stat()
    leases.change(str(path), lambda have: leases.with_lease(have, leases.lease(network(), have, "web")), network="web0")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert leases.change(str(path), lambda have: leases.without(have, "web"), network="web0") == ()


@pytest.mark.parametrize("text", [
    "", "{", "[]", '{"schema": 2, "leases": []}', '{"schema": 1}',
    '{"schema": 1, "leases": [{"container": "x"}]}', '{"schema": 1, "leases": [3]}',
])
def test_a_damaged_record_is_said_and_named(tmp_path: pathlib.Path, text: str) -> None:
    path = tmp_path / "web0.json"
    path.write_text(text)
    with pytest.raises(Damaged, match="web0.json"):
        leases.load(str(path))
