# SPDX-License-Identifier: BSD-2-Clause
"""Intent records: what is about to be made, on the disk before the first kernel object is, so that a crash can be undone.

Not here: the undoing (engine/recovery.py).
"""
from __future__ import annotations

import dataclasses
import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import process
from ansible_collections.cocker.engine.plugins.module_utils.model import names
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import tolerate
from ansible_collections.cocker.engine.plugins.module_utils.storage import records
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout


@dataclasses.dataclass(frozen=True)
class Intent:
    """`maker` is the process that works on it, valid in the boot `boot_id` only. `facts` are its noun's."""

    kind: str
    name: str
    facts: t.Mapping[str, t.Any]
    maker: process.Identity
    boot_id: str

    def is_dead(self) -> bool:
        return self.boot_id != process.boot_id() or not self.maker.alive()


def declare(layout: Layout, kind: str, name: str, facts: t.Mapping[str, t.Any]) -> None:
    maker = process.find(os.getpid())
    if maker is None:
        raise RuntimeError("this process is not in /proc")
    value = {"kind": kind, "name": name, "facts": dict(facts), "pid": maker.pid, "start_time": maker.start_time, "boot_id": process.boot_id()}
    records.write(_path(layout, kind, name), value)


def settle(layout: Layout, kind: str, name: str) -> None:
    """It is done, or undone. Idempotent."""
    records.remove(_path(layout, kind, name))


def find(layout: Layout, kind: str, name: str) -> t.Optional[Intent]:
    return records.load(_path(layout, kind, name), _from_json)


def dead(layout: Layout) -> t.List[Intent]:
    """Those whose maker is gone. Costs one directory listing when there are none."""
    with tolerate(errno.ENOENT):
        found = [records.load(os.path.join(layout.intents, name), _from_json) for name in sorted(os.listdir(layout.intents)) if name.endswith(".json")]
        return [intent for intent in found if intent is not None and intent.is_dead()]
    return []


def _path(layout: Layout, kind: str, name: str) -> str:
    return os.path.join(layout.intents, "%s-%s.json" % (kind, names.encode(name)))


def _from_json(value: t.Mapping[str, t.Any]) -> Intent:
    return Intent(value["kind"], value["name"], value["facts"], process.Identity(value["pid"], value["start_time"]), value["boot_id"])
