# SPDX-License-Identifier: BSD-2-Clause
"""Whether a layer is still what was imported: a list of its entries is written when it is made, and compared when somebody asks.

The list has what stat(2) says, the time of the last change of each inode included, which nobody can set. So it costs no reading of
files, and still tells of every write, truncation, removal and addition through the file system. What the disk itself lost without a
change is not seen. A layer that was a container's writable one has no list. Not here: what is done about it (engine/).
"""
from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import typing as t
import zlib

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, tolerate

LIST = "tree.z"
MISSING, ADDED, CHANGED = "missing", "added", "changed"
_ROOT = ""
_LEVEL = 1
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_STEPS = 15  # names of up to 255 bytes that one call takes
# In this order in the list. The last two mean nothing once a store was copied to other inodes.
_NAMES = ("kind", "mode", "owner", "group", "size", "mtime", "device", "target")
_PLACE = ("inode", "ctime")

Entry = t.List[t.Any]


class Finding(t.NamedTuple):
    """`path` in the layer. `details` is what differs, each before and after."""

    path: str
    what: str
    details: t.Mapping[str, t.Tuple[t.Any, t.Any]] = {}


def record(layer: str) -> None:
    """For a tree that is whole. Not durable by itself: its maker syncs the file system."""
    text = json.dumps(_entries(os.path.join(layer, "diff")), separators=(",", ":"))
    fs.write_atomic(os.path.join(layer, LIST), zlib.compress(text.encode("ascii"), _LEVEL), durable=False)


def findings(layer: str) -> t.Optional[t.List[Finding]]:
    """By path; None where no list was made. Raises Damaged for a list that cannot be read."""
    before = _load(os.path.join(layer, LIST))
    if before is None:
        return None
    top = os.path.join(layer, "diff")
    now = _entries(top) if os.path.isdir(top) else {}
    here = bool(now) and now[_ROOT][-2] == before[_ROOT][-2]
    names = _NAMES + _PLACE if here else _NAMES
    found = [Finding(path, MISSING) for path in before if path not in now]
    found += [Finding(path, ADDED) for path in now if path not in before]
    for path in set(before) & set(now):
        details = _differences(names, before[path], now[path])
        if details:
            found.append(Finding(path, CHANGED, details))
    return sorted(found)


def size(top: str) -> int:
    """The sum of the sizes of its files, each once; 0 where there is none."""
    total, seen = 0, set()
    for _path, facts, _target in _walk(top) if os.path.isdir(top) else ():
        if stat.S_ISREG(facts.st_mode) and facts.st_ino not in seen:
            total += facts.st_size
            if facts.st_nlink > 1:
                seen.add(facts.st_ino)
    return total


def _differences(names: t.Sequence[str], before: Entry, now: Entry) -> t.Dict[str, t.Tuple[t.Any, t.Any]]:
    """A directory in which something was made or removed says so by its times, too: then that is what counts."""
    ignored = ("size", "mtime", "ctime") if before[0] == now[0] == "directory" else ()
    return {name: (old, new) for name, old, new in zip(names, before, now) if old != new and name not in ignored}


def _entries(top: str) -> t.Dict[str, Entry]:
    """Surrogates stand for bytes that are no UTF-8."""
    found = {_ROOT: _entry(os.lstat(top), "")}
    found.update((path, _entry(facts, target)) for path, facts, target in _walk(top))
    return found


def _walk(top: str) -> t.Iterator[t.Tuple[str, os.stat_result, str]]:
    """Path below `top`, facts and, of a link, where it leads. No path is too long, no tree too deep; what vanishes is left out."""
    root = os.open(top, _FOLDER)
    try:
        pending = [""]
        while pending:
            prefix = pending.pop()
            with tolerate(errno.ENOENT, errno.ENOTDIR, errno.ELOOP), _opened(root, prefix) as folder, os.scandir(folder) as names:
                for each in names:
                    with tolerate(errno.ENOENT):
                        facts = each.stat(follow_symlinks=False)
                        yield prefix + each.name, facts, os.readlink(each.name, dir_fd=folder) if stat.S_ISLNK(facts.st_mode) else ""
                        if stat.S_ISDIR(facts.st_mode):
                            pending.append(prefix + each.name + "/")
    finally:
        os.close(root)


@contextlib.contextmanager
def _opened(root: int, prefix: str) -> t.Iterator[int]:
    """A directory below another one, in steps that the kernel takes (PATH_MAX)."""
    fd, names = os.open(".", _FOLDER, dir_fd=root), prefix.split("/")[:-1]
    try:
        for start in range(0, len(names), _STEPS):
            inner = os.open("/".join(names[start:start + _STEPS]), _FOLDER, dir_fd=fd)
            os.close(fd)
            fd = inner
        yield fd
    finally:
        os.close(fd)


def _entry(facts: os.stat_result, target: str) -> Entry:
    kind = _KINDS.get(stat.S_IFMT(facts.st_mode), "other")
    size = 0 if kind == "directory" else facts.st_size
    return [kind, stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid, size, facts.st_mtime_ns, facts.st_rdev, target,
            facts.st_ino, facts.st_ctime_ns]


_KINDS = {
    stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link", stat.S_IFCHR: "character device", stat.S_IFBLK: "block device",
    stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket",
}


def _load(path: str) -> t.Optional[t.Dict[str, Entry]]:
    try:
        with open(path, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        return None
    try:
        entries = json.loads(zlib.decompress(content))
        if not isinstance(entries, dict) or _ROOT not in entries:
            raise ValueError("it is no list of a tree")
        return entries
    except (ValueError, zlib.error) as error:
        raise Damaged("read", path, str(error), hint="import the image again with force: true") from error
