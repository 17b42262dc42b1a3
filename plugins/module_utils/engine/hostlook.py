# SPDX-License-Identifier: BSD-2-Clause
"""What of a host that is to run containers is in order: libraries, kernel modules, forwarding, files, the service. Changes nothing.

Not here: putting it in order (hostready.py).
"""
from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import platform
import stat
import sys
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import netlink, programs
from ansible_collections.cocker.engine.plugins.module_utils.model.wishes import ReadyWish

RUNS = ["ActiveState=active", "NeedDaemonReload=no", "UnitFileState=enabled"]

_LIBRARIES = {"libnftables": "libnftables.so.1", "libseccomp": "libseccomp.so.2"}
_SYS_MODULE = 16        # capabilities(7): CAP_SYS_MODULE


class Places(t.NamedTuple):
    """Where a host has what is looked at and written."""

    modules: str = "/etc/modules-load.d/cocker.conf"
    sysctl: str = "/etc/sysctl.d/60-cocker.conf"
    service: str = "/etc/systemd/system/cocker.service"
    forwarding: str = "/proc/sys/net/ipv4/ip_forward"
    known_modules: str = "/lib/modules"
    loaded_modules: str = "/sys/module"
    booted: str = "/run/systemd/system"     # sd_booted(3)


PLACES = Places()


class Found(t.NamedTuple):
    """`texts`: mode and lines of a file of root's. `files`: mode and SHA-256 of such a file, or where a link points. `loadable`: the wanted
    modules that this kernel has as modules; `unloaded`: those of them that this process may load.
    """

    missing: t.List[str]
    missing_commands: t.List[str]
    has_pyroute2: bool
    interpreter: str
    is_distribution: bool
    has_pip: bool
    is_systemd: bool
    forwarding: str
    loadable: t.List[str]
    unloaded: t.List[str]
    texts: t.Dict[str, t.List[str]]
    files: t.Dict[str, str]
    service: t.List[str]


def look(wish: ReadyWish, places: Places) -> Found:
    known = _known_modules(places)
    loadable = [name for name in wish.modules if _plain(name) in known]
    missing = [name for name, soname in _LIBRARIES.items() if not _loads(soname)]
    missing += ["modprobe"] if known and not programs.find("modprobe") else []
    command = wish.command
    return Found(
        missing=missing,
        missing_commands=[name for name in wish.commands if not programs.find(name)],
        has_pyroute2=_has_pyroute2(),
        interpreter=sys.executable,
        is_distribution=_is_distribution(),
        has_pip=_has_pip(),
        is_systemd=os.path.isdir(places.booted),
        forwarding=_read(places.forwarding).strip(),
        loadable=loadable,
        unloaded=[name for name in loadable if not is_loaded(name, places)] if programs.find("modprobe") and _may_load() else [],
        texts={path: _text(path) for path in (places.modules, places.sysctl, places.service)},
        files={path: file(path) for path in ((command.path, command.link) if command is not None else ())},
        service=_service(places) if wish.service else [],
    )


def is_incomplete(found: Found, *, with_pyroute2: bool) -> bool:
    return bool(found.missing or found.missing_commands or with_pyroute2 and not found.has_pyroute2)


def shown(found: Found) -> t.Dict[str, t.Any]:
    return {
        "Missing": found.missing, "MissingCommands": found.missing_commands, "Pyroute2": found.has_pyroute2, "Systemd": found.is_systemd,
        "Python": {"Executable": found.interpreter, "Distribution": found.is_distribution, "Pip": found.has_pip},
    }


def is_loaded(module: str, places: Places) -> bool:
    return os.path.isdir(os.path.join(places.loaded_modules, _plain(module)))


def file(path: str) -> str:
    """`MODE SHA256` of a regular file of root's, where a symbolic link points; empty for everything else."""
    try:
        facts = os.lstat(path)
        if stat.S_ISLNK(facts.st_mode):
            return os.readlink(path)
        if not _is_ours(facts):
            return ""
        with open(path, "rb") as stream:
            return "%04o %s" % (stat.S_IMODE(facts.st_mode), hashlib.sha256(stream.read()).hexdigest())
    except OSError:
        return ""


def _text(path: str) -> t.List[str]:
    try:
        facts = os.lstat(path)
    except OSError:
        return []
    return ["%04o" % stat.S_IMODE(facts.st_mode), *_read(path).splitlines()] if _is_ours(facts) else []


def _is_ours(facts: os.stat_result) -> bool:
    return stat.S_ISREG(facts.st_mode) and (facts.st_uid, facts.st_gid) == (0, 0)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def _plain(module: str) -> str:
    """A dash and an underscore are the same to the kernel."""
    return module.replace("-", "_")


def _known_modules(places: Places) -> t.Set[str]:
    lines = _read(os.path.join(places.known_modules, platform.release(), "modules.dep")).splitlines()
    return {_plain(os.path.basename(line.split(":")[0]).split(".")[0]) for line in lines}


def _may_load() -> bool:
    """In a container only its host can."""
    said = [line.split()[1] for line in _read("/proc/self/status").splitlines() if line.startswith("CapEff:")]
    return bool(said) and bool(int(said[0], 16) >> _SYS_MODULE & 1)


def _loads(soname: str) -> bool:
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True


def _has_pyroute2() -> bool:
    """To import it, as netlink.is_available() does, takes a quarter of a second."""
    carried = os.path.isdir(os.path.join(netlink.CARRIED, "pyroute2"))
    return carried or importlib.util.find_spec("pyroute2") is not None


def _is_distribution() -> bool:
    return sys.prefix == sys.base_prefix and os.path.realpath(sys.executable).startswith(("/usr/bin/", "/usr/libexec/"))


def _has_pip() -> bool:
    """And it may be used: PEP 668."""
    marker = os.path.join(os.path.dirname(os.__file__), "EXTERNALLY-MANAGED")
    return importlib.util.find_spec("pip") is not None and (sys.prefix != sys.base_prefix or not os.path.exists(marker))


def _service(places: Places) -> t.List[str]:
    """What systemd says of it: enabled, active, and whether its file has been changed since it was read."""
    if not os.path.isdir(places.booted):
        return []
    systemctl = programs.find("systemctl") or ""
    asked = "UnitFileState,ActiveState,NeedDaemonReload"
    return sorted(programs.run(systemctl, "show", "--property", asked, os.path.basename(places.service)).output.split())
