# SPDX-License-Identifier: GPL-3.0-or-later
"""The firewall's table as the kernel has it, after the differences that were sent: the same as when it is sent whole."""
from __future__ import annotations

import dataclasses
import random
import subprocess
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import nft, nftbatch
from ansible_collections.cocker.engine.plugins.module_utils.model import network as model, ports
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError
from ansible_collections.cocker.engine.plugins.module_utils.model.lease import Lease
from ansible_collections.cocker.engine.plugins.module_utils.model.network import NetworkSpec
from ansible_collections.cocker.engine.plugins.module_utils.network import firewall, ruleset
from ansible_collections.cocker.engine.tests.root import netlab

pytestmark = pytest.mark.root

WEB = model.complete(NetworkSpec("web0", subnet="10.66.1.0/24"))
SIX = model.complete(NetworkSpec("six0", subnet="10.66.5.0/24", enable_ipv6=True, subnet6="fd00:66::/64"))
NETWORKS = (WEB, SIX)
ADDRESSES = (None, None, "127.0.0.1", "192.0.2.1", "fd00::9")


@pytest.fixture
def lab() -> t.Iterator[netlab.Lab]:
    with netlab.Lab() as made:
        yield made


class Kept(firewall.Memory):
    def __init__(self) -> None:
        self.applied: t.Optional[firewall.Applied] = None

    def keep(self, applied: t.Optional[firewall.Applied]) -> None:
        self.applied = applied

    def last(self) -> t.Optional[firewall.Applied]:
        return self.applied


def lease(number: int, *published: ports.PortMapping) -> Lease:
    address = "10.66.5.%d" % number
    return Lease("c%d" % number, address + "/24", model.mac_of(address), "eth0", "ethc%d" % number, published, True,
                 address6="fd00:66::%x/64" % number)


def on(*published: str, number: int = 2) -> t.Dict[str, t.List[Lease]]:
    return {"six0": [lease(number, *ports.normalise(published, ipv6=True))]}


def listed() -> t.List[str]:
    """Without the numbers that the kernel gives, and with elements in an order of their own."""
    return sorted(str(_ordered(each)) for each in nft.list_table(ruleset.FAMILY, ruleset.TABLE))


def _ordered(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: sorted(map(str, each)) if key == "elem" else _ordered(each) for key, each in sorted(value.items()) if key != "handle"}
    return [_ordered(each) for each in value] if isinstance(value, list) else value


def whole(leases: firewall.Leases) -> t.List[str]:
    nft.run(ruleset.table(NETWORKS, leases))
    return listed()


def counted(call: t.Callable[[], t.Any]) -> t.Tuple[t.Any, int]:
    """What it returned, and how often the whole table was sent."""
    real, calls = nft.run, []

    def run(*args: t.Any, **named: t.Any) -> t.Any:
        calls.append(args)
        return real(*args, **named)

    vars(nft)["run"] = run
    try:
        return call(), len(calls)
    finally:
        vars(nft)["run"] = real


def amended(memory: Kept, former: firewall.Leases, leases: firewall.Leases) -> t.Tuple[bool, int]:
    return counted(lambda: firewall.apply(NETWORKS, leases, former=former, memory=memory))


def _walk(seed: int, steps: int) -> None:
    chosen = random.Random(seed)
    memory, former = Kept(), {}  # type: Kept, t.Dict[str, t.List[Lease]]
    firewall.apply(NETWORKS, former, memory=memory)
    for _step in range(steps):
        leases = {"six0": [each for each in former.get("six0", ()) if chosen.random() < 0.7]}
        for _new in range(chosen.randrange(3)):
            published = [ports.PortMapping(chosen.choice(ADDRESSES), chosen.randrange(8000, 8006), chosen.randrange(80, 83), chosen.choice(("tcp", "udp")))
                         for _port in range(chosen.randrange(4))]
            leases["six0"].append(lease(chosen.randrange(2, 12), *published))
        applied, sent = amended(memory, former, leases)
        assert sent == 0 and applied is (ruleset.state(NETWORKS, former) != ruleset.state(NETWORKS, leases)), (former, leases)
        found = listed()
        assert found == whole(leases), (former, leases)
        memory.keep((ruleset.state(NETWORKS, leases), nftbatch.generation()))
        former = leases


@pytest.mark.parametrize("seed", range(3))
def test_differences_come_to_the_same_as_the_whole(lab: netlab.Lab, seed: int) -> None:
    lab.run(_walk, seed, 15)


def test_many_ports_come_and_go_at_once(lab: netlab.Lab) -> None:
    def check() -> None:
        memory, many = Kept(), on("10000-11499:20000-21499", "127.0.0.1:53:53/udp")
        firewall.apply(NETWORKS, {}, memory=memory)
        assert amended(memory, {}, many) == (True, 0)
        found = listed()
        assert amended(memory, many, {}) == (True, 0)
        assert listed() == whole({}) and found == whole(many)

    lab.run(check)


@pytest.mark.parametrize("spoil", [
    "add element inet cocker any_addr { tcp . 99 : 10.9.9.9 }", "delete element inet cocker any_addr { tcp . 8080 }", "flush chain inet cocker guard",
    "add table ip other", "delete table inet cocker", "flush ruleset",
])
def test_what_somebody_else_did_is_undone_by_the_next_change(lab: netlab.Lab, spoil: str) -> None:
    def check() -> None:
        memory, before, after = Kept(), on("8080:80"), on("8080:80", "8081:81")
        firewall.apply(NETWORKS, before, memory=memory)
        subprocess.run(["nft", spoil], check=True)
        assert amended(memory, before, after) == (True, 1)
        assert listed() == whole(after)

    lab.run(check)


def test_a_memory_that_is_wrong_does_no_harm(lab: netlab.Lab) -> None:
    """Of another network namespace, or from before a change that nobody has recorded."""
    def check() -> None:
        memory, before, after = Kept(), on("8080:80"), on("8081:81")
        firewall.apply(NETWORKS, before)
        memory.keep((ruleset.state(NETWORKS, {}), nftbatch.generation()))
        assert amended(memory, {}, after) == (True, 1)
        assert listed() == whole(after)

    lab.run(check)


def test_a_batch_is_whole_or_not_at_all(lab: netlab.Lab) -> None:
    def check() -> None:
        firewall.apply(NETWORKS, on("8080:80"))
        before, generation = listed(), nftbatch.generation()
        come = nftbatch.add_elements(ruleset.TABLE, "any_addr", {("tcp", 8081): "10.66.5.2", ("tcp", 8080): "10.66.5.3"})
        gone = nftbatch.delete_elements(ruleset.TABLE, "any_addr", [("tcp", 8082)])
        for messages, at in ((come, generation), ([*come[:1], *gone], generation), (gone, generation), (come[:1], generation + 1)):
            with pytest.raises(KernelError):
                nftbatch.run(messages, at=at, subject="x")
            assert (listed(), nftbatch.generation()) == (before, generation)

    lab.run(check)


def test_a_lease_that_is_as_it_was_is_no_transaction(lab: netlab.Lab) -> None:
    def check() -> None:
        memory, same = Kept(), on("8080:80")
        firewall.apply(NETWORKS, same, memory=memory)
        before = nftbatch.generation()
        renamed = {"six0": [dataclasses.replace(each, aliases=("other",)) for each in same["six0"]]}
        assert amended(memory, same, renamed) == (False, 0) and nftbatch.generation() == before

    lab.run(check)
