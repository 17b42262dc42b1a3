# SPDX-License-Identifier: BSD-2-Clause
"""Who a container's process is: `name|uid[:group|gid]`, looked up in the image's own passwd and group files.

Not here: becoming that user (credentials.py).
"""
from __future__ import annotations

import errno
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import rootpath
from ansible_collections.cocker.engine.plugins.module_utils.model import oci
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, Invalid, NotFound

LARGEST = 1 << 20
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


class User(t.NamedTuple):
    uid: int
    gid: int
    groups: t.Tuple[int, ...] = ()
    home: str = ""


class _Account(t.NamedTuple):
    name: str
    uid: int
    gid: int
    home: str


def find(root_fd: int, process: oci.Process, *, user: str = "") -> User:
    """Reads the files below the root. Raises Invalid, NotFound, Damaged."""
    found = _find(root_fd, process, user or process.user)
    if not process.group_names:
        return found
    group = _read(root_fd, "/etc/group")
    more = {_group(name, group) for name in process.group_names}
    return found._replace(groups=tuple(sorted(more.union(found.groups))))


def _find(root_fd: int, process: oci.Process, wanted: str) -> User:
    if wanted:
        return resolve(wanted, passwd=_read(root_fd, "/etc/passwd"), group=_read(root_fd, "/etc/group"))
    try:
        passwd = _read(root_fd, "/etc/passwd")
    except Damaged:         # only the home directory would come from there
        passwd = b""
    homes = [account.home for account in _accounts(passwd) if account.uid == process.uid]
    return User(process.uid, process.gid, process.groups, homes[0] if homes else "")


def resolve(wanted: str, *, passwd: bytes, group: bytes) -> User:
    """Pure. A group that is named stands alone; without one, the account's own and all that list its name."""
    who, colon, group_name = wanted.partition(":")
    if not who or (colon and not group_name):
        raise Invalid("user", "%r is not USER or USER:GROUP" % wanted)
    account = _account(who, passwd)
    if group_name:
        return User(account.uid, _group(group_name, group), (), account.home)
    groups = sorted({gid for _name, gid, members in _groups(group) if account.name and account.name in members})
    return User(account.uid, account.gid, tuple(groups), account.home)


def _account(who: str, passwd: bytes) -> _Account:
    uid = _number(who)
    for account in _accounts(passwd):
        if account.name == who or (uid is not None and account.uid == uid):
            return account
    if uid is None:
        raise NotFound("user", who, "no such name in the image's /etc/passwd")
    return _Account("", uid, 0, "")


def _group(name: str, group: bytes) -> int:
    gid = _number(name)
    for found, number, _members in _groups(group):
        if found == name:
            return number
    if gid is None:
        raise NotFound("group", name, "no such name in the image's /etc/group")
    return gid


def _number(text: str) -> t.Optional[int]:
    """Plain ASCII digits only: int() also takes ` 1`, `+1`, `1_0` and the digits of other scripts."""
    if not text.isascii() or not text.isdigit():
        return None
    if len(text) > 10 or int(text) > oci.HIGHEST_ID:
        raise Invalid("user", "%s is above the highest id, %d" % (text, oci.HIGHEST_ID))
    return int(text)


def _accounts(passwd: bytes) -> t.Iterator[_Account]:
    for fields in _lines(passwd):
        if len(fields) >= 6 and _is_id(fields[2]) and _is_id(fields[3]):
            yield _Account(fields[0], int(fields[2]), int(fields[3]), fields[5])


def _groups(group: bytes) -> t.Iterator[t.Tuple[str, int, t.List[str]]]:
    for fields in _lines(group):
        if len(fields) >= 3 and _is_id(fields[2]):
            yield fields[0], int(fields[2]), fields[3].split(",") if len(fields) > 3 else []


def _lines(content: bytes) -> t.Iterator[t.List[str]]:
    for line in os.fsdecode(content).split("\n"):
        if line and not line.startswith("#"):
            yield line.split(":")


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= oci.HIGHEST_ID


def _read(root_fd: int, path: str) -> bytes:
    """Empty when there is none. An image may put anything in its place: a link, a FIFO, 300 MiB."""
    try:
        fd = rootpath.open_in(root_fd, path, _FLAGS)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return b""
        if error.errno == errno.ELOOP:
            raise Damaged("read", path, "it is a link in this image") from error
        raise
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise Damaged("read", path, "it is not a plain file in this image")
        if found.st_size > LARGEST:
            raise Damaged("read", path, "it has %d bytes in this image; %d are read at most" % (found.st_size, LARGEST))
        return os.read(fd, LARGEST)
    finally:
        os.close(fd)
