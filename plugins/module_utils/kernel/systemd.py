# SPDX-License-Identifier: BSD-2-Clause
"""What we ask of systemd, by its own client library (sd-bus(3)): a scope, which is a cgroup that systemd knows is not its own.

A process that was started over ssh belongs to that session; in a scope it outlives the session and a daemon-reload, and is
stopped in order at shutdown. Not here: what lies below the scope (runtime/cgroups/scope.py).
"""
from __future__ import annotations

import ctypes
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Unsupported

SONAME = "libsystemd.so.0"
_BOOTED = "/run/systemd/system"
_EXISTS = b"org.freedesktop.systemd1.UnitExists"
_MANAGER = (b"org.freedesktop.systemd1", b"/org/freedesktop/systemd1", b"org.freedesktop.systemd1.Manager")

_library: t.List[ctypes.CDLL] = []


class _Error(ctypes.Structure):
    """sd_bus_error, see sd-bus-errors(3)."""

    _fields_ = [("name", ctypes.c_char_p), ("message", ctypes.c_char_p), ("need_free", ctypes.c_int)]


class Exists(CockerError):
    """A unit of that name is there, perhaps on its way out."""


def is_booted() -> bool:
    """sd_booted(3)."""
    return os.path.isdir(_BOOTED)


def start_scope(unit: str, *, pid: int, group: str, description: str, before: str) -> None:
    """Asks for it (StartTransientUnit, org.freedesktop.systemd1(5)); `pid` is moved there soon after. Raises Exists, Unsupported.

    `group` is the slice. At shutdown the scope ends after the unit `before`, so that this one can stop what is in it.
    """
    properties: t.Tuple[t.Any, ...] = (
        _text("Description"), _text("s"), _text(description),
        _text("Slice"), _text("s"), _text(group),
        _text("PIDs"), _text("au"), 1, ctypes.c_uint32(pid),
        _text("Delegate"), _text("b"), 1,
        _text("CollectMode"), _text("s"), _text("inactive-or-failed"),
        _text("Before"), _text("as"), 1, _text(before),
    )
    _call(b"StartTransientUnit", b"ssa(sv)a(sa(sv))", _text(unit), b"fail", 6, *properties, 0, subject=unit)


def _text(value: str) -> bytes:
    return value.encode("utf-8")


def _call(member: bytes, types: bytes, *values: t.Any, subject: str) -> None:
    library, bus, error = _open(), ctypes.c_void_p(), _Error()
    code = library.sd_bus_open_system(ctypes.byref(bus))
    if code < 0:
        raise Unsupported("start scope", subject, "systemd does not answer: %s" % os.strerror(-code))
    try:
        words = [ctypes.c_char_p(value) if isinstance(value, bytes) else ctypes.c_int(value) if isinstance(value, int) else value
                 for value in values]
        code = library.sd_bus_call_method(bus, *_MANAGER, member, ctypes.byref(error), None, types, *words)
        if code < 0:
            kind = Exists if error.name == _EXISTS else Unsupported
            raise kind("start scope", subject, (error.message or os.strerror(-code).encode()).decode("utf-8", "replace"))
    finally:
        library.sd_bus_error_free(ctypes.byref(error))
        library.sd_bus_flush_close_unref(bus)


def _open() -> ctypes.CDLL:
    if not _library:
        try:
            found = ctypes.CDLL(SONAME)
        except OSError as error:
            raise Unsupported("start scope", SONAME, "not found, although systemd runs this host: %s" % error) from None
        found.sd_bus_flush_close_unref.restype = ctypes.c_void_p
        found.sd_bus_error_free.restype = None
        _library.append(found)
    return _library[0]
