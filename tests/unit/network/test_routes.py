# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's own files, as text that was copied from a machine."""
from __future__ import annotations

import pathlib
import sys
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.network import routes

FIB = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
        /1 universe UNICAST
     +-- 10.66.0.0/23 2 0 2
        |-- 10.66.0.0
           /24 universe UNICAST
        |-- 10.66.1.0
           /24 link UNICAST
     |-- 128.0.0.0
        /1 universe UNICAST
     |-- 192.0.2.0
        /24 link UNICAST
Id 100:
     |-- 172.30.0.0
        /16 universe BLACKHOLE
Local:
     |-- 10.66.1.1
        /32 host LOCAL
     |-- 10.66.1.255
        /32 link BROADCAST
     |-- 127.0.0.0
        /8 host LOCAL
     |-- 192.0.2.1
        /32 host LOCAL
     |-- 203.0.113.7
        /32 host LOCAL
"""
HEADER = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
ROUTES = (
    ("uplink0", "0.0.0.0", "0.0.0.0"), ("tun0", "10.66.0.0", "255.255.255.0"), ("web0", "10.66.1.0", "255.255.255.0"),
    ("uplink0", "192.0.2.0", "255.255.255.0"),
)


def printed(address: str) -> str:
    return "%08X" % int.from_bytes(bytes(int(part) for part in address.split(".")), sys.byteorder)


@pytest.fixture(autouse=True)
def kernel(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fib").write_text(FIB)
    lines = ["%s\t%s\t00000000\t0001\t0\t0\t0\t%s\t0\t0\t0\n" % (link, printed(to), printed(mask)) for link, to, mask in ROUTES]
    (tmp_path / "route").write_text(HEADER + "".join(lines))
    monkeypatch.setattr(routes, "FIB", str(tmp_path / "fib"))
    monkeypatch.setattr(routes, "ROUTES", str(tmp_path / "route"))


@pytest.mark.parametrize("subnet, overlap", [
    ("10.66.0.0/16", "route 10.66.0.0/24 of the host (link tun0)"),
    ("10.66.0.128/25", "route 10.66.0.0/24 of the host (link tun0)"),
    ("10.66.1.0/24", "route 10.66.1.0/24 of the host (link web0)"),
    ("192.0.2.0/28", "route 192.0.2.0/24 of the host (link uplink0)"),
    ("172.30.4.0/24", "route 172.30.0.0/16 of the host"),
    ("203.0.113.0/24", "address 203.0.113.7/32 of the host"),
    ("10.166.88.0/24", None),
    ("198.51.100.0/24", None),
])
def test_overlap_with_the_host_is_found_and_described(subnet: str, overlap: t.Optional[str]) -> None:
    assert routes.find_overlap(subnet, except_link="none") == overlap


def test_a_links_own_route_and_address_do_not_count() -> None:
    assert routes.find_overlap("10.66.1.0/24", except_link="web0") is None
    assert routes.find_overlap("10.66.0.0/23", except_link="web0") is not None


def test_default_routes_are_in_nobodys_way() -> None:
    assert routes.subnets_in_use() == [
        "10.66.0.0/24", "10.66.1.0/24", "10.66.1.1/32", "172.30.0.0/16", "192.0.2.0/24", "192.0.2.1/32", "203.0.113.7/32"]


@pytest.mark.parametrize("link, address, expected", [
    ("web0", "10.66.1.1/24", True), ("web0", "10.66.1.2/24", False), ("tun0", "10.66.1.1/24", False), ("web0", "10.66.1.1/16", False),
])
def test_a_bridge_has_its_address_when_both_files_say_so(link: str, address: str, expected: bool) -> None:
    assert routes.has_address(link, address) is expected


def test_a_link_that_does_not_exist_reads_as_nothing(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "LINKS", str(tmp_path))
    assert (routes.exists("x"), routes.is_up("x"), routes.index("x")) == (False, False, 0)
    assert (routes.read("x", "ifalias"), routes.bridge_of("x"), routes.ports_of("x")) == ("", "", ())


def test_marked_links_are_listed_with_what_they_are_marked_for(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "LINKS", str(tmp_path))
    for link, alias in (("web0", "cocker:web0\n"), ("ck12", "cocker:a name\n"), ("eth0", "\n"), ("eth1", "uplink\n")):
        (tmp_path / link).mkdir()
        (tmp_path / link / "ifalias").write_text(alias)
    assert routes.marked("cocker:") == {"web0": "web0", "ck12": "a name"}
