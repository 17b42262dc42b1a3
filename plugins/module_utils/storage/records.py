# SPDX-License-Identifier: BSD-2-Clause
"""Records: one JSON object a file, with a schema, replaced as a whole.

Not here: what a record says (the `from_json` of its noun), and the lock under which it is changed.
"""
from __future__ import annotations

import errno
import json
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, tolerate

SCHEMA = 1
_LARGEST = 16 << 20  # bytes; a record that is larger is not ours

Record = t.TypeVar("Record")


def load(path: str, from_json: t.Callable[[t.Mapping[str, t.Any]], Record]) -> t.Optional[Record]:
    """None if there is none. Raises Damaged, which names the file."""
    try:
        with open(path, "rb") as stream:
            data = stream.read(_LARGEST)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        value = json.loads(data.decode("utf-8", "surrogateescape"))
        if not isinstance(value, dict) or value.get("schema") != SCHEMA:
            raise ValueError("schema %d is wanted" % SCHEMA)
        return from_json(value)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Damaged("read", path, "%s: %s" % (type(error).__name__, error), hint="restore or remove the file") from error


def write(path: str, value: t.Mapping[str, t.Any], *, durable: bool = True) -> None:
    text = json.dumps({"schema": SCHEMA, **value}, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    fs.write_atomic(path, text.encode("utf-8", "surrogateescape"), durable=durable)


def remove(path: str) -> None:
    """Idempotent."""
    with tolerate(errno.ENOENT, errno.ENOTDIR):
        os.unlink(path)
