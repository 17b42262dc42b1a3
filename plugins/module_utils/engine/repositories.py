# SPDX-License-Identifier: BSD-2-Clause
"""The ssh repository that is meant: the one of the task, or the one that the host remembers. Not here: what is asked of it."""
from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, Invalid
from ansible_collections.cocker.engine.plugins.module_utils.model.repository import parse_address
from ansible_collections.cocker.engine.plugins.module_utils.model.repository_wishes import Reach
from ansible_collections.cocker.engine.plugins.module_utils.storage import records

if t.TYPE_CHECKING:
    from ansible_collections.cocker.engine.plugins.module_utils.registry.repository import Repository

_OPTION = "repository"
_LONGEST = 512
_FIELDS = ("identity_path", "known_hosts_path", "host_key")


def reach(host: Host, wish: Reach) -> Reach:
    """With an address. What the task says of ssh comes before what is remembered, which counts for the remembered address only.

    Raises Invalid, Damaged.
    """
    if wish.address is not None:
        return wish
    known = remembered(host)
    if known is None:
        raise Invalid(_OPTION, "it is needed: this host remembers none", hint="cocker_repository with remember: true sets it")
    said = {name: getattr(wish, name) or getattr(known, name) for name in _FIELDS}
    return dataclasses.replace(known, timeout=wish.timeout, **said)


def remembered(host: Host) -> t.Optional[Reach]:
    """Ours, or the address in the file `srepo` that cocker kept. Raises Damaged."""
    return records.load(host.layout.repository, _from_json) or _srepo(host)


def _from_json(value: records.Json) -> Reach:
    identity_path, known_hosts_path, host_key = [None if value.get(name) is None else str(value[name]) for name in _FIELDS]
    return Reach(parse_address(str(value["address"]), _OPTION), identity_path, known_hosts_path, host_key)


def _srepo(host: Host) -> t.Optional[Reach]:
    path = os.path.join(host.layout.home, "srepo")
    try:
        with open(path, "rb") as file:
            text = file.read(_LONGEST).decode("utf-8", "replace").strip()
        return Reach(parse_address(text, _OPTION))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Invalid as error:
        raise Damaged("read", path, error.reason) from None


def remember(host: Host, known: Reach) -> None:
    host.layout.ensure()
    records.write(host.layout.repository, shown(known))


def shown(known: Reach) -> t.Dict[str, t.Any]:
    said = {name: getattr(known, name) for name in _FIELDS}
    return {"address": str(known.address), **{name: value for name, value in said.items() if value is not None}}


@contextlib.contextmanager
def opened(host: Host, wish: Reach) -> t.Iterator[Repository]:
    """Raises Invalid, Unreachable, Denied, Unsupported, NotFound."""
    from ansible_collections.cocker.engine.plugins.module_utils.registry import repository  # not for a task that need not ask

    with repository.opened(reach(host, wish)) as found:
        yield found
