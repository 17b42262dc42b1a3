# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests as they go over the socket, whatever version of pyroute2 encodes them."""
from __future__ import annotations

import builtins
import errno
import struct
import sys
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import netlink
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError, Unsupported


def encoded(request: netlink.Request) -> bytes:
    pytest.importorskip("pyroute2")
    message = netlink._encode(request, 5)
    length, kind, _flags, sequence, port = struct.unpack_from("=IHHII", message)
    assert (length, kind, sequence, port) == (len(message), request.kind, 5, 0)
    return message


def attributes(payload: bytes, offset: int = 0) -> t.Dict[int, bytes]:
    return netlink._attributes(payload, offset)


def test_a_veth_pair_is_born_with_its_peer_in_the_namespace() -> None:
    message = encoded(netlink.add_veth("ethA", master=4, mtu=1400, peer="eth0", peer_mac="02:42:0a:42:01:02", netns=9))
    said = attributes(message, 32)
    assert said[3] == b"ethA\0" and said[10] == struct.pack("=I", 4) and said[4] == struct.pack("=I", 1400)
    info = attributes(said[18])
    assert info[1].rstrip(b"\0") == b"veth"
    peer = attributes(attributes(info[2])[1], 16)
    assert peer[3] == b"eth0\0" and peer[1] == bytes.fromhex("02420a420102") and peer[28] == struct.pack("=I", 9)
    assert struct.unpack_from("=BxHiII", message, 16)[3:] == (1, 1), "the host's side is up"


@pytest.mark.parametrize("local, kind", [("192.0.2.1", 4), ("fd00::1", 17)])
def test_a_vxlan_is_a_port_of_its_bridge(local: str, kind: int) -> None:
    said = attributes(encoded(netlink.add_vxlan("vxA", vni=42, port=4789, local=local, parent=3, master=4, mtu=1450)), 32)
    assert (said[3], said[10], said[4]) == (b"vxA\0", struct.pack("=I", 4), struct.pack("=I", 1450))
    info = attributes(attributes(said[18])[2])
    assert (info[1], info[3], info[15]) == (struct.pack("=I", 42), struct.pack("=I", 3), struct.pack(">H", 4789)) and kind in info


def test_an_address_has_its_broadcast_address() -> None:
    message = encoded(netlink.add_address(3, "10.66.1.10/24", subject="eth0"))
    assert struct.unpack_from("=BBBBI", message, 16) == (2, 24, 0, 0, 3)
    said = attributes(message, 24)
    assert (said[2], said[1], said[4]) == (bytes([10, 66, 1, 10]), bytes([10, 66, 1, 10]), bytes([10, 66, 1, 255]))


def test_a_default_route() -> None:
    message = encoded(netlink.set_default_route(3, "10.66.1.1", subject="web"))
    assert struct.unpack_from("=BBBBBBBB", message, 16) == (2, 0, 0, 0, 254, 3, 0, 1)
    said = attributes(message, 28)
    assert said[5] == bytes([10, 66, 1, 1]) and said[4] == struct.pack("=I", 3)


def test_a_port_that_is_isolated() -> None:
    info = attributes(attributes(encoded(netlink.set_port("ethA", isolated=True)), 32)[18])
    assert info[4].rstrip(b"\0") == b"bridge"
    port = attributes(info[5])
    assert (port[4], port[33]) == (b"\1", b"\1")


def test_several_links_leave_as_one_group() -> None:
    requests = netlink.delete_links(["a", "b"])
    groups = {value for request in requests for name, value in request.attributes if name == "IFLA_GROUP"}
    assert [request.op for request in requests] == ["group link", "group link", "delete link"] and len(groups) == 1
    assert netlink.delete_links([]) == [] and len(netlink.delete_links(["a"])) == 1


class FakeSocket:
    """Acknowledges each message with the next errno of the list."""

    def __init__(self, codes: t.Sequence[int], words: bytes = b"") -> None:
        self.codes, self.words = list(codes), words
        self.sent: t.List[bytes] = []
        self.answers: t.List[bytes] = []

    def send(self, payload: bytes) -> None:
        self.sent.append(payload)
        offset = 0
        while offset < len(payload):
            length, kind, _flags, sequence, _port = struct.unpack_from("=IHHII", payload, offset)
            code = self.codes.pop(0)
            more = struct.pack("=HH", 4 + len(self.words), 1) + self.words if code and self.words else b""
            body = struct.pack("=i", -code) + payload[offset:offset + 16] + more
            self.answers.append(struct.pack("=IHHII", 16 + len(body), 2, 0x300 if more else 0x100, sequence, 0) + body)
            offset += length

    def recv(self, _size: int) -> bytes:
        return self.answers.pop(0)


def connection(codes: t.Sequence[int], words: bytes = b"") -> t.Tuple[netlink.Connection, FakeSocket]:
    pytest.importorskip("pyroute2")
    fake = FakeSocket(codes, words)
    made = netlink.Connection.__new__(netlink.Connection)
    made._sequence, made._socket = 0, fake      # type: ignore[assignment]
    return made, fake


def test_requests_go_out_in_one_batch() -> None:
    one, fake = connection([0] * 3)
    one.run([netlink.set_up(name) for name in "abc"])
    assert len(fake.sent) == 1 and fake.answers == []


def test_many_requests_go_out_in_batches_that_fit() -> None:
    one, fake = connection([0] * 150)
    one.run([netlink.set_up("a")] * 150)
    assert len(fake.sent) == 3


def test_the_first_failure_is_raised_with_the_kernels_words_when_all_is_answered() -> None:
    one, fake = connection([0, errno.EBUSY, errno.EPERM], b"Device is in use\0")
    with pytest.raises(KernelError, match=r"set link up b: .*\(Device is in use\)") as error:
        one.run([netlink.set_up(name) for name in "abc"])
    assert error.value.errno == errno.EBUSY and fake.answers == []


def test_a_link_that_is_gone_already_is_deleted() -> None:
    one, _fake = connection([errno.ENODEV])
    one.run(netlink.delete_links(["a"]))


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[None]:
    """As in a process that has not imported pyroute2; afterwards everything is as before."""
    pytest.importorskip("pyroute2")
    before = set(sys.modules)
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyroute2"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(netlink, "_codecs", {})
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyroute2" and name not in before]:
        del sys.modules[name]


def test_the_codec_comes_alone_and_does_not_stand_in_the_way_of_the_whole_package(fresh: None) -> None:
    before = set(sys.modules)
    netlink.load()
    added = set(sys.modules) - before
    assert not [name for name in added if name.partition(".")[0] in ("pyroute2", "asyncio", "sqlite3")]
    assert __import__("pyroute2").IPRoute


def test_alone_it_encodes_as_the_whole_package_does(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = [netlink.add_veth("eth0", master=2, mtu=1500, peer="eth1", peer_mac="02:00:00:00:00:01", netns=3),
                netlink.add_address(3, "10.0.0.2/24", subject="eth1"), netlink.set_default_route(3, "10.0.0.1", subject="c")]
    alone = [netlink._message_of(request) for request in requests]
    monkeypatch.setattr(netlink, "_codecs", {})
    monkeypatch.setattr(netlink, "_import_alone", lambda: None)
    assert [netlink._message_of(request) for request in requests] == alone


def test_a_version_that_cannot_be_taken_apart_is_imported_whole(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = netlink._import, []

    def only_whole() -> t.Any:
        calls.append(hasattr(sys.modules.get("pyroute2"), "__file__"))
        if len(calls) == 1:
            raise AttributeError("module 'pyroute2' has no attribute 'something'")
        return real()

    monkeypatch.setattr(netlink, "_import", only_whole)
    netlink.load()
    assert len(calls) == 2 and "pyroute2" in sys.modules


def test_without_pyroute2_it_is_said_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: t.Any, **named: t.Any) -> t.Any:
        if name.startswith("pyroute2"):
            raise ImportError("No module named 'pyroute2'")
        return real(name, *args, **named)

    monkeypatch.setattr(netlink, "_codecs", {})
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(Unsupported, match=r"pyroute2.*cocker.engine.host"):
        netlink.load()


def test_what_is_asked_again_is_told_apart_by_its_number() -> None:
    first, second = (netlink._encode(netlink.set_up("eth0"), number) for number in (7, 1 << 31))
    assert first[:8] + first[12:] == second[:8] + second[12:]
    assert [int.from_bytes(each[8:12], sys.byteorder) for each in (first, second)] == [7, 1 << 31]
