# SPDX-License-Identifier: BSD-2-Clause
"""One lock per object, always taken in one order, so that two tasks never wait for each other.

Not here: what is done under a lock. A lock is flock(2): it ends with its holder, however that dies.
"""
from __future__ import annotations

import contextlib
import os
import threading
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

# Whoever holds one may only take one further right, or of the same kind with a larger name.
# That of those who wait for a container's end is held while it runs and comes first; the firewall's covers all leases, is held briefly and
# comes last.
ORDER = ("waiting", "image", "volume", "network", "container", "firewall")
PATIENCE = 300.0

Place = t.Tuple[int, str]


class _Held(threading.local):
    def __init__(self) -> None:
        self.places: t.List[Place] = []


_held = _Held()


@contextlib.contextmanager
def held(layout: Layout, kind: str, name: str, *, shared: bool = False, timeout: float = PATIENCE) -> t.Iterator[None]:
    """Raises Conflict when another task keeps it longer than `timeout` seconds; RuntimeError for an order that could deadlock."""
    place = (ORDER.index(kind), name)
    if _held.places and place <= max(_held.places):
        raise RuntimeError("lock %s %s is asked for after %s %s" % (kind, name, ORDER[max(_held.places)[0]], max(_held.places)[1]))
    path = layout.lock(kind, name)
    with contextlib.ExitStack() as stack:
        try:
            try:
                stack.enter_context(fs.lock(path, shared=shared, timeout=timeout))
            except FileNotFoundError:
                os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
                stack.enter_context(fs.lock(path, shared=shared, timeout=timeout))
        except Conflict as error:
            raise Conflict("lock", "%s %s" % (kind, name), "another task works on it", hint=error.hint) from error
        _held.places.append(place)
        try:
            yield
        finally:
            _held.places.remove(place)


@contextlib.contextmanager
def all_held(layout: Layout, kind: str, wanted: t.Iterable[str], *, shared: bool = False, timeout: float = PATIENCE) -> t.Iterator[None]:
    """Several of one kind, in their order, each once."""
    with contextlib.ExitStack() as stack:
        for name in sorted(set(wanted)):
            stack.enter_context(held(layout, kind, name, shared=shared, timeout=timeout))
        yield
