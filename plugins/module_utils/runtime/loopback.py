# SPDX-License-Identifier: BSD-2-Clause
"""The loopback link of a new network namespace, brought up by the one ioctl it takes (netdevice(7)); no netlink library."""
from __future__ import annotations

import fcntl
import os
import struct

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts
from ansible_collections.cocker.engine.plugins.module_utils.kernel.libc import call, libc

_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_IFF_UP = 1
_REQUEST = "16sh22x"        # struct ifreq with its flags, 40 bytes


def bring_up(name: str = "lo") -> None:
    """In the network namespace of the caller."""
    channel = call(libc.socket, consts.AF_INET, consts.SOCK_DGRAM | consts.SOCK_CLOEXEC, 0, op="socket")
    try:
        found = fcntl.ioctl(channel, _SIOCGIFFLAGS, struct.pack(_REQUEST, name.encode(), 0))
        flags = struct.unpack(_REQUEST, found)[1]
        fcntl.ioctl(channel, _SIOCSIFFLAGS, struct.pack(_REQUEST, name.encode(), flags | _IFF_UP))
    finally:
        os.close(channel)
