# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks: defaults, what is refused, names and addresses that derive from one another."""
from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model import network, vxlan
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.lease import Lease, lease_from_json
from ansible_collections.cocker.engine.plugins.module_utils.model.network import Network, NetworkSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.ports import PortMapping


def test_the_default_network() -> None:
    made = network.complete(NetworkSpec("cocker0"))
    assert (made.subnet, made.gateway, made.link, made.prefix_length) == ("10.166.88.0/24", "10.166.88.1", "cocker0", 24)
    assert (made.driver, made.mtu, made.internal, made.isolate, made.icc) == ("bridge", 1500, False, True, True)


def test_gateway_is_the_first_address_unless_given() -> None:
    assert network.complete(NetworkSpec("web0", subnet="10.66.1.0/24")).gateway == "10.66.1.1"
    assert network.complete(NetworkSpec("web0", subnet="10.66.1.0/24", gateway="10.66.1.254")).gateway == "10.66.1.254"


@pytest.mark.parametrize("option, spec", [
    ("ipam_config.subnet", {"subnet": "10.66.1.0"}),
    ("ipam_config.subnet", {"subnet": "10.66.1.5/24"}),
    ("ipam_config.subnet", {"subnet": "10.66.1.0/31"}),
    ("ipam_config.subnet", {"subnet": "10.66.1.0/33"}),
    ("ipam_config.subnet", {"subnet": "0.0.0.0/0"}),
    ("ipam_config.subnet", {"subnet": "127.0.0.0/24"}),
    ("ipam_config.subnet", {"subnet": "224.1.0.0/24"}),
    ("ipam_config.subnet", {"subnet": "fd00::/64"}),
    ("ipam_config.subnet", {"subnet": "web"}),
    ("ipam_config.gateway", {"subnet": "10.66.1.0/24", "gateway": "10.66.2.1"}),
    ("ipam_config.gateway", {"subnet": "10.66.1.0/24", "gateway": "10.66.1.0"}),
    ("ipam_config.gateway", {"subnet": "10.66.1.0/24", "gateway": "10.66.1.255"}),
    ("ipam_config.gateway", {"subnet": "10.66.1.0/24", "gateway": "10.66.1.1/24"}),
    ("ipam_config.iprange", {"subnet": "10.66.1.0/24", "ip_range": "10.66.2.0/28"}),
    ("ipam_config.iprange", {"subnet": "10.66.1.0/24", "ip_range": "10.66.1.3"}),
    ("ipam_config.aux_addresses", {"subnet": "10.66.1.0/24", "reserved": ("10.66.2.9",)}),
    ("mtu", {"mtu": 100}), ("mtu", {"mtu": 70000}), ("mtu", {"mtu": True}),
    ("driver", {"driver": "overlay"}),
])
def test_a_bad_value_is_refused_and_the_option_is_named(option: str, spec: t.Dict[str, t.Any]) -> None:
    with pytest.raises(Invalid) as error:
        network.complete(NetworkSpec("web0", **spec))
    assert error.value.subject == option


def test_host_bits_in_a_subnet_get_a_suggestion() -> None:
    with pytest.raises(Invalid, match=r"did you mean 10\.66\.1\.0/24"):
        network.complete(NetworkSpec("web0", subnet="10.66.1.5/24"))


def test_a_network_over_hosts_takes_its_own_address_from_its_own_part() -> None:
    said = NetworkSpec("span", driver="vxlan", subnet="10.66.4.0/24", ip_range="10.66.4.64/26", vni=42, subnet6="fd00:4::/64",
                       ip_range6="fd00:4:0:0:1::/80", peers=(vxlan.peer("192.0.2.9", {"db": "10.66.4.130"}),))
    made = network.complete(said)
    assert (made.gateway, made.gateway6, made.port, made.has_bridge) == ("10.66.4.65", "fd00:4::1:0:0:1", 4789, True)
    assert made.elsewhere == {"10.66.4.130": "db"}
    assert network.network_from_json(json.loads(json.dumps(made.to_json()))) == made


def test_what_is_not_said_stays() -> None:
    have = network.complete(NetworkSpec("web0", subnet="10.66.1.0/24", gateway="10.66.1.9", mtu=1400, labels={"a": "b"}))
    assert network.complete(NetworkSpec("web0"), have) == have
    assert network.complete(NetworkSpec("web0", mtu=9000), have) == dataclasses.replace(have, mtu=9000)


def test_a_new_subnet_brings_its_own_gateway() -> None:
    have = network.complete(NetworkSpec("web0", subnet="10.66.1.0/24"))
    assert network.complete(NetworkSpec("web0", subnet="10.66.2.0/24"), have).gateway == "10.66.2.1"


def test_a_subnet_that_is_not_given_avoids_the_taken_ones() -> None:
    assert network.complete(NetworkSpec("a")).subnet == "10.166.0.0/24"
    assert network.complete(NetworkSpec("a"), taken=["10.166.0.0/23", "10.166.2.128/25"]).subnet == "10.166.3.0/24"
    with pytest.raises(Conflict):
        network.free_subnet(["10.166.0.0/16"])


def test_the_default_subnet_is_never_given_to_another() -> None:
    taken: t.List[str] = []
    for _each in range(255):
        taken.append(network.free_subnet(taken))
    assert network.DEFAULT_SUBNET not in taken and len(set(taken)) == 255


def test_a_record_reads_back_as_the_same_network() -> None:
    spec = NetworkSpec("web0", subnet="10.66.1.0/24", reserved=("10.66.1.9", "10.66.1.10"), ip_range="10.66.1.0/25", labels={"a": "b"})
    made = network.complete(spec)
    assert network.network_from_json(json.loads(json.dumps(made.to_json()))) == made


def test_a_lease_reads_back_as_the_same_lease() -> None:
    ports = (PortMapping("127.0.0.1", 8080, 80, "udp"), PortMapping(None, 1, 2))
    lease = Lease("web", "10.66.1.2/24", "02:42:0a:42:01:02", "eth0", "ethAA", ports, True)
    assert lease_from_json(json.loads(json.dumps(lease.to_json()))) == lease


@pytest.mark.parametrize("name", ["web0", "a-b_C", "123456789012345"])
def test_bridge_is_named_after_the_network_where_the_kernel_takes_it(name: str) -> None:
    assert network.bridge_link(name) == name


@pytest.mark.parametrize("name", ["1234567890123456", "a.b", "a b", "\u00e4", "a/b", "..", ""])
def test_bridge_of_any_other_network_has_a_name_of_its_own(name: str) -> None:
    link = network.bridge_link(name)
    assert link.startswith("ck") and len(link) == 12 and link == network.bridge_link(name)


def test_mac_follows_the_address() -> None:
    assert network.mac_of("10.166.88.2/24") == network.mac_of("10.166.88.2") == "02:42:0a:a6:58:02"


@pytest.mark.parametrize("one, other, expected", [
    ("10.0.0.0/24", "10.0.0.0/16", True), ("10.0.0.0/24", "10.0.0.128/25", True),
    ("10.0.0.0/24", "10.0.1.0/24", False), ("10.0.0.0/24", "0.0.0.0/0", True),
])
def test_overlap(one: str, other: str, expected: bool) -> None:
    assert all(network.overlaps(*pair) is expected for pair in ((one, other), (other, one)))


def test_values_can_be_keys() -> None:
    one, same = (Network("a", "10.0.0.0/24", "10.0.0.1", labels={"x": "y"}) for _each in range(2))
    assert len({one, same}) == 1
