# SPDX-License-Identifier: BSD-2-Clause
"""Whether the kernel has a driver: loaded, built in, or a module that it would load. See modprobe(8), proc_config.gz(5).

Nothing is loaded. Not here: asking the kernel to do it, which alone is certain where nothing is written down.
"""
from __future__ import annotations

import os
import platform
import typing as t
import zlib

# Where the name of the option is not that of the module.
_OPTIONS = {"mqueue": "POSIX_MQUEUE", "overlay": "OVERLAY_FS"}


def find(name: str) -> t.Optional[bool]:
    """None where this host does not say."""
    if os.path.exists("/sys/module/" + name):
        return True
    base = "/lib/modules/%s/modules." % platform.release()
    lists = [base + kind for kind in ("builtin", "dep") if os.path.exists(base + kind)]
    if any("/%s.ko" % name in line for path in lists for line in _lines(path)):
        return True
    config = _config()
    if config:
        option = "CONFIG_%s=" % _OPTIONS.get(name, name.upper())
        said = [line[len(option):].strip() for line in config if line.startswith(option)]
        return said[:1] == ["y"] or (None if said[:1] == ["m"] and not lists else False)
    return False if lists else None


def _config() -> t.List[str]:
    if not os.path.exists("/proc/config.gz"):
        return _lines("/boot/config-" + platform.release())
    with open("/proc/config.gz", "rb") as packed:
        return zlib.decompress(packed.read(), zlib.MAX_WBITS | 16).decode("utf-8", "replace").splitlines()


def _lines(path: str) -> t.List[str]:
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as listed:
        return listed.readlines()
