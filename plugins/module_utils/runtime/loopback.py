# SPDX-License-Identifier: BSD-2-Clause
"""The loopback link of a new network namespace, brought up by the one ioctl it takes (netdevice(7)); no netlink library."""
from __future__ import annotations

import _socket
import fcntl
import struct

_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_IFF_UP = 1
_REQUEST = "16sh22x"        # struct ifreq with its flags, 40 bytes


def bring_up(name: str = "lo") -> None:
    """In the network namespace of the caller."""
    channel = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM, 0)
    try:
        found = fcntl.ioctl(channel.fileno(), _SIOCGIFFLAGS, struct.pack(_REQUEST, name.encode(), 0))
        flags = struct.unpack(_REQUEST, found)[1]
        fcntl.ioctl(channel.fileno(), _SIOCSIFFLAGS, struct.pack(_REQUEST, name.encode(), flags | _IFF_UP))
    finally:
        channel.close()
