# SPDX-License-Identifier: BSD-2-Clause
"""Intent records: what is about to be made, on the disk before the first kernel object is, so that a crash can be undone.

Not here: the undoing (engine/recovery.py).
"""
from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import process
from ansible_collections.cocker.engine.plugins.module_utils.model import names
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError
from ansible_collections.cocker.engine.plugins.module_utils.storage import records
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

_SUFFIX = ".json"


@dataclasses.dataclass(frozen=True)
class Intent:
    """`maker` is the process that works on it, valid in the boot `boot_id` only. `facts` are its noun's.

    `maker` None: the record is unreadable, so its maker is taken for dead and only the object's name is known.
    """

    kind: str
    name: str
    facts: t.Mapping[str, t.Any]
    maker: t.Optional[process.Identity]
    boot_id: str = ""

    def is_dead(self) -> bool:
        return self.maker is None or self.boot_id != process.boot_id() or not self.maker.alive()


def declare(layout: Layout, kind: str, name: str, facts: t.Mapping[str, t.Any]) -> None:
    """On the disk when it returns. A later one for the same object replaces it."""
    maker = process.find(os.getpid())
    if maker is None:
        raise RuntimeError("this process is not in /proc")
    whose = {"pid": maker.pid, "start_time": maker.start_time, "boot_id": process.boot_id()}
    records.write(layout.intent(kind, name), {"kind": kind, "name": name, "facts": dict(facts), **whose})


def settle(layout: Layout, kind: str, name: str) -> None:
    """All that was intended is there, or all of it is gone. Idempotent."""
    records.remove(layout.intent(kind, name))


def find(layout: Layout, kind: str, name: str) -> t.Optional[Intent]:
    """Whoever made it; a damaged one counts as a dead one."""
    try:
        return records.load(layout.intent(kind, name), _from_json)
    except CockerError:
        return Intent(kind, name, {}, None)


def dead(layout: Layout) -> t.List[Intent]:
    """Those whose maker is gone: a killed task, a reboot. Costs one directory listing when there are none."""
    found = [find(layout, kind, name) for kind, name in _listed(layout)]
    return [intent for intent in found if intent is not None and intent.is_dead()]


def all_of(layout: Layout, kind: str) -> t.List[Intent]:
    """Of the living and the dead."""
    found = [find(layout, each, name) for each, name in _listed(layout) if each == kind]
    return [intent for intent in found if intent is not None]


def _listed(layout: Layout) -> t.Iterator[t.Tuple[str, str]]:
    try:
        file_names = sorted(os.listdir(layout.intents))
    except (FileNotFoundError, NotADirectoryError):
        return
    for file_name in file_names:
        kind, _dash, encoded = file_name[: -len(_SUFFIX)].partition("-")
        name = names.decode(encoded)
        if file_name.endswith(_SUFFIX) and not file_name.startswith(".") and name is not None:
            yield kind, name


def _from_json(value: records.Json) -> Intent:
    maker = process.Identity(int(value["pid"]), int(value["start_time"]))
    return Intent(str(value["kind"]), str(value["name"]), dict(value["facts"]), maker, str(value["boot_id"]))
