# SPDX-License-Identifier: BSD-2-Clause
"""Pure: the option words of an OCI mount, as flags of mount(2) and attributes of mount_setattr(2). Not here: mounting."""
from __future__ import annotations

import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import consts as c
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, Unsupported


class Options(t.NamedTuple):
    """`set_` and `clear` are MOUNT_ATTR_* of the mount alone, `*_below` of all that comes with it; `data` is the file system's.

    `mapped`: its files belong to the container's users as they would on the host. `below`: what of the source is bound, never beyond it.
    """

    flags: int = 0
    set_: int = 0
    clear: int = 0
    set_below: int = 0
    clear_below: int = 0
    propagation: int = 0
    recursive: bool = False
    bind: bool = False
    data: t.Tuple[str, ...] = ()
    mapped: bool = False
    below: str = ""


class _Flag(t.NamedTuple):
    flag: int
    attribute: int
    on: bool


# What exists both as a flag of a new mount and as an attribute of a bind mount; with an r in front, of all mounts below.
_FLAGS = {
    "ro": _Flag(c.MS_RDONLY, c.MOUNT_ATTR_RDONLY, True), "rw": _Flag(c.MS_RDONLY, c.MOUNT_ATTR_RDONLY, False),
    "nosuid": _Flag(c.MS_NOSUID, c.MOUNT_ATTR_NOSUID, True), "suid": _Flag(c.MS_NOSUID, c.MOUNT_ATTR_NOSUID, False),
    "nodev": _Flag(c.MS_NODEV, c.MOUNT_ATTR_NODEV, True), "dev": _Flag(c.MS_NODEV, c.MOUNT_ATTR_NODEV, False),
    "noexec": _Flag(c.MS_NOEXEC, c.MOUNT_ATTR_NOEXEC, True), "exec": _Flag(c.MS_NOEXEC, c.MOUNT_ATTR_NOEXEC, False),
    "nodiratime": _Flag(c.MS_NODIRATIME, c.MOUNT_ATTR_NODIRATIME, True),
    "diratime": _Flag(c.MS_NODIRATIME, c.MOUNT_ATTR_NODIRATIME, False),
    "nosymfollow": _Flag(c.MS_NOSYMFOLLOW, c.MOUNT_ATTR_NOSYMFOLLOW, True),
    "symfollow": _Flag(c.MS_NOSYMFOLLOW, c.MOUNT_ATTR_NOSYMFOLLOW, False),
    "noatime": _Flag(c.MS_NOATIME, c.MOUNT_ATTR_NOATIME, True), "atime": _Flag(c.MS_NOATIME, c.MOUNT_ATTR_NOATIME, False),
    "relatime": _Flag(c.MS_RELATIME, c.MOUNT_ATTR_RELATIME, True),
    "norelatime": _Flag(c.MS_RELATIME, c.MOUNT_ATTR_RELATIME, False),
    "strictatime": _Flag(c.MS_STRICTATIME, c.MOUNT_ATTR_STRICTATIME, True),
    "nostrictatime": _Flag(c.MS_STRICTATIME, c.MOUNT_ATTR_STRICTATIME, False),
}
# Flags that a bind mount has no say in.
_SUPERBLOCK = {
    "sync": (c.MS_SYNCHRONOUS, True), "async": (c.MS_SYNCHRONOUS, False), "dirsync": (c.MS_DIRSYNC, True),
    "mand": (c.MS_MANDLOCK, True), "nomand": (c.MS_MANDLOCK, False), "acl": (c.MS_POSIXACL, True), "noacl": (c.MS_POSIXACL, False),
    "iversion": (c.MS_I_VERSION, True), "noiversion": (c.MS_I_VERSION, False),
    "lazytime": (c.MS_LAZYTIME, True), "nolazytime": (c.MS_LAZYTIME, False), "silent": (c.MS_SILENT, True), "loud": (c.MS_SILENT, False),
}
PROPAGATION = {
    "private": c.MS_PRIVATE, "rprivate": c.MS_PRIVATE | c.MS_REC, "slave": c.MS_SLAVE, "rslave": c.MS_SLAVE | c.MS_REC,
    "shared": c.MS_SHARED, "rshared": c.MS_SHARED | c.MS_REC,
    "unbindable": c.MS_UNBINDABLE, "runbindable": c.MS_UNBINDABLE | c.MS_REC,
}
OWNED = "cocker.owned"       # ours, of the root: on the disk its files belong to the users of the container's user namespace
BELOW = "cocker.below="     # ours: where below the source a bind mount begins
_NOT_YET = ("ridmap", "tmpcopyup")


def words() -> t.List[str]:
    """All that `parse` knows as something else than a word for the file system."""
    return [*_FLAGS, *["r" + word for word in _FLAGS], *_SUPERBLOCK, *PROPAGATION, "bind", "rbind", "defaults"]


def parse(words: t.Sequence[str], *, option: str = "mounts") -> Options:
    """Later words win. A word that is none of the table's belongs to the file system; a bind mount has none, so Invalid."""
    found = Options()
    for word in words:
        found = _add(found, word, option)
    if found.bind and found.data:
        raise Invalid(option, "%r means nothing for a bind mount" % found.data[0])
    return found


def _add(found: Options, word: str, option: str) -> Options:
    if word in _FLAGS:
        return _flagged(found, _FLAGS[word])
    if word[:1] == "r" and word[1:] in _FLAGS:
        return _below(found, _FLAGS[word[1:]])
    if word in _SUPERBLOCK:
        flag, on = _SUPERBLOCK[word]
        return found._replace(flags=found.flags | flag if on else found.flags & ~flag)
    if word in PROPAGATION:
        return found._replace(propagation=PROPAGATION[word])
    if word in ("bind", "rbind"):
        return found._replace(bind=True, recursive=word == "rbind")
    if word == "idmap":
        return found._replace(mapped=True)
    if word.startswith(BELOW):
        return found._replace(below=word[len(BELOW):])
    if word in _NOT_YET:
        raise Unsupported("config.json", option, "the mount option %s is not supported" % word)
    return found if word in ("defaults", "") else found._replace(data=found.data + (word,))


def _flagged(found: Options, entry: _Flag) -> Options:
    if entry.attribute == 0:        # relatime: an attribute without a bit, the kernel's default
        return found._replace(flags=found.flags | entry.flag if entry.on else found.flags & ~entry.flag)
    if entry.on:
        return found._replace(flags=found.flags | entry.flag, set_=found.set_ | entry.attribute, clear=found.clear & ~entry.attribute)
    return found._replace(flags=found.flags & ~entry.flag, set_=found.set_ & ~entry.attribute, clear=found.clear | _field(entry))


def _below(found: Options, entry: _Flag) -> Options:
    if entry.on:
        return found._replace(set_below=found.set_below | entry.attribute, clear_below=found.clear_below & ~entry.attribute)
    return found._replace(set_below=found.set_below & ~entry.attribute, clear_below=found.clear_below | _field(entry))


def _field(entry: _Flag) -> int:
    """The three atimes are one field, which is cleared as a whole."""
    return c.MOUNT_ATTR__ATIME if entry.attribute & c.MOUNT_ATTR__ATIME else entry.attribute
