# SPDX-License-Identifier: BSD-2-Clause
"""/etc/hosts, /etc/hostname and /etc/resolv.conf of containers: written when one starts, kept true while it runs.

Each is a file in the container's directory that is mounted over the image's, so it is rewritten in place. A container finds the others
of its networks in its own /etc/hosts: no server has to run, and what is known is there before its first process is.
Not here: the texts (network/resolver.py).
"""
from __future__ import annotations

import contextlib
import errno
import json
import os
import types
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import drift, leased, sharing
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.container import HOST, ContainerSpec
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import tolerate
from ansible_collections.cocker.engine.plugins.module_utils.model.lease import Lease
from ansible_collections.cocker.engine.plugins.module_utils.network import resolver

HOSTS, HOSTNAME, RESOLV_CONF = "hosts", "hostname", "resolv.conf"
# What a change of changes in the files of a container that runs.
OPTIONS = frozenset(("networks", "links", "etc_hosts", "dns_servers", "dns_opts", "dns_search_domains"))
GATEWAY = "host-gateway"    # in etc_hosts: the host, as the container reaches it

_OWN = drift.OWN_HOSTS
_LARGEST = 1 << 20          # a container may write into its files
_NOBODY: t.Mapping[str, bytes] = types.MappingProxyType({})


def write(host: Host, spec: ContainerSpec) -> None:
    """All of a container's own; `follow` adds its neighbours."""
    mine, name = leased.of(host, spec.name), sharing.hostname(spec)
    active = [(lease, network) for lease, network in mine if lease.active]
    closed = bool(active) and all(network.internal for _lease, network in active)
    gateway = next((network.gateway for _lease, network in active if not network.internal), "127.0.0.1")
    extra = [(word, gateway if address == GATEWAY else address) for word, address in sorted((spec.etc_hosts or {}).items())]
    places = [(lease, address) for lease, _network in active for address in (lease.address, lease.address6) if address]
    own = resolver.hosts(name, [(address, resolver.called(lease, lease.links)) for lease, address in places], extra)
    folder = host.layout.container(spec.name)
    _rewrite(os.path.join(folder, _OWN), own)
    if not active:
        _rewrite(host.layout.hosts(spec.name), own)
    _rewrite(os.path.join(folder, HOSTNAME), resolver.hostname(name))
    _rewrite(os.path.join(folder, RESOLV_CONF), _resolv_conf(spec, closed=closed))


def _resolv_conf(spec: ContainerSpec, *, closed: bool) -> str:
    """Where no network leads out, no server of the host is reached, and a name must fail at once instead of after a timeout."""
    servers = () if closed and spec.dns_servers is None else spec.dns_servers
    return resolver.resolv_conf(
        resolver.host_resolv_conf(), servers=servers, search=spec.dns_search_domains, options=spec.dns_opts,
        keep_loopback=spec.network_mode == HOST)


def introduce(host: Host, container: str, networks: t.Collection[str]) -> bytes:
    """Before it runs: it knows those that are on its networks now. What its file says, for `follow`, which tells the others of it."""
    return _View(host, networks).write(container)[0] if networks else b""


def follow(host: Host, changed: t.Collection[str], *, anew: t.Mapping[str, bytes] = _NOBODY) -> None:
    """Every container that runs on one of the networks knows the others on its networks, and no longer who has gone.

    `anew` are those whose own part has been written, with what their files say already.
    """
    if changed:
        with host.locked("firewall", leased.LEASES):
            update(host, changed, anew=anew)


def update(host: Host, changed: t.Collection[str], *, anew: t.Mapping[str, bytes] = _NOBODY) -> None:
    """`follow` for who has the lock."""
    view = _View(host, changed)
    sizes = {container: size for container, size in view.before.sizes.items() if container in view.places}
    append = _appender(host, view.before, view.more)
    for container in sorted({lease.container for name in view.more for lease in view.known[name]}):
        if container in anew or not append(container, view.places[container]):
            said = anew.get(container) if container not in view.before.sizes else None      # else somebody has been there meanwhile
            _content, size = view.write(container, said=said)
            sizes.update({} if size is None else {container: size})
    _tell(host, view.before, _Told({name: text for name, text in view.texts.items() if view.known.get(name)}, sizes))


class _View:
    """Who is on which network now, and what is to be said of it. `texts` of those that `changed` go on from what was told `before`."""

    def __init__(self, host: Host, changed: t.Collection[str]) -> None:
        self._host, self.before = host, _told(host)
        listed = leased.listed(host)
        self.known = {network.name: [lease for lease in leased.users(host, network.name) if lease.active] for network in listed}
        self._far = {network.name: resolver.elsewhere(network.peers) for network in listed}
        self.texts, self.more = dict(self.before.texts), {}  # type: t.Dict[str, str], t.Dict[str, t.Optional[str]]
        for name in [network.name for network in listed if network.name in changed]:
            wanted = resolver.neighbours(self.known[name]) + self._far[name]
            self.texts[name], self.more[name] = resolver.continued(self.before.texts.get(name), wanted)
        self.places: t.Dict[str, t.Dict[str, Lease]] = {}
        for lease, on in [(lease, name) for name in sorted(self.known) for lease in self.known[name]]:
            self.places.setdefault(lease.container, {})[on] = lease

    def write(self, container: str, *, said: t.Optional[bytes] = None) -> t.Tuple[bytes, t.Optional[int]]:
        """What its file says now, and by how many bytes that is longer than the texts; None where it is being started: it writes its
        own part, and calls. A file that has `said` so already is left alone.
        """
        own = _read(os.path.join(self._host.layout.container(container), _OWN))
        if own is None:
            return b"", None
        mine = self.places.get(container, {})
        tails = [(self._text(name, lease), resolver.neighbours((lease,), lease.links)) for name, lease in mine.items()]
        content = _bytes(own + "".join(resolver.without(text, lines, own) for text, lines in tails))
        if content != said:
            fs.rewrite(self._host.layout.hosts(container), content, mode=0o644)
        return content, len(content) - sum(len(_bytes(text)) for text, _lines in tails)

    def _text(self, name: str, lease: Lease) -> str:
        as_all_have_it = None if lease.links else self.texts.get(name)
        return resolver.neighbours(self.known[name], lease.links) + self._far[name] if as_all_have_it is None else as_all_have_it


class _Told(t.NamedTuple):
    """What containers that run have been told: of each network the lines of who is on it, oldest first.

    And by how many bytes each file is longer than the lines of its networks: by its own part, less what that says already. As long as
    nobody leaves, one that comes is a line more for each of the others, whose files need not be read for it.
    """

    texts: t.Dict[str, str]
    sizes: t.Dict[str, int]


def _told(host: Host) -> _Told:
    """Nothing after a reboot, when nobody runs."""
    with contextlib.suppress(FileNotFoundError, KeyError, TypeError, ValueError), open(host.layout.told, encoding="ascii") as stream:
        value = json.load(stream)
        return _Told(dict(value["texts"]), dict(value["sizes"]))
    return _Told({}, {})


def _tell(host: Host, before: _Told, now: _Told) -> None:
    """Last: as long as it is not done, whoever comes next begins where we did."""
    if now.texts and now != before:
        fs.write_atomic(host.layout.told, json.dumps(now._asdict()).encode("ascii"), durable=False)
    elif not now.texts:
        with tolerate(errno.ENOENT):
            os.unlink(host.layout.told)


def _appender(
    host: Host, before: _Told, more: t.Mapping[str, t.Optional[str]],
) -> t.Callable[[str, t.Mapping[str, Lease]], bool]:
    """False where it takes more than a line: somebody has left, the container is on several networks, has links, or has written itself."""
    lines = {name: (_bytes(line), len(_bytes(before.texts[name]))) for name, line in more.items() if line is not None}

    def append(container: str, mine: t.Mapping[str, Lease]) -> bool:
        (name, lease), *others = mine.items()
        own = before.sizes.get(container)
        if others or lease.links or name not in lines or own is None:
            return False
        line, size = lines[name]
        return fs.append(host.layout.hosts(container), line, size=own + size)

    return append


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _read(path: str) -> t.Optional[str]:
    """Without io.open, which takes most of the time where there are hundreds."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return os.read(fd, _LARGEST).decode("utf-8", "surrogateescape")
    finally:
        os.close(fd)


def _rewrite(path: str, text: str) -> None:
    if _read(path) == text:
        return
    fs.rewrite(path, _bytes(text), mode=0o644)
