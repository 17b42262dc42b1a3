# SPDX-License-Identifier: BSD-2-Clause
"""A container's directory: its writable layer, and the former record and layer while a replacement is not sure yet.

Not here: its removal (teardown.py) and what is in the record (model/container.py). Every step can be killed and done again.
"""
from __future__ import annotations

import contextlib
import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.container import ContainerRecord
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import tolerate

PREVIOUS, DROPPED = "previous", ".dropped"
RECORD = "spec.json"
_LAYER = ("upper", "work")


def create(host: Host, name: str, record: t.Optional[ContainerRecord]) -> None:
    """`merged` is where the container's own mount namespace sees the root."""
    directory = host.layout.container(name)
    os.mkdir(directory, 0o700)
    for part in ("merged", "logs"):
        os.mkdir(os.path.join(directory, part), 0o700)
    _make_layer(host, directory, record)


def _make_layer(host: Host, directory: str, record: t.Optional[ContainerRecord]) -> None:
    """overlayfs shows the attributes of `upper` as those of the container's /: they are the topmost image's, whatever the umask."""
    for part in _LAYER:
        os.mkdir(os.path.join(directory, part), 0o700)
    upper = os.path.join(directory, "upper")
    layers = record.pins[-1].layers if record is not None and record.pins else ()
    facts = os.stat(host.layout.diff(layers[-1])) if layers else os.stat(upper)
    os.chown(upper, facts.st_uid, facts.st_gid)
    os.chmod(upper, facts.st_mode & 0o7777 if layers else 0o755)


def keep_record(host: Host, name: str) -> None:
    """The former record is set aside until the replacement has succeeded."""
    directory = host.layout.container(name)
    drop_previous(host, name)
    os.mkdir(os.path.join(directory, PREVIOUS), 0o700)
    with open(host.layout.spec(name), "rb") as record:
        fs.write_atomic(os.path.join(directory, PREVIOUS, RECORD), record.read())


def keep_layer(host: Host, name: str, record: t.Optional[ContainerRecord]) -> None:
    """So is the writable layer, and an empty one takes its place."""
    directory = host.layout.container(name)
    for part in _LAYER:
        os.rename(os.path.join(directory, part), os.path.join(directory, PREVIOUS, part))
    _make_layer(host, directory, record)


def restore_previous(host: Host, name: str) -> None:
    """A replacement that did not succeed: the former record and writable layer are in force again. Idempotent."""
    directory = host.layout.container(name)
    former = os.path.join(directory, PREVIOUS)
    if os.path.isdir(former):
        for part in _LAYER:
            if os.path.isdir(os.path.join(former, part)):
                fs.remove_tree(os.path.join(directory, part))
                os.rename(os.path.join(former, part), os.path.join(directory, part))
        with tolerate(errno.ENOENT):
            os.rename(os.path.join(former, RECORD), os.path.join(directory, RECORD))
        fs.fsync_dir(directory)
    drop_previous(host, name)


def drop_previous(host: Host, name: str) -> None:
    """Out of sight first: what is being removed must never be restored. Idempotent."""
    directory = host.layout.container(name)
    dropped = os.path.join(directory, DROPPED)
    if os.path.lexists(dropped):
        fs.remove_tree(dropped)
    with contextlib.suppress(FileNotFoundError):
        os.rename(os.path.join(directory, PREVIOUS), dropped)
        fs.remove_tree(dropped)
