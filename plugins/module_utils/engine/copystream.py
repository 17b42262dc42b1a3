# SPDX-License-Identifier: BSD-2-Clause
"""Files of a container as a tar archive on a stream, and a stream that is one into a directory of it, whether it runs or not.

In one pass, so what had been written before a failure stays. Not here: copies between host and container (copy.py), the archive
(storage/placetar.py).
"""
from __future__ import annotations

import contextlib
import errno
import functools
import os
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import copy, observe, rootview
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, mounts, rootpath
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Conflict, Damaged, NotFound
from ansible_collections.cocker.engine.plugins.module_utils.storage import archive, confine, decompress, pipeline, placetar, placing

_LIMITS = archive.Limits(entries=100_000_000, bytes=1 << 60)       # it is the user's own data: the disk is the limit
_HEAD = 512
_CHUNK = 1 << 20


def give(host: Host, name: str, path: str, out: placetar.Write, *, follow: bool) -> t.List[str]:
    """The archive of what is at `path`, under its last name; what was left out, for it is neither file, directory nor link.

    With `follow` a link at the end is followed, within the container. Raises NotFound, Conflict, Damaged.
    """
    with host.locked("container", name), rootview.opened(host, observe.container(host, name)) as root, \
            copy.anchored(root, path, follow=follow) as place:
        if placing.look(place) is None:
            raise NotFound("copy", path, "it does not exist")
        last = os.path.basename(path.rstrip("/"))
        return placetar.write(place, out, base=last if last not in ("", "..") else ".")


def take(host: Host, name: str, path: str, stream: int) -> None:
    """The archive, compressed or not, into a directory that is there. Names that lead out of it, and devices, are refused.

    Raises NotFound, Conflict, Damaged, Unsupported.
    """
    with host.locked("container", name), contextlib.ExitStack() as stack:
        found = observe.container(host, name)
        # As it is seen, first: where a start of the container mounts something, nothing is to be put.
        with rootview.opened(host, found) as root, _directory(root, path) as target:
            placing.refuse_closed(target, path)
        root = stack.enter_context(rootview.opened(host, found, writable=True))
        target = stack.enter_context(_directory(root, path))
        whole, kind = _from_its_head(stack, stream)
        tree = functools.partial(placetar.UsedTree, maps=root.maps)
        _child, finish = pipeline.start(stack, pipeline.Job(whole, kind, mounts.path_of(target), _LIMITS, tree))
        finish()


@contextlib.contextmanager
def _directory(root: rootview.Root, path: str) -> t.Iterator[int]:
    try:
        fd = rootpath.open_in(root.fd, path, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError as error:
        raise NotFound("copy to", path, "it does not exist") from error
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        raise Conflict("copy to", path, "an archive goes into a directory, and this is none") from error
    try:
        yield fd
    finally:
        os.close(fd)


def _from_its_head(stack: contextlib.ExitStack, stream: int) -> t.Tuple[int, str]:
    """A descriptor that gives all of the stream, and how that is compressed. Raises Damaged for one that has nothing."""
    head = b""
    while len(head) < _HEAD:
        piece = os.read(stream, _HEAD - len(head))
        if not piece:
            break
        head += piece
    if not head:
        raise Damaged("read", "standard input", "there is no archive on it")
    reader, writer = os.pipe()
    stack.callback(os.close, reader)

    def pump() -> None:
        fs.write_all(writer, head)
        for piece in iter(lambda: os.read(stream, _CHUNK), b""):
            fs.write_all(writer, piece)

    try:
        decompress.widen(reader)
        stack.enter_context(confine.Child(pump, "/", op="read", closing=(reader,)))
    finally:
        os.close(writer)
    return reader, decompress.kind_of(head)
