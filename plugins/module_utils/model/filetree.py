# SPDX-License-Identifier: BSD-2-Clause
"""PURE: files and trees that are copied: what is wanted of each entry, and in what the one that is there differs.

Not here: looking at them and writing them (storage/placing.py).
"""
from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict

FILE, DIRECTORY, LINK, OTHER = "file", "directory", "link", "other"
NEW_MODES = {FILE: 0o644, DIRECTORY: 0o755, LINK: 0o777}
SET_IDS = 0o6000

NEW, KIND, CONTENT, MODE, OWNER = "new", "kind", "content", "mode", "owner"


@dataclasses.dataclass(frozen=True)
class Entry:
    """`path` is relative to the top, which is "". What is None is not known, or not managed. `digest` is SHA-256 in hexadecimal."""

    path: str
    kind: str
    mode: t.Optional[int] = None
    uid: t.Optional[int] = None
    gid: t.Optional[int] = None
    size: int = 0
    target: str = ""
    digest: str = ""


@dataclasses.dataclass(frozen=True)
class Rules:
    """What the task says about every entry; None leaves `mode` to the source, and the owner as it is."""

    mode: t.Optional[int] = None
    directory_mode: t.Optional[int] = None
    uid: t.Optional[int] = None
    gid: t.Optional[int] = None
    keep_owner: bool = False
    keep_set_ids: bool = True


@dataclasses.dataclass(frozen=True)
class Change:
    """`have` is None for a new one. `why` holds the words above, in this order."""

    want: Entry
    have: t.Optional[Entry]
    why: t.Tuple[str, ...]

    @property
    def writes(self) -> bool:
        """Whether the entry is made anew, beside a change of mode or owner alone."""
        return bool({NEW, KIND, CONTENT} & set(self.why))


def ruled(entry: Entry, rules: Rules) -> Entry:
    """What is wanted at the destination for what is in the source."""
    said = {FILE: rules.mode, DIRECTORY: rules.directory_mode}.get(entry.kind)
    mode = entry.mode if said is None else said
    if said is None and mode is not None and not rules.keep_set_ids:
        mode &= ~SET_IDS
    uid, gid = (entry.uid, entry.gid) if rules.keep_owner else (None, None)
    return dataclasses.replace(
        entry,
        mode=None if entry.kind == LINK else mode,
        uid=uid if rules.uid is None else rules.uid,
        gid=gid if rules.gid is None else rules.gid,
    )


def change(want: Entry, have: t.Optional[Entry], *, same_content: t.Callable[[Entry, Entry], bool], overwrite: bool) -> t.Optional[Change]:
    """None where the destination is as it is wanted. Conflict where something of another kind is there and may not be replaced.

    `same_content` is asked for files of the same size only, as the answer costs reading both.
    """
    if have is None:
        return Change(want, None, (NEW,))
    if have.kind != want.kind:
        if not _may_replace(want, have) and not overwrite:
            reason = "it is %s there, not a %s" % (_CALLED.get(have.kind, "a " + have.kind), want.kind)
            raise Conflict("copy to", want.path or "the destination", reason, hint="overwrite: true replaces it")
        return Change(want, have, (KIND,))
    why = []
    if _differs(want, have, same_content):
        why.append(CONTENT)
    if want.mode is not None and want.mode != have.mode:
        why.append(MODE)
    if want.kind != LINK and any(wanted not in (None, found) for wanted, found in ((want.uid, have.uid), (want.gid, have.gid))):
        why.append(OWNER)
    return Change(want, have, tuple(why)) if why else None


_CALLED = {OTHER: "a device, a pipe or a socket"}


def _may_replace(want: Entry, have: Entry) -> bool:
    """A link and a file take each other's place, as a copy that does not follow links does it."""
    return {want.kind, have.kind} == {FILE, LINK}


def _differs(want: Entry, have: Entry, same_content: t.Callable[[Entry, Entry], bool]) -> bool:
    if want.kind == LINK:
        return want.target != have.target
    return want.kind == FILE and (want.size != have.size or not same_content(want, have))


def settled(change: Change) -> Entry:
    """With what is not managed: it stays as it is, and what is new gets the usual mode."""
    want, have = change.want, change.have
    if not change.writes:
        return want
    if have is None or have.kind != want.kind:
        return dataclasses.replace(want, mode=NEW_MODES[want.kind] if want.mode is None else want.mode)
    return dataclasses.replace(
        want,
        mode=have.mode if want.mode is None else want.mode,
        uid=have.uid if want.uid is None else want.uid,
        gid=have.gid if want.gid is None else want.gid,
    )


def shown(entry: t.Optional[Entry]) -> t.Optional[t.Dict[str, t.Any]]:
    """For the diff."""
    if entry is None:
        return None
    found: t.Dict[str, t.Any] = {"kind": entry.kind}
    if entry.mode is not None:
        found["mode"] = "%04o" % entry.mode
    found.update({key: getattr(entry, key) for key in ("uid", "gid") if getattr(entry, key) is not None})
    if entry.kind == FILE:
        found.update(size=entry.size, **({"sha256": entry.digest} if entry.digest else {}))
    if entry.kind == LINK:
        found["target"] = entry.target
    return found
