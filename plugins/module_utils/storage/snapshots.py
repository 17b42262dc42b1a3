# SPDX-License-Identifier: BSD-2-Clause
"""A container's root file system: the layers below, in their order, and its own writable layer, with the former one while a replacement
is not sure yet. Every step can be killed and done again.

Not here: mounting (runtime/rootfs.py), and what the record says (model/container.py).
"""
from __future__ import annotations

import contextlib
import errno
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Damaged, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.storage.layout import Layout

HIDES_ALL, MAY_HIDE = "trusted.overlay.opaque", "trusted.overlay.origin"       # attributes of a directory, as overlayfs knows them
PREVIOUS, DROPPED = "previous", ".dropped"
RECORD = "spec.json"
UPPER = "upper"
_LAYER = (UPPER, "work")


def layer_order(stack: t.Iterable[t.Sequence[str]]) -> t.List[str]:
    """Layer ids, bottom first, of images stacked bottom to top. A layer that several share is there once, where it is lowest."""
    found: t.Dict[str, None] = {}
    for layers in stack:
        found.update(dict.fromkeys(layers))
    return list(found)


def lower_dirs(layout: Layout, stack: t.Iterable[t.Sequence[str]]) -> t.List[str]:
    """As overlayfs wants them: topmost first. Raises Damaged when a layer is not in the store.

    A layer that hides all below it ends the list: overlayfs does not look at that mark on the top of a layer.
    """
    paths = []
    for layer in reversed(layer_order(stack)):
        path = layout.diff(layer)
        if not os.path.isdir(path):
            raise Damaged("use", path, "the layer is not in the store")
        paths.append(path)
        if fs.find_xattr(path, HIDES_ALL) == b"y":
            break
    return paths


def create(directory: str, *, top: str) -> None:
    """A container's directory. `merged` is where its own mount namespace sees the root; `top` is the topmost layer, or empty."""
    os.mkdir(directory, 0o700)
    for part in ("merged", "logs"):
        os.mkdir(os.path.join(directory, part), 0o700)
    _make_layer(directory, top)


def _make_layer(directory: str, top: str) -> None:
    for part in _LAYER[1:]:
        os.mkdir(os.path.join(directory, part), 0o700)
    make_upper(directory, top=top)


def make_upper(directory: str, *, top: str) -> None:
    """overlayfs shows the attributes of `upper` as those of the container's /: they are the topmost layer's, whatever the umask."""
    upper = os.path.join(directory, UPPER)
    os.mkdir(upper, 0o700)
    facts = os.stat(top or upper)
    os.chown(upper, facts.st_uid, facts.st_gid)
    os.chmod(upper, facts.st_mode & 0o7777 if top else 0o755)


def ensure_work(directory: str) -> None:
    """overlayfs's own directory has nothing of the container's, so one that is gone is no loss."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(os.path.join(directory, _LAYER[1]), 0o700)


def is_lost(directory: str) -> bool:
    """Whether somebody has removed the writable layer, with all that the container has written."""
    return not os.path.isdir(os.path.join(directory, UPPER))


def keep_record(directory: str) -> None:
    """The former record is set aside until the replacement has succeeded."""
    drop_previous(directory)
    os.mkdir(os.path.join(directory, PREVIOUS), 0o700)
    with open(os.path.join(directory, RECORD), "rb") as record:
        fs.write_atomic(os.path.join(directory, PREVIOUS, RECORD), record.read())


def keep_layer(directory: str, *, top: str) -> None:
    """So is the writable layer, if there still is one, and an empty one takes its place."""
    for part in _LAYER:
        with tolerate(errno.ENOENT):
            os.rename(os.path.join(directory, part), os.path.join(directory, PREVIOUS, part))
    _make_layer(directory, top)


def restore_previous(directory: str) -> None:
    """A replacement that did not succeed: the former record and writable layer are in force again. Idempotent."""
    former = os.path.join(directory, PREVIOUS)
    if os.path.isdir(former):
        for part in _LAYER:
            if os.path.isdir(os.path.join(former, part)):
                fs.remove_tree(os.path.join(directory, part))
                os.rename(os.path.join(former, part), os.path.join(directory, part))
        with tolerate(errno.ENOENT):
            os.rename(os.path.join(former, RECORD), os.path.join(directory, RECORD))
        fs.fsync_dir(directory)
    drop_previous(directory)


def drop_previous(directory: str) -> None:
    """Out of sight first: what is being removed must never be restored. Idempotent."""
    dropped = os.path.join(directory, DROPPED)
    if os.path.lexists(dropped):
        fs.remove_tree(dropped)
    with contextlib.suppress(FileNotFoundError):
        os.rename(os.path.join(directory, PREVIOUS), dropped)
        fs.remove_tree(dropped)
