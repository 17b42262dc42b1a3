# SPDX-License-Identifier: BSD-2-Clause
"""What a container reads as /etc/hosts, /etc/resolv.conf and /etc/hostname. Text in, text out, apart from `host_resolv_conf`.

Not here: where the files lie and how they get into the container (engine).
"""
from __future__ import annotations

import functools
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.lease import Lease
from ansible_collections.cocker.engine.plugins.module_utils.model.vxlan import Peer

# In this order: where systemd-resolved keeps the real servers that its stub on 127.0.0.53 asks, and the file itself.
_RESOLVED = "run/systemd/resolve/resolv.conf"
_RESOLV_CONF = "etc/resolv.conf"
_STUBS = ("127.0.0.53", "127.0.0.54")
_SIZE = 1 << 20

_LOCAL = (
    ("127.0.0.1", ("localhost",)),
    ("::1", ("localhost", "ip6-localhost", "ip6-loopback")),
    ("fe00::0", ("ip6-localnet",)),
    ("ff02::1", ("ip6-allnodes",)),
    ("ff02::2", ("ip6-allrouters",)),
)


def hostname(name: str) -> str:
    return name + "\n"


def hosts(name: str, places: t.Sequence[t.Tuple[str, t.Sequence[str]]] = (), extra: t.Sequence[t.Tuple[str, str]] = ()) -> str:
    """`places` are its addresses, each with what else it is called there. Without any the name is 127.0.1.1, as Debian does it.

    `extra` is (host name, address), in the order given.
    """
    lines = ["%s\t%s" % (address, " ".join(words)) for address, words in _LOCAL]
    lines += ["%s\t%s" % (address.partition("/")[0], _names(name, words)) for address, words in places or (("127.0.1.1", ()),)]
    lines += ["%s\t%s" % (_word(address, "etc_hosts"), _word(other, "etc_hosts")) for other, address in extra]
    return "\n".join(lines) + "\n"


def neighbours(leases: t.Iterable[Lease], links: t.Sequence[t.Tuple[str, str]] = ()) -> str:
    """A line for each container of a network that runs: its address, its name and aliases, and what `links` call it."""
    return "".join([_known(lease.ip, lease.ip6, called(lease, links)) for lease in leases])


def called(lease: Lease, links: t.Sequence[t.Tuple[str, str]] = ()) -> t.Tuple[str, ...]:
    """What a container is called on a network."""
    more = [alias for target, alias in links if target == lease.container] if links else ()
    return (lease.container, *lease.aliases, *more)


@functools.lru_cache(maxsize=4096)
def _known(ip: str, ip6: t.Optional[str], names: t.Tuple[str, ...]) -> str:
    known_as = " ".join(_word(word, "aliases") for word in dict.fromkeys(names))
    return "".join("%s\t%s\n" % (address, known_as) for address in (ip, ip6) if address)


def continued(told: t.Optional[str], wanted: str) -> t.Tuple[str, t.Optional[str]]:
    """What to say after `told`, and what that is more than before; None where it is no more than that, but something else."""
    lines = wanted.splitlines(keepends=True)
    had = set((told or "").splitlines(keepends=True))
    if told is None or had.difference(lines):
        return wanted, None
    new = "".join([line for line in lines if line not in had])
    return told + new, new


def without(text: str, lines: str, own: str) -> str:
    """What `neighbours` says of all, but not those of its `lines` about the reader that its own part says, too."""
    known = [set(line.split()) for line in own.splitlines()]
    said = "".join(line for line in lines.splitlines(keepends=True) if any(words.issuperset(line.split()) for words in known))
    before, _found, after = ("\n" + text).partition("\n" + said)
    return (before + "\n" + after)[1:]


def elsewhere(peers: t.Iterable[Peer]) -> str:
    """The same for the containers of other hosts, as the play names them."""
    return "".join("%s\t%s\n" % (address, name) for peer in peers for name, addresses in peer.names for address in addresses)


def _names(name: str, more: t.Iterable[str]) -> str:
    return " ".join(dict.fromkeys((_word(name, "hostname"), name.partition(".")[0], *(_word(word, "aliases") for word in more))))


def _word(text: str, option: str) -> str:
    if not text or any(char.isspace() or char == "#" or not char.isprintable() for char in text):
        raise Invalid(option, "%r is not one word" % text)
    return text


def resolv_conf(
    host: str, *, servers: t.Optional[t.Sequence[str]] = None, search: t.Optional[t.Sequence[str]] = None,
    options: t.Optional[t.Sequence[str]] = None, keep_loopback: bool = False,
) -> str:
    """The host's file, without the servers that only the host reaches unless `keep_loopback` (the container is in the host's network).

    What is given replaces the host's, an empty list by nothing. No public server is ever put in: if none is left, none is there.
    """
    found = _parse(host)
    kept = [server for server in found["nameserver"] if keep_loopback or not _is_loopback(server)]
    lines = ["nameserver %s" % _word(server, "dns_servers") for server in (kept if servers is None else servers)]
    lines += _joined("search", [_word(word, "dns_search_domains") for word in (found["search"] if search is None else search)])
    lines += _joined("options", [_word(word, "dns_opts") for word in (found["options"] if options is None else options)])
    return "".join(line + "\n" for line in lines)


def _joined(word: str, values: t.Sequence[str]) -> t.List[str]:
    return [" ".join([word, *values])] if values else []


def _parse(text: str) -> t.Dict[str, t.List[str]]:
    """resolv.conf(5): of search and domain the last one counts, servers and options add up."""
    found: t.Dict[str, t.List[str]] = {"nameserver": [], "search": [], "options": []}
    for line in text.splitlines():
        words = line.split("#")[0].split(";")[0].split()
        if len(words) < 2:
            continue
        if words[0] == "nameserver":
            found["nameserver"].append(words[1])
        elif words[0] in ("search", "domain"):
            found["search"] = words[1:]
        elif words[0] == "options":
            found["options"] += words[1:]
    return found


def _is_loopback(server: str) -> bool:
    return server.startswith("127.") or server.partition("%")[0] in ("::1", "0.0.0.0", "::")


def host_resolv_conf(root: str = "/") -> str:
    """The text to start from; the real servers where the host's own file only names the stub of systemd-resolved."""
    text = _read(os.path.join(root, _RESOLV_CONF))
    servers = _parse(text)["nameserver"]
    if servers and all(server in _STUBS for server in servers):
        return _read(os.path.join(root, _RESOLVED)) or text
    return text


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read(_SIZE)
    except OSError:
        return ""
