# SPDX-License-Identifier: BSD-2-Clause
"""cocker_image_export: images of the store in a file.

What the file has to be is known by its digest, so one that is there and right is not written again, whatever its time says.
Not here: what is in the file (storage/writeimage.py).
"""
from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import typing as t

from ansible_collections.cocker.engine.plugins.module_utils.engine import inspect
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.plugins.module_utils.engine.plan import Action, Outcome, Plan, Step, execute, outcome
from ansible_collections.cocker.engine.plugins.module_utils.kernel import fs
from ansible_collections.cocker.engine.plugins.module_utils.model import names
from ansible_collections.cocker.engine.plugins.module_utils.model.errors import Invalid, tolerate
from ansible_collections.cocker.engine.plugins.module_utils.model.image import ImageRecord
from ansible_collections.cocker.engine.plugins.module_utils.model.image_wishes import COCKERIMAGE, ExportWish
from ansible_collections.cocker.engine.plugins.module_utils.storage import exports, images, layers, writeimage
from ansible_collections.cocker.engine.plugins.module_utils.storage.layers import Blob

EXPORT, REPLACE = "export", "replace"
_CHUNK = 1 << 20


def ensure(host: Host, wish: ExportWish) -> Outcome:
    """Raises NotFound for an image that is not there, Invalid for a path that no file can have."""
    with contextlib.ExitStack() as stack:
        for name in sorted({ref.name for ref in wish.images}):
            stack.enter_context(host.locked("image", name, shared=True))        # its layers stay meanwhile
        records = tuple(images.resolve(host.layout, ref) for ref in wish.images)
        wanted = writeimage.Wanted(records, wish.format, wish.compression)
        path = _target(wish, records)
        have = _found(path)
        known = exports.find(host.layout, wanted.key())
        new = stack.enter_context(_New(host, wanted, path))
        if known is None and (have is not None or not host.dry_run):
            known = new.make()
        plan = _plan(wish, path, have, known)
        execute(plan, lambda action: Step(new.place), dry_run=host.dry_run)
        known = new.made or known
        if not host.dry_run and known is not None:
            exports.remember(host.layout, wanted.key(), known)
        return outcome(plan, _result(path, records, known))


def _plan(wish: ExportWish, path: str, have: t.Optional[Blob], known: t.Optional[Blob]) -> Plan:
    """Pure. `known` None: nothing is there, so that it does not matter what it will be."""
    if have is not None and have == known and not wish.force:
        return Plan()
    details = {"format": wish.format, "images": [str(ref) for ref in wish.images]}
    before = {"exists": have is not None, **({"digest": have.digest, "size": have.size} if have else {})}
    after = {"exists": True, "format": wish.format, "images": details["images"]}
    if have is None:
        return Plan(EXPORT, ("the file does not exist",), (Action(EXPORT, path, details),), before, after)
    reason = "force was asked for" if have == known else "the file's content is another one"
    return Plan(REPLACE, (reason,), (Action(REPLACE, path, details),), before, after)


def _result(path: str, records: t.Sequence[ImageRecord], known: t.Optional[Blob]) -> t.Dict[str, t.Any]:
    shown = [inspect.image(record) for record in records]
    facts = {"digest": known.digest, "size": known.size} if known else {"digest": None, "size": None}
    return {"path": path, "images": shown, "image": shown[0], **facts}


def _target(wish: ExportWish, records: t.Sequence[ImageRecord]) -> str:
    """In a directory, a .cockerimage is called by what it holds."""
    path = wish.path
    if os.path.isdir(path) and wish.format == COCKERIMAGE:
        path = os.path.join(path, names.file_name(records[0].ref))
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise Invalid("path", "%s is not a file" % path)
        return os.path.realpath(path)       # a link stays, what it leads to is written
    except FileNotFoundError:
        if not os.path.isdir(os.path.dirname(path)):
            raise Invalid("path", "the directory of %s does not exist" % path) from None
        return path
    except OSError as error:
        raise Invalid("path", "%s: %s" % (path, error.strerror)) from error


def _found(path: str) -> t.Optional[Blob]:
    """All of it is read: a file that was damaged since has the size and the time of the whole one."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    found, size = hashlib.sha256(), 0
    with open(fd, "rb", buffering=0) as stream:
        for piece in iter(lambda: stream.read(_CHUNK), b""):
            found.update(piece)
            size += len(piece)
    return Blob("sha256:" + found.hexdigest(), size)


class _New:
    """The file beside its place, made at most once; in a dry run only its digest."""

    def __init__(self, host: Host, wanted: writeimage.Wanted, path: str) -> None:
        self._host = host
        self._wanted = wanted
        self._path = path
        self._temporary = ""
        self.made: t.Optional[Blob] = None

    def __enter__(self) -> _New:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._temporary:
            with tolerate(errno.ENOENT):
                os.unlink(self._temporary)

    def make(self) -> Blob:
        if self._host.dry_run:
            return writeimage.write(self._host.layout, self._wanted, len)
        folder = os.path.dirname(self._path)
        for left in fs.abandoned(folder):
            if fs.is_temporary_of(left, self._path):
                os.unlink(left)
        self._temporary = os.path.join(folder, fs.temporary_name(os.path.basename(self._path)))
        fd = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with layers.aside(self._host.layout.layers) as spool:
                self.made = writeimage.write(self._host.layout, self._wanted, lambda data: fs.write_all(fd, data), spool=spool)
            self._describe(fd)
            os.fsync(fd)
        finally:
            os.close(fd)
        return self.made

    def _describe(self, fd: int) -> None:
        """Owner and mode of the file that is replaced, else root's alone: an image may hold secrets."""
        with contextlib.suppress(FileNotFoundError):
            facts = os.stat(self._path)
            os.fchown(fd, facts.st_uid, facts.st_gid)
            os.fchmod(fd, stat.S_IMODE(facts.st_mode))

    def place(self) -> None:
        if not self._temporary:
            self.make()
        os.rename(self._temporary, self._path)
        fs.fsync_dir(os.path.dirname(self._path))
