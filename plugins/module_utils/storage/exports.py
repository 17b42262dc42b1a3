# SPDX-License-Identifier: BSD-2-Clause
"""What exported files were, by what went into them: so that a file which is there can be judged without making it anew.

A cache: whatever is lost here is found out again.
"""
from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.storage import records
from ansible_collections.cocker.engine.plugins.module_utils.storage.layers import Blob
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

_MOST = 256


def find(layout: Layout, key: str) -> t.Optional[Blob]:
    with contextlib.suppress(Damaged):
        return records.load(_path(layout, key), lambda value: Blob(str(value["digest"]), int(value["size"])))
    return None


def remember(layout: Layout, key: str, blob: Blob) -> None:
    """The oldest go when there are too many."""
    if find(layout, key) == blob:
        return
    os.makedirs(layout.exports, mode=0o700, exist_ok=True)
    records.write(_path(layout, key), dataclasses.asdict(blob), durable=False)
    there = sorted((os.stat(entry).st_mtime_ns, entry.path) for entry in os.scandir(layout.exports))
    for _time, path in there[:-_MOST]:
        with tolerate(errno.ENOENT):
            os.unlink(path)


def _path(layout: Layout, key: str) -> str:
    return os.path.join(layout.exports, key + ".json")
