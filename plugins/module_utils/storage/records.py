# SPDX-License-Identifier: BSD-2-Clause
"""Records: one JSON object a file, with a schema, replaced as a whole, read with suspicion.

Not here: what a record says (the `from_json` of its noun), and the lock under which it is changed.
"""
from __future__ import annotations

import errno
import json
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Damaged, Unsupported, tolerate

SCHEMA = 1

Json = t.Dict[str, t.Any]
Record = t.TypeVar("Record")

_LARGEST = 16 << 20  # bytes; a record that is larger is not ours
_MOST_KNOWN = 64
# O_NONBLOCK: a FIFO in the place of a record must not stop us.
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_HINT = "restore or remove the file"


def write(path: str, value: t.Mapping[str, t.Any], *, durable: bool = True, sync: t.Optional[fs.Sync] = None) -> None:
    """Names that are no UTF-8 survive: JSON in ASCII keeps surrogates."""
    text = json.dumps({"schema": SCHEMA, **value}, indent=1, sort_keys=True, allow_nan=False)
    fs.write_atomic(path, text.encode("ascii") + b"\n", durable=durable, sync=sync)


def load(path: str, from_json: t.Callable[[Json], Record], *, known: t.Optional[t.Dict[bytes, Record]] = None) -> t.Optional[Record]:
    """None if there is none. Raises Damaged, which names the file, and Unsupported for what a later engine wrote.

    `known`: what has been read of files of this kind, by their content, for a record that is asked for again and again.
    """
    content = _content(path)
    if content is None:
        return None
    if known is None:
        return _understood(content, path, from_json)
    if content not in known:
        while len(known) >= _MOST_KNOWN:
            del known[next(iter(known))]
        known[content] = _understood(content, path, from_json)
    return known[content]


def _understood(content: bytes, path: str, from_json: t.Callable[[Json], Record]) -> Record:
    value = parse(content, path)
    schema = value.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise Damaged("read", path, "it has no schema number", hint=_HINT)
    if schema > SCHEMA:
        raise Unsupported("read", path, "it has schema %d, this engine knows %d" % (schema, SCHEMA), hint="written by a later version")
    try:
        return from_json(value)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        reason = "%s is missing" % error if isinstance(error, KeyError) else str(error)
        raise Damaged("read", path, reason, hint=_HINT) from error


def parse(content: bytes, subject: str) -> Json:
    """One JSON object of any origin. Raises Damaged."""
    try:
        value = json.loads(content.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError, MemoryError) as error:
        reason = "it is no JSON: %s" % (str(error) or type(error).__name__) if content.strip(b"\0 \n") else "it is empty"
        raise Damaged("read", subject, reason, hint=_HINT) from error
    if not isinstance(value, dict):
        raise Damaged("read", subject, "it is no JSON object", hint=_HINT)
    return value


def _refuse(constant: str) -> t.NoReturn:
    raise ValueError("%s is no number" % constant)


def _content(path: str) -> t.Optional[bytes]:
    try:
        fd = os.open(path, _OPEN)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:        # a link, say
        raise Damaged("read", path, error.strerror or "it cannot be opened", hint=_HINT) from error
    try:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            raise Damaged("read", path, "it is no regular file", hint=_HINT)
        if facts.st_uid not in (0, os.geteuid()):
            raise Damaged("read", path, "it belongs to user %d" % facts.st_uid, hint=_HINT)
        if facts.st_size > _LARGEST:
            raise Damaged("read", path, "it has %d bytes" % facts.st_size, hint=_HINT)
        return os.read(fd, facts.st_size)
    finally:
        os.close(fd)


def remove(path: str) -> None:
    """Idempotent; gone for good when it returns."""
    with tolerate(errno.ENOENT, errno.ENOTDIR):
        os.unlink(path)
        fs.fsync_dir(os.path.dirname(path))


class Listing(t.Generic[Record]):
    """What could be read, and what could not: one damaged record hides no other."""

    def __init__(self) -> None:
        self.values: t.List[Record] = []
        self.damaged: t.List[CockerError] = []

    def add(self, path: str, from_json: t.Callable[[Json], Record]) -> None:
        """A record that is gone by now is none."""
        try:
            found = load(path, from_json)
        except CockerError as error:
            self.damaged.append(error)
            return
        if found is not None:
            self.values.append(found)
