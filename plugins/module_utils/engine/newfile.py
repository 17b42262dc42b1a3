# SPDX-License-Identifier: BSD-2-Clause
"""A file of the host that an export makes: written beside its place, compared with what is there, and put in that place when it is whole.

Not here: what is in it (storage/writeimage.py, storage/volumedata.py).
"""
from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs, progress
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.storage.compress import Write
from ansible_collections.cocker.engine.plugins.module_utils.storage.layers import Blob

_CHUNK = 1 << 20


def place(path: str) -> str:
    """Where the file is to be: a link stays, what it leads to is written. Raises Invalid for a path that no file can have."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise Invalid("path", "%s is not a file" % path)
        return os.path.realpath(path)
    except FileNotFoundError:
        if not os.path.isdir(os.path.dirname(path)):
            raise Invalid("path", "the directory of %s does not exist" % path) from None
        return path
    except OSError as error:
        raise Invalid("path", "%s: %s" % (path, error.strerror)) from error


def found(path: str) -> t.Optional[Blob]:
    """All of it is read: a file that was damaged since has the size and the time of the whole one."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    digest, size = hashlib.sha256(), 0
    with open(fd, "rb", buffering=0) as stream:
        for piece in iter(lambda: stream.read(_CHUNK), b""):
            digest.update(piece)
            size += len(piece)
    return Blob("sha256:" + digest.hexdigest(), size)


class NewFile:
    """The file beside its place, made at most once; in a dry run only its digest. `write` gives the content to what it is called with."""

    def __init__(self, path: str, write: t.Callable[[Write], Blob], *, dry_run: bool) -> None:
        self._path = path
        self._write = write
        self._dry_run = dry_run
        self._temporary = ""
        self.made: t.Optional[Blob] = None

    def __enter__(self) -> NewFile:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._temporary:
            with tolerate(errno.ENOENT):
                os.unlink(self._temporary)

    def make(self) -> Blob:
        if self._dry_run:
            return self._write(len)
        folder = os.path.dirname(self._path)
        for left in fs.abandoned(folder):
            if fs.is_temporary_of(left, self._path):
                os.unlink(left)
        self._temporary = os.path.join(folder, fs.temporary_name(os.path.basename(self._path)))
        fd = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            progress.watch(os.path.basename(self._path), fd, 0)
            self.made = self._write(lambda data: fs.write_all(fd, data))
            self._describe(fd)
            os.fsync(fd)
        finally:
            os.close(fd)
        return self.made

    def _describe(self, fd: int) -> None:
        """Owner and mode of the file that is replaced, else root's alone: what is exported may hold secrets."""
        with contextlib.suppress(FileNotFoundError):
            facts = os.stat(self._path)
            os.fchown(fd, facts.st_uid, facts.st_gid)
            os.fchmod(fd, stat.S_IMODE(facts.st_mode))

    def place(self) -> None:
        if not self._temporary:
            self.make()
        os.rename(self._temporary, self._path)
        fs.fsync_dir(os.path.dirname(self._path))
