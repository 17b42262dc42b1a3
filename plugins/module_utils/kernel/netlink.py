# SPDX-License-Identifier: BSD-2-Clause
"""Links, addresses and routes by route netlink (rtnetlink(7)): requests as values, sent in one batch, each acknowledged.

pyroute2 is the codec only (its message classes are the same from 0.6 to 0.9) and is imported when the first request is encoded;
the socket is ours, so that no thread, event loop or process comes with it. Not here: reading without netlink (network/routes.py).
"""
from __future__ import annotations

import dataclasses
import errno
import os
import socket
import struct
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import KernelError, Unsupported

Attributes = t.List[t.Any]

CARRIED = "/usr/local/lib/cocker/python"        # where the role `host` puts it on a host that cannot get it

_AF_INET, _AF_INET6 = 2, 10
_NODAD = 0x02                           # IFA_F_NODAD: the address can be used at once
_NEWLINK, _DELLINK, _GETLINK, _SETLINK, _NEWADDR, _NEWROUTE = 16, 17, 18, 19, 20, 24
_REQUEST, _ACK, _REPLACE, _EXCL, _CREATE = 0x1, 0x4, 0x100, 0x200, 0x400
_MESSAGE_TLVS = 0x200                   # NLM_F_ACK_TLVS: the kernel says more than an errno
_UP = 0x1                               # IFF_UP
_HEADER, _LINK, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=BxHiII"), struct.Struct("=HH")
_ERROR = 2                              # NLMSG_ERROR; errno 0 is the acknowledgement
_SOL_NETLINK, _CAP_ACK, _EXT_ACK = 270, 10, 11
_BATCH = 64                             # acknowledgements of one send fit the receive buffer


class Request(t.NamedTuple):
    """`op subject` is for the error text; an errno of `fine` is success."""

    op: str
    subject: str
    kind: int
    flags: int
    fields: t.Mapping[str, int]
    attributes: Attributes
    fine: t.Tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Link:
    """`peer` is the index of a veth's other end, in whichever namespace that is; `mac` is text."""

    index: int
    up: bool
    mac: str
    mtu: int
    peer: int


class Connection:
    """A socket of the network namespace that the caller is in when it is made; it stays with that one."""

    def __init__(self) -> None:
        self._sequence = 0
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.bind((0, 0))
        for option in (_CAP_ACK, _EXT_ACK):         # Linux 4.3, 4.12
            try:
                self._socket.setsockopt(_SOL_NETLINK, option, 1)
            except OSError as error:
                if error.errno != errno.ENOPROTOOPT:
                    raise

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def run(self, requests: t.Sequence[Request]) -> None:
        """In this order. The kernel goes on after a failure; the first one is raised as KernelError once all are answered."""
        for start in range(0, len(requests), _BATCH):
            self._run(requests[start:start + _BATCH])

    def _run(self, requests: t.Sequence[Request]) -> None:
        first = self._sequence + 1
        self._sequence += len(requests)
        self._socket.send(b"".join(_encode(request, first + number) for number, request in enumerate(requests)))
        failures: t.Dict[int, KernelError] = {}
        for _each in requests:
            answer = self._socket.recv(1 << 16)
            _length, _kind, flags, sequence, _port = _HEADER.unpack_from(answer)
            number = sequence - first
            code = -int(struct.unpack_from("=i", answer, _HEADER.size)[0])
            if code and code not in requests[number].fine:
                hint = _message(answer) if flags & _MESSAGE_TLVS else ""
                failures[number] = KernelError(requests[number].op, requests[number].subject, code, hint=hint)
        if failures:
            raise failures[min(failures)]

    def find_link(self, name: str) -> t.Optional[Link]:
        self._sequence += 1
        request = Request("find link", name, _GETLINK, _REQUEST, {}, [["IFLA_IFNAME", name]])
        self._socket.send(_encode(request, self._sequence))
        answer = self._socket.recv(1 << 16)
        if _HEADER.unpack_from(answer)[1] == _ERROR:
            code = -int(struct.unpack_from("=i", answer, _HEADER.size)[0])
            if code == errno.ENODEV:
                return None
            raise KernelError("find link", name, code)
        return _link(answer)


def add_bridge(name: str, *, mac: str, mtu: int) -> Request:
    kind = ["IFLA_LINKINFO", {"attrs": [["IFLA_INFO_KIND", "bridge"]]}]
    attributes = [["IFLA_IFNAME", name], ["IFLA_ADDRESS", mac], ["IFLA_MTU", mtu], kind]
    return Request("add bridge", name, _NEWLINK, _CREATE | _EXCL, {}, attributes)


def add_veth(name: str, *, master: int, mtu: int, peer: str, peer_mac: str, netns: int) -> Request:
    """Up, in its bridge, its peer born inside the namespace of the descriptor `netns`: there is no moment in which it is elsewhere."""
    inside = [["IFLA_IFNAME", peer], ["IFLA_ADDRESS", peer_mac], ["IFLA_MTU", mtu], ["IFLA_NET_NS_FD", netns]]
    pair = [["IFLA_INFO_KIND", "veth"], ["IFLA_INFO_DATA", {"attrs": [["VETH_INFO_PEER", {"attrs": inside}]]}]]
    attributes = [["IFLA_IFNAME", name], ["IFLA_MASTER", master], ["IFLA_MTU", mtu], ["IFLA_LINKINFO", {"attrs": pair}]]
    return Request("add veth", name, _NEWLINK, _CREATE | _EXCL, {"flags": _UP, "change": _UP}, attributes)


def add_child(kind: str, name: str, *, parent: int, mode: str, mac: t.Optional[str], mtu: int, netns: int) -> Request:
    """A macvlan or ipvlan of the parent, born inside the namespace, up. EOPNOTSUPP: the kernel has no such driver."""
    words = {"macvlan": "IFLA_MACVLAN_MODE", "ipvlan": "IFLA_IPVLAN_MODE"}
    info = [["IFLA_INFO_KIND", kind], ["IFLA_INFO_DATA", {"attrs": [[words[kind], mode if kind == "macvlan" else _IPVLAN_MODES[mode]]]}]]
    attributes = [["IFLA_IFNAME", name], ["IFLA_LINK", parent], ["IFLA_MTU", mtu], ["IFLA_NET_NS_FD", netns]]
    attributes += [["IFLA_ADDRESS", mac]] if mac is not None else []
    attributes.append(["IFLA_LINKINFO", {"attrs": info}])
    return Request("add %s" % kind, name, _NEWLINK, _CREATE | _EXCL, {}, attributes)


def add_vxlan(name: str, *, vni: int, port: int, local: t.Optional[str], parent: int, master: int, mtu: int) -> Request:
    """A port of the bridge `master`, which learns where addresses are. `parent` 0: by whichever link the routes say."""
    info: Attributes = [["IFLA_VXLAN_ID", vni], ["IFLA_VXLAN_PORT", port], ["IFLA_VXLAN_LEARNING", 1]]
    info += [["IFLA_VXLAN_LINK", parent]] if parent else []
    info += [["IFLA_VXLAN_LOCAL6" if ":" in local else "IFLA_VXLAN_LOCAL", local]] if local else []
    kind = ["IFLA_LINKINFO", {"attrs": [["IFLA_INFO_KIND", "vxlan"], ["IFLA_INFO_DATA", {"attrs": info}]]}]
    attributes = [["IFLA_IFNAME", name], ["IFLA_MTU", mtu], ["IFLA_MASTER", master], kind]
    return Request("add vxlan", name, _NEWLINK, _CREATE | _EXCL, {}, attributes)


def set_alias(name: str, alias: str) -> Request:
    return Request("name link", name, _SETLINK, 0, {}, [["IFLA_IFNAME", name], ["IFLA_IFALIAS", alias]])


def set_mtu(name: str, mtu: int) -> Request:
    return Request("set mtu of link", name, _SETLINK, 0, {}, [["IFLA_IFNAME", name], ["IFLA_MTU", mtu]])


def set_mac(name: str, mac: str) -> Request:
    return Request("set address of link", name, _SETLINK, 0, {}, [["IFLA_IFNAME", name], ["IFLA_ADDRESS", mac]])


def set_up(name: str) -> Request:
    return Request("set link up", name, _SETLINK, 0, {"flags": _UP, "change": _UP}, [["IFLA_IFNAME", name]])


def set_port(name: str, *, isolated: bool, hairpin: bool = True) -> Request:
    """A port of a bridge. Isolated (Linux 4.18), it reaches the bridge itself and no other isolated port.

    Hairpin: with br_netfilter, what a container sends to its own published port is translated within the bridge and leaves by its port.
    """
    values = [["IFLA_BRPORT_MODE", int(hairpin)], ["IFLA_BRPORT_ISOLATED", int(isolated)]]
    port = [["IFLA_INFO_SLAVE_KIND", "bridge"], ["IFLA_INFO_SLAVE_DATA", {"attrs": values}]]
    return Request("set bridge port", name, _NEWLINK, 0, {}, [["IFLA_IFNAME", name], ["IFLA_LINKINFO", {"attrs": port}]])


def delete_links(names: t.Sequence[str]) -> t.List[Request]:
    """Several leave as a group: the kernel waits for its readers once (17 ms on an idle machine), not once a link. Idempotent."""
    if len(names) < 2:
        return [_delete(name, [["IFLA_IFNAME", name]]) for name in names]
    group = int.from_bytes(os.urandom(4), "little") >> 1 | 1 << 30
    gone = (errno.ENODEV,)
    marks = [Request("group link", name, _SETLINK, 0, {}, [["IFLA_IFNAME", name], ["IFLA_GROUP", group]], gone) for name in names]
    return marks + [_delete(", ".join(names), [["IFLA_GROUP", group]])]


def _delete(subject: str, attributes: Attributes) -> Request:
    return Request("delete link", subject, _DELLINK, 0, {}, attributes, (errno.ENODEV,))


def add_address(index: int, address: str, *, subject: str) -> Request:
    """`address` has its prefix length. Idempotent."""
    ip, _slash, length = address.partition("/")
    fields = {"family": _family(ip), "index": index, "prefixlen": int(length), "flags": _NODAD if ":" in ip else 0}
    attributes = [["IFA_LOCAL", ip], ["IFA_ADDRESS", ip]]
    if ":" not in ip:
        attributes.append(["IFA_BROADCAST", _broadcast(ip, int(length))])
    return Request("add address", "%s to %s" % (address, subject), _NEWADDR, _CREATE | _REPLACE, fields, attributes)


def _family(ip: str) -> int:
    return _AF_INET6 if ":" in ip else _AF_INET


def _broadcast(ip: str, length: int) -> str:
    number = int.from_bytes(socket.inet_aton(ip), "big") | (1 << 32 - length) - 1
    return socket.inet_ntoa(number.to_bytes(4, "big"))


def set_default_route(index: int, gateway: str, *, subject: str) -> Request:
    """Replaces a default route that is there. table main, protocol boot, scope universe, type unicast."""
    fields = {"family": _family(gateway), "dst_len": 0, "table": 254, "proto": 3, "scope": 0, "type": 1}
    attributes = [["RTA_GATEWAY", gateway], ["RTA_OIF", index]]
    return Request("add route", "default via %s of %s" % (gateway, subject), _NEWROUTE, _CREATE | _REPLACE, fields, attributes)


_IPVLAN_MODES = {"l2": 0, "l3": 1, "l3s": 2}
_MOST_ENCODED, _SEQUENCE = 64, 8        # _SEQUENCE: where the header has it
_codecs: t.Dict[int, t.Callable[[], t.Any]] = {}
_encoded: t.Dict[str, bytes] = {}
_PACKAGE = "pyroute2"


def load() -> None:
    """Imports the codec, once: 15 ms where it can be had alone, 85 to 200 ms where not. Raises Unsupported."""
    if _codecs:
        return
    if CARRIED not in sys.path:
        sys.path.append(CARRIED)        # last: what the host's own Python brings is preferred
    try:
        address, link, route = _import_alone() or _import()
    except ImportError as error:
        raise Unsupported("import", _PACKAGE, str(error), hint="the role cocker.engine.host installs it") from error
    _codecs.update({_NEWADDR: address, _NEWROUTE: route})
    _codecs.update(dict.fromkeys((_NEWLINK, _DELLINK, _GETLINK, _SETLINK), link))


def _import() -> t.Tuple[t.Any, t.Any, t.Any]:
    from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
    from pyroute2.netlink.rtnl.rtmsg import rtmsg

    return ifaddrmsg, ifinfmsg, rtmsg


def _import_alone() -> t.Optional[t.Tuple[t.Any, t.Any, t.Any]]:
    """The message classes without the package's own __init__, which imports all that they do not need (sockets, threads, a database).

    An empty package of the same path stands in for it meanwhile; whoever imports pyroute2 later gets the whole one.
    None where it is imported already, or of a version that cannot be taken apart.
    """
    folders = [os.path.join(entry, _PACKAGE) for entry in sys.path]
    folder = next((folder for folder in folders if os.path.isfile(os.path.join(folder, "__init__.py"))), None)
    if folder is None or _PACKAGE in sys.modules:
        return None
    stand_in: t.Any = type(sys)(_PACKAGE)
    stand_in.__path__ = [folder]
    sys.modules[_PACKAGE] = stand_in
    try:
        return _import()
    except (ImportError, AttributeError):
        return None
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == _PACKAGE]:
            del sys.modules[name]


def is_available() -> bool:
    """Whether `load` would succeed; it is tried, so it costs as much."""
    try:
        load()
    except Unsupported:
        return False
    return True


def _encode(request: Request, sequence: int) -> bytes:
    """Half of what one container needs is what the one before needed, in a namespace of its own."""
    key = repr(request[2:6])
    if key not in _encoded:
        while len(_encoded) >= _MOST_ENCODED:
            del _encoded[next(iter(_encoded))]
        _encoded[key] = _message_of(request)
    message = bytearray(_encoded[key])
    struct.pack_into("=I", message, _SEQUENCE, sequence)
    return bytes(message)


def _message_of(request: Request) -> bytes:
    load()
    message = _codecs[request.kind]()
    for name, value in request.fields.items():
        message[name] = value
    message["attrs"] = request.attributes
    flags = request.flags if request.kind == _GETLINK else request.flags | _REQUEST | _ACK
    message["header"].update(type=request.kind, flags=flags, sequence_number=0, pid=0)
    message.encode()
    return bytes(message.data)


def _attributes(payload: bytes, offset: int) -> t.Dict[int, bytes]:
    found: t.Dict[int, bytes] = {}
    while offset + _ATTRIBUTE.size <= len(payload):
        length, kind = _ATTRIBUTE.unpack_from(payload, offset)
        if length < _ATTRIBUTE.size:
            break
        found[kind & 0x3FFF] = payload[offset + _ATTRIBUTE.size:offset + length]
        offset += length + 3 & ~3
    return found


def _message(answer: bytes) -> str:
    """NLMSGERR_ATTR_MSG behind the errno and the header of the request that failed."""
    return _attributes(answer, _HEADER.size * 2 + 4).get(1, b"").rstrip(b"\0").decode("utf-8", "replace")


def _link(answer: bytes) -> Link:
    _family, _type, index, flags, _change = _LINK.unpack_from(answer, _HEADER.size)
    said = _attributes(answer, _HEADER.size + _LINK.size)
    mac = ":".join("%02x" % byte for byte in said.get(1, b""))              # IFLA_ADDRESS
    mtu, peer = (int.from_bytes(said.get(kind, b""), sys.byteorder) for kind in (4, 5))     # IFLA_MTU, IFLA_LINK
    return Link(index=index, up=bool(flags & _UP), mac=mac, mtu=mtu, peer=peer)
