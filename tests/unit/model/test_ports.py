# SPDX-License-Identifier: GPL-3.0-or-later
"""Published ports: what is accepted, what it means, and what is refused with which words."""
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model import ports
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.ports import PortMapping


def tcp(host_port: t.Optional[int], container_port: int, host_ip: t.Optional[str] = None) -> PortMapping:
    return PortMapping(host_ip=host_ip, host_port=host_port, container_port=container_port)


@pytest.mark.parametrize("spec, expected", [
    (80, [tcp(None, 80)]),
    ("80", [tcp(None, 80)]),
    (" 8080:80 ", [tcp(8080, 80)]),
    ("8080:80/TCP", [tcp(8080, 80)]),
    ("53:53/udp", [PortMapping(host_port=53, container_port=53, protocol="udp")]),
    ("127.0.0.1:8080:80", [tcp(8080, 80, "127.0.0.1")]),
    ("127.0.0.1::80", [tcp(None, 80, "127.0.0.1")]),
    ("[::1]:8080:80", [tcp(8080, 80, "::1")]),
    ("[0:0::1]:80", [tcp(None, 80, "::1")]),
    ("8000-8002:80-82", [tcp(8000, 80), tcp(8001, 81), tcp(8002, 82)]),
    ("80-81", [tcp(None, 80), tcp(None, 81)]),
    ("8000-8002:80", [PortMapping(container_port=80, host_range="8000-8002")]),
    ("127.0.0.1:8000-8001:53/udp", [PortMapping("127.0.0.1", None, 53, "udp", "8000-8001")]),
    ("8000-8000:80", [tcp(8000, 80)]),
    ("8600:8600,2222:22", [tcp(8600, 8600), tcp(2222, 22)]),
    ("1:65535", [tcp(1, 65535)]),
])
def test_a_spec_is_read(spec: t.Union[str, int], expected: t.List[PortMapping]) -> None:
    assert list(ports.parse(spec)) == expected


@pytest.mark.parametrize("spec, says", [
    ("", "accepted is"), ("x", "'x'"), ("0:80", "'0'"), ("80:65536", "65536"), ("80:", "accepted is"),
    (":80", "nothing before the colon"),
    ("80/sctp", "tcp and udp"), ("80/", "tcp and udp"), ("8000-8001:80-82", "equally long"), ("8001-8000:80", "backwards"), ("82-80", "backwards"),
    ("1.2.3:80:80", "IPv4"), ("[::1:80:80", "]:"), ("[127.0.0.1]:80:80", "IPv6"), ("::1:80:80", "accepted is"), ("80:80:80:80", "'80'"),
    ("8080:80,", "accepted is"), ("+1:80", "'+1'"), ("8080: 80", "' 80'"), ("٣:80", "accepted is"),
    (True, "True is not"), (None, "None is not"), ({"a": 1}, "is not"), (1.5, "1.5"), (-1, "-1"),
])
def test_a_bad_spec_is_refused_and_the_option_is_named(spec: t.Any, says: str) -> None:
    with pytest.raises(Invalid) as error:
        ports.parse(spec)
    assert error.value.subject == "published_ports"
    assert says in str(error.value)


def test_text_form_reads_back_as_the_same_value() -> None:
    for spec in (80, "8080:80/udp", "127.0.0.1::80", "127.0.0.1:1:2", "[fe80::1]:1:2/udp", "8000-8010:80", "[fe80::1]:8000-8010:80/udp"):
        (mapping,) = ports.parse(spec)
        assert ports.parse(str(mapping)) == (mapping,)


def test_order_and_repetition_do_not_matter() -> None:
    assert ports.normalise(["9090:90", "8080:80", "8080:80/tcp"]) == ports.normalise(["8080:80", "9090:90"])


def test_every_address_written_out_is_every_address() -> None:
    assert ports.normalise(["0.0.0.0:8080:80", "8080:80"]) == (tcp(8080, 80),)


def test_an_address_adds_nothing_to_every_address() -> None:
    assert ports.normalise(["8080:80", "127.0.0.1:8080:80"]) == (tcp(8080, 80),)


def test_default_address_is_for_entries_without_one() -> None:
    assert ports.normalise(["8080:80", "0.0.0.0:9090:90"], default_ip="127.0.0.1") == (tcp(8080, 80, "127.0.0.1"), tcp(9090, 90))


def test_one_container_port_may_have_several_host_ports() -> None:
    assert len(ports.normalise(["8080:80", "8081:80"])) == 2


@pytest.mark.parametrize("specs", [
    ["8080:80", "8080:81"], ["127.0.0.1:8080:80", "127.0.0.1:8080:81"], ["8080:80", "127.0.0.1:8080:81"], ["8000-8010:80-90", "8005:22"],
])
def test_one_host_port_for_two_container_ports_is_refused(specs: t.List[str]) -> None:
    with pytest.raises(Invalid, match="same port of the host"):
        ports.normalise(specs)


def test_the_same_number_on_two_addresses_or_protocols_is_no_clash() -> None:
    assert len(ports.normalise(["127.0.0.1:80:80", "127.0.0.2:80:81", "53:53/udp", "53:54/tcp"])) == 4


def test_ipv6_address_is_refused_where_the_container_has_none() -> None:
    with pytest.raises(Invalid, match="IPv6"):
        ports.normalise(["[::1]:8080:80"])
    assert ports.normalise(["[fd00::0:1]:8080:80"], ipv6=True) == (tcp(8080, 80, "fd00::1"),)
    with pytest.raises(Invalid, match="127.0.0.1 is accepted"):
        ports.normalise(["[::1]:8080:80"], ipv6=True)


def test_a_port_of_another_container_is_found_with_its_name() -> None:
    other = tcp(8080, 80, "127.0.0.1")
    assert ports.find_clash((tcp(8080, 80),), {"web": (other,)}) == (tcp(8080, 80), "web", other)
    assert ports.find_clash((tcp(8080, 80), tcp(None, 81)), {"web": (tcp(8081, 80),), "db": (tcp(None, 80),)}) is None


def test_automatic_ports_are_the_lowest_free() -> None:
    wanted = ports.normalise(["80", "81", "49154:82"])
    chosen = ports.assign(wanted, lambda mapping: mapping.host_port != 49153)
    assert [(each.container_port, each.host_port) for each in chosen] == [(80, 49155), (81, 49156), (82, 49154)]


def test_no_automatic_port_left_is_said() -> None:
    with pytest.raises(Conflict, match="49153 to 65535"):
        ports.assign(ports.normalise(["80"]), lambda mapping: False)


def test_an_automatic_port_is_kept() -> None:
    chosen = ports.assign(ports.normalise(["80", "81"]), lambda mapping: True, (tcp(50000, 81),))
    assert [(each.container_port, each.host_port) for each in chosen] == [(80, 49153), (81, 50000)]


def test_exposed_ports_are_words_as_images_have_them() -> None:
    assert ports.parse_exposed([80, "8001-8002", "53/udp", "80/tcp"]) == ("53/udp", "80/tcp", "8001/tcp", "8002/tcp")
    with pytest.raises(Invalid, match="names a port of the host"):
        ports.parse_exposed(["8080:80"])


def test_all_exposed_ports_are_published_beside_what_is_published() -> None:
    found = ports.all_exposed((tcp(8080, 80),), ["80/tcp", "81/tcp"], host_ip="127.0.0.1")
    assert found == (tcp(8080, 80), tcp(None, 81, "127.0.0.1"))


def test_of_a_range_the_port_it_had_is_chosen_else_the_lowest_that_is_free() -> None:
    wanted = ports.normalise(["8000-8002:80", "8000-8002:81", "8001:90"])
    chosen = ports.assign(wanted, lambda mapping: True)
    assert [(port.host_port, port.container_port) for port in chosen] == [(8000, 80), (8002, 81), (8001, 90)]
    assert ports.assign(wanted, lambda mapping: mapping.host_port != 8001, ()) != () and ports.assign(wanted, lambda mapping: True, chosen) == chosen
    assert [PortMapping(**port.to_json()) for port in chosen] == list(chosen)
    with pytest.raises(Conflict, match="8000-8001:80/tcp: every port of the host from 8000 to 8001 is taken"):
        ports.assign(ports.normalise(["8000-8001:80"]), lambda mapping: False)
    with pytest.raises(Invalid, match="names a port of the host"):
        ports.parse_exposed(["8000-8001:80"])
