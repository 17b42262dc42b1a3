# SPDX-License-Identifier: GPL-3.0-or-later
"""Who listens on a port, told from /proc/net."""
from __future__ import annotations

import pathlib

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.model import ports
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Unsupported
from ansible_collections.cocker.engine.plugins.module_utils.network import firewall

HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ROW = "   0: %s:%04X %s:%04X %s 00000000:00000000 00:00000000 00000000     0        0 %d 1 0000000000000000 100 0 0 10 0\n"
ZERO = "0" * 8


def hexed(address: str) -> str:
    return firewall._forms(address)[0]


def row(address: str, port: int, state: str, inode: int) -> str:
    return ROW % (address, port, "0" * len(address), 0, state, inode)


@pytest.fixture(autouse=True)
def sockets(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {
        "tcp": row(ZERO, 22, "0A", 990001) + row(hexed("127.0.0.1"), 5432, "0A", 990002) + row(hexed("192.0.2.1"), 8080, "01", 990003),
        "tcp6": row("0" * 32, 80, "0A", 990004) + row(firewall._MAPPED + hexed("192.0.2.1"), 81, "0A", 990005),
        "udp": row(ZERO, 68, "07", 990006) + row(hexed("127.0.0.53"), 53, "07", 990007) + row(hexed("192.0.2.1"), 40000, "01", 990008),
    }

    def refuse(protocol: str) -> None:
        raise Unsupported("list sockets", protocol, "filtered")

    monkeypatch.setattr(firewall.sockdiag, "listeners", refuse)
    for name, text in tables.items():
        (tmp_path / name).write_text(HEADER + text)
    monkeypatch.setattr(firewall, "_TABLES", {
        "tcp": ((str(tmp_path / "tcp"), str(tmp_path / "tcp6")), "0A"), "udp": ((str(tmp_path / "udp"), str(tmp_path / "udp6")), "07")})


@pytest.mark.parametrize("spec", [
    "22:22", "127.0.0.1:22:22", "192.0.2.1:22:22", "5432:5432", "127.0.0.1:5432:5432", "80:80", "192.0.2.9:80:80",
    "192.0.2.1:81:81", "68:68/udp", "53:53/udp",
])
def test_a_port_that_is_listened_on_is_in_use(spec: str) -> None:
    (mapping,) = ports.parse(spec)
    assert firewall.Sockets().uses(mapping) and firewall.Sockets().find_user(mapping) == "a process"
    with pytest.raises(Conflict, match="in use on the host"):
        firewall.refuse_used((mapping,))


@pytest.mark.parametrize("spec", [
    "23:22", "192.0.2.1:5432:5432", "192.0.2.2:81:81", "8080:80", "22:22/udp", "68:68", "127.0.0.1:53:53/udp", "40000:1/udp", "22",
])
def test_a_connection_or_another_address_does_not_hold_a_port(spec: str) -> None:
    (mapping,) = ports.parse(spec)
    assert not firewall.Sockets().uses(mapping)
    firewall.refuse_used((mapping,))
