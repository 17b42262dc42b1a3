# SPDX-License-Identifier: BSD-2-Clause
"""Locks by name: two controllers at once are safe, and always take what they need in the same order."""
from __future__ import annotations

import contextlib
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model import names
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

# Whoever holds one may only take one further right. The firewall's covers all leases, is held briefly and comes last.
ORDER = ("image", "volume", "network", "container", "firewall")

_held: t.List[t.Tuple[str, str]] = []


@contextlib.contextmanager
def held(layout: Layout, kind: str, name: str, *, shared: bool = False, timeout: float) -> t.Iterator[None]:
    """Raises Conflict when another task has it for longer than `timeout` seconds."""
    if any(ORDER.index(other) > ORDER.index(kind) for other, _name in _held) or (kind, name) in _held:
        raise RuntimeError("lock %s %s taken after %s" % (kind, name, _held))
    path = os.path.join(layout.locks, "%s-%s" % (kind, names.encode(name)))
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(fs.lock(path, shared=shared, timeout=timeout))
        except Conflict as error:
            raise Conflict(kind, name, "another task has been working on it for more than %g s" % timeout) from error
        _held.append((kind, name))
        try:
            yield
        finally:
            _held.remove((kind, name))
