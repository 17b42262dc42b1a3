# SPDX-License-Identifier: BSD-2-Clause
"""What is kept of a container below --root: ROOT/ID/state.json, and beside it the two pipes by which `start` lets it go.

Not here: who writes it when (create.py), what is said of it (looking.py).
"""
from __future__ import annotations

import errno
import json
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import cgroupfs, fs, process
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Damaged, tolerate

DEFAULT_ROOT = "/run/cocker/oci"
OCI_VERSION = "1.3.0"
SCHEMA = 1
STATE = "state.json"
GATE, ANSWER = "exec.fifo", "answer.fifo"      # the first is there as long as the container has not been started
CREATING, CREATED, RUNNING, PAUSED, STOPPED = "creating", "created", "running", "paused", "stopped"
_LARGEST = 1 << 24
_LONGEST = 1024
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.")


class Record(t.NamedTuple):
    """`config` is the config.json that it was made from; `owner` a user id. `init` is 0 until it is made."""

    id: str
    init: process.Identity
    boot_id: str
    bundle: str
    rootfs: str
    created: str
    owner: int
    cgroups: t.Mapping[str, str]
    config: t.Dict[str, t.Any]

    def lives(self) -> bool:
        return self.boot_id == process.boot_id() and self.init.alive()

    def annotations(self) -> t.Dict[str, str]:
        return self.config.get("annotations") or {}


def folder(root: str, name: str) -> str:
    """Raises CockerError for an id that cannot be one."""
    if not name or name in (".", "..") or len(name) > _LONGEST or not _LETTERS.issuperset(name):
        raise CockerError("invalid container id format: %r" % name, "", "letters, digits and _ + - . are wanted")
    return os.path.join(root, name)


def write(root: str, record: Record) -> None:
    value = dict(record._asdict(), schema=SCHEMA, init=list(record.init))
    fs.write_atomic(os.path.join(folder(root, record.id), STATE), json.dumps(value).encode(), mode=0o600, durable=False)


def find(root: str, name: str) -> t.Optional[Record]:
    """None when there is none of that name."""
    path = os.path.join(folder(root, name), STATE)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    with open(fd, "rb") as stream:
        content = stream.read(_LARGEST)
    try:
        value = json.loads(content)
        fields = {key: value[key] for key in Record._fields}
        return Record(**dict(fields, init=process.Identity(*map(int, value["init"]))))
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged("read", path, "not a state record: %r" % error) from error


def get(root: str, name: str) -> Record:
    found = find(root, name)
    if found is None:
        raise CockerError("container does not exist")
    return found


def names(root: str) -> t.List[str]:
    try:
        return sorted(name for name in os.listdir(root) if os.path.exists(os.path.join(root, name, STATE)))
    except FileNotFoundError:
        return []


def status(root: str, record: Record) -> str:
    if not record.init.pid:
        return CREATING
    if not record.lives():
        return STOPPED
    if cgroupfs.is_frozen(record.cgroups):
        return PAUSED
    return CREATED if os.path.exists(os.path.join(folder(root, record.id), GATE)) else RUNNING


def remove(root: str, name: str) -> None:
    """Idempotent; files of ours only, and the directory."""
    _remove(folder(root, name))


def _remove(where: str) -> None:
    with tolerate(errno.ENOENT):
        for entry in os.listdir(where):
            path = os.path.join(where, entry)
            try:
                os.unlink(path)
            except IsADirectoryError:
                _remove(path)
            except FileNotFoundError:
                continue
        os.rmdir(where)


def describe(record: Record, state: str) -> t.Dict[str, t.Any]:
    """The state of the runtime spec, as hooks and `state` give it."""
    found: t.Dict[str, t.Any] = {
        "ociVersion": OCI_VERSION, "id": record.id, "status": state, "pid": 0 if state == STOPPED else record.init.pid,
        "bundle": record.bundle,
    }
    if record.annotations():
        found["annotations"] = record.annotations()
    return found
