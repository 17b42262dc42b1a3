# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks: attaching one container after the other, what goes through, and what a thousand published ports cost a connection.

Sender and receiver are the same two Python processes everywhere, in the network namespaces of containers that sleep.
"""
from __future__ import annotations

import contextlib
import functools
import socket
import subprocess
import sys
import time
import typing as t

from benchmark import measure, stage as stages
from benchmark.measure import MILLISECONDS, Row
from benchmark.peers import Docker, Peer
from benchmark.stage import Stage

from ansible_collections.cocker.engine.plugins.module_utils.engine import endpoints, observe
from ansible_collections.cocker.engine.plugins.module_utils.engine.entry import open_host
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model import ports
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerRecord, ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.network import DEFAULT_NETWORK
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ABSENT, PRESENT, STARTED
from ansible_collections.cocker.engine.tests.root import netlab

BATCH = 50
GIGABYTE = 1 << 30
MANY = 1000
TIMES_ONE = "x one"
OURS = "cocker"
WAYS = ("between two containers", "from outside to a published port")
_PIECE = 1 << 20
_INNER, _OUTER = 9000, 19000            # the receiver's port in a container, and the one that is published for it
_FROM = 20000                           # the first of many ports
_ROUNDS, _CONNECTIONS = 10, 300
_PATIENCE = 10.0

# Takes all of a connection, then says so with a byte; one connection after the other.
_RECEIVER = """
import socket, sys
listener = socket.create_server(("", int(sys.argv[1])))
room = bytearray(1 << 20)
while True:
    one = listener.accept()[0]
    while one.recv_into(room):
        pass
    one.sendall(b"!")
    one.close()
"""


def rows(stage: Stage, peers: t.Sequence[Peer]) -> t.List[Row]:
    _let_through(stage, peers)
    attached, on_cpu = stage.lab.run(_attach, stage.home, BATCH, timeout=240)
    through = _through(stage, {OURS: _OwnContainers(stage, _OUTER), **{
        peer.name: _PeersContainers(peer, _OUTER + 1 + number) for number, peer in enumerate(peers)}})
    one, many = _connecting(stage, 1), _connecting(stage, MANY)
    busy = "network and published port, ms: %.1f, %.1f of it on a CPU" % (attached, on_cpu)
    note = "a connection to a published port, ms: %.3f with one port, %.3f with %d" % (one, many, MANY)
    return [
        Row("network and published port, each of %d" % BATCH, MILLISECONDS, attached, 10, {}, (busy,)),
        *(Row("TCP %s, a gigabyte" % what, MILLISECONDS, through[OURS][what], None, {peer.name: through[peer.name][what] for peer in peers})
          for what in WAYS),
        Row("connection to a published port, %d ports" % MANY, TIMES_ONE, many / one, 1.2, {}, (note,)),
    ]


def _let_through(stage: Stage, peers: t.Sequence[Peer]) -> None:
    """docker drops what is forwarded and not its own; this is what cocker_host_info says is to be done about it."""
    for link in (DEFAULT_NETWORK, "podman0") if any(isinstance(peer, Docker) for peer in peers) else ():
        for way in ("-i", "-o"):
            stage.lab.call("iptables", "-I", "FORWARD", way, link, "-j", "ACCEPT")


def _attach(home: str, count: int) -> t.Tuple[float, float]:
    """Milliseconds for each, whole and on a CPU: namespace, lease, firewall and links; nothing is started. In a process of the lab."""
    host = open_host(home, dry_run=False)
    specs = [stages.server("attach%d" % number, stages.FIRST_PORT + number) for number in range(count + 1)]
    try:
        for spec in specs:
            stages.ensure(home, spec, state=PRESENT, host=host)
        records = [found for found in (observe.container(host, spec.name).record for spec in specs) if found is not None]
        _attach_each(host, records[:1])         # what is imported, and the bridge, are made once
        before = time.process_time()
        whole = measure.timed(functools.partial(_attach_each, host, records[1:])) / count
        return whole, (time.process_time() - before) * 1000 / count
    finally:
        for spec in specs:
            endpoints.release(host, spec.name)
            stages.ensure(home, ContainerSpec(spec.name), state=ABSENT)


def _attach_each(host: Host, records: t.Iterable[ContainerRecord]) -> None:
    for record in records:
        endpoints.attach(host, record)


class _Containers(t.Protocol):
    """Two that sleep, the second with a published port."""

    port: int

    def start(self) -> t.List[t.Tuple[str, str]]: ...
    def end(self) -> None: ...


class _OwnContainers:
    def __init__(self, stage: Stage, port: int) -> None:
        self._stage, self.port = stage, port

    def start(self) -> t.List[t.Tuple[str, str]]:
        """Namespace and address of each."""
        return [t.cast(t.Tuple[str, str], self._stage.lab.run(self._start, number)) for number in range(2)]

    def _start(self, number: int) -> t.Tuple[str, str]:
        published = ports.normalise(["%d:%d" % (self.port, _INNER)] if number else [])
        spec = ContainerSpec("through%d" % number, images=(stages.IMAGE,), command=stages.SLEEP, published_ports=published, stop_timeout=0)
        shown = stages.ensure(self._stage.home, spec, state=STARTED).result["container"]
        return "/proc/%d/ns/net" % shown["State"]["Pid"], shown["NetworkSettings"]["IPAddress"]

    def end(self) -> None:
        for number in range(2):
            self._stage.lab.run(functools.partial(stages.ensure, self._stage.home, ContainerSpec("through%d" % number), state=ABSENT))


class _PeersContainers:
    def __init__(self, peer: Peer, port: int) -> None:
        self._peer, self.port = peer, port

    def start(self) -> t.List[t.Tuple[str, str]]:
        return [t.cast(t.Tuple[str, str], self._peer.stage.lab.run(self._start, number)) for number in range(2)]

    def _start(self, number: int) -> t.Tuple[str, str]:
        published = ["--publish", "%d:%d" % (self.port, _INNER)] if number else []
        name = "through%d" % number
        self._peer.timed(self._peer.command("run", "--detach", "--name", name, *published, stages.PEER_IMAGE, *stages.SLEEP))
        form = "{{.State.Pid}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        done = subprocess.run(self._peer.command("inspect", "--format", form, name), env=self._peer.env, check=True, capture_output=True,
                              text=True)
        pid, address = done.stdout.split()
        return "/proc/%s/ns/net" % pid, address

    def end(self) -> None:
        for number in range(2):
            self._peer.stage.lab.run(self._peer.timed, self._peer.remove("through%d" % number))


def _through(stage: Stage, engines: t.Mapping[str, _Containers]) -> t.Dict[str, t.Dict[str, float]]:
    """The fastest of some rounds, in which the engines take turns: whatever else the machine does slows some of them down."""
    found: t.Dict[str, t.Dict[str, t.List[float]]] = {name: {what: [] for what in WAYS} for name in engines}
    with contextlib.ExitStack() as stack:
        ways = {name: _opened(stage, stack, containers) for name, containers in engines.items()}
        for turn in range(_ROUNDS):
            for name, places in list(ways.items())[::-1 if turn % 2 else 1]:        # nobody is always the one after the same other one
                for what, (where, address, port) in zip(WAYS, places):
                    found[name][what].append(stage.lab.run(_send, address, port, where=where))
    return {name: {what: min(times) for what, times in all_.items()} for name, all_ in found.items()}


def _opened(stage: Stage, stack: contextlib.ExitStack, containers: _Containers) -> t.List[t.Tuple[str, str, int]]:
    """From where, to what address and port, for each of WAYS."""
    stack.callback(containers.end)
    (sender, _address), (receiver, address) = containers.start()
    process = stage.lab.spawn([sys.executable, "-c", _RECEIVER, str(_INNER)], where=receiver)
    stack.callback(stage.lab.end, process)
    stage.lab.run(_wait, address, _INNER, where=sender)
    return [(sender, address, _INNER), (netlab.OUTSIDE, netlab.HOST_ADDRESS, containers.port)]


def _wait(address: str, port: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            socket.create_connection((address, port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _send(address: str, port: int) -> float:
    piece = memoryview(bytes(_PIECE))
    with socket.create_connection((address, port), timeout=60) as one:
        def all_of_it() -> None:
            for _each in range(GIGABYTE // _PIECE):
                one.sendall(piece)
            one.shutdown(socket.SHUT_WR)
            one.recv(1)
        return measure.timed(all_of_it)


def _connecting(stage: Stage, count: int) -> float:
    """Milliseconds of a connection from outside to the last of so many published ports."""
    more = ["%d-%d:%d-%d" % (_FROM, _FROM + count - 2, _FROM, _FROM + count - 2)] if count > 1 else []
    spec = ContainerSpec("many", images=(stages.IMAGE,), command=stages.SERVER, stop_timeout=0,
                         published_ports=ports.normalise([*more, "%d:8080" % (_FROM + count)]))
    stage.lab.run(functools.partial(stages.ensure, stage.home, spec, state=STARTED))
    try:
        stage.lab.run(_wait, netlab.HOST_ADDRESS, _FROM + count, where=netlab.OUTSIDE)
        return t.cast(float, stage.lab.run(_connect, _FROM + count, where=netlab.OUTSIDE))
    finally:
        stage.lab.run(functools.partial(stages.ensure, stage.home, ContainerSpec("many"), state=ABSENT))


def _connect(port: int) -> float:
    """The fastest fifth of many: what the machine does besides is not to be measured."""
    place = (netlab.HOST_ADDRESS, port)
    times = [measure.timed(lambda: socket.create_connection(place, timeout=5).close()) for _each in range(_CONNECTIONS)]
    return measure.median(sorted(times)[:_CONNECTIONS // 5])
