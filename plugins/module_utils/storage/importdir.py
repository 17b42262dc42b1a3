# SPDX-License-Identifier: BSD-2-Clause
"""A directory of the host becomes a layer. Not here: the record of the image (images.py)."""
from __future__ import annotations

import hashlib
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import progress
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import CockerError, Damaged, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.storage import treecopy
from ansible_collections.cocker.engine.plugins.module_utils.storage.layers import Layer, Staging

SOURCE = "directory"


def digest(path: str, *, cross_mounts: bool = False) -> str:
    """`sha256:...` of all that lstat(2) says of the tree: whether it would bring anything new, without reading its files."""
    return _surveyed(path, cross_mounts=cross_mounts)[0]


def _surveyed(path: str, *, cross_mounts: bool) -> t.Tuple[str, int]:
    """The digest, and how many bytes are in regular files; in one with several names as often as it has them."""
    if not os.path.isdir(path):
        raise NotFound("directory", path, "it does not exist on the host")
    found, size = hashlib.sha256(), 0
    try:
        for visit in treecopy.walk(path, cross_mounts=cross_mounts):
            if visit.event == treecopy.LEAF or visit.event == treecopy.LEAVE:
                found.update(_line(visit))
                size += visit.facts.st_size if stat.S_ISREG(visit.facts.st_mode) else 0
    except OSError as error:
        raise CockerError("read", path, "%s: %s" % (error.filename, error.strerror)) from error
    return "sha256:" + found.hexdigest(), size


def _line(visit: treecopy.Visit) -> bytes:
    facts = visit.facts
    is_directory = stat.S_ISDIR(facts.st_mode)
    link = os.readlink(visit.name, dir_fd=visit.dir_fd) if stat.S_ISLNK(facts.st_mode) else b""
    size = 0 if is_directory else facts.st_size         # a directory's depends on what it once held
    numbers = (facts.st_mode, facts.st_uid, facts.st_gid, size, facts.st_mtime_ns, facts.st_rdev)
    return b"%s\0%s\0%s\n" % (visit.path, " ".join(map(str, numbers)).encode("ascii"), link)


def import_directory(staging: Staging, path: str, *, created: str, cross_mounts: bool = False) -> Layer:
    """Raises NotFound, Damaged, CockerError; whoever made `staging` removes it then."""
    before, size = _surveyed(path, cross_mounts=cross_mounts)
    told = progress.adding(os.path.basename(os.path.abspath(path)) or path, size)
    try:
        totals = treecopy.copy_tree(path, staging.diff, cross_mounts=cross_mounts, told=told)
    except OSError as error:
        raise CockerError("copy", path, "%s: %s" % (error.filename, error.strerror)) from error
    if digest(path, cross_mounts=cross_mounts) != before:
        raise Damaged("copy", path, "it was changed while it was copied")
    return staging.commit(created=created, size=totals.size, entries=totals.entries, source=SOURCE, digest=before)
