# SPDX-License-Identifier: BSD-2-Clause
"""A file of a container whose content the task says, and what a change of it means for the processes that have read it.

Not here: the mount that it is (mounts.py), and the file itself (engine/contents.py).
"""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model import units
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid

RESTART, RELOAD, NONE = "restart", "reload", "none"

_LARGEST = 1 << 20
_LAST_ID = (1 << 32) - 2


@dataclasses.dataclass(frozen=True)
class Content:
    """`on_change` is what a container that runs gets of another content: a restart, `signal`, or nothing."""

    text: str
    mode: int = 0o444
    uid: int = 0
    gid: int = 0
    on_change: str = RESTART
    signal: int = units.SIGNALS["HUP"]

    @property
    def file(self) -> t.Tuple[str, int, int, int]:
        return self.text, self.mode, self.uid, self.gid


def parse(given: t.Mapping[str, t.Any], option: str, *, mode: t.Optional[int]) -> Content:
    """Of one entry of `mounts`. Raises Invalid."""
    text, on_change = given["content"], given["on_change"] or RESTART
    if text is None:
        raise Invalid(option + ".content", "type content needs it; an empty string is an empty file")
    if len(text.encode("utf-8", "surrogateescape")) > _LARGEST:
        raise Invalid(option + ".content", "it has more than %d bytes" % _LARGEST, hint="use a volume, and cocker_container_copy")
    if given["signal"] is not None and on_change != RELOAD:
        raise Invalid(option + ".signal", "it is for on_change reload; on_change is %s" % on_change)
    said = {key: _id(given[key], "%s.%s" % (option, key)) for key in ("uid", "gid") if given[key] is not None}
    if mode is not None:
        said["mode"] = mode
    if given["signal"] is not None:
        said["signal"] = units.parse_signal(given["signal"], option + ".signal")
    return Content(text, on_change=on_change, **said)


def _id(value: int, option: str) -> int:
    if not 0 <= value <= _LAST_ID:
        raise Invalid(option, "%d is not from 0 to %d" % (value, _LAST_ID))
    return value
