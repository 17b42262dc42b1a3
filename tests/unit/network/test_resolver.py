# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.network import resolver

HOST = """# made by hand
nameserver 127.0.0.1   # dnsmasq
nameserver 192.0.2.53
nameserver ::1
nameserver fe80::1%eth0
domain old.example
search a.example b.example
options ndots:2
options timeout:1 ; fast
"""


def lines(text: str) -> t.List[t.List[str]]:
    return [line.split() for line in text.splitlines()]


def test_a_container_knows_itself_and_localhost() -> None:
    text = lines(resolver.hosts("web", [("10.66.1.2/24", ())]))
    assert text[0] == ["127.0.0.1", "localhost"] and text[1][:2] == ["::1", "localhost"]
    assert ["10.66.1.2", "web"] in text


def test_a_name_with_a_domain_is_known_without_it_too() -> None:
    assert ["10.66.1.2", "web.example", "web"] in lines(resolver.hosts("web.example", [("10.66.1.2", ())]))


def test_all_names_of_an_address_are_on_one_line() -> None:
    places = [("10.66.1.2/24", ("web", "www")), ("fd00::2/64", ("web",))]
    text = lines(resolver.hosts("host.example", places))
    assert text[-2:] == [["10.66.1.2", "host.example", "host", "web", "www"], ["fd00::2", "host.example", "host", "web"]]


@pytest.mark.parametrize("own, left", [
    ("10.66.1.2\tweb www\n", "10.66.1.3\tdb\n110.66.1.2\tweb\n"),
    ("10.66.1.2\tother\n", "10.66.1.3\tdb\n110.66.1.2\tweb\n10.66.1.2\tweb\n"),
], ids=["said", "not said"])
def test_what_the_own_part_says_is_not_said_again(own: str, left: str) -> None:
    assert resolver.without("10.66.1.3\tdb\n110.66.1.2\tweb\n10.66.1.2\tweb\n", "10.66.1.2\tweb\n", own) == left


def test_without_a_network_the_name_is_the_machine_itself() -> None:
    assert ["127.0.1.1", "web"] in lines(resolver.hosts("web"))


def test_extra_hosts_come_last_in_the_order_given() -> None:
    text = resolver.hosts("web", [("10.66.1.2", ())], [("db", "10.66.1.3"), ("a", "fd00::1")])
    assert lines(text)[-2:] == [["10.66.1.3", "db"], ["fd00::1", "a"]]


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "a#b"])
def test_a_name_cannot_bring_a_line_of_its_own(name: str) -> None:
    with pytest.raises(Invalid):
        resolver.hosts("web", [("10.66.1.2", ())], [(name, "10.66.1.3")])


def test_servers_that_only_the_host_reaches_are_left_out() -> None:
    assert resolver.resolv_conf(HOST) == (
        "nameserver 192.0.2.53\nnameserver fe80::1%eth0\nsearch a.example b.example\noptions ndots:2 timeout:1\n")


def test_in_the_hosts_own_network_they_stay() -> None:
    assert resolver.resolv_conf(HOST, keep_loopback=True).startswith("nameserver 127.0.0.1\nnameserver 192.0.2.53\nnameserver ::1\n")


def test_what_is_given_replaces_the_hosts() -> None:
    text = resolver.resolv_conf(HOST, servers=["127.0.0.1"], search=["c.example"], options=["rotate"])
    assert text == "nameserver 127.0.0.1\nsearch c.example\noptions rotate\n"


def test_no_public_server_is_invented() -> None:
    assert resolver.resolv_conf("nameserver 127.0.0.53\n") == resolver.resolv_conf("") == ""


def test_the_stub_of_systemd_resolved_is_looked_through(tmp_path: pathlib.Path) -> None:
    (tmp_path / "etc").mkdir()
    assert resolver.host_resolv_conf(str(tmp_path)) == ""
    (tmp_path / "etc/resolv.conf").write_text("nameserver 127.0.0.53\n")
    assert resolver.host_resolv_conf(str(tmp_path)) == "nameserver 127.0.0.53\n"
    (tmp_path / "run/systemd/resolve").mkdir(parents=True)
    (tmp_path / "run/systemd/resolve/resolv.conf").write_text("nameserver 192.0.2.53\n")
    assert resolver.host_resolv_conf(str(tmp_path)) == "nameserver 192.0.2.53\n"
    (tmp_path / "etc/resolv.conf").write_text("nameserver 192.0.2.1\n")
    assert resolver.host_resolv_conf(str(tmp_path)) == "nameserver 192.0.2.1\n"


def test_hostname_file() -> None:
    assert resolver.hostname("web") == "web\n"


@pytest.mark.parametrize("told,wanted,text,more", [
    (None, "1 a\n", "1 a\n", None),                               # nobody knows what was said
    ("", "1 a\n", "1 a\n", "1 a\n"),
    ("2 b\n", "1 a\n2 b\n3 c\n", "2 b\n1 a\n3 c\n", "1 a\n3 c\n"),
    ("2 b\n1 a\n", "1 a\n2 b\n", "2 b\n1 a\n", ""),
    ("1 a\n2 b\n", "1 a\n", "1 a\n", None),
    ("1 a\n", "1 a other\n", "1 a other\n", None),
    ("1 a\n", "", "", None),
])
def test_what_is_told_is_continued_until_somebody_leaves(told: t.Optional[str], wanted: str, text: str, more: t.Optional[str]) -> None:
    assert resolver.continued(told, wanted) == (text, more)
